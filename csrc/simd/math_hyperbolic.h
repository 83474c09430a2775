// asinh, acosh, atanh and hypot. float32 is computed in double precision.
//
// asinh(a) = log1p(a + a**2 / (1 + sqrt(1 + a**2))), acosh(x) = log1p(t + sqrt(2 t + t**2)) with t = x - 1,
// and atanh(a) = log1p(2 a / (1 - a)) / 2 (DLMF 4.37), which keep the digits near 0.
#pragma once

#include "simd/math_core.h"
#include "simd/math_log.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// Where squares may overflow, and 1 makes no difference, log(2 a).
TAPEGRAD_INLINE Pack<double> asinh_f64(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x), b = min(P(0x1p60), a);
    const P square = b * b;
    const P y = log1p(b + square / (1 + sqrt(1 + square)));
    return copysign(where(a > 0x1p30, log(a) + kLn2, y), x);
}
TAPEGRAD_INLINE Pack<double> acosh_f64(Pack<double> x) {
    using P = Pack<double>;
    const P t = min(P(0x1p60), x) - 1;
    const P y = log1p(t + sqrt(t * (t + 2)));
    return where(x < 1, P::nan(), where(x > 0x1p30, log(x) + kLn2, y));
}
TAPEGRAD_INLINE Pack<double> atanh_f64(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x);
    const auto [d, d_low] = fast_two_sum(P(1), -a);
    const P y = 0.5 * log1p(quotient(a + a, d, d_low));
    const P special = where(a == 1, P::infinity(), P::nan());
    return where(a < 0x1p-30, x, copysign(where(a < 1, y, special), x));
}
// Powers of two bring the larger one to where squares are in range.
TAPEGRAD_INLINE Pack<double> hypot_f64(Pack<double> a, Pack<double> b) {
    using P = Pack<double>;
    const P size = max(abs(a), abs(b));
    const auto large = size > 0x1p500, small = size < 0x1p-450;
    const P factor = where(large, P(0x1p-560), where(small, P(0x1p560), P(1)));
    const P back = where(large, P(0x1p560), where(small, P(0x1p-560), P(1)));
    const P x = a * factor, y = b * factor;
    const P result = sqrt(fma(x, x, y * y)) * back;
    return where(isinf(a) | isinf(b), P::infinity(), result);
}

}  // namespace math

#define TAPEGRAD_IN_DOUBLE_(name)                                                                  \
    TAPEGRAD_INLINE Pack<double> name(Pack<double> x) { return math::name##_f64(x); }              \
    TAPEGRAD_INLINE Pack<float> name(Pack<float> x) {                                              \
        return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::name##_f64(v); }); \
    }
TAPEGRAD_IN_DOUBLE_(asinh)
TAPEGRAD_IN_DOUBLE_(acosh)
TAPEGRAD_IN_DOUBLE_(atanh)
#undef TAPEGRAD_IN_DOUBLE_

TAPEGRAD_INLINE Pack<double> hypot(Pack<double> a, Pack<double> b) { return math::hypot_f64(a, b); }
TAPEGRAD_INLINE Pack<float> hypot(Pack<float> a, Pack<float> b) {
    const auto y = math::in_double(
        a, b, TAPEGRAD_LAMBDA(Pack<double> v, Pack<double> w) { return sqrt(fma(v, v, w * w)); });
    return where(isinf(a) | isinf(b), Pack<float>::infinity(), y);
}

}  // namespace tapegrad::TAPEGRAD_ISA
