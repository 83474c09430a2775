#include "kernels/layer_norm.h"

#include "kernels/standardize.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::RowSizes;

// finish(r, sum of the squares of row r), in double.
template <class T, class Finish>
void squares_of_rows(const T* x, int64_t rows, int64_t n, const Finish& finish) {
    const SumSquaresOp<T> op;
    const int64_t blocks = ceil_div(n, kRowBlock);
    for_items(rows, n, [&](int64_t begin, int64_t end) {
        Scratch<double> scratch(blocks);
        double* partial = scratch.data();
        for (int64_t r = begin; r < end; ++r) {
            for (int64_t b = 0; b < blocks; ++b)
                partial[b] = reduce_block(op, x + r * n + b * kRowBlock,
                                          min_of(kRowBlock, n - b * kRowBlock));
            pairwise(blocks, [=](int64_t i, int64_t j, int64_t) { partial[i] += partial[j]; });
            finish(r, partial[0]);
        }
    });
}

// --- forward -------------------------------------------------------------------------------------

template <class T>
void write_result(const T* x, const T* weight, const T* bias, T* out, int64_t n,
                  Standardize<T> standardize) {
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        prefetch(x + n + i);
        prefetch_for_writing(out + n + i);
        Pack<T> v = standardize(load_lanes(x + i, lanes));
        if (weight) v *= load_lanes(weight + i, lanes);
        if (bias) v += load_lanes(bias + i, lanes);
        store_lanes(out + i, v, lanes);
    });
}

template <class T>
void forward(const void* xv, const void* weightv, const void* biasv, double eps, void* outv,
             void* meanv, void* rstdv, RowSizes sizes) {
    const int64_t groups = sizes.groups, rows = sizes.outer * groups, n = sizes.n;
    const auto *x = static_cast<const T*>(xv), *weight = static_cast<const T*>(weightv),
               *bias = static_cast<const T*>(biasv);
    auto *out = static_cast<T*>(outv), *mean = static_cast<T*>(meanv),
         *rstd = static_cast<T*>(rstdv);
    if (n == 0) {
        for (int64_t r = 0; r < rows; ++r) rstd[r] = static_cast<T>(__builtin_nan(""));
        for (int64_t r = 0; mean && r < rows; ++r) mean[r] = rstd[r];
        return;
    }
    const auto count = static_cast<double>(n);
    const bool whole = n <= kFusedRow;  // a row is written while it is in the cache
    Scratch<Standardize<T>> scratch(whole ? 0 : rows);
    Standardize<T>* known = scratch.data();
    const auto parameters = [=](const T* of_groups, int64_t r) {
        return of_groups ? of_groups + r % groups * n : nullptr;
    };
    const auto finish = [&](int64_t r, double center, double scale) {
        if (mean) mean[r] = static_cast<T>(center);
        rstd[r] = static_cast<T>(scale);
        const Standardize<T> standardize(center, scale);
        if (whole)
            write_result(x + r * n, parameters(weight, r), parameters(bias, r), out + r * n, n,
                         standardize);
        else known[r] = standardize;
    };
    const auto finish_centered = [&](int64_t r, Moments m) {
        const Statistics s =
            statistics<T>(m, count, eps, [=] { return scaled_moments(Line<T>{x + r * n, n, 1}); });
        finish(r, s.mean, s.rstd);
    };
    if (mean) moments_of_rows(x, rows, n, finish_centered);
    else
        squares_of_rows(x, rows, n, [&](int64_t r, double squares) {
            double scale = 1 / __builtin_sqrt(squares / count + eps);
            if constexpr (std::is_same_v<T, double>) {
                if (!(squares < 1e300) || (squares < 1e-280 && eps < 1e-250)) [[unlikely]]
                    scale = 1 / __builtin_hypot(
                                    scaled_norm(Line<T>{x + r * n, n, 1}) / __builtin_sqrt(count),
                                    __builtin_sqrt(eps));
            }
            finish(r, 0, scale);
        });
    if (whole) return;
    const int64_t blocks = ceil_div(n, kRowBlock);
    for_items(rows * blocks, 2 * kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t r = i / blocks, first = i % blocks * kRowBlock, at = r * n + first;
            const T *w = parameters(weight, r), *b = parameters(bias, r);
            write_result(x + at, w ? w + first : nullptr, b ? b + first : nullptr, out + at,
                         min_of(kRowBlock, n - first), known[r]);
        }
    });
}

// --- backward ------------------------------------------------------------------------------------

// Over a row, with z = (x - mean) * rstd and h = grad * weight:
//     grad_x = rstd * (h - mean(h) - z * mean(h * z))
// and, added up over the rows, grad_weight = grad * z and grad_bias = grad.
struct RowSums {
    double h = 0, hz = 0, z = 0;
};

TAPEGRAD_INLINE RowSums operator+(RowSums a, RowSums b) {
    return {a.h + b.h, a.hz + b.hz, a.z + b.z};
}

// As row_sum, three sums at a time.
template <class T>
RowSums row_sums(const T* grad, const T* x, const T* weight, int64_t n,
                 Standardize<T> standardize) {
    using P = Pack<T>;
    constexpr int64_t W = P::size, kChunk = 1024;
    RowSums total;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t end = min_of(n, begin + kChunk);
        P h[2] = {0, 0}, hz[2] = {0, 0}, z[2] = {0, 0};
        const auto add = [&](int64_t i, int64_t lanes, int k) __attribute__((always_inline)) {
            P a = load_lanes(grad + i, lanes), b = standardize(load_lanes(x + i, lanes));
            if (weight) a *= load_lanes(weight + i, lanes);
            if (lanes < W) b = fill_from(b, lanes, T(0));
            h[k] += a;
            hz[k] = fma(a, b, hz[k]);
            z[k] += b;
        };
        int64_t i = begin;
        for (; i + 2 * W <= end; i += 2 * W) {
            add(i, W, 0);
            add(i + W, W, 1);
        }
        if (i + W <= end) {
            add(i, W, 0);
            i += W;
        }
        if (i < end) add(i, end - i, 1);
        total = total + RowSums{sum(h[0] + h[1]), sum(hz[0] + hz[1]), sum(z[0] + z[1])};
    }
    return total;
}

template <class T> struct RowTerms {
    Standardize<T> standardize;
    T rstd, mean_h, mean_hz;

    RowTerms() = default;
    // The mean that was kept is rounded; the mean of z tells by how much. Where none was taken off, the
    // terms that come from it are zero.
    RowTerms(Standardize<T> rounded, T rstd_given, RowSums s, double share, bool centered)
        : standardize(rounded),
          rstd(rstd_given),
          mean_h(centered ? static_cast<T>(s.h * share) : 0) {
        const double offset = centered ? s.z * share : 0;
        standardize.rest -= static_cast<T>(offset);
        mean_hz = static_cast<T>((s.hz - offset * s.h) * share);
    }
};

template <class T>
void write_gradient(const T* grad, const T* x, const T* weight, T* out, int64_t n,
                    const RowTerms<T>& terms) {
    using P = Pack<T>;
    for_packs<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        P h = load_lanes(grad + i, lanes);
        if (weight) h *= load_lanes(weight + i, lanes);
        prefetch(grad + n + i);
        prefetch(x + n + i);
        prefetch_for_writing(out + n + i);
        const P z = terms.standardize(load_lanes(x + i, lanes));
        store_lanes(out + i, fma(z, P(-terms.mean_hz), h - P(terms.mean_h)) * P(terms.rstd), lanes);
    });
}

// Adds kRows rows to the sums of their columns, which are there for whole packs.
template <int kRows, class T>
void add_rows(const T* grad, const T* x, int64_t stride, int64_t width, const RowTerms<T>* terms,
              double* to_weight, double* to_bias) {
    using P = Pack<T>;
    for_packs<T>(width, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        P weight = 0, bias = 0;
        for (int k = 0; k < kRows; ++k) {
            const P g = load_lanes(grad + k * stride + i, lanes);
            weight = fma(g, terms[k].standardize(load_lanes(x + k * stride + i, lanes)), weight);
            bias += g;
        }
        if (to_weight) add_wide(to_weight + i, weight);
        if (to_bias) add_wide(to_bias + i, bias);
    });
}

// Of the rows of one group: all pointers are to what belongs to the first of them.
template <class T> struct Backward {
    const T *grad, *x, *weight, *mean, *rstd;
    T *grad_x, *grad_weight, *grad_bias;
    int64_t rows, groups, n;
    int64_t step = groups * n;                  // from a row to the next one
    double share = 1 / static_cast<double>(n);  // of an element in the mean of a row

    // Rows come in chunks, each with sums of its own for the columns; these are added up in pairs at the end.
    // Long rows are cut into strips once the terms of all rows are known.
    void run() const {
        const bool whole = n <= kRowBlock;
        const int64_t chunk = whole ? max_of(16, min_of(kColRows, 2 * kWork / n)) : kColRows;
        const int64_t chunks = max_of(1, ceil_div(rows, chunk)), strip = whole ? n : kColStrip;
        const int64_t strips = ceil_div(n, strip);
        Scratch<RowTerms<T>> row_scratch(whole ? 0 : rows);
        RowTerms<T>* known = row_scratch.data();
        if (!whole) terms_of_long_rows(known);

        const int64_t padded = whole_packs(n);
        const int64_t columns = (grad_weight ? padded : 0) + (grad_bias ? padded : 0);
        Scratch<double> scratch(chunks * columns);
        double* partial = scratch.data();
        for_items(chunks * strips, 4 * min_of(rows, chunk) * strip,
                  [&](int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i) {
                          const auto [c, s] = divide(i, strips);
                          const int64_t first = s * strip, r = c * chunk;
                          double* to = partial + c * columns + first;
                          run_chunk(r, min_of(chunk, rows - r), first, min_of(strip, n - first),
                                    whole ? nullptr : known + r, grad_weight ? to : nullptr,
                                    grad_bias ? to + columns - padded : nullptr);
                      }
                  });
        for_items(ceil_div(columns, kColStrip), chunks * kColStrip,
                  [&](int64_t begin, int64_t end) {
                      for (int64_t s = begin; s < end; ++s)
                          add_up_rows(partial + s * kColStrip, chunks, columns,
                                      min_of(kColStrip, columns - s * kColStrip));
                  });
        for (int64_t j = 0; grad_weight && j < n; ++j) grad_weight[j] = static_cast<T>(partial[j]);
        for (int64_t j = 0; grad_bias && j < n; ++j)
            grad_bias[j] = static_cast<T>(partial[columns - padded + j]);
    }

private:
    static int64_t whole_packs(int64_t count) {
        return ceil_div(count, Pack<T>::size) * Pack<T>::size;
    }

    // Columns [first, first + width) of some rows. known: their terms, or null where the columns are all there are.
    void run_chunk(int64_t begin, int64_t count, int64_t first, int64_t width,
                   const RowTerms<T>* known, double* to_weight, double* to_bias) const {
        for (double* to : {to_weight, to_bias})
            for (int64_t j = 0; to && j < whole_packs(width); ++j) to[j] = 0;
        for_row_groups(count, [&](int64_t k, auto group) {
            RowTerms<T> own[group];
            const RowTerms<T>* terms = known ? known + k : own;
            for (int j = 0; j < group; ++j) {
                const int64_t r = begin + k + j, at = r * step + first;
                if (!known) own[j] = terms_of(r, sums(r, 0, n));
                if (grad_x)
                    write_gradient(grad + at, x + at, weight ? weight + first : nullptr,
                                   grad_x + at, width, terms[j]);
            }
            const int64_t at = (begin + k) * step + first;
            if (to_weight || to_bias)
                add_rows<group>(grad + at, x + at, step, width, terms, to_weight, to_bias);
        });
    }

    Standardize<T> rounded(int64_t r) const {
        return {mean ? static_cast<double>(mean[r * groups]) : 0,
                static_cast<double>(rstd[r * groups])};
    }
    RowSums sums(int64_t r, int64_t first, int64_t count) const {
        const int64_t at = r * step + first;
        return row_sums(grad + at, x + at, weight ? weight + first : nullptr, count, rounded(r));
    }
    RowTerms<T> terms_of(int64_t r, RowSums s) const {
        return {rounded(r), rstd[r * groups], s, share, mean != nullptr};
    }

    void terms_of_long_rows(RowTerms<T>* known) const {
        const int64_t blocks = ceil_div(n, kRowBlock);
        Scratch<RowSums> scratch(rows * blocks);
        RowSums* partial = scratch.data();
        for_items(rows * blocks, 2 * kRowBlock, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t first = i % blocks * kRowBlock;
                partial[i] = sums(i / blocks, first, min_of(kRowBlock, n - first));
            }
        });
        for (int64_t r = 0; r < rows; ++r) {
            RowSums* p = partial + r * blocks;
            pairwise(blocks, [p](int64_t a, int64_t b, int64_t) { p[a] = p[a] + p[b]; });
            known[r] = terms_of(r, p[0]);
        }
    }
};

template <class T>
void backward(const void* grad, const void* x, const void* weight, const void* mean,
              const void* rstd, void* grad_x, void* grad_weight, void* grad_bias, RowSizes sizes) {
    const auto [outer, groups, n] = sizes;
    if (n == 0) return;
    for_items(groups, outer == 0 ? 1 : 4 * outer * n,
              [&, outer, groups, n](int64_t begin, int64_t end) {
                  for (int64_t g = begin; g < end; ++g) {
                      const auto read = [](const void* p, int64_t at) {
                          return p ? static_cast<const T*>(p) + at : nullptr;
                      };
                      const auto write = [](void* p, int64_t at) {
                          return p ? static_cast<T*>(p) + at : nullptr;
                      };
                      Backward<T>{read(grad, g * n),
                                  read(x, g * n),
                                  read(weight, g * n),
                                  read(mean, g),
                                  read(rstd, g),
                                  write(grad_x, g * n),
                                  write(grad_weight, g * n),
                                  write(grad_bias, g * n),
                                  outer,
                                  groups,
                                  n}
                          .run();
                  }
              });
}

}  // namespace

void fill(kernels::LayerNormKernels& k) {
    k = {};
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.forward[dtype] = forward<T>;
        k.backward[dtype] = backward<T>;
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
