// Building blocks of the vector math: polynomials, sums and products with their rounding error,
// scaling by powers of two, and splitting into mantissa and exponent.
#pragma once

#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA::math {

// c0 + c1 x + c2 x**2 + ... by Horner's rule.
template <class P, class... C> TAPEGRAD_INLINE P poly(P x, double c0, C... rest) {
    if constexpr (sizeof...(C) == 0) return P(c0);
    else return fma(poly(x, rest...), x, P(c0));
}

// A number as an unevaluated sum: high + low, where low is at most half an ulp of high.
template <class P> struct Sum {
    P high, low;
};

// a + b exactly, if |a| >= |b| or a == 0 (Dekker 1971).
template <class P> TAPEGRAD_INLINE Sum<P> fast_two_sum(P a, P b) {
    const P s = a + b;
    return {s, b - (s - a)};
}

// a + b exactly (Knuth, The Art of Computer Programming, volume 2, 4.2.2).
template <class P> TAPEGRAD_INLINE Sum<P> two_sum(P a, P b) {
    const P s = a + b;
    const P t = s - a;
    return {s, (a - (s - t)) + (b - t)};
}

// The upper half of a's significand, so that products of two of them are exact.
template <class P> TAPEGRAD_INLINE P upper_half(P a) {
    using Int = typename P::Int;
    constexpr Int keep = sizeof(Int) == 4 ? ~Int(0xfff) : static_cast<Int>(~0x7ffffffULL);
    return P::from_bits(a.bits() & keep);
}

// a * b exactly, barring underflow: by one fused operation, or by splitting (Dekker 1971).
template <class P> TAPEGRAD_INLINE Sum<P> two_product(P a, P b) {
    const P p = a * b;
    if constexpr (kHasFma) return {p, fma(a, b, -p)};
    const P a1 = upper_half(a), b1 = upper_half(b);
    const P a2 = a - a1, b2 = b - b1;
    return {p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2};
}

// a - b * c with one rounding, or nearly so.
template <class P> TAPEGRAD_INLINE P residual(P a, P b, P c) {
    if constexpr (kHasFma) return fma(-b, c, a);
    const auto [high, low] = two_product(b, c);
    return (a - high) - low;
}

// One step of Horner's rule, g x + (c + c_low), with the rounding errors followed to first order.
// c and the sum must be of similar size.
template <class P> TAPEGRAD_INLINE Sum<P> horner_step(Sum<P> g, P x, double c, double c_low) {
    const P high = fma(g.high, x, P(c));
    return {high, fma(g.low, x, c_low - residual(high - c, g.high, x))};
}

// 1 / d to about one ulp, for d of moderate size. An approximation of 14 bits and Newton's method
// are faster than the divider of AVX-512.
template <class P> TAPEGRAD_INLINE P inverse(P d) {
#if defined(TAPEGRAD_AVX512)
    P y;
    if constexpr (P::size == 16) {
        y = P((VecF)_mm512_maskz_rcp14_ps(kLanesF, (__m512)d.v));
    } else {
        y = P((VecD)_mm512_maskz_rcp14_pd(kLanesD, (__m512d)d.v));
        y = fma(y, fma(-d, y, P(1)), y);
    }
    return fma(y, fma(-d, y, P(1)), y);
#else
    return 1 / d;
#endif
}

// num / (den + den_low) to little more than half an ulp, for operands of moderate size.
template <class P> TAPEGRAD_INLINE P quotient(P num, P den, P den_low) {
    const P y = inverse(den);
    const P q = num * y;
    const P result = fma(fma(-q, den_low, residual(num, q, den)), y, q);
    if constexpr (kHasFma) return result;
    // Without a fused operation the residual of a tiny number is lost below the smallest one.
    return where(abs(num) < (sizeof(typename P::Int) == 4 ? 0x1p-80 : 0x1p-900), num / den, result);
}

// 1.5 * 2**52 (or 2**23): adding it leaves an integral value in the low bits of the sum.
template <class P>
inline constexpr double kIntegerMagic = sizeof(typename P::Int) == 4 ? 0x1.8p23 : 0x1.8p52;

// The value of an integral x (|x| < 2**22 or 2**51) modulo 2**22 in the low bits of an integer.
template <class P> TAPEGRAD_INLINE typename P::IntVec low_bits(P x) {
    return (x + kIntegerMagic<P>).bits();
}

// Lanes where the given bits are not all zero.
template <class P>
TAPEGRAD_INLINE Mask<typename P::value_type> test_bits(typename P::IntVec x, int bits) {
    using T = typename P::value_type;
#if defined(TAPEGRAD_AVX512)
    if constexpr (sizeof(T) == 4)
        return Mask<T>(_mm512_test_epi32_mask((__m512i)x, _mm512_set1_epi32(bits)));
    else return Mask<T>(_mm512_test_epi64_mask((__m512i)x, _mm512_set1_epi64(bits)));
#else
    return Mask<T>((x & static_cast<typename P::Int>(bits)) != 0);
#endif
}

// 2**n for integral n in the range of normal numbers.
template <class P> TAPEGRAD_INLINE P power_of_two(P n) {
    if constexpr (sizeof(typename P::Int) == 4)
        return P::from_bits((__builtin_convertvector(n.v, typename P::IntVec) + 127) << 23);
    else return P::from_bits(low_bits(n + 1023) << 52);
}

// y * 2**n for integral n, rounded once where the result is subnormal, infinite where it is too
// large. Two factors, since 2**n itself may be out of range.
template <class P> TAPEGRAD_INLINE P scale(P y, P n) {
#if defined(TAPEGRAD_AVX512)
    if constexpr (P::size == 16)
        return P((VecF)_mm512_maskz_scalef_ps(kLanesF, (__m512)y.v, (__m512)n.v));
    else return P((VecD)_mm512_maskz_scalef_pd(kLanesD, (__m512d)y.v, (__m512d)n.v));
#else
    const P half = floor(n * 0.5);
    return y * power_of_two(half) * power_of_two(n - half);
#endif
}

// The same where neither 2**n nor the result can leave the range of normal numbers.
template <class P> TAPEGRAD_INLINE P scale_moderate(P y, P n) {
#if defined(TAPEGRAD_AVX512)
    return scale(y, n);
#else
    return y * power_of_two(n);
#endif
}

// x = mantissa * 2**exponent with mantissa in [sqrt(1/2), sqrt(2)), for 0 < x < infinity. Elsewhere
// either the values make log come out right (AVX-512), or repair_log does.
template <class P> struct Split {
    P mantissa, exponent;
};

template <class P> TAPEGRAD_INLINE Split<P> split(P x) {
#if defined(TAPEGRAD_AVX512)
    P m, e;
    if constexpr (P::size == 16) {
        m = P((VecF)_mm512_maskz_getmant_ps(kLanesF, (__m512)x.v, _MM_MANT_NORM_1_2,
                                            _MM_MANT_SIGN_nan));
        e = P((VecF)_mm512_maskz_getexp_ps(kLanesF, (__m512)x.v));
    } else {
        m = P((VecD)_mm512_maskz_getmant_pd(kLanesD, (__m512d)x.v, _MM_MANT_NORM_1_2,
                                            _MM_MANT_SIGN_nan));
        e = P((VecD)_mm512_maskz_getexp_pd(kLanesD, (__m512d)x.v));
    }
    const auto big = m >= 0x1.6a09e667f3bcdp0;
    return {where(big, m * 0.5, m), where(big, e + 1, e)};
#else
    if constexpr (sizeof(typename P::Int) == 4) {
        const auto tiny = x < 0x1p-126;
        const auto bits = where(tiny, x * 0x1p25, x).bits() - 0x3f3504f3;  // sqrt(1/2)
        const P e(__builtin_convertvector(bits >> 23, typename P::Vec));
        const P m = P::from_bits((bits & 0x7fffff) + 0x3f3504f3);
        return {m, where(tiny, e - 25, e)};
    } else {
        const auto tiny = x < 0x1p-1022;
        const auto bits = where(tiny, x * 0x1p54, x).bits();
        // A biased exponent as the low bits of 2**52 + exponent.
        const auto biased = (typename P::IntVec)((typename P::N::UIntVec)bits >> 52);
        const P e = P::from_bits(biased | 0x4330000000000000) - (0x1p52 + 1023);
        const P m = P::from_bits((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
        const auto big = m >= 0x1.6a09e667f3bcdp0;
        return {where(big, m * 0.5, m), where(big, e + 1, e) - where(tiny, P(54), P(0))};
    }
#endif
}

// The logarithm's values outside (0, infinity), given its argument x and what was computed.
template <class P> TAPEGRAD_INLINE P repair_log(P x, P result) {
#if defined(TAPEGRAD_AVX512)
    (void)x;  // the instructions behind split have handed them through
    return result;
#else
    result = where(x < P::infinity(), result, x);
    return where(x > 0, result, where(x == 0, -P::infinity(), P::nan()));
#endif
}

// f in double precision on both halves of a pack of floats.
template <class F> TAPEGRAD_INLINE Pack<float> in_double(Pack<float> x, F f) {
    return Pack<float>(native_narrow(f(Pack<double>(native_widen_low(x.v))).v,
                                     f(Pack<double>(native_widen_high(x.v))).v));
}
template <class F> TAPEGRAD_INLINE Pack<float> in_double(Pack<float> x, Pack<float> y, F f) {
    return Pack<float>(native_narrow(
        f(Pack<double>(native_widen_low(x.v)), Pack<double>(native_widen_low(y.v))).v,
        f(Pack<double>(native_widen_high(x.v)), Pack<double>(native_widen_high(y.v))).v));
}

// f(lane) from the C library instead of result, in the lanes of m: for arguments so rare that
// vector code for them does not pay.
template <class T, class F>
TAPEGRAD_INLINE Pack<T> replace_lanes(Mask<T> m, Pack<T> x, Pack<T> result, F f) {
    if (__builtin_expect(m.any(), 0)) {
        T in[Pack<T>::size], out[Pack<T>::size];
        x.store(in);
        result.store(out);
        for (int i = 0; i < Pack<T>::size; ++i)
            if (m[i]) out[i] = f(in[i]);
        result = Pack<T>::load(out);
    }
    return result;
}

}  // namespace tapegrad::TAPEGRAD_ISA::math

// A lambda that is inlined wherever it is called.
#define TAPEGRAD_LAMBDA(...) [=](__VA_ARGS__) __attribute__((always_inline))
