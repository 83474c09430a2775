// Products with few rows whose A and B are both contiguous along l: inner products.
#pragma once

#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

// C(i, j) (+)= sum over l of a[i * a_row + l] * b[j * b_col + l] (+ bias[j]).
template <class T, int kRows, int kCols>
TAPEGRAD_INLINE void dot_block(int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_col,
                               T* c, int64_t c_row, const T* bias, bool accumulate) {
    using P = Pack<T>;
    constexpr int W = P::size;
    // At least eight chains, to hide the latency of the multiply-add.
    constexpr int kChains = kRows * kCols >= 8 ? 1 : 8 / (kRows * kCols);
    P acc[kChains][kRows][kCols];

    const auto step = [&](P(&sums)[kRows][kCols], auto load) __attribute__((always_inline)) {
        P bv[kCols];
#pragma GCC unroll 8
        for (int j = 0; j < kCols; ++j) bv[j] = load(b + j * b_col);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) {
            const P av = load(a + i * a_row);
#pragma GCC unroll 8
            for (int j = 0; j < kCols; ++j) sums[i][j] = fma(av, bv[j], sums[i][j]);
        }
    };
    const auto whole = [](const T* p) __attribute__((always_inline)) { return P::load(p); };
    for (; k >= kChains * W; k -= kChains * W) {
#pragma GCC unroll 8
        for (int s = 0; s < kChains; ++s, a += W, b += W) step(acc[s], whole);
    }
    if constexpr (kChains > 1)
        for (; k >= W; k -= W, a += W, b += W) step(acc[0], whole);
    if (k > 0)
        step(acc[kChains - 1],
             [&](const T* p) __attribute__((always_inline)) { return P::load(p, k); });

#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kCols; ++j) {
            P total = acc[0][i][j];
#pragma GCC unroll 8
            for (int s = 1; s < kChains; ++s) total += acc[s][i][j];
            T value = sum(total);
            if (bias) value += bias[j];
            T* at = c + i * c_row + j;
            *at = accumulate ? *at + value : value;
        }
}

template <class T, int kRows, int kCols>
void dot_rows(int64_t n, int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_col, T* c,
              int64_t c_row, const T* bias, bool accumulate) {
    int64_t j = 0;
    for (; j + kCols <= n; j += kCols)
        dot_block<T, kRows, kCols>(k, a, a_row, b + j * b_col, b_col, c + j, c_row,
                                   bias ? bias + j : nullptr, accumulate);
    for (; j < n; ++j)
        dot_block<T, kRows, 1>(k, a, a_row, b + j * b_col, b_col, c + j, c_row,
                               bias ? bias + j : nullptr, accumulate);
}

}  // namespace tapegrad::TAPEGRAD_ISA
