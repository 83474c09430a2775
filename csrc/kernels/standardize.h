// What normalisations share: statistics of a set of elements, and how an element is seen by them.
#pragma once

#include "kernels/moments.h"
#include "kernels/scaled.h"

namespace tapegrad::TAPEGRAD_ISA {

struct Statistics {
    double mean, rstd, variance;
};

// scaled() gives the moments of the same elements where the range of double is left.
template <class T, class Scaled>
TAPEGRAD_INLINE Statistics statistics(Moments m, double count, double eps, const Scaled& scaled) {
    if constexpr (std::is_same_v<T, double>) {
        if (!(m.m2 < 1e300) || (m.m2 < 1e-280 && eps < 1e-250)) [[unlikely]] {
            const ScaledMoments s = scaled();
            const double deviation = __builtin_ldexp(__builtin_sqrt(s.m2 / count), s.exponent);
            return {s.mean, 1 / __builtin_hypot(deviation, __builtin_sqrt(eps)),
                    deviation * deviation};
        }
    }
    const double variance = m.m2 / count;
    return {m.sum / count, 1 / __builtin_sqrt(variance + eps), variance};
}

// (x - mean) * rstd, as (x * power + center) * scale + rest: what rounding takes from the mean is given back
// at the end, and the power of two, mostly 1, keeps the ends of the range apart from infinity and zero.
template <class T> struct Standardize {
    T power, center, scale, rest;

    Standardize() = default;
    Standardize(double mean, double rstd) {
        const bool small = rstd > 0x1p100 && __builtin_fabs(mean) < 1, large = rstd < 0x1p-100;
        const double up = large ? 0x1p-30 : small ? 0x1p30 : 1;
        const double down = large ? 0x1p30 : small ? 0x1p-30 : 1;
        const auto rounded = static_cast<double>(static_cast<T>(mean));
        power = static_cast<T>(up);
        center = static_cast<T>(-rounded * up);
        scale = static_cast<T>(rstd * down);
        rest = static_cast<T>((rounded - mean) * rstd);
    }
    TAPEGRAD_INLINE Pack<T> operator()(Pack<T> x) const {
        using P = Pack<T>;
        return fma(fma(x, P(power), P(center)), P(scale), P(rest));
    }
};

}  // namespace tapegrad::TAPEGRAD_ISA
