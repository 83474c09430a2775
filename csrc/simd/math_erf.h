// erf, erfc and the normal distribution.
//
// erf(x) near 0 is x P(x**2). erfc(a) = exp(-a**2) G(u) / (a + k) with u = (a - k) / (a + k), which
// maps [0, infinity) to [-1, 1) (Shepherd and Laframboise, Math. Comp. 36, 1981). The
// polynomials are those of fit_polynomials.py. The square in the exponent is carried with its
// rounding error, since exp turns an absolute error there into a relative one.
#pragma once

#include "simd/math_core.h"
#include "simd/math_exp.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

// exp(a**2) erfc(a) = g v (1 + delta) for a + a_low >= 0. The rounding errors of u and of 1 / (a + k) are
// followed to first order: delta is the relative change that they cause.
struct ScaledErfc {
    Sum<Pack<double>> g;
    Pack<double> v, delta;
};
TAPEGRAD_INLINE ScaledErfc scaled_erfc(Pack<double> a, Pack<double> a_low) {
    using P = Pack<double>;
    const auto [d, d_error] = two_sum(a, P(4));
    const P v = inverse(d);
    const P v_change = residual(P(1), v, d) - v * (d_error + a_low);
    const P u = fma(P(-8), v, P(1));
    const P u_low = fma(P(-8), v, 1 - u) - 8 * v * v_change;
    Sum<P> g{poly(u, -0x1.14eacb1ad02ep-1, 0x1.52cac237102f8p-2, -0x1.645fd8a4bf3ccp-3,
                  0x1.38dbd2c8d9b69p-4, -0x1.b00c052a9bc9dp-6, 0x1.908f4729ed58fp-8,
                  -0x1.269b55adb4367p-12, -0x1.dd28475b94297p-12, 0x1.72cdcd18fc6ffp-13,
                  -0x1.e7e56b0bf4357p-19, -0x1.3c72a3b677352p-16, 0x1.3b0659f2bdf9dp-18,
                  0x1.7eca66de7269p-20, -0x1.c6206c23ffc35p-21, -0x1.4e381b7f5494cp-24,
                  0x1.09fb0fdcced52p-23, 0x1.5102ffafdbdbp-29, -0x1.088118f8bfbb1p-26,
                  -0x1.5f42a34986cc1p-32, 0x1.1db97b07e5768p-30),
             P(0)};
    g = horner_step(g, u, 0x1.8be202d26c702p-1, -0x1.7165c2c093a7ap-55);
    g = horner_step(g, u, -0x1.f3fe31ecb49cp-1, 0x1.6cdf4c4b5c25cp-59);
    g = horner_step(g, u, 0x1.18932bf08e154p0, 0x1.0fe0b531ccd3cp-54);
    const P slope = poly(u, -0x1.ca247ap-1, 0x1.4b405p-1, -0x1.0bb59ep-2, -0x1.3f6c86p-5);
    return {g, v, fma(slope, u_low, v_change)};
}
// erfc(a + a_low), where square is (a + a_low)**2.
TAPEGRAD_INLINE Pack<double> erfc_f64(Pack<double> a, Pack<double> a_low,
                                      Sum<Pack<double>> square) {
    using P = Pack<double>;
    const auto [g, v, change] = scaled_erfc(a, a_low);
    const auto [n, r, low] = reduce_exp(-square.high);
    const P delta = change + (low - square.low);
    // q (1 + r) (1 + delta) + q (exp(r) - 1 - r), of which the first is by far the largest.
    const auto [q, q_low] = two_product(g.high, v);
    const auto [qr, qr_low] = two_product(q, r);
    const auto [sum, sum_low] = fast_two_sum(q, qr);
    const P curve = r * r * exp_poly(r);
    const P rest = fma(delta, r + curve, curve + delta);
    return scale(sum + (fma(q, rest, fma(g.low, v, q_low)) + (sum_low + qr_low)), n);
}

// The same to float precision; the square of a widened float is exact.
TAPEGRAD_INLINE Pack<double> exp_short(Pack<double> x) {
    using P = Pack<double>;
    const auto [n, r, low] = reduce_exp(x);
    const P p =
        poly(r, 0x1p-1, 0x1.555554p-3, 0x1.5554bp-5, 0x1.11118ap-7, 0x1.6d7348p-10, 0x1.a03324p-13);
    return scale_moderate(1 + fma(r * r, p, r), n);
}
TAPEGRAD_INLINE Pack<double> erfc_f32(Pack<double> a, Pack<double> square) {
    using P = Pack<double>;
    a = min(P(10.5), a);
    const P v = inverse(a + 3);
    const P u = fma(P(-6), v, P(1));
    const P g = poly(u, 0x1.12f21de20660ap0, -0x1.c44c47f3f2ba5p-1, 0x1.2e3265c582e76p-1,
                     -0x1.3deae00db15e3p-2, 0x1.e9981d1805027p-4, -0x1.b7b230a01385dp-6,
                     -0x1.4261b96e5a184p-10, 0x1.92233f97e84dfp-9, -0x1.f92956a935458p-12,
                     -0x1.41dcd5c62819fp-12, 0x1.4f2d8778b1193p-17);
    return exp_short(max(P(-120.0), -square)) * (g * v);
}

}  // namespace math

TAPEGRAD_INLINE Pack<double> erfc(Pack<double> x) {
    using P = Pack<double>;
    const P a = min(P(28.0), abs(x));
    const P y = math::erfc_f64(a, P(0), math::two_product(a, a));
    return where(x < 0, 2 - y, y);
}
TAPEGRAD_INLINE Pack<float> erfc(Pack<float> x) {
    return math::in_double(
        x, TAPEGRAD_LAMBDA(Pack<double> v) {
            const auto y = math::erfc_f32(abs(v), v * v);
            return where(v < 0, 2 - y, y);
        });
}

TAPEGRAD_INLINE Pack<double> erf(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x), z = a * a;
    const P small =
        a * math::poly(z, 0x1.20dd750429b6dp0, -0x1.812746b0379e6p-2, 0x1.ce2f21a042b2p-4,
                       -0x1.b82ce3128499cp-6, 0x1.565bcd0db02c7p-8, -0x1.c02db3d8ecdbep-11,
                       0x1.f9a321a116d34p-14, -0x1.f4d1df38db4aep-17, 0x1.b9def1995c1e6p-20,
                       -0x1.5f1d36a3432d6p-23, 0x1.f7a4112daf132p-27, -0x1.386abe81bc091p-30,
                       0x1.0579a69d4bb15p-34);
    const P b = min(P(6.0), a);
    const P big = 1 - math::erfc_f64(b, P(0), math::two_product(b, b));
    return copysign(where(a < 1, small, big), x);
}
// Above 0.9: 1 - exp(L(a)), where L is a polynomial for log(erfc(a)).
TAPEGRAD_INLINE Pack<float> erf(Pack<float> x) {
    using P = Pack<float>;
    const P a = abs(x), z = a * a;
    const P p = math::poly(z, 0x1.06eba6p-3, -0x1.8126fap-2, 0x1.ce1dd2p-4, -0x1.b6bee4p-6,
                           0x1.4876dp-8, -0x1.3f4f84p-11);
    const P l =
        math::poly(min(P(4.0), a), 0x1.9e9924p-13, -0x1.21312cp0, -0x1.44160ep-1, -0x1.bda568p-4,
                   0x1.a2d664p-6, -0x1.20aab6p-8, 0x1.0a7a8p-11, -0x1.1c526cp-15, 0x1.f487c2p-21);
    return copysign(where(a < 0.9, fma(a, p, a), 1 - math::exp_moderate(l)), x);
}

// The distribution function and the density of the standard normal distribution:
// erfc(-x / sqrt(2)) / 2 and exp(-x**2 / 2) / sqrt(2 pi), without the loss of digits that
// rounding x / sqrt(2) first would cause for large |x|.
TAPEGRAD_INLINE Pack<double> normal_cdf(Pack<double> x) {
    using P = Pack<double>;
    const P x_abs = min(P(39.0), abs(x));
    const auto [high, low] = math::two_product(x_abs, x_abs);
    const auto [a, a_error] = math::two_product(x_abs, P(0x1.6a09e667f3bcdp-1));
    const P a_low = fma(x_abs, P(-0x1.bdd3413b26456p-55), a_error);
    const P y = 0.5 * math::erfc_f64(a, a_low, {0.5 * high, 0.5 * low});
    return where(x > 0, 1 - y, y);
}
TAPEGRAD_INLINE Pack<float> normal_cdf(Pack<float> x) {
    return math::in_double(
        x, TAPEGRAD_LAMBDA(Pack<double> v) {
            const auto y = 0.5 * math::erfc_f32(abs(v) * 0x1.6a09e667f3bcdp-1, 0.5 * v * v);
            return where(v > 0, 1 - y, y);
        });
}
TAPEGRAD_INLINE Pack<double> normal_pdf(Pack<double> x) {
    using P = Pack<double>;
    const P a = min(P(40.0), abs(x));
    const auto [high, low] = math::two_product(a, a);
    // The factor goes into the exponent, log(sqrt(2 pi)) in two parts.
    const auto [y, y_low] = math::two_sum(-0.5 * high, P(-0x1.d67f1c864beb5p-1));
    const auto [n, r, r_low] = math::reduce_exp(y);
    const P rest = (y_low + 0x1.65b5a1b7ff5dfp-55) + fma(P(-0.5), low, r_low);
    return math::scale(math::exp_reduced_long(r, rest), n);
}
TAPEGRAD_INLINE Pack<float> normal_pdf(Pack<float> x) {
    return math::in_double(
        x, TAPEGRAD_LAMBDA(Pack<double> v) {
            return math::exp_short(max(Pack<double>(-120.0), -0.5 * v * v)) * 0x1.9884533d43651p-2;
        });
}

}  // namespace tapegrad::TAPEGRAD_ISA
