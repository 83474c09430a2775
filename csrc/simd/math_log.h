// log, log2, log10, log1p and softplus.
//
// x = m 2**e with m in [sqrt(1/2), sqrt(2)) and f = m - 1, so log(x) = e ln 2 + log(1 + f).
// float32: log(1 + f) = f - f**2 / 2 + f**3 P(f). float64: with s = f / (2 + f),
// log(1 + f) = 2 atanh(s) = 2 s + s**3 P(s**2), arranged as in fdlibm (Sun Microsystems, 1993) so
// that the rounding of s does not matter: f - (f**2 / 2 - s (f**2 / 2 + s**2 P)).
#pragma once

#include "simd/math_core.h"
#include "simd/math_exp.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

// e ln 2 + log(1 + f)
TAPEGRAD_INLINE Pack<float> log_sum(Pack<float> e, Pack<float> f) {
    using P = Pack<float>;
    const P z = f * f;
    const P p = poly(f, 0x1.555548p-2, -0x1.000006p-2, 0x1.99a4b6p-3, -0x1.555c4ep-3, 0x1.23376ap-3,
                     -0x1.fc220ap-4, 0x1.e6f052p-4, -0x1.de3bdep-4, 0x1.14578p-4);
    P y = fma(e, P(0x1.c85fep-10), f * z * p);
    y = fma(P(-0.5), z, y);
    return fma(e, P(0x1.62p-1), f + y);
}

// s**2 P(s**2) with s = f / (2 + f): what is left of log(1 + f) after f**2 / 2.
struct LogRest {
    Pack<double> half_square, product;  // log(1 + f) = f - (half_square - product)
};
TAPEGRAD_INLINE LogRest log_rest(Pack<double> f) {
    using P = Pack<double>;
    const P s = f / (2 + f);
    const P z = s * s;
    const P r = z * poly(z, 0x1.5555555555593p-1, 0x1.999999997f8acp-2, 0x1.249249423e225p-2,
                         0x1.c71c51c68aa39p-3, 0x1.74664d726138bp-3, 0x1.39a02f236d510p-3,
                         0x1.2f15bae17ea2cp-3);
    const P half = 0.5 * f * f;
    return {half, s * (half + r)};
}
TAPEGRAD_INLINE Pack<double> log_sum(Pack<double> e, Pack<double> f) {
    using P = Pack<double>;
    const auto [half, product] = log_rest(f);
    const P low = fma(e, P(0x1.a39ef35793c76p-33), product);
    return fma(e, P(0x1.62e42feep-1), f - (half - low));
}

// log(1 + f) / ln(base) + e log_base(2), with 1 / ln(base) and log_base(2) in two parts each.
struct Base {
    double inverse_high, inverse_low, two_high, two_low;
};
TAPEGRAD_INLINE Pack<double> log_base(Pack<double> x, Base base) {
    using P = Pack<double>;
    const auto [m, e] = split(x);
    const P f = m - 1;
    const auto [half, product] = log_rest(f);
    // log(1 + f) as high + low, where high has few enough bits for exact products.
    P high = f - half;
    high = P::from_bits(high.bits() & static_cast<int64_t>(0xffffffff00000000));
    const P low = ((f - high) - half) + product;
    const P y = e * base.two_high;
    const auto [sum, error] = fast_two_sum(y, high * base.inverse_high);
    const P rest = fma(low + high, P(base.inverse_low), low * base.inverse_high);
    const P total = sum + (fma(e, P(base.two_low), rest) + error);
    return repair_log(x, where(isfinite(e), total, e + f));
}
inline constexpr Base kBase2{0x1.71547p0, 0x1.94ae0bf85ddf4p-22, 1.0, 0.0};
inline constexpr Base kBase10{0x1.bcb7bp-2, 0x1.526e50e32a6abp-26, 0x1.344135090p-2,
                              0x1.ef3fde623e256p-35};

}  // namespace math

template <class T> TAPEGRAD_INLINE Pack<T> log(Pack<T> x) {
    const auto [m, e] = math::split(x);
    return math::repair_log(x, math::log_sum(e, m - 1));
}

TAPEGRAD_INLINE Pack<double> log2(Pack<double> x) { return math::log_base(x, math::kBase2); }
TAPEGRAD_INLINE Pack<double> log10(Pack<double> x) { return math::log_base(x, math::kBase10); }

// One multiplication in double precision is exact enough.
TAPEGRAD_INLINE Pack<float> log2(Pack<float> x) {
    return math::in_double(
        x, TAPEGRAD_LAMBDA(Pack<double> v) {
            const auto [m, e] = math::split(v);
            return math::repair_log(
                v, fma(math::log_sum(Pack<double>(0), m - 1), Pack<double>(math::kLog2E), e));
        });
}
TAPEGRAD_INLINE Pack<float> log10(Pack<float> x) {
    return math::in_double(
        x, TAPEGRAD_LAMBDA(Pack<double> v) { return log(v) * 0x1.bcb7b1526e50ep-2; });
}

// As log(1 + x), but with f = (1 + x) / 2**e - 1 computed from x itself: f = x where e is 0.
template <class T> TAPEGRAD_INLINE Pack<T> log1p(Pack<T> x) {
    using P = Pack<T>;
    const P u = 1 + x;
    const auto [m, e] = math::split(u);
    const P t = math::power_of_two(min(P(sizeof(T) == 4 ? 100.0 : 1000.0), -e));
    const P small = x * t + (t - 1);
    const P f = where((x > -1) & (x < (sizeof(T) == 4 ? 0x1p60 : 0x1p500)), small, m - 1);
    const P result = math::repair_log(u, math::log_sum(e, f));
    return where(abs(x) < (sizeof(T) == 4 ? 0x1p-26 : 0x1p-55), x, result);  // keeps -0 too
}

// log(1 + exp(x)), without overflow.
template <class T> TAPEGRAD_INLINE Pack<T> softplus(Pack<T> x) {
    using P = Pack<T>;
    const P z = math::exp_inside(max(P(math::kExpLow<T>), -abs(x)));
    return max(P(0), x) + log1p(z);
}

}  // namespace tapegrad::TAPEGRAD_ISA
