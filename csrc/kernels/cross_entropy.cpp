#include "kernels/cross_entropy.h"

#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::CrossEntropyOptions;

// The sum of the classes' weights.
template <class T> double total_weight(const T* weight, int64_t classes) {
    if (!weight) return static_cast<double>(classes);
    return row_sum<T>(classes, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        return lanes == Pack<T>::size ? Pack<T>::load(weight + i)
                                      : Pack<T>::load(weight + i, lanes);
    });
}

// sum_k w[k] * logp[k] with logp = (x - shift) - log_total
template <class T>
double weighted_log_probabilities(const T* x, const T* weight, int64_t classes, T shift,
                                  T log_total) {
    using P = Pack<T>;
    return row_sum<T>(classes, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const bool whole = lanes == P::size;
        const P v = whole ? P::load(x + i) : P::load(x + i, lanes);
        P term = (v - P(shift)) - P(log_total);
        if (weight) term *= whole ? P::load(weight + i) : P::load(weight + i, lanes);
        return whole ? term : fill_from(term, lanes, T(0));
    });
}

template <class T>
int64_t forward(const void* logitsv, const int64_t* target, const void* weightv,
                CrossEntropyOptions options, void* lossv, void* row_weightv, void* normalizerv,
                int64_t rows, int64_t classes) {
    const auto* logits = static_cast<const T*>(logitsv);
    const auto* weight = static_cast<const T*>(weightv);
    auto* loss = static_cast<T*>(lossv);
    auto* row_weight = static_cast<T*>(row_weightv);
    auto* normalizer = static_cast<T*>(normalizerv);
    for (int64_t r = 0; r < rows; ++r)
        if (target[r] != options.ignore_index && (target[r] < 0 || target[r] >= classes)) return r;

    const double smoothing = options.label_smoothing;
    const double each = smoothing / static_cast<double>(classes);
    for_items(rows, 4 * classes, [&](int64_t begin, int64_t end) {
        RowNormalizers<T> of(logits, classes, begin, end);
        for (int64_t r = begin; r < end; ++r) {
            if (target[r] == options.ignore_index) {
                loss[r] = row_weight[r] = normalizer[r] = 0;
                continue;
            }
            const T* x = logits + r * classes;
            const auto [shift, log_total] = of[r];
            const T w = weight ? weight[target[r]] : T(1);
            const T log_probability = (x[target[r]] - shift) - log_total;
            if (smoothing == 0) {
                loss[r] = -w * log_probability;
            } else {
                const double spread =
                    weighted_log_probabilities(x, weight, classes, shift, log_total);
                loss[r] = static_cast<T>(
                    -(1 - smoothing) * (static_cast<double>(w) * log_probability) - each * spread);
            }
            row_weight[r] = w;
            normalizer[r] = shift + log_total;
        }
    });
    return -1;
}

template <class T>
void backward(const void* logitsv, const int64_t* target, const void* weightv,
              CrossEntropyOptions options, const void* normalizerv, const void* row_scalev,
              void* gradv, int64_t rows, int64_t classes) {
    using P = Pack<T>;
    constexpr int64_t W = P::size;
    const auto* logits = static_cast<const T*>(logitsv);
    const auto* weight = static_cast<const T*>(weightv);
    const auto* normalizer = static_cast<const T*>(normalizerv);
    const auto* row_scale = static_cast<const T*>(row_scalev);
    auto* grad = static_cast<T*>(gradv);
    const double smoothing = options.label_smoothing;
    const double each = smoothing / static_cast<double>(classes);
    const double every = smoothing == 0 ? 0 : each * total_weight(weight, classes);

    for_items(rows, 4 * classes, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T* x = logits + r * classes;
            T* g = grad + r * classes;
            if (target[r] == options.ignore_index) {
                std::memset(g, 0, static_cast<size_t>(classes) * sizeof(T));
                continue;
            }
            const double scale = row_scale[r];
            const double target_scale =
                scale * (1 - smoothing) * (weight ? static_cast<double>(weight[target[r]]) : 1.0);
            // Large normalizers are rounded too coarsely for exp(x - normalizer) to sum to 1.
            const P shift = normalizer[r];
            const double total =
                row_sum<T>(classes, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
                    if (lanes == W) {
                        const P e = exp_fast<false>(P::load(x + i) - shift);
                        e.store(g + i);
                        return e;
                    }
                    const P e = exp_fast<false>(P::load(x + i, lanes) - shift);
                    e.store(g + i, lanes);
                    return fill_from(e, lanes, T(0));
                });
            const P factor = static_cast<T>((target_scale + scale * every) / total);
            const P share = static_cast<T>(scale * each);
            const auto finish = [=](P e, int64_t i, int64_t lanes) __attribute__((always_inline)) {
                P v = e * factor;
                if (smoothing != 0) {
                    if (!weight) v -= share;
                    else
                        v -=
                            share * (lanes == W ? P::load(weight + i) : P::load(weight + i, lanes));
                }
                return v;
            };
            int64_t i = 0;
            for (; i + W <= classes; i += W) finish(P::load(g + i), i, W).store(g + i);
            if (i < classes) {
                const int64_t lanes = classes - i;
                finish(P::load(g + i, lanes), i, lanes).store(g + i, lanes);
            }
            g[target[r]] -= static_cast<T>(target_scale);
        }
    });
}

}  // namespace

void fill(kernels::CrossEntropyKernels& k) {
    k = {};
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.forward[dtype] = forward<T>;
        k.backward[dtype] = backward<T>;
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
