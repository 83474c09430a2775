#include "kernels/batch_norm.h"

#include "kernels/standardize.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::BatchSizes;

// Samples that make one partial result of a channel: a function of the sizes alone.
int64_t samples_of_block(BatchSizes s) { return max_of(1, 4 * kRowBlock / s.inner); }

// f(channel, samples [first, last), place of the partial result) for each channel and block.
template <class F> void for_channel_blocks(BatchSizes s, const F& f) {
    const int64_t samples = samples_of_block(s), blocks = ceil_div(s.outer, samples);
    for_items(s.channels * blocks, 4 * min_of(samples, s.outer) * s.inner,
              [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i < end; ++i) {
                      const auto [c, b] = divide(i, blocks);
                      f(c, b * samples, min_of(s.outer, (b + 1) * samples), i);
                  }
              });
}

// finish(channel, moments), in any order.
template <class T, class Finish>
void moments_of_channels(const T* x, BatchSizes s, const Finish& finish) {
    if (s.inner == 1) {
        moments_of_columns(x, 1, s.outer, s.channels,
                           [&](int64_t, int64_t c, Moments m) { finish(c, m); });
        return;
    }
    const int64_t samples = samples_of_block(s), blocks = ceil_div(s.outer, samples);
    Scratch<Moments> scratch(s.channels * blocks);
    Moments* partial = scratch.data();
    const auto length = static_cast<double>(s.inner);
    for_channel_blocks(s, [=](int64_t c, int64_t first, int64_t last, int64_t place) {
        const auto line = [=](int64_t o) {
            return block_moments(x + (o * s.channels + c) * s.inner, s.inner);
        };
        Moments m = line(first);
        for (int64_t o = first + 1; o < last; ++o)
            m = merge(m, static_cast<double>(o - first) * length, line(o), length);
        partial[place] = m;
    });
    for (int64_t c = 0; c < s.channels; ++c) {
        Moments* of_channel = partial + c * blocks;
        merge_blocks(blocks, samples * s.inner, s.outer * s.inner,
                     [=](int64_t b) -> Moments& { return of_channel[b]; });
        finish(c, of_channel[0]);
    }
}

// f(packs of the arguments at a place, packs of the terms of its channel) -> what is written to out there.
// Channels that are next to each other are read as packs.
template <class T, size_t kTerms, class F, class... In>
void for_places(BatchSizes s, T* const (&terms)[kTerms], T* out, const F& f, const In*... in) {
    using P = Pack<T>;
    const auto at_lanes = [&](int64_t at, int64_t lanes,
                              const P(&known)[kTerms]) __attribute__((always_inline)) {
        store_lanes(out + at, f(known, load_lanes(in + at, lanes)...), lanes);
    };
    if (s.inner == 1) {
        for_items(s.outer, 4 * s.channels, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o)
                for_packs<T>(s.channels,
                             [&](int64_t c, int64_t lanes) __attribute__((always_inline)) {
                                 P known[kTerms];
                                 for (size_t k = 0; k < kTerms; ++k)
                                     known[k] = load_lanes(terms[k] + c, lanes);
                                 at_lanes(o * s.channels + c, lanes, known);
                             });
        });
        return;
    }
    for_items(s.outer * s.channels, 4 * s.inner, [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
            P known[kTerms];
            for (size_t k = 0; k < kTerms; ++k) known[k] = terms[k][line % s.channels];
            for_packs<T>(s.inner, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
                at_lanes(line * s.inner + i, lanes, known);
            });
        }
    });
}

// Standardize, and what else is known of each channel.
template <class T, size_t kMore> class ChannelTerms {
public:
    static constexpr size_t kTerms = 4 + kMore;

    explicit ChannelTerms(int64_t channels) : memory_(static_cast<int64_t>(kTerms) * channels) {
        for (size_t k = 0; k < kTerms; ++k)
            terms_[k] = memory_.data() + static_cast<int64_t>(k) * channels;
    }
    void set(int64_t c, const Standardize<T>& standardize, const T (&more)[kMore]) {
        terms_[0][c] = standardize.power;
        terms_[1][c] = standardize.center;
        terms_[2][c] = standardize.scale;
        terms_[3][c] = standardize.rest;
        for (size_t k = 0; k < kMore; ++k) terms_[4 + k][c] = more[k];
    }
    // out = f(packs of `in`, z of x, the other terms)
    template <class F, class... In>
    void write(BatchSizes s, T* out, const F& f, const T* x, const In*... in) const {
        using P = Pack<T>;
        for_places(
            s, terms_, out,
            [&](const P(&known)[kTerms], P v, auto... values) __attribute__((always_inline)) {
                const P z = fma(fma(v, known[0], known[1]), known[2], known[3]);
                return f(values..., z, known + 4);
            },
            x, in...);
    }

    // The terms of z, one array each.
    const T* const* standardize() const { return terms_; }

private:
    Scratch<T> memory_;
    T* terms_[kTerms];
};

template <class T> struct Forward : ChannelTerms<T, 2> {
    const T *weight, *bias;

    Forward(int64_t channels, const void* weight_given, const void* bias_given)
        : ChannelTerms<T, 2>(channels),
          weight(static_cast<const T*>(weight_given)),
          bias(static_cast<const T*>(bias_given)) {}
    void set(int64_t c, double mean, double rstd) {
        ChannelTerms<T, 2>::set(c, Standardize<T>(mean, rstd),
                                {weight ? weight[c] : T(1), bias ? bias[c] : T(0)});
    }
    void write(BatchSizes s, const T* x, T* out) const {
        using P = Pack<T>;
        ChannelTerms<T, 2>::write(
            s, out,
            [](P z, const P* affine)
                __attribute__((always_inline)) { return fma(z, affine[0], affine[1]); },
            x);
    }
};

template <class T>
void forward(const void* xv, const void* weight, const void* bias, double eps, void* outv,
             void* meanv, void* rstdv, void* variancev, BatchSizes s) {
    const auto* x = static_cast<const T*>(xv);
    auto *mean = static_cast<T*>(meanv), *rstd = static_cast<T*>(rstdv),
         *variance = static_cast<T*>(variancev);
    const int64_t n = s.outer * s.inner;
    if (s.channels == 0) return;
    if (n == 0) {
        for (int64_t c = 0; c < s.channels; ++c)
            mean[c] = rstd[c] = variance[c] = static_cast<T>(__builtin_nan(""));
        return;
    }
    Forward<T> terms(s.channels, weight, bias);
    moments_of_channels(x, s, [&](int64_t c, Moments m) {
        const auto scaled = [=] {  // rare: the elements are brought together
            Scratch<T> scratch(n);
            int64_t i = 0;
            do scratch.data()[i] = x[(i / s.inner * s.channels + c) * s.inner + i % s.inner];
            while (++i < n);
            return scaled_moments(Line<T>{scratch.data(), n, 1});
        };
        const Statistics found = statistics<T>(m, static_cast<double>(n), eps, scaled);
        mean[c] = static_cast<T>(found.mean);
        rstd[c] = static_cast<T>(found.rstd);
        variance[c] = static_cast<T>(found.variance);
        terms.set(c, found.mean, found.rstd);
    });
    terms.write(s, x, static_cast<T*>(outv));
}

template <class T>
void apply(const void* x, const void* weight, const void* bias, const void* mean, const void* rstd,
           void* out, BatchSizes s) {
    Forward<T> terms(s.channels, weight, bias);
    for (int64_t c = 0; c < s.channels; ++c)
        terms.set(c, static_cast<const T*>(mean)[c], static_cast<const T*>(rstd)[c]);
    terms.write(s, static_cast<const T*>(x), static_cast<T*>(out));
}

// --- backward ------------------------------------------------------------------------------------

// Over a channel, with z = (x - mean) * rstd and h = grad * weight:
//     grad_x = rstd * (h - mean(h) - z * mean(h * z)), grad_weight = sum(grad * z), grad_bias = sum(grad)
struct ChannelSums {
    double g = 0, gz = 0, z = 0;
};
TAPEGRAD_INLINE ChannelSums operator+(ChannelSums a, ChannelSums b) {
    return {a.g + b.g, a.gz + b.gz, a.z + b.z};
}

template <class T>
ChannelSums line_sums(const T* grad, const T* x, int64_t n, Standardize<T> standardize) {
    using P = Pack<T>;
    constexpr int64_t kChunk = 1024;  // added up in T
    ChannelSums total;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        P g = 0, gz = 0, z = 0;
        for_packs<T>(min_of(kChunk, n - begin),
                     [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
                         const P a = load_lanes(grad + begin + i, lanes);
                         P b = standardize(load_lanes(x + begin + i, lanes));
                         if (lanes < P::size) b = fill_from(b, lanes, T(0));
                         g += a;
                         gz = fma(a, b, gz);
                         z += b;
                     });
        total = total + ChannelSums{sum(g), sum(gz), sum(z)};
    }
    return total;
}

template <class T, class Finish>
void sums_of_lines(const T* grad, const T* x, const T* mean, const T* rstd, BatchSizes s,
                   const Finish& finish) {
    const int64_t blocks = ceil_div(s.outer, samples_of_block(s));
    Scratch<ChannelSums> scratch(s.channels * blocks);
    ChannelSums* partial = scratch.data();
    for_channel_blocks(s, [=](int64_t c, int64_t first, int64_t last, int64_t place) {
        ChannelSums total;
        const Standardize<T> standardize(mean[c], rstd[c]);
        for (int64_t o = first; o < last; ++o) {
            const int64_t at = (o * s.channels + c) * s.inner;
            total = total + line_sums(grad + at, x + at, s.inner, standardize);
        }
        partial[place] = total;
    });
    for (int64_t c = 0; c < s.channels; ++c) {
        ChannelSums* p = partial + c * blocks;
        pairwise(blocks, [p](int64_t a, int64_t b, int64_t) { p[a] = p[a] + p[b]; });
        finish(c, p[0]);
    }
}

// Adds kRows rows to the sums of their columns, which are there for whole packs.
template <int kRows, class T>
void add_rows(const T* grad, const T* x, const T* const* terms, int64_t stride, int64_t first,
              int64_t width, double* to_g, double* to_gz, double* to_z) {
    using P = Pack<T>;
    for_packs<T>(width, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        P known[4];
        for (int k = 0; k < 4; ++k) known[k] = load_lanes(terms[k] + first + i, lanes);
        P g = 0, gz = 0, z = 0;
        for (int k = 0; k < kRows; ++k) {
            const P a = load_lanes(grad + k * stride + i, lanes);
            const P b = fma(fma(load_lanes(x + k * stride + i, lanes), known[0], known[1]),
                            known[2], known[3]);
            g += a;
            gz = fma(a, b, gz);
            z += b;
        }
        add_wide(to_g + i, g);
        add_wide(to_gz + i, gz);
        add_wide(to_z + i, z);
    });
}

template <class T, class Finish>
void sums_of_columns(const T* grad, const T* x, const T* const* terms, BatchSizes s,
                     const Finish& finish) {
    const int64_t rows = s.outer, n = s.channels;
    const int64_t chunk = max_of(16, min_of(kColRows, 2 * kWork / n)),
                  chunks = ceil_div(rows, chunk);
    const int64_t strips = ceil_div(n, kColStrip), padded = strips * kColStrip;
    Scratch<double> scratch(3 * chunks * padded);
    double* partial = scratch.data();
    for_items(chunks * strips, 4 * chunk * min_of(n, kColStrip), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const auto [c, strip] = divide(i, strips);
            const int64_t first = strip * kColStrip, width = min_of(kColStrip, n - first);
            double *g = partial + 3 * c * padded + first, *gz = g + padded, *z = gz + padded;
            for (double* to : {g, gz, z})
                for (int64_t j = 0; j < kColStrip; ++j) to[j] = 0;
            for_row_groups(min_of(chunk, rows - c * chunk), [&](int64_t k, auto group) {
                const int64_t at = (c * chunk + k) * n + first;
                add_rows<group>(grad + at, x + at, terms, n, first, width, g, gz, z);
            });
        }
    });
    for_items(3 * strips, chunks * kColStrip, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            add_up_rows(partial + i * kColStrip, chunks, 3 * padded, kColStrip);
    });
    for (int64_t c = 0; c < n; ++c)
        finish(c, ChannelSums{partial[c], partial[padded + c], partial[2 * padded + c]});
}

template <class T>
void backward(const void* gradv, const void* xv, const void* weightv, const void* meanv,
              const void* rstdv, void* grad_xv, void* grad_weightv, void* grad_biasv,
              BatchSizes s) {
    using P = Pack<T>;
    const auto *grad = static_cast<const T*>(gradv), *x = static_cast<const T*>(xv),
               *weight = static_cast<const T*>(weightv), *mean = static_cast<const T*>(meanv),
               *rstd = static_cast<const T*>(rstdv);
    auto *grad_weight = static_cast<T*>(grad_weightv), *grad_bias = static_cast<T*>(grad_biasv);
    if (s.channels == 0) return;
    if (s.outer * s.inner == 0) {
        for (int64_t c = 0; c < s.channels; ++c) {
            if (grad_weight) grad_weight[c] = 0;
            if (grad_bias) grad_bias[c] = 0;
        }
        return;
    }
    ChannelTerms<T, 4> terms(s.channels);
    const double share = 1 / static_cast<double>(s.outer * s.inner);
    const auto finish = [&](int64_t c, ChannelSums sums) {
        // The mean that was kept is rounded; the mean of z tells by how much.
        const double offset = sums.z * share, gz = sums.gz - offset * sums.g,
                     w = weight ? weight[c] : 1;
        Standardize<T> standardize(mean[c], rstd[c]);
        standardize.rest -= static_cast<T>(offset);
        terms.set(c, standardize,
                  {static_cast<T>(w), static_cast<T>(-w * sums.g * share),
                   static_cast<T>(-w * gz * share), rstd[c]});
        if (grad_weight) grad_weight[c] = static_cast<T>(gz);
        if (grad_bias) grad_bias[c] = static_cast<T>(sums.g);
    };
    if (s.inner == 1) {
        for (int64_t c = 0; c < s.channels; ++c)
            terms.set(c, Standardize<T>(mean[c], rstd[c]), {0, 0, 0, 0});
        sums_of_columns(grad, x, terms.standardize(), s, finish);
    } else {
        sums_of_lines(grad, x, mean, rstd, s, finish);
    }
    if (!grad_xv) return;
    terms.write(
        s, static_cast<T*>(grad_xv),
        [](P g, P z, const P* known) __attribute__((always_inline)) {
            return fma(z, known[2], fma(g, known[0], known[1])) * known[3];
        },
        x, grad);
}

}  // namespace

void fill(kernels::BatchNormKernels& k) {
    k = {};
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.forward[dtype] = forward<T>;
        k.apply[dtype] = apply<T>;
        k.backward[dtype] = backward<T>;
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
