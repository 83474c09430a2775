// The innermost loops of a matrix product: blocks of C held in registers.
#pragma once

#include <utility>

#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

// Register budget: kBlockRows x 2 accumulators, 2 vectors of B, one broadcast element of A.
#if defined(TAPEGRAD_AVX512)
inline constexpr int kBlockRows = 12;
#elif defined(__aarch64__)
inline constexpr int kBlockRows = 8;
#elif defined(TAPEGRAD_AVX2)
inline constexpr int kBlockRows = 6;
#else
inline constexpr int kBlockRows = 4;  // mul and add apart need a register more
#endif
// Few rows leave room for twice the columns.
inline constexpr int kWideRows = kBlockRows / 2;

// What the blocks of one panel of columns share.
template <class T> struct Panel {
    int64_t k;
    int64_t a_row, a_col;
    const T* b;  // row l of the panel starts at b + l * b_row
    int64_t b_row;
    int64_t c_row;
    const T* bias;  // of the panel's columns, or null
    bool accumulate;
    int64_t width;  // columns; those of the last vector may be fewer than its lanes
};

// Columns of the last of `vectors` vectors.
template <class T> TAPEGRAD_INLINE int64_t last_columns(int64_t width, int vectors) {
    return width - (vectors - 1) * Pack<T>::size;
}

// C(rows x width) = A(rows x k) B(k x width). kPartial: B is read in place and its last vector
// reaches only last_columns; otherwise whole vectors of B may be read.
template <class T, int kRows, int kVectors, bool kPartial>
void block(const Panel<T>& p, const T* a, T* c) {
    using P = Pack<T>;
    constexpr int W = P::size;
    const int64_t last = last_columns<T>(p.width, kVectors);
    P acc[kRows][kVectors];

    const T* b = p.b;
    const int64_t a_row = p.a_row, a_col = p.a_col, b_row = p.b_row;
    // Rows are addressed from every fourth one, so that the pointers fit into registers.
    const T* quad[(kRows + 3) / 4];
#pragma GCC unroll 4
    for (int q = 0; q < (kRows + 3) / 4; ++q) quad[q] = a + 4 * q * a_row;

    for (int64_t l = p.k; l > 0; --l) {
        P bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
            bv[v] = kPartial && v == kVectors - 1 ? P::load(b + v * W, last) : P::load(b + v * W);
        b += b_row;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
            const P av(quad[r / 4][r % 4 * a_row]);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
        }
#pragma GCC unroll 4
        for (int q = 0; q < (kRows + 3) / 4; ++q) quad[q] += a_col;
    }

    const int64_t c_row = p.c_row;
    if (p.bias) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
            const P bias =
                v == kVectors - 1 ? P::load(p.bias + v * W, last) : P::load(p.bias + v * W);
#pragma GCC unroll 16
            for (int r = 0; r < kRows; ++r) acc[r][v] += bias;
        }
    }
    if (p.accumulate) {
        const T* row = c;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, row += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v)
                acc[r][v] += v == kVectors - 1 ? P::load(row + v * W, last) : P::load(row + v * W);
    }
    if (last == W) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, c += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v].store(c + v * W);
    } else {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, c += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v)
                if (v == kVectors - 1) acc[r][v].store(c + v * W, last);
                else acc[r][v].store(c + v * W);
    }
}

template <class T> using BlockFn = void (*)(const Panel<T>&, const T* a, T* c);

template <class T, int kVectors, bool kPartial, class Rows> struct BlockTable;

template <class T, int kVectors, bool kPartial, int... kRow>
struct BlockTable<T, kVectors, kPartial, std::integer_sequence<int, kRow...>> {
    static constexpr BlockFn<T> fn[] = {block<T, kRow + 1, kVectors, kPartial>...};
};

// table[rows - 1]
template <class T, int kVectors> TAPEGRAD_INLINE const BlockFn<T>* block_table(bool partial) {
    using Rows = std::make_integer_sequence<int, kVectors == 4 ? kWideRows : kBlockRows>;
    return partial ? BlockTable<T, kVectors, true, Rows>::fn
                   : BlockTable<T, kVectors, false, Rows>::fn;
}

}  // namespace tapegrad::TAPEGRAD_ISA
