// Copies a panel of B into rows of whole vectors, for blocks that would read it badly in place.
#pragma once

#include <utility>

#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

// Elements of a 128-bit lane.
template <class T> inline constexpr int kLaneSize = 16 / sizeof(T);

// 16 bytes from each of as many places as a vector has 128-bit lanes; place(i) gives the i-th.
template <class T, class Place> TAPEGRAD_INLINE typename Pack<T>::Vec load_lanes(Place place) {
#if defined(TAPEGRAD_AVX512)
    const auto lane = [&](int i) __attribute__((always_inline)) {
        return _mm_loadu_ps(reinterpret_cast<const float*>(place(i)));
    };
    __m512 v = _mm512_castps128_ps512(lane(0));
    v = _mm512_insertf32x4(v, lane(1), 1);
    v = _mm512_insertf32x4(v, lane(2), 2);
    return (typename Pack<T>::Vec)_mm512_insertf32x4(v, lane(3), 3);
#elif defined(TAPEGRAD_AVX2)
    const auto lane = [&](int i) __attribute__((always_inline)) {
        return _mm_loadu_ps(reinterpret_cast<const float*>(place(i)));
    };
    return (typename Pack<T>::Vec)_mm256_insertf128_ps(_mm256_castps128_ps256(lane(0)), lane(1), 1);
#else
    return Pack<T>::load(place(0)).v;
#endif
}

// Takes the low (or high) half of each 128-bit lane of a and of b, in turns of kPair elements.
template <class T, int kPair, bool kHigh> constexpr int interleaved_source(int i) {
    constexpr int kSize = Pack<T>::size, kLane = kLaneSize<T>;
    const int lane = i / kLane * kLane, at = i % kLane;
    const int source = lane + (kHigh ? kLane / 2 : 0) + at / (2 * kPair) * kPair + at % kPair;
    return at / kPair % 2 ? source + kSize : source;
}

template <class T, int kPair, bool kHigh, int... kIndex>
TAPEGRAD_INLINE auto interleave(typename Pack<T>::Vec a, typename Pack<T>::Vec b,
                                std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, interleaved_source<T, kPair, kHigh>(kIndex)...);
}

template <class T, int kPair, bool kHigh>
TAPEGRAD_INLINE auto interleave(typename Pack<T>::Vec a, typename Pack<T>::Vec b) {
    return interleave<T, kPair, kHigh>(a, b, std::make_integer_sequence<int, Pack<T>::size>{});
}

// out[l * stride + j] = row(j)[l] for l < kLaneSize and one vector of j. Lane by lane, vector q
// holds rows q, q + kLaneSize, ..., so that a transpose within the lanes does it.
template <class T, class Row>
TAPEGRAD_INLINE void transpose_lanes(Row row, T* out, int64_t stride) {
    using P = Pack<T>;
    const auto load = [&](int q) __attribute__((always_inline)) {
        return load_lanes<T>([&](int i) __attribute__((always_inline)) { return row(q, i); });
    };
    if constexpr (sizeof(T) == 8) {
        const auto x0 = load(0), x1 = load(1);
        P(interleave<T, 1, false>(x0, x1)).store(out);
        P(interleave<T, 1, true>(x0, x1)).store(out + stride);
    } else {
        const auto x0 = load(0), x1 = load(1), x2 = load(2), x3 = load(3);
        const auto low01 = interleave<T, 1, false>(x0, x1);
        const auto high01 = interleave<T, 1, true>(x0, x1);
        const auto low23 = interleave<T, 1, false>(x2, x3);
        const auto high23 = interleave<T, 1, true>(x2, x3);
        P(interleave<T, 2, false>(low01, low23)).store(out);
        P(interleave<T, 2, true>(low01, low23)).store(out + stride);
        P(interleave<T, 2, false>(high01, high23)).store(out + 2 * stride);
        P(interleave<T, 2, true>(high01, high23)).store(out + 3 * stride);
    }
}

// Calls transpose(l, distance to the next l) for one vector of j at all depths; depth >= kLaneSize.
// What is left at the end is done together with some of what is done already.
template <class T, class Transpose>
TAPEGRAD_INLINE void transpose_depth(int64_t depth, Transpose transpose) {
    constexpr int kLane = kLaneSize<T>;
    int64_t l = 0;
    for (; l + 2 * kLane <= depth; l += kLane) transpose(l, kLane);
    const int64_t rest = depth - l - kLane;
    transpose(l, rest);
    if (rest > 0) transpose(l + rest, 0);
}

template <class T>
TAPEGRAD_INLINE void pack_elements(const T* b, int64_t b_row, int64_t b_col, int64_t depth,
                                   int64_t width, T* out, int64_t stride) {
    for (int64_t l = 0; l < depth; ++l, b += b_row, out += stride) {
        for (int64_t j = 0; j < width; ++j) out[j] = b[j * b_col];
        for (int64_t j = width; j < stride; ++j) out[j] = 0;
    }
}

// out[l * stride + j] = B(l, j) for l < depth, j < width; stride is width, or that rounded up to
// vectors. The rest of a row holds numbers of B or 0: those columns are computed (and should not
// meet stray subnormals), but never stored. Whole vectors are written, the last one of a row before
// what it overlaps: less than a vector behind the last row is overwritten.
template <class T>
void pack_panel(const T* b, int64_t b_row, int64_t b_col, int64_t depth, int64_t width, T* out,
                int64_t stride) {
    using P = Pack<T>;
    constexpr int W = P::size, kLane = kLaneSize<T>;
    if (b_col == 1) {
        for (int64_t l = 0; l < depth; ++l, b += b_row, out += stride) {
            int64_t j = 0;
            for (; j + W <= width; j += W) P::load(b + j).store(out + j);
            if (j < width) P::load(b + j, width - j).store(out + j);
        }
        return;
    }
    if (b_row == 1 && depth >= kLane) {
        if (width % W) {
            const int64_t j = width / W * W;
            const T* rows[W];
            for (int i = 0; i < W; ++i) rows[i] = b + (j + i < width ? j + i : j) * b_col;
            transpose_depth<T>(depth, [&](int64_t l, int64_t) __attribute__((always_inline)) {
                transpose_lanes<T>(
                    [&](int q, int i)
                        __attribute__((always_inline)) { return rows[q + i * kLane] + l; },
                    out + l * stride + j, stride);
            });
        }
        for (int64_t j = 0; j + W <= width; j += W) {
            // One pointer for all rows of a lane, so that they stay in registers.
            const T* lanes[W / kLane];
            for (int i = 0; i < W / kLane; ++i) lanes[i] = b + (j + i * kLane) * b_col;
            transpose_depth<T>(depth, [&](int64_t l, int64_t next) __attribute__((always_inline)) {
                transpose_lanes<T>(
                    [&](int q, int i)
                        __attribute__((always_inline)) { return lanes[i] + q * b_col; },
                    out + l * stride + j, stride);
                for (int i = 0; i < W / kLane; ++i) lanes[i] += next;
            });
        }
        return;
    }
    pack_elements(b, b_row, b_col, depth, width, out, stride);
}

}  // namespace tapegrad::TAPEGRAD_ISA
