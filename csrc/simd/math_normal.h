// erfcx, and the inverses of the error function and of the normal distribution.
//
// erfcx(a) = exp(a**2) erfc(a) is what math_erf.h has before it multiplies with the exponential function; for
// large a the asymptotic expansion (DLMF 7.12.1), for negative a 2 exp(a**2) - erfcx(-a). The inverses are
// one step of Halley's method from a polynomial of fit_polynomials.py: in the middle for erf itself, in the
// tail for the logarithm of the distribution function, which is nearly a parabola.
#pragma once

#include "simd/math_core.h"
#include "simd/math_erf.h"
#include "simd/math_exp.h"
#include "simd/math_log.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

inline constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;

// For a >= 0.
TAPEGRAD_INLINE Pack<double> erfcx_positive(Pack<double> a) {
    using P = Pack<double>;
    const auto [g, v, delta] = scaled_erfc(min(P(28.0), a), P(0));
    const auto [q, q_low] = two_product(g.high, v);
    const P near = q + (fma(q, delta, fma(g.low, v, q_low)));
    const P inverse = 1 / max(P(28.0), a), t = 0.5 * inverse * inverse;
    const P series = poly(t, 1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0);
    const P far = inverse * 0x1.20dd750429b6dp-1 * series;
    return where(a > 28, far, near);
}
TAPEGRAD_INLINE Pack<double> erfcx_f64(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x), y = erfcx_positive(a);
    const auto [high, low] = two_product(min(P(27.0), a), min(P(27.0), a));
    const auto [n, r, r_low] = reduce_exp(high);
    const P square = scale(exp_reduced_long(r, r_low + low), n);
    return where(isnan(x), x, where(x < 0, 2 * square - y, y));
}

// ln Phi(x)
TAPEGRAD_INLINE Pack<double> log_ndtr_f64(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x);
    const P tail = log(0.5 * erfcx_positive(a * kSqrtHalf)) - 0.5 * a * a;
    const P upper = log1p(-normal_cdf(-a));
    return where(isnan(x), x, where(x < -1, tail, where(x > 0, upper, log(normal_cdf(x)))));
}

// erfinv(x) for |x| <= 3/4.
TAPEGRAD_INLINE Pack<double> erfinv_middle(Pack<double> x) {
    using P = Pack<double>;
    const P y = x * poly(x * x, 0x1.c5bf8a55b9c02p-1, 0x1.db24ccc99a68bp-3, 0x1.06211e9d96622p-3,
                         0x1.445c0433d06ddp-4, 0x1.0299602a62d63p-3, -0x1.d405e6aac70eep-3,
                         0x1.8835d1a16af68p-1, -0x1.f00e1c37a8a29p-1, 0x1.4a40a3c24c08cp-1);
    // One step: f = erf(y) - x, f' = 2 / sqrt(pi) e**-y**2, f'' = -2 y f'.
    const P step = (erf(y) - x) * (exp(y * y) * 0x1.c5bf891b4ef6ap-1);
    return y - step / (1 + y * step);
}
// z >= 0 with Phi(-z) = q, for 0 < q <= 1/8.
TAPEGRAD_INLINE Pack<double> normal_tail(Pack<double> q) {
    using P = Pack<double>;
    const P log_q = log(q);
    const P s = sqrt(-2 * log_q);
    const P z = s * poly(1 / s, 0x1.001280b9dc542p+0, -0x1.3f07c8fd887e7p-5, -0x1.e497d10871201p+1,
                         0x1.923a71e236abfp+3, -0x1.7d24dae93500ep+5, 0x1.169a57a833e8dp+7,
                         -0x1.1619b0aa0331fp+8, 0x1.6076434557472p+8, -0x1.fcbcc40d31f4cp+7,
                         0x1.3d945242a73f3p+6);
    // f = ln Phi(-z) - ln q and f' = -1 / m, where m is the ratio of Mills, with m' = z m - 1.
    const P scaled = erfcx_positive(z * kSqrtHalf);
    const P m = scaled * 0x1.40d931ff62705p0;
    const auto [high, low] = two_product(z, z);
    const P f = ((-0.5 * high - log_q) + log(0.5 * scaled)) - 0.5 * low;
    return z + f * m / (1 - 0.5 * f * (z * m - 1));
}
TAPEGRAD_INLINE Pack<double> ndtri_f64(Pack<double> p) {
    using P = Pack<double>;
    const auto upper = p > 0.5;
    const P q = where(upper, 1 - p, p);  // exact above 1/2
    const auto middle = q > 0.125;
    const P z = normal_tail(where(q > 0, min(P(0.125), q), P(0.125)));
    const P center = erfinv_middle(where(middle, 2 * p - 1, P(0))) * 0x1.6a09e667f3bcdp0;
    const P y = where(middle, center, where(upper, z, -z));
    const P end = where(q == 0, where(upper, P::infinity(), -P::infinity()), P::nan());
    return where((q > 0) & (q <= 0.5), y, end);
}
TAPEGRAD_INLINE Pack<double> erfinv_f64(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x);
    const auto middle = a <= 0.75;
    const P q = 0.5 * (1 - a);  // exact above 1/2
    const P z = normal_tail(where(middle, P(0.125), where(q > 0, q, P(0.125)))) * kSqrtHalf;
    const P y = where(middle, erfinv_middle(where(middle, x, P(0))), copysign(z, x));
    const P end = where(a == 1, copysign(P::infinity(), x), P::nan());
    return where(a < 1, y, end);
}

}  // namespace math

#define TAPEGRAD_IN_DOUBLE_(name)                                                                  \
    TAPEGRAD_INLINE Pack<double> name(Pack<double> x) { return math::name##_f64(x); }              \
    TAPEGRAD_INLINE Pack<float> name(Pack<float> x) {                                              \
        return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::name##_f64(v); }); \
    }
TAPEGRAD_IN_DOUBLE_(erfcx)
TAPEGRAD_IN_DOUBLE_(log_ndtr)
TAPEGRAD_IN_DOUBLE_(erfinv)
TAPEGRAD_IN_DOUBLE_(ndtri)
#undef TAPEGRAD_IN_DOUBLE_

}  // namespace tapegrad::TAPEGRAD_ISA
