// What all ways to compute a matrix product share: its operands and how it is cut.
#pragma once

#include "kernels/gemm.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

// A panel of B of this depth fits into the first-level cache (32 KB at 512-bit vectors).
inline constexpr int64_t kDepth = 256;
// Multiply-adds that take about as long as starting a parallel region is worth.
inline constexpr int64_t kGrainCost = 800 * 1000;

template <class T> struct Product {
    int64_t m, n, k;
    const T* a;
    int64_t a_row, a_col;
    const T* b;
    int64_t b_row, b_col;
    T* c;
    int64_t c_row;
    const T* bias;
    bool accumulate;
};

template <class T> TAPEGRAD_INLINE Product<T> product_of(const kernels::GemmArgs& g) {
    return {g.m,
            g.n,
            g.k,
            static_cast<const T*>(g.a),
            g.a_row,
            g.a_col,
            static_cast<const T*>(g.b),
            g.b_row,
            g.b_col,
            static_cast<T*>(g.c),
            g.c_row,
            static_cast<const T*>(g.bias),
            g.accumulate};
}

template <class T>
TAPEGRAD_INLINE Product<T> rows_of(const Product<T>& p, int64_t begin, int64_t end) {
    Product<T> part = p;
    part.m = end - begin;
    part.a += begin * p.a_row;
    part.c += begin * p.c_row;
    return part;
}

template <class T>
TAPEGRAD_INLINE Product<T> columns_of(const Product<T>& p, int64_t begin, int64_t end) {
    Product<T> part = p;
    part.n = end - begin;
    part.b += begin * p.b_col;
    part.c += begin;
    if (p.bias) part.bias += begin;
    return part;
}

// Depth of the blocks that k is cut into.
TAPEGRAD_INLINE int64_t block_depth(int64_t k) {
    if (k <= kDepth) return k;
    const int64_t blocks = (k + kDepth - 1) / kDepth;
    return (k + blocks - 1) / blocks;
}

// m rows in blocks of at most max_rows, cut as evenly as whole rows allow.
struct Cut {
    int64_t blocks, rows, longer;
    TAPEGRAD_INLINE Cut(int64_t m, int max_rows)
        : blocks((m + max_rows - 1) / max_rows),
          rows(m / blocks),
          longer(m % blocks) {}
    TAPEGRAD_INLINE int64_t count(int64_t i) const { return rows + (i < longer); }
    TAPEGRAD_INLINE int64_t begin(int64_t i) const { return i * rows + (i < longer ? i : longer); }
};

}  // namespace tapegrad::TAPEGRAD_ISA
