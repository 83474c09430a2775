// Modified Bessel functions of the first kind, of order 0 and 1, with and without the factor e**-|x|.
//
// Up to 12 the minimax polynomials of their series in (x / 2)**2, of which all terms are positive; beyond
// sqrt(x) e**-x I(x) is a polynomial in 1 / x (DLMF 10.25.2 and 10.40.1; fit_polynomials.py). In double
// precision for both types.
#pragma once

#include "simd/math_core.h"
#include "simd/math_exp.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

inline constexpr double kBesselNear = 12;

// I0(a), and I1(a) / a, for a up to kBesselNear. What rounding takes from the square is put back with a slope
// that is right to a tenth.
TAPEGRAD_INLINE Pack<double> i0_near(Pack<double> a) {
    const auto [square, low] = two_product(a, a);
    const auto y = poly(square * 0.25, 0x1.0000000000000p+0, 0x1.0000000000000p+0,
                        0x1.0000000000006p-2, 0x1.c71c71c71c655p-6, 0x1.c71c71c71d4f4p-10,
                        0x1.23456789a2e90p-14, 0x1.02e85c090ceb1p-19, 0x1.522a43ee51e33p-25,
                        0x1.522a4459e66e9p-31, 0x1.0b312f07ffff5p-37, 0x1.5601b729bd0c1p-44,
                        0x1.69c8c914928e3p-51, 0x1.41a56d750d7ecp-58, 0x1.e68919003f702p-66,
                        0x1.40b8452e5e7a4p-73, 0x1.59f6467349a5ep-81, 0x1.afee734473e0fp-89,
                        0x1.dcb2e16028b8bp-99, 0x1.2329449a1a8dep-104);
    return fma(y, low * 0.25 / (1 + 0.5 * a), y);
}
TAPEGRAD_INLINE Pack<double> i1_near(Pack<double> a) {
    const auto [square, low] = two_product(a, a);
    const auto y = 0.5 * poly(square * 0.25, 0x1.0000000000000p+0, 0x1.0000000000000p-1,
                              0x1.5555555555558p-4, 0x1.c71c71c71c6ccp-8, 0x1.6c16c16c17120p-12,
                              0x1.845c8a0cdf299p-17, 0x1.27e4fb77d1647p-22, 0x1.522a43f1b9c85p-28,
                              0x1.2c975910f5451p-34, 0x1.ab81e6d87bc64p-41, 0x1.f176c5f35bcc9p-48,
                              0x1.e261c04eefc60p-55, 0x1.8bdaf5caf48e0p-62, 0x1.16191494a190dp-69,
                              0x1.559442a68e7afp-77, 0x1.5c74bb5ade1dap-85, 0x1.8e82a31ab3db3p-93,
                              0x1.e5c96241f4aacp-103, 0x1.dcb5d9826f49bp-109);
    return fma(y, low * 0.25 / (2 + 0.5 * a), y);
}
// sqrt(a) e**-a I(a) beyond.
TAPEGRAD_INLINE Pack<double> i0_far(Pack<double> a) {
    return poly(24 / a - 1, 0x1.9ab25f8f56038p-2, 0x1.1e0569de02b23p-9, 0x1.d5a27f377a494p-15,
                0x1.77807b30b9f60p-19, 0x1.d2593f9ad515dp-23, 0x1.96f6d0ae76414p-26,
                0x1.d9435671b0de1p-29, 0x1.644ce456450fbp-31, 0x1.57778cfd0d85dp-33,
                0x1.a44259ea1e1c0p-35, 0x1.4b53b25c80482p-36, 0x1.a15927024a15ap-37,
                0x1.2ac69f3a83370p-37, 0x1.db6f9a1680291p-41, -0x1.40cb7354d3859p-38,
                -0x1.5ab82027d3678p-39, 0x1.326cc188134efp-41, 0x1.265ff0345cd0ap-41,
                0x1.8d8692a269f4fp-46);
}
TAPEGRAD_INLINE Pack<double> i1_far(Pack<double> a) {
    return poly(24 / a - 1, 0x1.920c27c8dc633p-2, -0x1.a3c9adbe3562ap-8, -0x1.7eb85088a7af3p-14,
                -0x1.00e3b41a57feep-18, -0x1.24caf51b01aa0p-22, -0x1.e565140d4287ep-26,
                -0x1.10a6172cb9893p-28, -0x1.9058269a3c995p-31, -0x1.7a7928e48557ep-33,
                -0x1.c8133feb8843fp-35, -0x1.6284da44f27eap-36, -0x1.b6fa5c3977846p-37,
                -0x1.3a854e43eb852p-37, -0x1.250933cf00b6ep-40, 0x1.48a8520cde7acp-38,
                0x1.6fcc4073ee222p-39, -0x1.27088651de137p-41, -0x1.3437821e224f6p-41,
                -0x1.05b519fa9aa00p-45);
}

// f e**(+-a), where both factors may be out of range and the product is not.
TAPEGRAD_INLINE Pack<double> times_exp(Pack<double> f, Pack<double> a) {
    const auto [n, r, low] = reduce_exp(max(Pack<double>(-800.0), min(Pack<double>(800.0), a)));
    return scale(f * (1 + expm1_reduced(r, low)), n);
}

template <bool Odd, bool Scaled> TAPEGRAD_INLINE Pack<double> bessel_i(Pack<double> x) {
    using P = Pack<double>;
    const P a = abs(x);
    const P in = min(P(kBesselNear), a), out = max(P(kBesselNear), a);
    const P near = Odd ? in * i1_near(in) : i0_near(in);
    const P far = (Odd ? i1_far(out) : i0_far(out)) / sqrt(out);
    const auto is_near = a <= kBesselNear;
    P y;
    if constexpr (Scaled) y = where(is_near, times_exp(near, -in), far);
    else y = where(a > 750, P::infinity(), where(is_near, near, times_exp(far, out)));
    y = where(isnan(x), x, y);
    return Odd ? copysign(y, x) : y;
}
template <bool Odd, bool Scaled> TAPEGRAD_INLINE Pack<float> bessel_i(Pack<float> x) {
    return in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return bessel_i<Odd, Scaled>(v); });
}

}  // namespace math

template <class T> TAPEGRAD_INLINE Pack<T> i0(Pack<T> x) { return math::bessel_i<false, false>(x); }
template <class T> TAPEGRAD_INLINE Pack<T> i0e(Pack<T> x) { return math::bessel_i<false, true>(x); }
template <class T> TAPEGRAD_INLINE Pack<T> i1(Pack<T> x) { return math::bessel_i<true, false>(x); }
template <class T> TAPEGRAD_INLINE Pack<T> i1e(Pack<T> x) { return math::bessel_i<true, true>(x); }

}  // namespace tapegrad::TAPEGRAD_ISA
