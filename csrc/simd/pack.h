// Pack<T>: one vector of floats or doubles that reads like a number, and Mask<T>: one truth value
// per lane. Formula templates are instantiated on Pack<T>, so constants of any arithmetic type mix
// with packs and are converted to T.
#pragma once

#include <type_traits>

#include "simd/native.h"

namespace tapegrad::TAPEGRAD_ISA {

template <class T> struct Pack;

// One truth value per lane: mask registers on AVX-512, vectors of all-ones or zero elsewhere.
template <class T> struct Mask {
    using N = Native<T>;
    static constexpr int size = N::size;

#if defined(TAPEGRAD_AVX512)
    using Bits = std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8>;
    static constexpr Bits kAll = static_cast<Bits>(~0u);
#else
    using Bits = typename N::IntVec;
#endif
    Bits bits{};

    Mask() = default;
#if defined(TAPEGRAD_AVX512)
    TAPEGRAD_INLINE explicit Mask(Bits b) : bits(b) {}
    TAPEGRAD_INLINE Mask(bool value) : bits(value ? kAll : Bits(0)) {}
    TAPEGRAD_INLINE friend Mask operator&(Mask a, Mask b) { return make(a.bits & b.bits); }
    TAPEGRAD_INLINE friend Mask operator|(Mask a, Mask b) { return make(a.bits | b.bits); }
    TAPEGRAD_INLINE friend Mask operator^(Mask a, Mask b) { return make(a.bits ^ b.bits); }
    TAPEGRAD_INLINE Mask operator~() const { return make(~bits); }
    TAPEGRAD_INLINE bool any() const { return bits != 0; }
    TAPEGRAD_INLINE bool all() const { return bits == kAll; }
    TAPEGRAD_INLINE bool operator[](int i) const { return (bits >> i) & 1; }
#else
    TAPEGRAD_INLINE explicit Mask(Bits b) : bits(b) {}
    TAPEGRAD_INLINE Mask(bool value) : bits(Bits{} - static_cast<typename N::Int>(value)) {}
    TAPEGRAD_INLINE friend Mask operator&(Mask a, Mask b) { return Mask(a.bits & b.bits); }
    TAPEGRAD_INLINE friend Mask operator|(Mask a, Mask b) { return Mask(a.bits | b.bits); }
    TAPEGRAD_INLINE friend Mask operator^(Mask a, Mask b) { return Mask(a.bits ^ b.bits); }
    TAPEGRAD_INLINE Mask operator~() const { return Mask(~bits); }
    TAPEGRAD_INLINE bool any() const {
#if defined(TAPEGRAD_AVX2)
        return _mm256_movemask_epi8((__m256i)bits) != 0;
#elif defined(__SSE4_1__)
        return _mm_movemask_epi8((__m128i)bits) != 0;
#else
        typename N::Int found = 0;
        for (int i = 0; i < size; ++i) found |= bits[i];
        return found != 0;
#endif
    }
    TAPEGRAD_INLINE bool all() const { return !(~*this).any(); }
    TAPEGRAD_INLINE bool operator[](int i) const { return bits[i] != 0; }
#endif
    TAPEGRAD_INLINE Mask operator!() const { return ~*this; }
    TAPEGRAD_INLINE bool none() const { return !any(); }

    // One byte per lane, 0 or 1, as bool tensors are stored.
    TAPEGRAD_INLINE static Mask load(const uint8_t* p) {
        typename N::ByteVec bytes;
        std::memcpy(&bytes, p, sizeof(bytes));
        return from_bytes(bytes);
    }
    TAPEGRAD_INLINE static Mask load(const uint8_t* p, int64_t n) {
        uint8_t buffer[size] = {};
        for (int64_t i = 0; i < n; ++i) buffer[i] = p[i];
        return load(buffer);
    }
    TAPEGRAD_INLINE void store(uint8_t* p) const {
        const typename N::ByteVec bytes = to_bytes();
        std::memcpy(p, &bytes, sizeof(bytes));
    }
    TAPEGRAD_INLINE void store(uint8_t* p, int64_t n) const {
        for (int64_t i = 0; i < n; ++i) p[i] = (*this)[static_cast<int>(i)];
    }

    TAPEGRAD_INLINE friend Pack<T> where(Mask m, Pack<T> a, Pack<T> b) {
#if defined(TAPEGRAD_AVX512)
        if constexpr (sizeof(T) == 4)
            return Pack<T>((VecF)_mm512_mask_blend_ps(m.bits, (__m512)b.v, (__m512)a.v));
        else return Pack<T>((VecD)_mm512_mask_blend_pd(m.bits, (__m512d)b.v, (__m512d)a.v));
#else
        return Pack<T>(m.bits ? a.v : b.v);
#endif
    }

private:
#if defined(TAPEGRAD_AVX512)
    TAPEGRAD_INLINE static Mask make(int b) { return Mask(static_cast<Bits>(b)); }
#endif
    TAPEGRAD_INLINE static Mask from_bytes(typename N::ByteVec bytes) {
#if defined(TAPEGRAD_AVX512)
        __m128i wide;
        if constexpr (sizeof(T) == 4) wide = (__m128i)bytes;
        else {
            int64_t low;
            std::memcpy(&low, &bytes, sizeof(low));
            wide = _mm_cvtsi64_si128(low);
        }
        return Mask(static_cast<Bits>(_mm_test_epi8_mask(wide, wide)));
#else
        return Mask(__builtin_convertvector(bytes, Bits) != 0);
#endif
    }
    TAPEGRAD_INLINE typename N::ByteVec to_bytes() const {
#if defined(TAPEGRAD_AVX512)
        const __m128i wide = _mm_maskz_set1_epi8(bits, 1);
        typename N::ByteVec bytes;
        std::memcpy(&bytes, &wide, sizeof(bytes));
        return bytes;
#else
        return __builtin_convertvector(bits & 1, typename N::ByteVec);
#endif
    }
};

template <class T> struct Pack {
    using N = Native<T>;
    using Vec = typename N::Vec;
    using IntVec = typename N::IntVec;
    using Int = typename N::Int;
    using value_type = T;
    static constexpr int size = N::size;

    Vec v{};

    Pack() = default;
    TAPEGRAD_INLINE explicit Pack(Vec x) : v(x) {}
    // The compiler's way to broadcast: x - 0 is x for every x, -0.0 too.
    template <class U>
        requires std::is_arithmetic_v<U>
    TAPEGRAD_INLINE Pack(U x) : v(static_cast<T>(x) - Vec{}) {}

    TAPEGRAD_INLINE static Pack load(const T* p) {
        Pack r;
        std::memcpy(&r.v, p, sizeof(Vec));
        return r;
    }
    // The first n lanes (0 <= n <= size); the others are 0 and nothing else is read.
    TAPEGRAD_INLINE static Pack load(const T* p, int64_t n) { return Pack(native_load(p, n)); }
    TAPEGRAD_INLINE void store(T* p) const { std::memcpy(p, &v, sizeof(Vec)); }
    TAPEGRAD_INLINE void store(T* p, int64_t n) const { native_store(p, v, n); }

    // Every stride-th element, and the first n of them.
    TAPEGRAD_INLINE static Pack gather(const T* p, int64_t stride, int64_t n = size) {
        Pack r;
        for (int i = 0; i < size; ++i)
            if (i < n) r.v[i] = p[i * stride];
        return r;
    }
    TAPEGRAD_INLINE void scatter(T* p, int64_t stride, int64_t n = size) const {
        for (int i = 0; i < size; ++i)
            if (i < n) p[i * stride] = v[i];
    }
    // first, first + 1, first + 2, ...
    TAPEGRAD_INLINE static Pack iota(T first = 0) {
        Pack r;
        for (int i = 0; i < size; ++i) r.v[i] = static_cast<T>(i);
        return r + first;
    }

    TAPEGRAD_INLINE T operator[](int i) const { return v[i]; }
    TAPEGRAD_INLINE void set(int i, T x) { v[i] = x; }

    TAPEGRAD_INLINE friend Pack operator+(Pack a, Pack b) { return Pack(a.v + b.v); }
    TAPEGRAD_INLINE friend Pack operator-(Pack a, Pack b) { return Pack(a.v - b.v); }
    TAPEGRAD_INLINE friend Pack operator*(Pack a, Pack b) { return Pack(a.v * b.v); }
    TAPEGRAD_INLINE friend Pack operator/(Pack a, Pack b) { return Pack(a.v / b.v); }
    TAPEGRAD_INLINE Pack operator-() const { return Pack(-v); }
    TAPEGRAD_INLINE Pack operator+() const { return *this; }
    TAPEGRAD_INLINE Pack& operator+=(Pack b) { return *this = *this + b; }
    TAPEGRAD_INLINE Pack& operator-=(Pack b) { return *this = *this - b; }
    TAPEGRAD_INLINE Pack& operator*=(Pack b) { return *this = *this * b; }
    TAPEGRAD_INLINE Pack& operator/=(Pack b) { return *this = *this / b; }

#if defined(TAPEGRAD_AVX512)
#define TAPEGRAD_COMPARE(OP, CODE)                                                               \
    TAPEGRAD_INLINE friend Mask<T> operator OP(Pack a, Pack b) {                                 \
        if constexpr (sizeof(T) == 4)                                                            \
            return Mask<T>(_mm512_cmp_ps_mask((__m512)a.v, (__m512)b.v, CODE));                  \
        else                                                                                     \
            return Mask<T>(_mm512_cmp_pd_mask((__m512d)a.v, (__m512d)b.v, CODE));                \
    }
#else
#define TAPEGRAD_COMPARE(OP, CODE) \
    TAPEGRAD_INLINE friend Mask<T> operator OP(Pack a, Pack b) { return Mask<T>(a.v OP b.v); }
#endif
    TAPEGRAD_COMPARE(<, _CMP_LT_OQ)
    TAPEGRAD_COMPARE(<=, _CMP_LE_OQ)
    TAPEGRAD_COMPARE(>, _CMP_GT_OQ)
    TAPEGRAD_COMPARE(>=, _CMP_GE_OQ)
    TAPEGRAD_COMPARE(==, _CMP_EQ_OQ)
    TAPEGRAD_COMPARE(!=, _CMP_NEQ_UQ)
#undef TAPEGRAD_COMPARE

    // The lanes' bits as integers, and back.
    TAPEGRAD_INLINE IntVec bits() const { return (IntVec)v; }
    TAPEGRAD_INLINE static Pack from_bits(IntVec b) { return Pack((Vec)b); }

    TAPEGRAD_INLINE friend Pack fma(Pack a, Pack b, Pack c) {
        return Pack(native_fma(a.v, b.v, c.v));
    }
    TAPEGRAD_INLINE friend Pack sqrt(Pack a) { return Pack(native_sqrt(a.v)); }
    TAPEGRAD_INLINE friend Pack rsqrt(Pack a) { return 1 / sqrt(a); }
    TAPEGRAD_INLINE friend Pack round(Pack a) {
        return Pack(native_round<0>(a.v));
    }  // half to even
    TAPEGRAD_INLINE friend Pack floor(Pack a) { return Pack(native_round<1>(a.v)); }
    TAPEGRAD_INLINE friend Pack ceil(Pack a) { return Pack(native_round<2>(a.v)); }
    TAPEGRAD_INLINE friend Pack trunc(Pack a) { return Pack(native_round<3>(a.v)); }

    TAPEGRAD_INLINE friend Pack abs(Pack a) { return from_bits(a.bits() & ~sign_bit()); }
    TAPEGRAD_INLINE friend Pack copysign(Pack magnitude, Pack sign) {
        return from_bits((magnitude.bits() & ~sign_bit()) | (sign.bits() & sign_bit()));
    }
    TAPEGRAD_INLINE friend Mask<T> isnan(Pack a) { return a != a; }
    TAPEGRAD_INLINE friend Mask<T> isinf(Pack a) { return abs(a) == infinity(); }
    TAPEGRAD_INLINE friend Mask<T> isfinite(Pack a) { return abs(a) < infinity(); }
    // True for -0.0 and negative NaNs too.
    TAPEGRAD_INLINE friend Mask<T> signbit(Pack a) {
#if defined(TAPEGRAD_AVX512)
        if constexpr (sizeof(T) == 4) return Mask<T>(_mm512_movepi32_mask((__m512i)a.v));
        else return Mask<T>(_mm512_movepi64_mask((__m512i)a.v));
#else
        return Mask<T>(a.bits() < 0);
#endif
    }
    // -1, 0 or 1; 0 for NaN, as in PyTorch.
    TAPEGRAD_INLINE friend Pack sign(Pack a) {
        return where(a > 0, Pack(1), where(a < 0, Pack(-1), Pack(0)));
    }

    // a < b ? a : b and a > b ? a : b; b where either is NaN.
    TAPEGRAD_INLINE friend Pack min(Pack a, Pack b) { return Pack(native_min(a.v, b.v)); }
    TAPEGRAD_INLINE friend Pack max(Pack a, Pack b) { return Pack(native_max(a.v, b.v)); }
    // NaN where either is NaN.
    TAPEGRAD_INLINE friend Pack minimum(Pack a, Pack b) { return where(isnan(a), a, min(a, b)); }
    TAPEGRAD_INLINE friend Pack maximum(Pack a, Pack b) { return where(isnan(a), a, max(a, b)); }

    // Reductions over the lanes: always the same tree, halves against each other.
    TAPEGRAD_INLINE friend T sum(Pack a) {
        return fold(a, [](auto x, auto y) __attribute__((always_inline)) { return x + y; });
    }
    TAPEGRAD_INLINE friend T product(Pack a) {
        return fold(a, [](auto x, auto y) __attribute__((always_inline)) { return x * y; });
    }
    TAPEGRAD_INLINE friend T hmin(Pack a) {
        return fold(a, [](auto x, auto y) __attribute__((always_inline)) { return x < y ? x : y; });
    }
    TAPEGRAD_INLINE friend T hmax(Pack a) {
        return fold(a, [](auto x, auto y) __attribute__((always_inline)) { return x > y ? x : y; });
    }

    TAPEGRAD_INLINE static Pack infinity() { return Pack(static_cast<T>(__builtin_inf())); }
    TAPEGRAD_INLINE static Pack nan() { return Pack(static_cast<T>(__builtin_nan(""))); }

private:
    TAPEGRAD_INLINE static IntVec sign_bit() {
        return IntVec{} + static_cast<Int>(Int(1) << (sizeof(Int) * 8 - 1));
    }
    template <class Combine> TAPEGRAD_INLINE static T fold(Pack a, Combine combine) {
        if constexpr (size == 16) return fold_16(a.v, combine);
        else if constexpr (size == 8) return fold_8(a.v, combine);
        else if constexpr (size == 4) return fold_4(a.v, combine);
        else return combine(a.v[0], a.v[1]);
    }
    template <class V, class Combine> TAPEGRAD_INLINE static T fold_16(V x, Combine combine) {
        return fold_8(combine(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7),
                              __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)),
                      combine);
    }
    template <class V, class Combine> TAPEGRAD_INLINE static T fold_8(V x, Combine combine) {
        return fold_4(combine(__builtin_shufflevector(x, x, 0, 1, 2, 3),
                              __builtin_shufflevector(x, x, 4, 5, 6, 7)),
                      combine);
    }
    template <class V, class Combine> TAPEGRAD_INLINE static T fold_4(V x, Combine combine) {
        const auto half =
            combine(__builtin_shufflevector(x, x, 0, 1), __builtin_shufflevector(x, x, 2, 3));
        return combine(half[0], half[1]);
    }
};

}  // namespace tapegrad::TAPEGRAD_ISA
