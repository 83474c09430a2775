#include "ops/distances.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/checked.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/offsets.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

void from_text(std::string_view text, DistanceMode& mode) {
    if (text == "use_mm_for_euclid_dist_if_necessary") mode = DistanceMode::IfNecessary;
    else if (text == "use_mm_for_euclid_dist") mode = DistanceMode::Always;
    else if (text == "donot_use_mm_for_euclid_dist") mode = DistanceMode::Never;
    else fail<ValueError>(std::string(text), " is not a valid value for compute_mode");
}

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The kinds of norms. add takes up one more difference; slope is the derivative of the norm y by a
// difference d, zero where the two points are the same.
struct Zero {
    static constexpr auto add(auto sum, auto d) { return sum + static_cast<decltype(d)>(d != 0); }
    static auto finish(auto sum) { return sum; }
    static auto slope(auto d, auto) { return decltype(d){0}; }
};
struct One {
    static auto add(auto sum, auto d) { return sum + std::abs(d); }
    static auto finish(auto sum) { return sum; }
    static auto slope(auto d, auto) { return static_cast<decltype(d)>((d > 0) - (d < 0)); }
};
struct Two {
    static constexpr bool raises_to_powers = true;
    static auto add(auto sum, auto d) { return sum + d * d; }
    static auto finish(auto sum) { return std::sqrt(sum); }
    static auto slope(auto d, auto y) { return y == 0 ? decltype(d){0} : d / y; }
};
struct Largest {
    static auto add(auto sum, auto d) {
        const auto size = std::abs(d);
        return size > sum || size != size ? size : sum;
    }
    static auto finish(auto sum) { return sum; }
    static auto slope(auto d, auto y) {
        return std::abs(d) == y ? One::slope(d, y) : decltype(d){0};
    }
};
struct Power {
    static constexpr bool raises_to_powers = true;
    double p;
    auto add(auto sum, auto d) const {
        return sum + std::pow(std::abs(d), static_cast<decltype(d)>(p));
    }
    auto finish(auto sum) const { return std::pow(sum, static_cast<decltype(sum)>(1 / p)); }
    auto slope(auto d, auto y) const {
        using T = decltype(d);
        if (y == 0 || (p < 1 && d == 0)) return T{0};
        const auto size = std::abs(d), q = static_cast<T>(p - 1);
        const T part = p > 1 ? std::pow(size / y, q) : std::pow(size, q) * std::pow(y, -q);
        return One::slope(d, y) * part;
    }
};

template <class F> void visit_norm(double p, F f) {
    if (p == 0) f(Zero{});
    else if (p == 1) f(One{});
    else if (p == 2) f(Two{});
    else if (std::isinf(p)) f(Largest{});
    else f(Power{p});
}

// Batches of points as memory: [batches, count, width].
struct Points {
    explicit Points(const Tensor& x)
        : values(contiguous_values(x)),
          count(x.sizes()[x.dim() - 2]),
          width(x.sizes()[x.dim() - 1]) {}
    Tensor values;
    int64_t count, width;
};

// One distance whose sum of powers is beyond the numbers, or among those that are not exact: of the differences
// over the largest one.
template <class T, class Norm>
T scaled_distance(const T* x1, const T* column, int64_t others, int64_t width, Norm norm) {
    T largest = 0, sum = 0;
    for (int64_t d = 0; d < width; ++d) largest = Largest::add(largest, x1[d] - column[d * others]);
    if (!(largest > 0 && std::isfinite(largest))) return largest;
    for (int64_t d = 0; d < width; ++d) sum = norm.add(sum, (x1[d] - column[d * others]) / largest);
    return largest * norm.finish(sum);
}

// Each distance is added up in the order of the coordinates, a group of columns side by side.
template <class T, class Norm>
void distances(const T* x1, const T* columns, T* out, int64_t others, int64_t width, Norm norm) {
    constexpr int64_t kGroup = 128;
    for (int64_t first = 0; first < others; first += kGroup) {
        const int64_t count = std::min(kGroup, others - first);
        T sums[kGroup] = {};
        for (int64_t d = 0; d < width; ++d) {
            const T value = x1[d];
            const T* row = columns + d * others + first;
            for (int64_t j = 0; j < count; ++j) sums[j] = norm.add(sums[j], value - row[j]);
        }
        for (int64_t j = 0; j < count; ++j) {
            if constexpr (requires { Norm::raises_to_powers; }) {
                constexpr T least =
                    std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
                if (!(sums[j] >= least && sums[j] <= std::numeric_limits<T>::max())) {
                    out[first + j] = scaled_distance(x1, columns + first + j, others, width, norm);
                    continue;
                }
            }
            out[first + j] = norm.finish(sums[j]);
        }
    }
}

Tensor distance_values(const Tensor& x1, const Tensor& x2, const Dims& sizes, double p) {
    Tensor out = empty(sizes, x1.dtype());
    const Points a(x1), b(x2);
    if (out.numel() == 0) return out;
    const int64_t batches = out.numel() / a.count / b.count;
    const Tensor turned = contiguous_values(swap_dims(b.values, x2.dim() - 2, x2.dim() - 1));
    const auto run = [&]<class T>() {
        visit_norm(p, [&](auto norm) {
            launch(
                [norm, batches, rows = a.count, columns = b.count, width = a.width](
                    const T* points, const T* others, T* to) {
                    parallel_for(batches * rows, grain_for(columns * (width + 1)),
                                 [&](int64_t begin, int64_t end) {
                                     for (int64_t i = begin; i < end; ++i)
                                         distances(points + i * width,
                                                   others + i / rows * columns * width,
                                                   to + i * columns, columns, width, norm);
                                 });
                },
                a.values.data<T>(), turned.data<T>(), out.data<T>());
        });
    };
    visit_float("cdist", x1.dtype(), run);
    return out;
}

// The gradient of each of the points a for those of the distances to the points b. g and y are seen with a
// stride for each of both.
Tensor gradient_values(const Points& a, const Points& b, const Tensor& g, const Tensor& y,
                       int64_t a_stride, int64_t b_stride, double p) {
    Tensor out = zeros_like(a.values);
    const auto run = [&]<class T>() {
        visit_norm(p, [&](auto norm) {
            const int64_t points = a.width ? out.numel() / a.width : 0;
            launch(
                [norm, points, a_stride, b_stride, rows = a.count, columns = b.count,
                 width = a.width](const T* own, const T* others, const T* grads,
                                  const T* distances_given, T* gradients) {
                    parallel_for(
                        points, grain_for(columns * (width + 1)), [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; ++i) {
                                const int64_t batch = i / rows;
                                const int64_t at = batch * rows * columns + i % rows * a_stride;
                                const T* from = own + i * width;
                                T* to = gradients + i * width;
                                for (int64_t j = 0; j < columns; ++j) {
                                    const T grad = grads[at + j * b_stride];
                                    const T distance = distances_given[at + j * b_stride];
                                    const T* other = others + (batch * columns + j) * width;
                                    for (int64_t d = 0; d < width; ++d)
                                        to[d] += grad * norm.slope(from[d] - other[d], distance);
                                }
                            }
                        });
                },
                a.values.data<T>(), b.values.data<T>(), g.data<T>(), y.data<T>(), out.data<T>());
        });
    };
    visit_float("cdist", g.dtype(), run);
    return out;
}

struct Cdist {
    static constexpr auto node = "CdistBackward0";
    static constexpr std::array arguments{"x1", "x2"};
    static constexpr bool reads_all = true;  // also where the order is 0, and the gradient
    double p;

    // The gradient of each difference.
    auto slopes(auto g_given, auto x1, auto x2, auto y_given) const {
        auto d = unsqueeze(x1, -2) - unsqueeze(x2, -3);
        auto g = unsqueeze(g_given, -1), y = unsqueeze(y_given, -1);
        if (p == 0) return g * zeros_like(d);
        if (p == 1) return g * sign(d);
        if (std::isinf(p)) return g * sign(d) * cast_like(abs(d) == y, d);
        auto u = d / where(y == 0, kInf, y);
        if (p == 2) return g * u;
        if (p > 1) return g * (sign(u) * pow(where(u == 0, 1, abs(u)), p - 1));
        auto slope =
            sign(d) * (pow(where(d == 0, 1, abs(d)), p - 1) * pow(where(y == 0, 1, y), 1 - p));
        return g * where(d == 0, 0, where(y == 0, 0, slope));
    }
    auto backward(auto g, auto x1, auto x2, auto y) const {
        return gradients([=, this] { return sum(slopes(g, x1, x2, y), Dims{-2}); },
                         [=, this] { return -sum(slopes(g, x1, x2, y), Dims{-3}); });
    }
    auto forward(auto x1, auto x2, auto y) const {
        const auto along = [=, this](const Tensor& differences) {
            return sum(slopes(full(y.sizes(), 1, y.dtype()), x1, x2, y) * differences, Dims{-1});
        };
        return tangents([=](auto t) { return along(unsqueeze(t, -2)); },
                        [=](auto t) { return -along(unsqueeze(t, -3)); });
    }
    static constexpr rules::Uses fused_needs() {
        return rules::Uses::argument(0) | rules::Uses::argument(1) | rules::Uses::result();
    }
    std::array<Tensor, 2> fused(const Tensor& g_given, const Tensor& x1, const Tensor& x2,
                                const Tensor& y_given, const std::array<bool, 2>& wanted) const {
        const Tensor g = contiguous_values(g_given), y = contiguous_values(y_given);
        const Points a(x1), b(x2);
        std::array<Tensor, 2> out;
        if (wanted[0]) out[0] = gradient_values(a, b, g, y, b.count, 1, p);
        if (wanted[1]) out[1] = gradient_values(b, a, g, y, 1, b.count, p);
        return out;
    }
    void parameters(auto show) const { show("p", p); }
};

void check_points(const char* which, const Tensor& x) {
    if (!x.is_floating())
        fail("cdist only supports floating-point dtypes, ", which,
             " got: ", scalar_type_name(x.dtype()));
}

}  // namespace

Tensor cdist(const Tensor& x1, const Tensor& x2, double p, std::optional<DistanceMode>) {
    if (x1.dim() < 2) fail("cdist only supports at least 2D tensors, X1 got: ", x1.dim(), "D");
    if (x2.dim() < 2) fail("cdist only supports at least 2D tensors, X2 got: ", x2.dim(), "D");
    if (x1.size(-1) != x2.size(-1))
        fail("X1 and X2 must have the same number of columns. X1: ", x1.size(-1),
             " X2: ", x2.size(-1));
    check_points("X1", x1);
    check_points("X2", x2);
    if (!(p >= 0)) fail("cdist only supports non-negative p values");
    if (is_half(x1.dtype())) refuse_dtype("cdist", x1.dtype());
    if (x1.dtype() != x2.dtype())
        fail("expected scalar type ", scalar_type_name(x1.dtype()), " but found ",
             scalar_type_name(x2.dtype()));
    const auto batch_of = [](const Tensor& x) { return Dims(x.sizes().data(), x.dim() - 2); };
    const Dims batch = broadcast_shapes({batch_of(x1), batch_of(x2)});
    const auto expanded = [&](const Tensor& x) {
        Dims sizes = batch;
        for (const int d : {-2, -1}) sizes.push_back(x.size(d));
        return sizes == x.sizes() ? x : expand(x, sizes);
    };
    const Tensor a = expanded(x1), b = expanded(x2);
    Dims sizes = batch;
    sizes.push_back(x1.size(-2));
    sizes.push_back(x2.size(-2));
    return recorded(distance_values(a, b, sizes, p), Cdist{p}, a, b);
}

Tensor pdist(const Tensor& x, double p) {
    if (x.dim() != 2) fail("pdist only supports 2D tensors, got: ", x.dim(), "D");
    if (!x.is_floating()) fail("pdist only supports floating-point dtypes");
    if (!(p >= 0)) fail("pdist only supports non-negative p values");
    if (is_half(x.dtype())) refuse_dtype("pdist", x.dtype());
    const int64_t n = x.sizes()[0], count = n > 1 ? checked_mul(n, n - 1) / 2 : 0;
    const Tensor rows = empty({count}, DType::Int64), columns = empty({count}, DType::Int64);
    launch(
        [n](int64_t* to_rows, int64_t* to_columns) {
            for (int64_t i = 0, k = 0; i < n; ++i)
                for (int64_t j = i + 1; j < n; ++j, ++k) {
                    to_rows[k] = i;
                    to_columns[k] = j;
                }
        },
        rows.data<int64_t>(), columns.data<int64_t>());
    return index(cdist(x, x, p, {}), {rows, columns});
}

Tensor dist(const Tensor& x, const Tensor& other, double p) {
    return norm(x - other, p, {}, false);
}

// ------------------------------------------------------------------------------- renorm

Tensor renorm(const Tensor& x, double p, int64_t dim, double maxnorm) {
    if (!(p > 0)) fail("renorm: non-positive-norm not supported");
    if (!(maxnorm >= 0)) fail("renorm: expected maxnorm to be >= 0 but got ", maxnorm);
    if (x.dim() < 2)
        fail("renorm: input needs at least 2 dimensions, got ", x.dim(), " dimensions");
    const int at = wrap_dim(dim, x.dim());
    Dims others;
    for (int d = 0; d < x.dim(); ++d)
        if (d != at) others.push_back(d);
    const Tensor wide = is_half(x.dtype()) ? to_dtype(x, DType::Float32) : x;
    const Tensor size = norm(wide, p, others, true);
    const Tensor factor = where(size > maxnorm, maxnorm / (size + 1e-7), 1.0);
    return x * to_dtype(factor, x.dtype());
}

const Tensor& renorm_(const Tensor& x, double p, int64_t dim, double maxnorm) {
    const InPlace change(x);
    return copy_(x, renorm(change.recorded() ? clone(x) : x, p, dim, maxnorm));
}

}  // namespace tapegrad
