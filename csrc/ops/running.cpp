#include "ops/running.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/gather.h"
#include "ops/offsets.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// Calls f(first, count, step) for groups of lines along the dimension: line i begins at first + i, and its
// elements are step apart. Neighbouring lines go together, so that memory is read in order.
template <class F> void for_lines(const Extents& e, int64_t cost, F f) {
    constexpr int64_t kLines = 64;
    if (e.n == 0 || e.inner == 0) return;
    const int64_t strips = (e.inner + kLines - 1) / kLines;
    const int64_t lines = std::min(e.inner, kLines);
    parallel_for(e.outer * strips, grain_for(cost * e.n * lines), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t at = i % strips * kLines;
            f(i / strips * e.n * e.inner + at, std::min(kLines, e.inner - at), e.inner);
        }
    });
}

template <class T> bool is_nan(T value) { return value != value; }

struct RunningExtreme {
    static constexpr std::array arguments{"self", "indices"};
    bool max;
    int64_t dim;
    const char* node() const { return max ? "CummaxBackward0" : "CumminBackward0"; }
    auto backward(auto g, auto x, auto indices, auto) const {
        return scatter_add(zeros_like(x), dim, indices, g);
    }
    auto forward(auto t, auto, auto index, auto) const { return gather(t, dim, index); }
    void parameters(auto show) const { show("dim", dim); }
};

}  // namespace

std::pair<Tensor, Tensor> running_extreme(Extreme which, const Tensor& x, int64_t dim_given) {
    const int dim = wrap_dim(dim_given, x.dim());
    const bool max = which == Extreme::Max;
    const Tensor data = contiguous_values(x);
    Tensor values = empty(x.sizes(), x.dtype());
    const Tensor indices = empty(x.sizes(), DType::Int64);
    visit_dtype(x.dtype(), [&]<class T>() {
        launch(
            [max, e = extents_at(x.sizes(), dim)](const T* from, T* to, int64_t* places) {
                for_lines(e, 2, [&](int64_t first, int64_t count, int64_t step) {
                    for (int64_t k = 0, row = first; k < e.n; ++k, row += step)
                        for (int64_t i = row; i < row + count; ++i) {
                            const T value = from[i], best = k ? to[i - step] : value;
                            const bool better =
                                is_nan(value) ||
                                (!is_nan(best) && (max ? value >= best : value <= best));
                            to[i] = better ? value : best;
                            places[i] = better ? k : places[i - step];
                        }
                });
            },
            data.data<T>(), values.data<T>(), indices.data<int64_t>());
    });
    values = recorded(std::move(values), RunningExtreme{max, dim}, x, indices);
    return {values, indices};
}

// ------------------------------------------------------------------------------- logcumsumexp

namespace {

// y_k = log of the sum of exp(x_i) for i <= k. Its derivatives consist of two sums, of which each is the
// other's transpose, and which are differentiated by themselves again:
//   spread_back(g)_i = sum of g_k exp(x_i - y_k) for k >= i
//   gathered(h)_k = sum of h_i exp(x_i - y_k) for i <= k
// In steps of y, which never decreases, no exponent is positive.
Tensor spread_back(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim);
Tensor gathered(const Tensor& h, const Tensor& x, const Tensor& y, int64_t dim);
TAPEGRAD_WORD(spread_back)
TAPEGRAD_WORD(gathered)

// exp(a - b) for a <= b; equal infinities have no difference, and what is -inf has no part in anything.
double ratio(double a, double b) {
    if (a == b) return a == -std::numeric_limits<double>::infinity() ? 0 : 1;
    return std::exp(a - b);
}

// back: the sum of the later elements, else of the earlier ones.
Tensor weighted_sums(const Tensor& g_given, const Tensor& x_given, const Tensor& y_given,
                     int64_t dim, bool back) {
    const Tensor g = contiguous_values(g_given), x = contiguous_values(x_given),
                 y = contiguous_values(y_given);
    Tensor out = empty(x.sizes(), x.dtype());
    const Extents e = extents_at(x.sizes(), static_cast<int>(dim));
    visit_dtype(x.dtype(), [&]<class T>() {
        if constexpr (is_floating_type<T>) {
            launch(
                [e, back](const T* gs, const T* xs, const T* ys, T* to) {
                    for_lines(e, 40, [&](int64_t first, int64_t count, int64_t step) {
                        std::vector<double> sums(static_cast<size_t>(count));
                        for (int64_t k = 0; k < e.n; ++k) {
                            const int64_t row = first + (back ? e.n - 1 - k : k) * step;
                            for (int64_t i = row; i < row + count; ++i) {
                                const double top = ys[i], part = ratio(xs[i], top);
                                const double passed = k == 0 ? 0
                                                      : back ? ratio(top, ys[i + step])
                                                             : ratio(ys[i - step], top);
                                double& sum = sums[static_cast<size_t>(i - row)];
                                sum = (k ? passed * sum : 0) + (back ? 1 : part) * double{gs[i]};
                                to[i] = static_cast<T>(back ? part * sum : sum);
                            }
                        }
                    });
                },
                g.data<T>(), x.data<T>(), y.data<T>(), out.data<T>());
        }
    });
    return out;
}

struct SpreadBack {
    static constexpr auto node = "LogcumsumexpBackwardBackward0";
    static constexpr std::array arguments{"grad", "self", "result"};
    int64_t dim;
    auto backward(auto u, auto g, auto x, auto y, auto z) const {
        return gradients([=, this] { return gathered(u, x, y, dim); }, [=] { return u * z; },
                         [=, this] { return -(g * gathered(u, x, y, dim)); });
    }
    void parameters(auto show) const { show("dim", dim); }
};

struct Gathered {
    static constexpr auto node = "LogcumsumexpBackwardBackward1";
    static constexpr std::array arguments{"grad", "self", "result"};
    int64_t dim;
    auto backward(auto u, auto h, auto x, auto y, auto a) const {
        return gradients([=, this] { return spread_back(u, x, y, dim); },
                         [=, this] { return h * spread_back(u, x, y, dim); },
                         [=] { return -(u * a); });
    }
    void parameters(auto show) const { show("dim", dim); }
};

Tensor spread_back(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
    return recorded(weighted_sums(g, x, y, dim, true), SpreadBack{dim}, g, x, y);
}
Tensor gathered(const Tensor& h, const Tensor& x, const Tensor& y, int64_t dim) {
    return recorded(weighted_sums(h, x, y, dim, false), Gathered{dim}, h, x, y);
}

struct Logcumsumexp {
    static constexpr auto node = "LogcumsumexpBackward0";
    int64_t dim;
    auto backward(auto g, auto x, auto y) const { return spread_back(g, x, y, dim); }
    void parameters(auto show) const { show("dim", dim); }
};

}  // namespace

Tensor logcumsumexp(const Tensor& x, int64_t dim_given) {
    const int dim = wrap_dim(dim_given, x.dim());
    if (!x.is_floating()) refuse_dtype("logcumsumexp_out_cpu", x.dtype());
    const Tensor data = contiguous_values(x);
    Tensor out = empty(x.sizes(), x.dtype());
    const Extents e = extents_at(x.sizes(), dim);
    visit_dtype(x.dtype(), [&]<class T>() {
        if constexpr (is_floating_type<T>) {
            launch(
                [e](const T* from, T* to) {
                    for_lines(e, 40, [&](int64_t first, int64_t count, int64_t step) {
                        std::vector<double> sums(static_cast<size_t>(count));
                        for (int64_t k = 0, row = first; k < e.n; ++k, row += step)
                            for (int64_t i = row; i < row + count; ++i) {
                                double& sum = sums[static_cast<size_t>(i - row)];
                                const double value = from[i];
                                const double high = std::max(sum, value),
                                             low = std::min(sum, value);
                                if (k == 0) sum = value;
                                else if (is_nan(sum) || is_nan(value)) sum += value;
                                else if (std::isfinite(high))
                                    sum = high + std::log1p(std::exp(low - high));
                                else sum = high;
                                to[i] = static_cast<T>(sum);
                            }
                    });
                },
                data.data<T>(), out.data<T>());
        }
    });
    return recorded(std::move(out), Logcumsumexp{dim}, x);
}

}  // namespace tapegrad
