// exp and its relatives: exp, exp2, expm1, sigmoid, tanh, sinh, cosh.
//
// x = n ln 2 + r with n integral and |r| <= ln 2 / 2, so exp(x) = 2**n exp(r) (Cody and Waite,
// Software Manual for the Elementary Functions, 1980); exp(r) = 1 + r + r**2 P(r) with the minimax
// polynomials of fit_polynomials.py. ln 2 is subtracted in two parts, of which n times the first is
// exact.
#pragma once

#include "simd/math_core.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

inline constexpr double kLog2E = 0x1.71547652b82fep0;

// x = n ln 2 + r + low
template <class T> struct Reduced {
    Pack<T> n, r, low;
};

template <class T> TAPEGRAD_INLINE Reduced<T> reduce_exp(Pack<T> x) {
    using P = Pack<T>;
    constexpr bool kFloat = sizeof(T) == 4;
    const P high(kFloat ? -0x1.62p-1 : -0x1.62e42feep-1);
    const P rest(kFloat ? -0x1.c85fep-10 : -0x1.a39ef35793c76p-33);
    const P n = round(x * kLog2E);
    const P a = fma(n, high, x);
    const P r = fma(n, rest, a);
    return {n, r, fma(n, rest, a - r)};
}

// (exp(r) - 1 - r) / r**2 for |r| <= ln 2 / 2.
TAPEGRAD_INLINE Pack<float> exp_poly(Pack<float> r) {
    return poly(r, 0x1p-1, 0x1.555554p-3, 0x1.5554bp-5, 0x1.11118ap-7, 0x1.6d7348p-10,
                0x1.a03324p-13);
}
TAPEGRAD_INLINE Pack<double> exp_poly(Pack<double> r) {
    return poly(r, 0x1p-1, 0x1.5555555555559p-3, 0x1.555555555553ep-5, 0x1.111111110f673p-7,
                0x1.6c16c16c1f274p-10, 0x1.a01a01b0020a8p-13, 0x1.a01a017b5dcd0p-16,
                0x1.71ddf7fe1cf7bp-19, 0x1.27e5369c8be67p-22, 0x1.af5f68f12b5dbp-26,
                0x1.1ee884c7bd12dp-29);
}
// exp(r + low) - 1 for |r| <= ln 2 / 2; one without low.
template <class P> TAPEGRAD_INLINE P expm1_reduced(P r) { return fma(r * r, exp_poly(r), r); }
template <class P> TAPEGRAD_INLINE P expm1_reduced(P r, P low) {
    return r + fma(r * r, exp_poly(r), low);
}
// exp(r + low) where low may be as large as 2**-40.
template <class P> TAPEGRAD_INLINE P exp_reduced_long(P r, P low) {
    const auto [sum, rest] = fast_two_sum(P(1), r);
    const P curve = r * r * exp_poly(r);
    return sum + (curve + (rest + fma(low, r + curve, low)));
}

// Beyond these, exp is 0 or infinite.
template <class T> inline constexpr double kExpLow = sizeof(T) == 4 ? -104.0 : -746.0;
template <class T> inline constexpr double kExpHigh = sizeof(T) == 4 ? 89.0 : 710.0;

// The operand order lets NaN through: min and max return their second operand for it.
template <class T> TAPEGRAD_INLINE Pack<T> clamp_exp(Pack<T> x) {
    return max(Pack<T>(kExpLow<T>), min(Pack<T>(kExpHigh<T>), x));
}

// exp(x) for x inside the limits above.
template <class T> TAPEGRAD_INLINE Pack<T> exp_inside(Pack<T> x) {
    const auto [n, r, low] = reduce_exp(x);
    return scale(1 + expm1_reduced(r, low), n);
}

// exp(x) where the result is a normal number.
template <class T> TAPEGRAD_INLINE Pack<T> exp_moderate(Pack<T> x) {
    const auto [n, r, low] = reduce_exp(x);
    return scale_moderate(1 + expm1_reduced(r, low), n);
}

}  // namespace math

template <class T> TAPEGRAD_INLINE Pack<T> exp(Pack<T> x) {
    return math::exp_inside(math::clamp_exp(x));
}

template <class T> TAPEGRAD_INLINE Pack<T> exp2(Pack<T> x) {
    using P = Pack<T>;
    x = max(P(sizeof(T) == 4 ? -151.0 : -1076.0), min(P(sizeof(T) == 4 ? 129.0 : 1025.0), x));
    const P n = round(x);
    const P f = x - n;  // exact
    // f ln 2 as r + c.
    const auto [r, low] = math::two_product(f, P(0x1.62e42fefa39efp-1));
    const P c = fma(f, P(sizeof(T) == 4 ? -0x1.05c610ca86c39p-29 : 0x1.abc9e3b39803fp-56), low);
    return math::scale(1 + math::expm1_reduced(r, c), n);
}

template <class T> TAPEGRAD_INLINE Pack<T> expm1(Pack<T> x) {
    using P = Pack<T>;
    const P inside = max(P(sizeof(T) == 4 ? -20.0 : -40.0), min(P(math::kExpHigh<T>), x));
    const auto [n, r, low] = math::reduce_exp(inside);
    // Half of 2**n, which is still finite where the result is.
    const P t = math::power_of_two(n - 1);
    const P result = 2 * fma(math::expm1_reduced(r, low), t, t - 0.5);
    return where(abs(x) < (sizeof(T) == 4 ? 0x1p-26 : 0x1p-55), x, result);  // keeps -0 too
}

// 1 / (1 + exp(-x)) = exp(x) / (1 + exp(x)), whichever has exp of something negative.
template <class T> TAPEGRAD_INLINE Pack<T> sigmoid(Pack<T> x) {
    using P = Pack<T>;
    const auto [n, r, low] = math::reduce_exp(max(P(math::kExpLow<T>), copysign(x, P(-1))));
    const P z = math::scale(1 + math::expm1_reduced(r), n);
    const auto [sum, rest] = math::fast_two_sum(P(1), z);
    return math::quotient(where(x < 0, z, P(1)), sum, rest);
}

namespace math {
// tanh(a) = a + a**3 P(a**2) below 0.55.
TAPEGRAD_INLINE Pack<float> tanh_small(Pack<float> a) {
    const auto z = a * a;
    return fma(a * z,
               poly(z, -0x1.55554ap-2, 0x1.110cb2p-3, -0x1.b9137p-5, 0x1.58828ap-6, -0x1.96cf5ep-8),
               a);
}
TAPEGRAD_INLINE Pack<double> tanh_small(Pack<double> a) {
    const auto z = a * a;
    const auto p = poly(z, -0x1.5555555555555p-2, 0x1.111111111108bp-3, -0x1.ba1ba1ba119c5p-5,
                        0x1.664f487fbf9f5p-6, -0x1.226e34d6fc3e0p-7, 0x1.d6d3b27558743p-9,
                        -0x1.7da11b225a612p-10, 0x1.3539fbe5ca695p-11, -0x1.f3578c05e6389p-13,
                        0x1.891512a74dc4bp-14, -0x1.11cfa34b94c4cp-15, 0x1.e77566deb8f74p-18);
    return fma(a * z, p, a);
}
}  // namespace math

// 1 - 2 / (exp(2 a) + 1) from 0.55 on.
template <class T> TAPEGRAD_INLINE Pack<T> tanh(Pack<T> x) {
    using P = Pack<T>;
    const P a = min(P(sizeof(T) == 4 ? 9.1 : 20.0), abs(x));
    const auto [n, r, low] = math::reduce_exp(a + a);
    const P e = math::scale_moderate(1 + math::expm1_reduced(r), n);
    return copysign(where(a < 0.55, math::tanh_small(a), 1 - 2 * math::inverse(e + 1)), x);
}

namespace math {

// exp(a) / 2, which does not overflow before cosh and sinh do.
TAPEGRAD_INLINE Pack<double> half_exp(Pack<double> a) {
    const auto [n, r, low] = reduce_exp(min(Pack<double>(712.0), a));
    return scale(1 + expm1_reduced(r, low), n - 1);
}
TAPEGRAD_INLINE Pack<double> cosh_f64(Pack<double> x) {
    const auto e = half_exp(abs(x));
    return e + 0.25 / e;
}
TAPEGRAD_INLINE Pack<double> sinh_f64(Pack<double> x) {
    const auto a = abs(x);
    const auto e = half_exp(a);
    const auto z = a * a;
    const auto small = poly(z, 0x1.5555555555556p-3, 0x1.11111111110a1p-7, 0x1.a01a01a0291fdp-13,
                            0x1.71de3a45f707cp-19, 0x1.ae646766a29e2p-26, 0x1.611a3a165b94ap-33,
                            0x1.b4cf7bc4c42dbp-41);
    return where(a < 1, fma(x * z, small, x), copysign(e - 0.25 / e, x));
}

}  // namespace math

TAPEGRAD_INLINE Pack<double> cosh(Pack<double> x) { return math::cosh_f64(x); }
TAPEGRAD_INLINE Pack<double> sinh(Pack<double> x) { return math::sinh_f64(x); }
TAPEGRAD_INLINE Pack<float> cosh(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::cosh_f64(v); });
}
TAPEGRAD_INLINE Pack<float> sinh(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::sinh_f64(v); });
}

}  // namespace tapegrad::TAPEGRAD_ISA
