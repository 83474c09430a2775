// Sums and squared deviations from the mean, as var and layer_norm need them.
#pragma once

#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {

// (x - center)^2, with a center per column (rows: that of column 0).
template <class T> struct DeviationOp : Adding<T> {
    const double* center;
    bool per_column;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t j) const {
        V c;
        if constexpr (std::is_same_v<V, double>) c = center[per_column ? j : 0];
        else c = per_column ? V::load(center + j) : V(center[0]);
        const V v = Adding<T>::template value<V>(p) - c;
        return v * v;
    }
};

// Per block: its sum, and the squares of the deviations from its own mean while it is in cache.
// Blocks are merged as in Chan, Golub & LeVeque 1979.
struct Moments {
    double sum, m2;
};

TAPEGRAD_INLINE Moments merge(Moments a, double count_a, Moments b, double count_b) {
    const double delta = b.sum / count_b - a.sum / count_a;
    return {a.sum + b.sum, a.m2 + b.m2 + delta * delta * (count_a * count_b / (count_a + count_b))};
}

// Merges `blocks` partial results of `block` elements each (the last one: what is left of n).
template <class Get>
TAPEGRAD_INLINE void merge_blocks(int64_t blocks, int64_t block, int64_t n, const Get& at) {
    pairwise(blocks, [&](int64_t i, int64_t j, int64_t length) {
        const int64_t end = min_of(n, (j + length) * block);
        at(i) = merge(at(i), static_cast<double>((j - i) * block), at(j),
                      static_cast<double>(end - j * block));
    });
}

TAPEGRAD_INLINE Moments block_moments(const double* x, int64_t n) {
    const double total = reduce_block(SumOp<double>(), x, n);
    const double center = total / static_cast<double>(n);
    return {total, reduce_block(DeviationOp<double>{{}, &center, false}, x, n)};
}
// In one pass, from the deviations from the first element. That one is at most sqrt(n) standard deviations
// from the mean, so the subtraction at the end costs log2(n) of the digits that double has over float.
TAPEGRAD_INLINE Moments block_moments(const float* x, int64_t n) {
    using P = Pack<double>;
    constexpr int64_t W = P::size;
    const double first = finite_or_zero(x[0]), count = static_cast<double>(n);
    P s[2] = {0, 0}, q[2] = {0, 0};
    const auto add = [&](int64_t i, int k) __attribute__((always_inline)) {
        const P d = load_wide(x + i) - first;
        s[k] += d;
        q[k] = fma(d, d, q[k]);
    };
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        add(i, 0);
        add(i + W, 1);
    }
    double sums = sum(s[0] + s[1]), squares = sum(q[0] + q[1]);
    for (; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - first;
        sums += d;
        squares += d * d;
    }
    return {sums + first * count, squares - sums * (sums / count)};
}

// finish(o, moments of row o of [outer, n]), n >= 1: right after the row has been read, unless it is so long
// that its blocks are shared out.
template <class T, class Finish>
TAPEGRAD_INLINE void moments_of_rows(const T* x, int64_t outer, int64_t n, const Finish& finish) {
    const int64_t blocks = ceil_div(n, kRowBlock);
    const auto moments_of = [=](int64_t o, int64_t b) {
        return block_moments(x + o * n + b * kRowBlock, min_of(kRowBlock, n - b * kRowBlock));
    };
    const auto finish_row = [&](int64_t o, Moments* partial) {
        merge_blocks(blocks, kRowBlock, n, [=](int64_t b) -> Moments& { return partial[b]; });
        finish(o, partial[0]);
    };
    if (n <= kFusedRow) {
        for_items(outer, 2 * n, [&](int64_t begin, int64_t end) {
            Moments partial[kFusedRow / kRowBlock];
            for (int64_t o = begin; o < end; ++o) {
                for (int64_t b = 0; b < blocks; ++b) partial[b] = moments_of(o, b);
                finish_row(o, partial);
            }
        });
        return;
    }
    Scratch<Moments> scratch(outer * blocks);
    Moments* partial = scratch.data();
    for_items(outer * blocks, 2 * kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) partial[i] = moments_of(i / blocks, i % blocks);
    });
    for (int64_t o = 0; o < outer; ++o) finish_row(o, partial + o * blocks);
}

// finish(o, j, moments of x[o, :, j]) for x [outer, n, inner], n >= 1.
template <class T, class Finish>
void moments_of_columns(const T* x, int64_t outer, int64_t n, int64_t inner, const Finish& finish) {
    const ColumnPlan plan(n, inner);
    const int64_t strips = plan.strips, blocks = plan.blocks;
    const int64_t item = min_of(n, plan.block_rows) * min_of(inner, kColStrip);
    Scratch<Moments> scratch(outer * blocks * inner);
    Moments* partial = scratch.data();
    for_items(outer * blocks * strips, 2 * item, [&](int64_t begin, int64_t end) {
        alignas(64) double total[kColStrip], center[kColStrip], squares[kColStrip];
        for (int64_t i = begin; i < end; ++i) {
            const auto [ob, s] = divide(i, strips);
            const auto [o, b] = divide(ob, blocks);
            const int64_t r = b * plan.block_rows, j = s * kColStrip;
            const int64_t rows = min_of(plan.block_rows, n - r),
                          width = min_of(kColStrip, inner - j);
            const T* from = x + (o * n + r) * inner + j;
            reduce_column_block(SumOp<T>(), plan, from, rows, inner, width, total);
            for (int64_t k = 0; k < width; ++k) center[k] = total[k] / static_cast<double>(rows);
            if (plan.lines > 1)  // rows are read several at a time
                for (int64_t k = inner; k < plan.lines * inner; ++k) center[k] = center[k % inner];
            reduce_column_block(DeviationOp<T>{{}, center, true}, plan, from, rows, inner, width,
                                squares);
            Moments* to = partial + ob * inner + j;
            for (int64_t k = 0; k < width; ++k) to[k] = {total[k], squares[k]};
        }
    });
    for_items(outer * inner, blocks, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            Moments* p = partial + i / inner * blocks * inner + i % inner;
            merge_blocks(blocks, plan.block_rows, n,
                         [p, inner](int64_t b) -> Moments& { return p[b * inner]; });
            finish(i / inner, i % inner, *p);
        }
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
