// sin, cos, tan, sinc, asin, acos, atan, atan2.
//
// x = n pi/2 + r with |r| <= pi/4, pi/2 subtracted in parts (Cody and Waite); the quadrant n mod 4
// chooses between the polynomials of sin and cos and the sign. Huge arguments, and float64 ones
// that lie too close to a multiple of pi/2 for the parts at hand, go to the C library lane by lane.
// float32 is computed in double precision with shorter polynomials.
#pragma once

#include "simd/math_core.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

inline constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
inline constexpr double kHalfPi = 0x1.921fb54442d18p0;
inline constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;

// n times the parts of 33 bits is exact up to here.
inline constexpr double kTrigLimit = 0x1.8p20;

struct Angle {
    Pack<double> r, low;            // r + low = x - n pi/2
    Pack<double>::IntVec quadrant;  // n in the low bits
};

TAPEGRAD_INLINE Angle reduce_angle(Pack<double> x) {
    using P = Pack<double>;
    const P n = round(x * kTwoOverPi);
    const P a = fma(n, P(-0x1.921fb544p0), x);
    const P part = n * 0x1.0b4611a6p-34;
    const auto [b, error] = two_sum(a, -part);
    const P tail = fma(n, P(-0x1.3198a2e037073p-69), error);
    const P r = b + tail;
    return {r, (b - r) + tail, low_bits(n)};
}

struct SinCos {
    Pack<double> sin, cos, sin_low, cos_low;  // the low parts are what rounding left over
};

TAPEGRAD_INLINE SinCos sincos_reduced(const Angle& angle) {
    using P = Pack<double>;
    const P r = angle.r, low = angle.low;
    const P z = r * r;
    const P s = poly(z, -0x1.5555555555549p-3, 0x1.111111110f842p-7, -0x1.a01a019c0a292p-13,
                     0x1.71de3570fc547p-19, -0x1.ae5e60c318de7p-26, 0x1.5d915d8807451p-33);
    const P c = poly(z, 0x1.555555555554cp-5, -0x1.6c16c16c15140p-10, 0x1.a01a019cab769p-16,
                     -0x1.27e4f805352ecp-22, 0x1.1ee9e891817d3p-29, -0x1.8facd1a7c1854p-37);
    const P half = 0.5 * z;
    const P w = 1 - half;
    const P sin_rest = fma(r * z, s, low);
    const P cos_rest = ((1 - w) - half) + fma(z * z, c, -(r * low));
    const auto [sin, sin_low] = fast_two_sum(r, sin_rest);
    const auto [cos, cos_low] = fast_two_sum(w, cos_rest);
    return {sin, cos, sin_low, cos_low};
}

// Arguments whose r has lost too many digits, or that are beyond the exact range.
TAPEGRAD_INLINE Mask<double> needs_library(Pack<double> x, Pack<double> r) {
    const auto a = abs(x);
    return ((a > kTrigLimit) & isfinite(x)) | ((abs(r) < 0x1p-30) & (a > 0.5));
}

TAPEGRAD_INLINE Pack<double> flip_sign(Pack<double> x, Pack<double>::IntVec quadrant_bit_1) {
    return Pack<double>::from_bits(x.bits() ^ ((quadrant_bit_1 & 2) << 62));
}

// The same for floats that have been widened: r is exact enough as one double.
struct ShortAngle {
    Pack<double> r;
    Pack<double>::IntVec quadrant;
};
TAPEGRAD_INLINE ShortAngle reduce_angle_f32(Pack<double> x) {
    using P = Pack<double>;
    const P n = round(x * kTwoOverPi);
    const P a = fma(n, P(-0x1.921fb544p0), x);
    return {fma(n, P(-0x1.0b4611a626331p-34), a), low_bits(n)};
}
TAPEGRAD_INLINE SinCos sincos_f32(Pack<double> r) {
    using P = Pack<double>;
    const P z = r * r;
    const P s = poly(z, -0x1.55554581324e8p-3, 0x1.1107566edd32fp-7, -0x1.994b3f6f9dd88p-13);
    const P c = poly(z, 0x1.55554aa40fb0fp-5, -0x1.6c0c8183045c1p-10, 0x1.99ff4e55c9518p-16);
    return {fma(r * z, s, r), fma(z * z, c, fma(z, P(-0.5), P(1))), P(0), P(0)};
}

// asin(s) for z = s**2 <= 1/4 is s + s z P(z).
TAPEGRAD_INLINE Pack<double> asin_poly(Pack<double> z) {
    return poly(z, 0x1.555555555557ap-3, 0x1.333333332daaap-4, 0x1.6db6db7262af8p-5,
                0x1.f1c71a75f98a6p-6, 0x1.6e8be26049d05p-6, 0x1.1c49aff53eaa4p-6,
                0x1.ca25b8162ca8fp-7, 0x1.755209ceb0fe2p-7, 0x1.6262cae998411p-7,
                0x1.d44663fc653dcp-9, 0x1.69155457bb327p-6, -0x1.5fdd10c2a2c82p-6,
                0x1.0dc71a97a5389p-5);
}
// Above 1/2: asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)).
TAPEGRAD_INLINE Pack<double> asin_f64(Pack<double> x) {
    const auto a = abs(x);
    const auto big = a > 0.5;
    const auto half = (1 - a) * 0.5;
    const auto z = where(big, half, a * a);
    const auto s = where(big, sqrt(half), a);
    const auto rest = s * z * asin_poly(z);
    const auto [outer, outer_low] = fast_two_sum(Pack<double>(kHalfPi), -2 * s);
    return copysign(where(big, outer - (2 * rest - (outer_low + kHalfPiLow)), s + rest), x);
}
TAPEGRAD_INLINE Pack<double> acos_f64(Pack<double> x) {
    const auto a = abs(x);
    const auto big = a > 0.5;
    const auto half = (1 - a) * 0.5;
    const auto z = where(big, half, a * a);
    const auto s = where(big, sqrt(half), x);
    const auto y = fma(s * z, asin_poly(z), s);
    const auto outer = where(x < 0, 2 * kHalfPi - (2 * y - 2 * kHalfPiLow), 2 * y);
    return where(big, outer, kHalfPi - (y - kHalfPiLow));
}

// atan(num / den) for num, den >= 0: the quotient is brought to at most tan(pi/8) by
// atan(t) = pi/4 + atan((t - 1) / (t + 1)) and atan(t) = pi/2 - atan(1 / t).
TAPEGRAD_INLINE Pack<double> atan_ratio(Pack<double> num, Pack<double> den) {
    using P = Pack<double>;
    const auto middle = num > den * 0x1.a827999fcef32p-2;  // tan(pi/8)
    const auto steep = num * 0x1.a827999fcef32p-2 > den;
    const auto [total, total_low] = two_sum(num, den);
    const P top = where(steep, -den, where(middle, num - den, num));
    const P bottom = where(steep, num, where(middle, total, den));
    const P bottom_low = where(middle & !steep, total_low, P(0));
    const P high = where(steep, P(kHalfPi), where(middle, P(kHalfPi / 2), P(0)));
    const P low = where(steep, P(kHalfPiLow), where(middle, P(kHalfPiLow / 2), P(0)));
    const P t = quotient(top, bottom, bottom_low);
    const P z = t * t;
    const P p = poly(z, -0x1.5555555555554p-2, 0x1.999999999965bp-3, -0x1.2492492475dafp-3,
                     0x1.c71c71b77ba0ap-4, -0x1.745d14c0395c9p-4, 0x1.3b136eb87c427p-4,
                     -0x1.110c7a6a534ccp-4, 0x1.e1728e8b61423p-5, -0x1.ab80f1d09096fp-5,
                     0x1.70fac9dcafa93p-5, -0x1.125631feec48ep-5, 0x1.f260deb24acc8p-7);
    return high + (t + fma(t * z, p, low));
}
TAPEGRAD_INLINE Pack<double> atan_f64(Pack<double> x) {
    // Beyond 2**60 the quotient's rest is nothing, and infinity is no factor to compare with.
    return copysign(atan_ratio(min(Pack<double>(0x1p60), abs(x)), Pack<double>(1)), x);
}
TAPEGRAD_INLINE Pack<double> atan2_f64(Pack<double> y, Pack<double> x) {
    using P = Pack<double>;
    P a = abs(y), b = abs(x);
    // Infinities become 1 against 0, or 1 against 1; huge and tiny values are
    // brought into the middle of the range.
    const auto infinite = isinf(a) | isinf(b);
    const auto nan = isnan(a) | isnan(b);
    const auto largest = max(a, b);
    const P factor =
        where(largest > 0x1p1020, P(0x1p-4), where(largest < 0x1p-500, P(0x1p500), P(1)));
    a = where(infinite, where(isinf(a), P(1), P(0)), a * factor);
    b = where(infinite, where(isinf(b), P(1), P(0)), b * factor);
    b = where((a == 0) & (b == 0), P(1), b);  // atan2(0, 0) is 0 or pi
    const P r = atan_ratio(a, b);
    const P turned = where(signbit(x), 2 * kHalfPi - (r - 2 * kHalfPiLow), r);
    return where(nan, P::nan(), copysign(turned, y));
}

// sin(pi x) / (pi x). What is left of x after its nearest integer is exact, and beyond pi / 4 the sine is the
// cosine of what is left to pi / 2.
TAPEGRAD_INLINE Pack<double> sinc_f64(Pack<double> x) {
    using P = Pack<double>;
    constexpr double kTurn = 2 * kHalfPi;
    const P n = round(x), r = x - n;
    const auto outer = abs(r) > 0.25;
    const P part = where(outer, 0.5 - abs(r), r);
    const auto [angle, angle_low] = two_product(part, P(kTurn));
    Angle reduced;
    reduced.r = angle;
    reduced.low = fma(part, P(2 * kHalfPiLow), angle_low);
    const auto [s, c, s_low, c_low] = sincos_reduced(reduced);
    const P sine = where(outer, copysign(c, r), s);
    const P y = sine / (x * kTurn);
    return where(abs(x) < 0x1p-28, P(1), where(round(n * 0.5) * 2 != n, -y, y));
}

}  // namespace math

TAPEGRAD_INLINE Pack<double> sin(Pack<double> x) {
    using P = Pack<double>;
    const auto angle = math::reduce_angle(x);
    const auto [s, c, s_low, c_low] = math::sincos_reduced(angle);
    const P y = math::flip_sign(where(math::test_bits<P>(angle.quadrant, 1), c, s), angle.quadrant);
    const P result = where(abs(x) < 0x1p-27, x, y);  // keeps -0
    return math::replace_lanes(
        math::needs_library(x, angle.r), x, result,
        TAPEGRAD_LAMBDA(double v) { return __builtin_sin(v); });
}
TAPEGRAD_INLINE Pack<double> cos(Pack<double> x) {
    using P = Pack<double>;
    const auto angle = math::reduce_angle(x);
    const auto [s, c, s_low, c_low] = math::sincos_reduced(angle);
    const P y =
        math::flip_sign(where(math::test_bits<P>(angle.quadrant, 1), s, c), angle.quadrant + 1);
    return math::replace_lanes(
        math::needs_library(x, angle.r), x, y,
        TAPEGRAD_LAMBDA(double v) { return __builtin_cos(v); });
}
TAPEGRAD_INLINE Pack<double> tan(Pack<double> x) {
    using P = Pack<double>;
    const auto angle = math::reduce_angle(x);
    const auto [s, c, s_low, c_low] = math::sincos_reduced(angle);
    const auto odd = math::test_bits<P>(angle.quadrant, 1);
    const P top = where(odd, -c, s), bottom = where(odd, s, c);
    // The quotient of the sums: one division, and one step of Newton's method for the rest.
    const P inverse = math::inverse(bottom);
    const P q = top * inverse;
    const P rest = where(odd, -c_low, s_low) - q * where(odd, s_low, c_low);
    const P y = fma(math::residual(top, q, bottom) + rest, inverse, q);
    const P result = where(abs(x) < 0x1p-27, x, y);
    return math::replace_lanes(
        math::needs_library(x, angle.r), x, result,
        TAPEGRAD_LAMBDA(double v) { return __builtin_tan(v); });
}

TAPEGRAD_INLINE Pack<float> sin(Pack<float> x) {
    using P = Pack<double>;
    const auto y = math::in_double(
        x, TAPEGRAD_LAMBDA(P v) {
            const auto [r, quadrant] = math::reduce_angle_f32(v);
            const auto [s, c, s_low, c_low] = math::sincos_f32(r);
            return math::flip_sign(where(math::test_bits<P>(quadrant, 1), c, s), quadrant);
        });
    const auto result = where(x == 0, x, y);  // keeps -0
    return math::replace_lanes(
        (abs(x) > math::kTrigLimit) & isfinite(x), x, result,
        TAPEGRAD_LAMBDA(float v) { return static_cast<float>(__builtin_sin(v)); });
}
TAPEGRAD_INLINE Pack<float> cos(Pack<float> x) {
    using P = Pack<double>;
    const auto y = math::in_double(
        x, TAPEGRAD_LAMBDA(P v) {
            const auto [r, quadrant] = math::reduce_angle_f32(v);
            const auto [s, c, s_low, c_low] = math::sincos_f32(r);
            return math::flip_sign(where(math::test_bits<P>(quadrant, 1), s, c), quadrant + 1);
        });
    return math::replace_lanes(
        (abs(x) > math::kTrigLimit) & isfinite(x), x, y,
        TAPEGRAD_LAMBDA(float v) { return static_cast<float>(__builtin_cos(v)); });
}
TAPEGRAD_INLINE Pack<float> tan(Pack<float> x) {
    using P = Pack<double>;
    const auto y = math::in_double(
        x, TAPEGRAD_LAMBDA(P v) {
            const auto [r, quadrant] = math::reduce_angle_f32(v);
            const auto [s, c, s_low, c_low] = math::sincos_f32(r);
            const auto odd = math::test_bits<P>(quadrant, 1);
            return where(odd, -c, s) * math::inverse(where(odd, s, c));
        });
    const auto result = where(x == 0, x, y);
    return math::replace_lanes(
        (abs(x) > math::kTrigLimit) & isfinite(x), x, result,
        TAPEGRAD_LAMBDA(float v) { return static_cast<float>(__builtin_tan(v)); });
}

TAPEGRAD_INLINE Pack<double> sinc(Pack<double> x) { return math::sinc_f64(x); }
TAPEGRAD_INLINE Pack<float> sinc(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::sinc_f64(v); });
}

TAPEGRAD_INLINE Pack<double> asin(Pack<double> x) { return math::asin_f64(x); }
TAPEGRAD_INLINE Pack<double> acos(Pack<double> x) { return math::acos_f64(x); }
TAPEGRAD_INLINE Pack<double> atan(Pack<double> x) { return math::atan_f64(x); }
TAPEGRAD_INLINE Pack<double> atan2(Pack<double> y, Pack<double> x) { return math::atan2_f64(y, x); }
TAPEGRAD_INLINE Pack<float> asin(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::asin_f64(v); });
}
TAPEGRAD_INLINE Pack<float> acos(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::acos_f64(v); });
}
TAPEGRAD_INLINE Pack<float> atan(Pack<float> x) {
    return math::in_double(x, TAPEGRAD_LAMBDA(Pack<double> v) { return math::atan_f64(v); });
}
TAPEGRAD_INLINE Pack<float> atan2(Pack<float> y, Pack<float> x) {
    return math::in_double(
        y, x, TAPEGRAD_LAMBDA(Pack<double> b, Pack<double> a) { return math::atan2_f64(b, a); });
}

}  // namespace tapegrad::TAPEGRAD_ISA
