// Raw vectors and the few instructions that the compiler's vector extension cannot express.
// Everything above this file (pack.h, math.h) is the same source for every instruction set.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__SSE4_1__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef TAPEGRAD_ISA
#error \
    "TAPEGRAD_ISA must name the instruction set that this file is compiled for (v2, v3, v4, neon)"
#endif

#define TAPEGRAD_INLINE [[gnu::always_inline]] inline

namespace tapegrad::TAPEGRAD_ISA {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define TAPEGRAD_AVX512 1
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
#define TAPEGRAD_AVX2 1
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

#if defined(TAPEGRAD_AVX512) || defined(TAPEGRAD_AVX2) || defined(__aarch64__)
inline constexpr bool kHasFma = true;
#else
inline constexpr bool kHasFma = false;
#endif

template <class T> struct Native;

template <> struct Native<float> {
    static constexpr int size = kVectorBytes / 4;
    using Int = int32_t;
    using UInt = uint32_t;
    typedef float Vec __attribute__((vector_size(kVectorBytes)));
    typedef int32_t IntVec __attribute__((vector_size(kVectorBytes)));
    typedef uint32_t UIntVec __attribute__((vector_size(kVectorBytes)));
    typedef uint8_t ByteVec __attribute__((vector_size(kVectorBytes / 4)));
};

template <> struct Native<double> {
    static constexpr int size = kVectorBytes / 8;
    using Int = int64_t;
    using UInt = uint64_t;
    typedef double Vec __attribute__((vector_size(kVectorBytes)));
    typedef int64_t IntVec __attribute__((vector_size(kVectorBytes)));
    typedef uint64_t UIntVec __attribute__((vector_size(kVectorBytes)));
    typedef uint8_t ByteVec __attribute__((vector_size(kVectorBytes / 8)));
};

using VecF = Native<float>::Vec;
using VecD = Native<double>::Vec;

// --- square root, rounding, fused multiply-add -------------------------------------------------

#if defined(TAPEGRAD_AVX512)

// The zero-masked forms with every lane on: the plain ones read a variable that GCC 12 warns of.
inline constexpr __mmask16 kLanesF = 0xffff;
inline constexpr __mmask8 kLanesD = 0xff;

TAPEGRAD_INLINE VecF native_sqrt(VecF x) { return (VecF)_mm512_maskz_sqrt_ps(kLanesF, (__m512)x); }
TAPEGRAD_INLINE VecD native_sqrt(VecD x) { return (VecD)_mm512_maskz_sqrt_pd(kLanesD, (__m512d)x); }
TAPEGRAD_INLINE VecF native_fma(VecF a, VecF b, VecF c) {
    return (VecF)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
TAPEGRAD_INLINE VecD native_fma(VecD a, VecD b, VecD c) {
    return (VecD)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
template <int kMode> TAPEGRAD_INLINE VecF native_round(VecF x) {
    return (VecF)_mm512_maskz_roundscale_ps(kLanesF, (__m512)x, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode> TAPEGRAD_INLINE VecD native_round(VecD x) {
    return (VecD)_mm512_maskz_roundscale_pd(kLanesD, (__m512d)x, kMode | _MM_FROUND_NO_EXC);
}
TAPEGRAD_INLINE VecF native_min(VecF a, VecF b) {
    return (VecF)_mm512_maskz_min_ps(kLanesF, (__m512)a, (__m512)b);
}
TAPEGRAD_INLINE VecD native_min(VecD a, VecD b) {
    return (VecD)_mm512_maskz_min_pd(kLanesD, (__m512d)a, (__m512d)b);
}
TAPEGRAD_INLINE VecF native_max(VecF a, VecF b) {
    return (VecF)_mm512_maskz_max_ps(kLanesF, (__m512)a, (__m512)b);
}
TAPEGRAD_INLINE VecD native_max(VecD a, VecD b) {
    return (VecD)_mm512_maskz_max_pd(kLanesD, (__m512d)a, (__m512d)b);
}

#elif defined(TAPEGRAD_AVX2)

TAPEGRAD_INLINE VecF native_sqrt(VecF x) { return (VecF)_mm256_sqrt_ps((__m256)x); }
TAPEGRAD_INLINE VecD native_sqrt(VecD x) { return (VecD)_mm256_sqrt_pd((__m256d)x); }
TAPEGRAD_INLINE VecF native_fma(VecF a, VecF b, VecF c) {
    return (VecF)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
TAPEGRAD_INLINE VecD native_fma(VecD a, VecD b, VecD c) {
    return (VecD)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
template <int kMode> TAPEGRAD_INLINE VecF native_round(VecF x) {
    return (VecF)_mm256_round_ps((__m256)x, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode> TAPEGRAD_INLINE VecD native_round(VecD x) {
    return (VecD)_mm256_round_pd((__m256d)x, kMode | _MM_FROUND_NO_EXC);
}
TAPEGRAD_INLINE VecF native_min(VecF a, VecF b) {
    return (VecF)_mm256_min_ps((__m256)a, (__m256)b);
}
TAPEGRAD_INLINE VecD native_min(VecD a, VecD b) {
    return (VecD)_mm256_min_pd((__m256d)a, (__m256d)b);
}
TAPEGRAD_INLINE VecF native_max(VecF a, VecF b) {
    return (VecF)_mm256_max_ps((__m256)a, (__m256)b);
}
TAPEGRAD_INLINE VecD native_max(VecD a, VecD b) {
    return (VecD)_mm256_max_pd((__m256d)a, (__m256d)b);
}

#elif defined(__SSE4_1__) && !defined(TAPEGRAD_GENERIC)

TAPEGRAD_INLINE VecF native_sqrt(VecF x) { return (VecF)_mm_sqrt_ps((__m128)x); }
TAPEGRAD_INLINE VecD native_sqrt(VecD x) { return (VecD)_mm_sqrt_pd((__m128d)x); }
// There is no fused instruction in this set: two roundings.
TAPEGRAD_INLINE VecF native_fma(VecF a, VecF b, VecF c) { return a * b + c; }
TAPEGRAD_INLINE VecD native_fma(VecD a, VecD b, VecD c) { return a * b + c; }
template <int kMode> TAPEGRAD_INLINE VecF native_round(VecF x) {
    return (VecF)_mm_round_ps((__m128)x, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode> TAPEGRAD_INLINE VecD native_round(VecD x) {
    return (VecD)_mm_round_pd((__m128d)x, kMode | _MM_FROUND_NO_EXC);
}
TAPEGRAD_INLINE VecF native_min(VecF a, VecF b) { return (VecF)_mm_min_ps((__m128)a, (__m128)b); }
TAPEGRAD_INLINE VecD native_min(VecD a, VecD b) { return (VecD)_mm_min_pd((__m128d)a, (__m128d)b); }
TAPEGRAD_INLINE VecF native_max(VecF a, VecF b) { return (VecF)_mm_max_ps((__m128)a, (__m128)b); }
TAPEGRAD_INLINE VecD native_max(VecD a, VecD b) { return (VecD)_mm_max_pd((__m128d)a, (__m128d)b); }

#elif defined(__aarch64__) && !defined(TAPEGRAD_GENERIC)

TAPEGRAD_INLINE VecF native_sqrt(VecF x) { return (VecF)vsqrtq_f32((float32x4_t)x); }
TAPEGRAD_INLINE VecD native_sqrt(VecD x) { return (VecD)vsqrtq_f64((float64x2_t)x); }
TAPEGRAD_INLINE VecF native_fma(VecF a, VecF b, VecF c) {
    return (VecF)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
TAPEGRAD_INLINE VecD native_fma(VecD a, VecD b, VecD c) {
    return (VecD)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
template <int kMode>  // 0 nearest, 1 down, 2 up, 3 towards zero
TAPEGRAD_INLINE VecF native_round(VecF x) {
    if constexpr (kMode == 0) return (VecF)vrndnq_f32((float32x4_t)x);
    else if constexpr (kMode == 1) return (VecF)vrndmq_f32((float32x4_t)x);
    else if constexpr (kMode == 2) return (VecF)vrndpq_f32((float32x4_t)x);
    else return (VecF)vrndq_f32((float32x4_t)x);
}
template <int kMode> TAPEGRAD_INLINE VecD native_round(VecD x) {
    if constexpr (kMode == 0) return (VecD)vrndnq_f64((float64x2_t)x);
    else if constexpr (kMode == 1) return (VecD)vrndmq_f64((float64x2_t)x);
    else if constexpr (kMode == 2) return (VecD)vrndpq_f64((float64x2_t)x);
    else return (VecD)vrndq_f64((float64x2_t)x);
}
TAPEGRAD_INLINE VecF native_min(VecF a, VecF b) { return a < b ? a : b; }
TAPEGRAD_INLINE VecD native_min(VecD a, VecD b) { return a < b ? a : b; }
TAPEGRAD_INLINE VecF native_max(VecF a, VecF b) { return a > b ? a : b; }
TAPEGRAD_INLINE VecD native_max(VecD a, VecD b) { return a > b ? a : b; }

#else  // any other machine: lane by lane where the vector extension has no word for it

template <class V> TAPEGRAD_INLINE V native_sqrt(V x) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i)
        x[i] = sizeof(x[0]) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
    return x;
}
template <class V> TAPEGRAD_INLINE V native_fma(V a, V b, V c) { return a * b + c; }
template <int kMode, class V> TAPEGRAD_INLINE V native_round(V x) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) {
        const double lane = x[i];
        x[i] = kMode == 0   ? __builtin_nearbyint(lane)
               : kMode == 1 ? __builtin_floor(lane)
               : kMode == 2 ? __builtin_ceil(lane)
                            : __builtin_trunc(lane);
    }
    return x;
}
template <class V> TAPEGRAD_INLINE V native_min(V a, V b) { return a < b ? a : b; }
template <class V> TAPEGRAD_INLINE V native_max(V a, V b) { return a > b ? a : b; }

#endif

// --- float <-> double: the low and the high half of a vector of floats -------------------------

#if defined(TAPEGRAD_AVX512)

TAPEGRAD_INLINE VecD native_widen_low(VecF x) {
    const auto half = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7);
    return (VecD)_mm512_maskz_cvtps_pd(kLanesD, (__m256)half);
}
TAPEGRAD_INLINE VecD native_widen_high(VecF x) {
    const auto half = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    return (VecD)_mm512_maskz_cvtps_pd(kLanesD, (__m256)half);
}
TAPEGRAD_INLINE VecF native_narrow(VecD low, VecD high) {
    typedef float Half __attribute__((vector_size(32)));
    const Half a = (Half)_mm512_maskz_cvtpd_ps(kLanesD, (__m512d)low);
    const Half b = (Half)_mm512_maskz_cvtpd_ps(kLanesD, (__m512d)high);
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

#elif defined(TAPEGRAD_AVX2)

TAPEGRAD_INLINE VecD native_widen_low(VecF x) {
    return (VecD)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)x));
}
TAPEGRAD_INLINE VecD native_widen_high(VecF x) {
    return (VecD)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)x, 1));
}
TAPEGRAD_INLINE VecF native_narrow(VecD low, VecD high) {
    return (VecF)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}

#else

TAPEGRAD_INLINE VecD native_widen_low(VecF x) { return VecD{x[0], x[1]}; }
TAPEGRAD_INLINE VecD native_widen_high(VecF x) { return VecD{x[2], x[3]}; }
TAPEGRAD_INLINE VecF native_narrow(VecD low, VecD high) {
    return VecF{static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
                static_cast<float>(high[1])};
}

#endif

// --- the low 32 bits of each 64-bit lane multiplied to 64 bits -----------------------------------

using UIntD = Native<double>::UIntVec;

#if defined(TAPEGRAD_AVX512)
TAPEGRAD_INLINE UIntD native_mul_low32(UIntD a, UIntD b) {
    return (UIntD)_mm512_maskz_mul_epu32(kLanesD, (__m512i)a, (__m512i)b);
}
#elif defined(TAPEGRAD_AVX2)
TAPEGRAD_INLINE UIntD native_mul_low32(UIntD a, UIntD b) {
    return (UIntD)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#elif defined(__SSE4_1__)
TAPEGRAD_INLINE UIntD native_mul_low32(UIntD a, UIntD b) {
    return (UIntD)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
#else
TAPEGRAD_INLINE UIntD native_mul_low32(UIntD a, UIntD b) {
    return (a & 0xffffffff) * (b & 0xffffffff);
}
#endif

// --- partial loads and stores: the first n lanes, 0 <= n <= size -------------------------------

#if defined(TAPEGRAD_AVX512)

TAPEGRAD_INLINE VecF native_load(const float* p, int64_t n) {
    return (VecF)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
TAPEGRAD_INLINE VecD native_load(const double* p, int64_t n) {
    return (VecD)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
TAPEGRAD_INLINE void native_store(float* p, VecF v, int64_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
TAPEGRAD_INLINE void native_store(double* p, VecD v, int64_t n) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}

#elif defined(TAPEGRAD_AVX2)

TAPEGRAD_INLINE __m256i first_lanes_32(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TAPEGRAD_INLINE __m256i first_lanes_64(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
TAPEGRAD_INLINE VecF native_load(const float* p, int64_t n) {
    return (VecF)_mm256_maskload_ps(p, first_lanes_32(n));
}
TAPEGRAD_INLINE VecD native_load(const double* p, int64_t n) {
    return (VecD)_mm256_maskload_pd(p, first_lanes_64(n));
}
TAPEGRAD_INLINE void native_store(float* p, VecF v, int64_t n) {
    _mm256_maskstore_ps(p, first_lanes_32(n), (__m256)v);
}
TAPEGRAD_INLINE void native_store(double* p, VecD v, int64_t n) {
    _mm256_maskstore_pd(p, first_lanes_64(n), (__m256d)v);
}

#else

TAPEGRAD_INLINE VecF native_load(const float* p, int64_t n) {
    VecF v{};
    if (n > 0) v[0] = p[0];
    if (n > 1) v[1] = p[1];
    if (n > 2) v[2] = p[2];
    if (n > 3) v[3] = p[3];
    return v;
}
TAPEGRAD_INLINE VecD native_load(const double* p, int64_t n) {
    VecD v{};
    if (n > 0) v[0] = p[0];
    if (n > 1) v[1] = p[1];
    return v;
}
TAPEGRAD_INLINE void native_store(float* p, VecF v, int64_t n) {
    if (n > 0) p[0] = v[0];
    if (n > 1) p[1] = v[1];
    if (n > 2) p[2] = v[2];
    if (n > 3) p[3] = v[3];
}
TAPEGRAD_INLINE void native_store(double* p, VecD v, int64_t n) {
    if (n > 0) p[0] = v[0];
    if (n > 1) p[1] = v[1];
}

#endif

}  // namespace tapegrad::TAPEGRAD_ISA
