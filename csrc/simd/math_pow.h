// pow, ldexp and fmod.
#pragma once

#include "simd/math_core.h"
#include "simd/math_erf.h"
#include "simd/math_gamma.h"
#include "simd/math_hyperbolic.h"
#include "simd/math_log.h"
#include "simd/math_trig.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

// a**y for a >= 0, in double precision with enough digits for float.
TAPEGRAD_INLINE Pack<double> pow_f32(Pack<double> a, Pack<double> y) {
    using P = Pack<double>;
    const auto [m, e] = split(a);
    const P log2 = repair_log(a, fma(log_sum(P(0), m - 1), P(kLog2E), e));
    const P p = max(P(-200.0), min(P(200.0), y * log2));
    return exp_short(p * 0x1.62e42fefa39efp-1);
}

// log(a) for 0 < a < infinity with about 65 bits. With s = f / (2 + f) as in math_log.h,
// log(1 + f) = 2 s + 2/3 s**3 + s**5 R(s**2); the first two terms carry their rounding errors.
TAPEGRAD_INLINE Sum<Pack<double>> log_long(Pack<double> a) {
    using P = Pack<double>;
    const auto [m, e] = split(a);
    const P f = m - 1;
    const auto [d, d_low] = fast_two_sum(P(2), f);
    const P y = inverse(d);
    const P q = f * y;
    const auto [s, s_low] = fast_two_sum(q, fma(-q, d_low, residual(f, q, d)) * y);
    const auto [square, square_error] = two_product(s, s);
    const P square_low = fma(s + s, s_low, square_error);
    const auto [cube, cube_error] = two_product(square, s);
    const P cube_low = fma(square, s_low, fma(square_low, s, cube_error));
    const auto [third, third_error] = two_product(cube, P(0x1.5555555555555p-1));
    const P third_low =
        fma(cube, P(0x1.5555555555555p-55), fma(cube_low, P(0x1.5555555555555p-1), third_error));
    const P rest = cube * square *
                   poly(square, 0x1.999999999999ap-2, 0x1.24924924925cep-2, 0x1.c71c71c6be12cp-3,
                        0x1.745d179cc2466p-3, 0x1.3b13895ecde45p-3, 0x1.111b1d21d9706p-3,
                        0x1.df0d6e71f9017p-4, 0x1.e44623dc839e3p-4);
    // From the largest to the smallest: e ln 2, 2 s, 2/3 s**3, and everything below.
    const auto [ln2, ln2_low] = two_product(e, P(0x1.a39ef35793c76p-33));
    const auto [a1, a1_low] = fast_two_sum(e * 0x1.62e42feep-1, 2 * s);
    const auto [a2, a2_low] = two_sum(a1, third);
    const auto [a3, a3_low] = two_sum(a2, ln2);
    const P low = ((a1_low + a2_low) + a3_low) + (fma(P(2), s_low, third_low) + (ln2_low + rest));
    return fast_two_sum(a3, low);
}

TAPEGRAD_INLINE Pack<double> pow_f64(Pack<double> a, Pack<double> y) {
    using P = Pack<double>;
    const auto [l, l_low] = log_long(a);
    const auto [p, p_error] = two_product(y, l);
    const P x = max(P(-800.0), min(P(800.0), p));
    const P x_low = where(abs(p) < 800, fma(y, l_low, p_error), P(0));
    const auto [n, r, low] = reduce_exp(x);
    const P result = scale(exp_reduced_long(r, low + x_low), n);
    const auto zero = a == 0;
    const auto up = zero ^ (y > 0);
    const P at_limit = where(up, P::infinity(), P(0));
    return where(isnan(a) | isnan(y), P::nan(), where(zero | isinf(a), at_limit, result));
}

// The values of C's pow where magnitude, |x|**y by logarithms, does not tell: signs, and the
// arguments at which the product of y and the logarithm is undefined.
template <class P> TAPEGRAD_INLINE P finish_pow(P x, P y, P magnitude) {
    P r = where((abs(x) == 1) & (y == y), P(1), magnitude);
    const auto integral = floor(y) == y;
    const auto odd = integral & (floor(y * 0.5) * 2 != y);
    r = where(signbit(x) & odd, -r, r);
    r = where((x < 0) & isfinite(x) & !integral, P::nan(), r);
    return where((y == 0) | (x == 1), P(1), r);
}

}  // namespace math

TAPEGRAD_INLINE Pack<float> pow(Pack<float> x, Pack<float> y) {
    const auto magnitude = math::in_double(
        abs(x), y, TAPEGRAD_LAMBDA(Pack<double> a, Pack<double> b) { return math::pow_f32(a, b); });
    return math::finish_pow(x, y, magnitude);
}

TAPEGRAD_INLINE Pack<double> pow(Pack<double> x, Pack<double> y) {
    return math::finish_pow(x, y, math::pow_f64(abs(x), y));
}

// x 2**n, for any n. In three steps, none of which leaves the range before the result does.
template <class T> TAPEGRAD_INLINE Pack<T> ldexp(Pack<T> x, Pack<T> n) {
    using P = Pack<T>;
    constexpr double most = sizeof(T) == 4 ? 330 : 2400;
    const P inside = max(P(-most), min(P(most), n));
    const P third = trunc(inside * (1.0 / 3));
    const P power = exp2(third);
    return x * power * power * where(isinf(n), exp2(n), exp2(inside - 2 * third));
}

// Exact; by long division, so lane by lane.
template <class T> TAPEGRAD_INLINE Pack<T> fmod(Pack<T> x, Pack<T> y) {
    Pack<T> r;
    for (int i = 0; i < r.size; ++i) r.set(i, static_cast<T>(__builtin_fmod(x[i], y[i])));
    return r;
}

// One operand may be a plain number.
#define TAPEGRAD_MIXED(NAME)                                              \
    template <class T, class U>                                           \
        requires std::is_arithmetic_v<U>                                  \
    TAPEGRAD_INLINE Pack<T> NAME(Pack<T> a, U b) {                        \
        return NAME(a, Pack<T>(b));                                       \
    }                                                                     \
    template <class T, class U>                                           \
        requires std::is_arithmetic_v<U>                                  \
    TAPEGRAD_INLINE Pack<T> NAME(U a, Pack<T> b) {                        \
        return NAME(Pack<T>(a), b);                                       \
    }
TAPEGRAD_MIXED(pow)
TAPEGRAD_MIXED(fmod)
TAPEGRAD_MIXED(atan2)
TAPEGRAD_MIXED(hypot)
TAPEGRAD_MIXED(zeta)
TAPEGRAD_MIXED(polygamma)
#undef TAPEGRAD_MIXED

}  // namespace tapegrad::TAPEGRAD_ISA
