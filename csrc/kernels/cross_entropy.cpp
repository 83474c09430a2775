#include "kernels/cross_entropy.h"

#include "kernels/row_normalizers.h"

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
        RowNormalizers<T> of(logits, rows, classes, begin, end);
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

// What the gradient of a row is made of: factor * exp(x - normalizer) - share * weight, less target_scale at the
// target.
template <class T> class RowGradient {
public:
    RowGradient(const T* weight, CrossEntropyOptions options, int64_t classes)
        : weight_(weight),
          ignored_(options.ignore_index),
          smoothing_(options.label_smoothing),
          each_(smoothing_ / static_cast<double>(classes)),
          every_(smoothing_ == 0 ? 0 : each_ * total_weight(weight, classes)) {}

    bool ignores(int64_t target) const { return target == ignored_; }
    double target_scale(double scale, int64_t target) const {
        return scale * (1 - smoothing_) * (weight_ ? static_cast<double>(weight_[target]) : 1.0);
    }
    // total: the sum of the exponentials. Large normalizers are rounded too coarsely for it to be 1.
    T factor(double scale, double target_scale, double total) const {
        return static_cast<T>((target_scale + scale * every_) / total);
    }
    T share(double scale) const { return static_cast<T>(scale * each_); }
    // weight(): of the classes of these elements.
    template <class Weight>
    TAPEGRAD_INLINE Pack<T> of(Pack<T> exponential, Pack<T> factor, Pack<T> share,
                               const Weight& weight) const {
        Pack<T> v = exponential * factor;
        if (smoothing_ != 0) v -= weight_ ? share * weight(weight_) : share;
        return v;
    }

private:
    const T* weight_;
    int64_t ignored_;
    double smoothing_, each_, every_;
};

template <class T>
void row_gradient(const RowGradient<T>& gradient, const T* x, T* g, int64_t classes, int64_t target,
                  T normalizer, double scale) {
    using P = Pack<T>;
    if (gradient.ignores(target)) {
        std::memset(g, 0, static_cast<size_t>(classes) * sizeof(T));
        return;
    }
    const P shift = normalizer;
    const double total =
        row_sum<T>(classes, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            const P e = exp_fast<false>(load_lanes(x + i, lanes) - shift);
            store_lanes(g + i, e, lanes);
            return lanes == P::size ? e : fill_from(e, lanes, T(0));
        });
    const double target_scale = gradient.target_scale(scale, target);
    const P factor = gradient.factor(scale, target_scale, total), share = gradient.share(scale);
    for_packs<T>(classes, [=, &gradient](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const auto weight = [=](const T* w) { return load_lanes(w + i, lanes); };
        store_lanes(g + i, gradient.of(load_lanes(g + i, lanes), factor, share, weight), lanes);
    });
    g[target] -= static_cast<T>(target_scale);
}

// Up to as many rows as a pack has lanes.
template <class T>
void gradient_of_few_columns(const RowGradient<T>& gradient, const T* x, T* g, int64_t rows,
                             int64_t classes, const int64_t* target, const T* normalizer,
                             const T* scale) {
    using P = Pack<T>;
    FewColumns<T> columns(x, rows, classes);
    const P total = columns.exponentials(P::load(normalizer, rows));
    alignas(64) T factors[P::size] = {}, shares[P::size] = {};
    double target_scales[P::size];
    for (int64_t r = 0; r < rows; ++r) {
        if (gradient.ignores(target[r])) continue;
        target_scales[r] = gradient.target_scale(scale[r], target[r]);
        factors[r] = gradient.factor(scale[r], target_scales[r], total[static_cast<int>(r)]);
        shares[r] = gradient.share(scale[r]);
    }
    const P factor = P::load(factors), share = P::load(shares);
    for (int64_t j = 0; j < classes; ++j)
        columns.set(j, gradient.of(columns[j], factor, share, [=](const T* w) { return P(w[j]); }));
    columns.store(g, rows);
    for (int64_t r = 0; r < rows; ++r, g += classes)
        if (gradient.ignores(target[r]))
            std::memset(g, 0, static_cast<size_t>(classes) * sizeof(T));
        else g[target[r]] -= static_cast<T>(target_scales[r]);
}

template <class T>
void backward(const void* logitsv, const int64_t* target, const void* weightv,
              CrossEntropyOptions options, const void* normalizerv, const void* row_scalev,
              void* gradv, int64_t rows, int64_t classes) {
    const auto* logits = static_cast<const T*>(logitsv);
    const auto* normalizer = static_cast<const T*>(normalizerv);
    const auto* row_scale = static_cast<const T*>(row_scalev);
    auto* grad = static_cast<T*>(gradv);
    const RowGradient<T> gradient(static_cast<const T*>(weightv), options, classes);

    for_items(rows, 4 * classes, [&](int64_t begin, int64_t end) {
        const int64_t step = FewColumns<T>::suits(rows, classes) ? FewColumns<T>::kRows : 1;
        for (int64_t r = begin; r < end; r += step) {
            const T* x = logits + r * classes;
            T* g = grad + r * classes;
            if (step > 1)
                gradient_of_few_columns(gradient, x, g, min_of(step, end - r), classes, target + r,
                                        normalizer + r, row_scale + r);
            else row_gradient(gradient, x, g, classes, target[r], normalizer[r], row_scale[r]);
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
