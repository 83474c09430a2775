#include "kernels/softmax.h"

#include "kernels/row_normalizers.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace {

constexpr int64_t kShortRow = 64;  // as many as a pack has lanes stay in the first-level cache
constexpr int64_t kSoftRows = 64;  // rows of a column block: with kColStrip columns, it stays too

template <class T> struct Normalizer {
    T maximum, sum_exp;
};

template <class T> Normalizer<T> row_normalizer(const T* x, int64_t n) {
    const T m = row_max(x, n);
    return {m, static_cast<T>(row_sum_exp<true>(x, n, finite_or_zero(m)))};
}

// Columns of one block: maxima, then sums of exp(x - maximum). Row by row, because down a column
// of a wide array every element would fall into the same few places of the cache.
template <class T>
void column_normalizers(const T* x, int64_t rows, int64_t stride, int64_t width, T* maximum,
                        T* total) {
    using P = Pack<T>;
    for (int64_t j = 0; j < width; ++j) {
        maximum[j] = static_cast<T>(-__builtin_inf());
        total[j] = 0;
    }
    for_row_groups(rows, [=](int64_t r, auto count) {
        for_packs<T>(width, [=](int64_t j, int64_t lanes) __attribute__((always_inline)) {
            P m = load_lanes(maximum + j, lanes);
            for (int k = 0; k < count; ++k) m = max(load_lanes(x + (r + k) * stride + j, lanes), m);
            store_lanes(maximum + j, m, lanes);
        });
    });
    for_row_groups(rows, [=](int64_t r, auto count) {
        for_packs<T>(width, [=](int64_t j, int64_t lanes) __attribute__((always_inline)) {
            const P m = finite_or_zero(load_lanes(maximum + j, lanes));
            P s = 0;
            for (int k = 0; k < count; ++k)
                s += exp_fast<true>(load_lanes(x + (r + k) * stride + j, lanes) - m);
            store_lanes(total + j, load_lanes(total + j, lanes) + s, lanes);
        });
    });
}

}  // namespace

template <class T>
void normalizers(const T* x, T* maximum, T* sum_exp, int64_t outer, int64_t n, int64_t inner) {
    using P = Pack<T>;
    if (outer == 0 || inner == 0) return;
    if (n == 0) {
        for (int64_t i = 0; i < outer * inner; ++i) {
            maximum[i] = static_cast<T>(-__builtin_inf());
            sum_exp[i] = 0;
        }
        return;
    }
    const int64_t block_rows = inner == 1 ? kRowBlock : kSoftRows, blocks = ceil_div(n, block_rows);
    const int64_t strips = ceil_div(inner, kColStrip);
    Scratch<T> scratch(blocks > 1 ? 2 * outer * blocks * inner : 0);
    T* block_max = blocks > 1 ? scratch.data() : maximum;
    T* block_sum = blocks > 1 ? block_max + outer * blocks * inner : sum_exp;
    const int64_t item = min_of(n, block_rows) * min_of(inner, kColStrip);
    for_items(outer * blocks * strips, 4 * item, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const auto [ob, s] = divide(i, strips);
            const auto [o, b] = divide(ob, blocks);
            const int64_t r = b * block_rows, j = s * kColStrip;
            const int64_t rows = min_of(block_rows, n - r);
            const T* from = x + (o * n + r) * inner + j;
            if (inner == 1) {
                const Normalizer<T> row = row_normalizer(from, rows);
                block_max[ob] = row.maximum;
                block_sum[ob] = row.sum_exp;
            } else {
                column_normalizers(from, rows, inner, min_of(kColStrip, inner - j),
                                   block_max + ob * inner + j, block_sum + ob * inner + j);
            }
        }
    });
    if (blocks == 1) return;
    for_items(
        outer * strips, 4 * blocks * min_of(inner, kColStrip), [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t o = i / strips, first = i % strips * kColStrip;
                const T* maxima = block_max + o * blocks * inner + first;
                T* sums = block_sum + o * blocks * inner + first;
                for_packs<T>(min_of(kColStrip, inner - first), [&](int64_t j, int64_t lanes) {
                    P m = load_lanes(maxima + j, lanes);
                    for (int64_t b = 1; b < blocks; ++b)
                        m = max(load_lanes(maxima + b * inner + j, lanes), m);
                    const P shift = finite_or_zero(m);
                    // A block without finite maximum was summed as it is.
                    for (int64_t b = 0; b < blocks; ++b) {
                        T* at = sums + b * inner + j;
                        const P own = finite_or_zero(load_lanes(maxima + b * inner + j, lanes));
                        const P s = load_lanes(at, lanes);
                        store_lanes(at, where(s == P(0), s, s * exp(own - shift)), lanes);
                    }
                    pairwise(blocks, [&](int64_t a, int64_t b, int64_t) {
                        store_lanes(sums + a * inner + j,
                                    load_lanes(sums + a * inner + j, lanes) +
                                        load_lanes(sums + b * inner + j, lanes),
                                    lanes);
                    });
                    store_lanes(maximum + o * inner + first + j, m, lanes);
                    store_lanes(sum_exp + o * inner + first + j, load_lanes(sums + j, lanes),
                                lanes);
                });
            }
        });
}

template void normalizers(const float*, float*, float*, int64_t, int64_t, int64_t);
template void normalizers(const double*, double*, double*, int64_t, int64_t, int64_t);

namespace {

// --- forward -------------------------------------------------------------------------------------

template <class T> void softmax_row(const T* x, T* out, int64_t n) {
    using P = Pack<T>;
    constexpr int64_t W = P::size;
    const P shift = row_max(x, n);  // where it is infinite, all becomes NaN
    const double total =
        row_sum<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            if (lanes == W) {
                prefetch(x + n + i);
                const P e = exp_fast<false>(P::load(x + i) - shift);
                e.store(out + i);
                return e;
            }
            const P e = exp_fast<false>(P::load(x + i, lanes) - shift);
            e.store(out + i, lanes);
            return fill_from(e, lanes, T(0));
        });
    const P factor = static_cast<T>(1 / total);
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        store_lanes(out + i, load_lanes(out + i, lanes) * factor, lanes);
    });
}

template <class T> void softmax_few_columns(const T* x, T* out, int64_t rows, int64_t n) {
    using P = Pack<T>;
    FewColumns<T> columns(x, rows, n);
    const P factor = 1 / columns.exponentials(columns.largest());
    for (int64_t j = 0; j < n; ++j) columns.set(j, columns[j] * factor);
    columns.store(out, rows);
}

template <class T>
TAPEGRAD_INLINE void shifted_row(const T* x, T* out, int64_t n, T maximum, T log_of_sum) {
    const Pack<T> shift = maximum, log_total = log_of_sum;
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        store_lanes(out + i, (load_lanes(x + i, lanes) - shift) - log_total, lanes);
    });
}

template <class T> void log_softmax_row(const T* x, T* out, int64_t n) {
    using P = Pack<T>;
    const T m = row_max(x, n);
    const P shift = m;
    const double total =
        row_sum<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            if (lanes == P::size) {
                prefetch(x + n + i);
                prefetch_for_writing(out + i);
                return exp_fast<false>(P::load(x + i) - shift);
            }
            return fill_from(exp_fast<false>(P::load(x + i, lanes) - shift), lanes, T(0));
        });
    shifted_row(x, out, n, m, log_one(static_cast<T>(total)));
}

// out = exp(x - maximum) / sum, or its logarithm.
template <class T, bool kLog>
TAPEGRAD_INLINE Pack<T> normalized(Pack<T> x, Pack<T> shift, Pack<T> scale) {
    if constexpr (kLog) return (x - shift) - scale;
    else return exp_fast<false>(x - shift) * scale;
}

template <class T, bool kLog>
void forward_blocks(const T* x, T* out, int64_t outer, int64_t n, int64_t inner) {
    using P = Pack<T>;
    Scratch<T> scratch(2 * outer * inner);
    T *shift = scratch.data(), *scale = shift + outer * inner;
    normalizers(x, shift, scale, outer, n, inner);
    for_packs<T>(outer * inner, [=](int64_t i, int64_t lanes) {
        const P s = load_lanes(scale + i, lanes), m = load_lanes(shift + i, lanes);
        store_lanes(scale + i, where(isinf(m), P::nan(), kLog ? log(s) : 1 / s), lanes);
    });
    if (inner == 1) {
        const int64_t blocks = ceil_div(n, kRowBlock);
        for_items(outer * blocks, 2 * kRowBlock, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t o = i / blocks, at = o * n + i % blocks * kRowBlock;
                const P m = shift[o], s = scale[o];
                for_packs<T>(min_of(kRowBlock, (o + 1) * n - at),
                             [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
                                 store_lanes(
                                     out + at + k,
                                     normalized<T, kLog>(load_lanes(x + at + k, lanes), m, s),
                                     lanes);
                             });
            }
        });
        return;
    }
    for_items(outer * n, 2 * inner, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t at = i * inner, o = i / n * inner;
            for_packs<T>(inner, [=](int64_t j, int64_t lanes) __attribute__((always_inline)) {
                const P v = normalized<T, kLog>(load_lanes(x + at + j, lanes),
                                                load_lanes(shift + o + j, lanes),
                                                load_lanes(scale + o + j, lanes));
                store_lanes(out + at + j, v, lanes);
            });
        }
    });
}

template <class T, bool kLog>
void forward(const void* xv, void* outv, int64_t outer, int64_t n, int64_t inner) {
    const auto* x = static_cast<const T*>(xv);
    auto* out = static_cast<T*>(outv);
    if (outer == 0 || n == 0 || inner == 0) return;
    if (inner > 1 || n > kFusedRow) {
        forward_blocks<T, kLog>(x, out, outer, n, inner);
        return;
    }
    for_items(outer, 4 * n, [&](int64_t begin, int64_t end) {
        if (kLog && n <= kShortRow) {
            RowNormalizers<T> of(x, outer, n, begin, end);
            for (int64_t o = begin; o < end; ++o) {
                const auto [shift, log_total] = of[o];
                shifted_row(x + o * n, out + o * n, n, shift, log_total);
            }
            return;
        }
        if (!kLog && FewColumns<T>::suits(outer, n)) {
            constexpr int64_t kRows = FewColumns<T>::kRows;
            for (int64_t o = begin; o < end; o += kRows)
                softmax_few_columns(x + o * n, out + o * n, min_of(kRows, end - o), n);
            return;
        }
        for (int64_t o = begin; o < end; ++o) {
            if constexpr (kLog) log_softmax_row(x + o * n, out + o * n, n);
            else softmax_row(x + o * n, out + o * n, n);
        }
    });
}

// --- backward ------------------------------------------------------------------------------------

// What is summed over n, and the gradient given that sum.
template <class T, bool kLog> TAPEGRAD_INLINE Pack<T> summand(Pack<T> grad, Pack<T> result) {
    if constexpr (kLog) return grad;
    else return grad * result;
}
template <class T, bool kLog>
TAPEGRAD_INLINE Pack<T> gradient(Pack<T> grad, Pack<T> result, Pack<T> total) {
    if constexpr (kLog) return grad - exp_fast<false>(result) * total;
    else return result * (grad - total);
}

template <class T, bool kLog> double backward_sum(const T* grad, const T* result, int64_t n) {
    return row_sum<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        return summand<T, kLog>(load_lanes(grad + i, lanes), load_lanes(result + i, lanes));
    });
}

template <class T, bool kLog>
void backward_elements(const T* grad, const T* result, T* out, int64_t n, double total) {
    using P = Pack<T>;
    const P t = static_cast<T>(total);
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const P v =
            gradient<T, kLog>(load_lanes(grad + i, lanes), load_lanes(result + i, lanes), t);
        store_lanes(out + i, v, lanes);
    });
}

template <class T, bool kLog> void backward_row(const T* grad, const T* result, T* out, int64_t n) {
    using P = Pack<T>;
    const P total =
        static_cast<T>(row_sum<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            prefetch_for_writing(out + i);
            return summand<T, kLog>(load_lanes(grad + i, lanes), load_lanes(result + i, lanes));
        }));
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        prefetch(grad + n + i);
        prefetch(result + n + i);
        const P v =
            gradient<T, kLog>(load_lanes(grad + i, lanes), load_lanes(result + i, lanes), total);
        store_lanes(out + i, v, lanes);
    });
}

template <class T, bool kLog>
void backward_rows(const T* grad, const T* result, T* out, int64_t outer, int64_t n) {
    if (n <= kFusedRow) {
        for_items(outer, 2 * n, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o)
                backward_row<T, kLog>(grad + o * n, result + o * n, out + o * n, n);
        });
        return;
    }
    const int64_t blocks = ceil_div(n, kRowBlock);
    Scratch<double> scratch(outer * blocks);
    double* partial = scratch.data();
    const auto each_block = [&](const auto& f) {
        for_items(outer * blocks, kRowBlock, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t o = i / blocks, first = i % blocks * kRowBlock;
                f(i, o, o * n + first, min_of(kRowBlock, n - first));
            }
        });
    };
    each_block([&](int64_t i, int64_t, int64_t at, int64_t count) {
        partial[i] = backward_sum<T, kLog>(grad + at, result + at, count);
    });
    for (int64_t o = 0; o < outer; ++o) {
        double* p = partial + o * blocks;
        pairwise(blocks, [p](int64_t i, int64_t j, int64_t) { p[i] += p[j]; });
    }
    each_block([&](int64_t, int64_t o, int64_t at, int64_t count) {
        backward_elements<T, kLog>(grad + at, result + at, out + at, count, partial[o * blocks]);
    });
}

template <class T, bool kLog>
void backward_columns(const T* grad, const T* result, T* out, int64_t outer, int64_t n,
                      int64_t inner) {
    using P = Pack<T>;
    const int64_t blocks = ceil_div(n, kSoftRows), strips = ceil_div(inner, kColStrip);
    Scratch<T> scratch(outer * blocks * inner);
    T* partial = scratch.data();
    for_items(outer * blocks * strips, min_of(n, kSoftRows) * min_of(inner, kColStrip),
              [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i < end; ++i) {
                      const auto [ob, s] = divide(i, strips);
                      const auto [o, b] = divide(ob, blocks);
                      const int64_t r = b * kSoftRows, first = s * kColStrip;
                      const int64_t rows = min_of(kSoftRows, n - r),
                                    at = (o * n + r) * inner + first;
                      const int64_t width = min_of(kColStrip, inner - first);
                      T* to = partial + ob * inner + first;
                      for (int64_t j = 0; j < width; ++j) to[j] = 0;
                      for_row_groups(rows, [=](int64_t k, auto count) {
                          for_packs<T>(
                              width, [=](int64_t j, int64_t lanes) __attribute__((always_inline)) {
                                  P total = 0;
                                  for (int g = 0; g < count; ++g) {
                                      const int64_t from = at + (k + g) * inner + j;
                                      total += summand<T, kLog>(load_lanes(grad + from, lanes),
                                                                load_lanes(result + from, lanes));
                                  }
                                  store_lanes(to + j, load_lanes(to + j, lanes) + total, lanes);
                              });
                      });
                  }
              });
    for_items(outer * strips, blocks * min_of(inner, kColStrip), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t o = i / strips, first = i % strips * kColStrip;
            const int64_t width = min_of(kColStrip, inner - first);
            T* p = partial + o * blocks * inner + first;
            add_up_rows(p, blocks, inner, width);
        }
    });
    for_items(outer * n, inner, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t at = i * inner;
            const T* total = partial + i / n * blocks * inner;
            for_packs<T>(inner, [=](int64_t j, int64_t lanes) __attribute__((always_inline)) {
                const P v = gradient<T, kLog>(load_lanes(grad + at + j, lanes),
                                              load_lanes(result + at + j, lanes),
                                              load_lanes(total + j, lanes));
                store_lanes(out + at + j, v, lanes);
            });
        }
    });
}

template <class T, bool kLog>
void backward(const void* gradv, const void* resultv, void* outv, int64_t outer, int64_t n,
              int64_t inner) {
    const auto* grad = static_cast<const T*>(gradv);
    const auto* result = static_cast<const T*>(resultv);
    auto* out = static_cast<T*>(outv);
    if (outer == 0 || n == 0 || inner == 0) return;
    if (inner == 1) backward_rows<T, kLog>(grad, result, out, outer, n);
    else backward_columns<T, kLog>(grad, result, out, outer, n, inner);
}

}  // namespace

void fill(kernels::SoftmaxKernels& k) {
    k = {};
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.softmax[dtype] = forward<T, false>;
        k.log_softmax[dtype] = forward<T, true>;
        k.softmax_backward[dtype] = backward<T, false>;
        k.log_softmax_backward[dtype] = backward<T, true>;
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
