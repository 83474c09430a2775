#include "ops/counting.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "autograd/grad_mode.h"
#include "core/checked.h"
#include "ops/arg.h"
#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/extremes.h"
#include "ops/offsets.h"
#include "ops/one_step.h"
#include "ops/reductions.h"
#include "replay/recorder.h"

namespace tapegrad {

Tensor bincount(const Tensor& x, const std::optional<Tensor>& weights, int64_t minlength) {
    if (!is_integral(x.dtype())) refuse_dtype("bincount_cpu", x.dtype());
    if (minlength < 0) fail("minlength should be >= 0");
    if (x.dim() == 1 && x.numel() == 0) return zeros({minlength}, DType::Int64);
    refuse_replay(kShapeOfValues);
    const Tensor places = int64_values(x);
    const auto* at = places.data<int64_t>();
    if (x.dim() != 1 || *std::min_element(at, at + x.numel()) < 0)
        fail("bincount only supports 1-d non-negative integral inputs.");
    if (weights && (weights->dim() != 1 || weights->numel() != x.numel()))
        fail("weights should be 1-d and have the same length as input");
    const int64_t greatest = *std::max_element(at, at + x.numel());
    const int64_t length = std::max(checked_add(greatest, 1), minlength);
    if (!weights) {
        Tensor out = zeros({length}, DType::Int64);
        for (int64_t i = 0; i < x.numel(); ++i) ++out.data<int64_t>()[at[i]];
        return out;
    }
    const Tensor added = contiguous_values(*weights, DType::Float64);
    Tensor out = zeros({length}, DType::Float64);
    for (int64_t i = 0; i < x.numel(); ++i) out.data<double>()[at[i]] += added.data<double>()[i];
    return cast_values(out, weights->dtype() == DType::Float32 ? DType::Float32 : DType::Float64);
}

namespace {

void check_bins(int64_t bins) {
    if (bins <= 0)
        fail("tapegrad.histogram(): bins must be > 0, but got ", bins, " for dimension 0");
}

// The least value and the greatest one; in double precision, in which they are exact.
std::pair<double, double> range_of(const Tensor& x) {
    const GradMode off(false);
    return {to_number(extreme(Extreme::Min, x)).to_double(),
            to_number(extreme(Extreme::Max, x)).to_double()};
}

bool is_finite_range(double low, double high) { return std::isfinite(low) && std::isfinite(high); }

// Adds the weights (or ones) of all elements from the first edge to the last to the bin that bin_of names.
template <class T, class BinOf>
void fill_bins(const Tensor& x, T low, T high, const double* weights, double* hist, BinOf bin_of) {
    for (int64_t i = 0; i < x.numel(); ++i) {
        const T value = x.data<T>()[i];
        if (!(value >= low && value <= high)) continue;
        hist[bin_of(value)] += weights ? weights[i] : 1;
    }
}

// The bin of equal ones, before rounding is looked at.
template <class T> int64_t even_bin(T value, T low, T high, int64_t bins) {
    const T place = (value - low) * static_cast<T>(bins) / (high - low);
    return place < static_cast<T>(bins) ? std::min(static_cast<int64_t>(place), bins - 1)
                                        : bins - 1;
}

constexpr auto kHistogram = "tapegrad.histogramdd: ";

Tensor weights_of(const Tensor& x, const std::optional<Tensor>& weight) {
    if (!weight) return Tensor();
    if (weight->dtype() != x.dtype())
        fail(kHistogram,
             "if weight tensor is provided, input tensor and weight tensor should have the same "
             "dtype, but got input(",
             cpp_type_name(x.dtype()), "), and weight(", cpp_type_name(weight->dtype()), ")");
    if (!(weight->sizes() == x.sizes()))
        fail(kHistogram,
             "if weight tensor is provided it should have the same shape as the input tensor "
             "excluding its innermost dimension, but got input with shape ",
             to_string(x.sizes()), " and weight with shape ", to_string(weight->sizes()));
    return contiguous_values(*weight, DType::Float64);
}

// The sums in the type of x; as a density, of which the integral is 1.
Tensor finished(const Tensor& hist, const Tensor& edges, bool density) {
    if (density) {
        const Tensor wide = cast_values(edges, DType::Float64);
        auto *h = hist.data<double>(), *e = wide.data<double>();
        double total = 0;
        for (int64_t i = 0; i < hist.numel(); ++i) total += h[i];
        for (int64_t i = 0; i < hist.numel(); ++i) h[i] /= total * (e[i + 1] - e[i]);
    }
    return cast_values(hist, edges.dtype());
}

template <class BinOf>
std::pair<Tensor, Tensor> in_bins(const Tensor& x, const Tensor& edges,
                                  const std::optional<Tensor>& weight, bool density, BinOf bin_of) {
    const Tensor weights = weights_of(x, weight), data = contiguous_values(x);
    const int64_t bins = edges.numel() - 1;
    const Tensor hist = zeros({bins}, DType::Float64);
    if (bins > 0)
        visit_float("histogramdd", x.dtype(), [&]<class T>() {
            const T* e = edges.data<T>();
            fill_bins<T>(data, e[0], e[bins], weights.defined() ? weights.data<double>() : nullptr,
                         hist.data<double>(), [&](T value) { return bin_of(value, e, bins); });
        });
    return {finished(hist, edges, density), edges};
}

// Calls f with x and the weights in single precision, in which those of 16 bits are counted.
template <class F>
std::pair<Tensor, Tensor> of_half(const Tensor& x, const std::optional<Tensor>& weight, F f) {
    weights_of(x, weight);  // what is refused is, under the names of the types that were given
    std::optional<Tensor> wide;
    if (weight) wide = cast_values(*weight, DType::Float32);
    const auto [hist, edges] = f(cast_values(x, DType::Float32), wide);
    return {cast_values(hist, x.dtype()), cast_values(edges, x.dtype())};
}

// A histogram, whose bins may depend on values, as one step of what is recorded.
template <class F, class... Edges>
std::pair<Tensor, Tensor> pair_in_one_step(F f, const Tensor& x,
                                           const std::optional<Tensor>& weight,
                                           const Edges&... edges) {
    const auto found = list_in_one_step(
        [f](const std::vector<Tensor>& given) {
            std::optional<Tensor> weights;
            if (given[1].defined()) weights = given[1];
            const auto [hist, bins] = [&] {
                if constexpr (sizeof...(Edges)) return f(given[0], weights, given[2]);
                else return f(given[0], weights);
            }();
            return std::vector<Tensor>{hist, bins};
        },
        {x, weight.value_or(Tensor()), edges...});
    return {found[0], found[1]};
}

}  // namespace

Tensor histc(const Tensor& x, int64_t bins, const Scalar& low_given, const Scalar& high_given) {
    double low = low_given.to_double(), high = high_given.to_double();
    if (is_half(x.dtype()))
        return cast_values(histc(cast_values(x, DType::Float32), bins, low_given, high_given),
                           x.dtype());
    if (x.dtype() != DType::Float32 && x.dtype() != DType::Float64)
        refuse_dtype("histogram_cpu", x.dtype());
    check_bins(bins);
    if (is_replay_recorded())
        return in_one_step(
            [=](const Tensor& values) { return histc(values, bins, low_given, high_given); }, x);
    if (low == high && x.numel() > 0) std::tie(low, high) = range_of(x);
    if (!is_finite_range(low, high))
        fail("tapegrad.histc: range of [", low, ", ", high, "] is not finite");
    if (low == high) {
        low -= 1;
        high += 1;
    }
    if (low > high) fail("tapegrad.histc: max must be larger than min");
    const Tensor data = contiguous_values(x), hist = zeros({bins}, DType::Float64);
    visit_float("histogram_cpu", x.dtype(), [&]<class T>() {
        const auto first = static_cast<T>(low), last = static_cast<T>(high);
        fill_bins<T>(data, first, last, nullptr, hist.data<double>(),
                     [&](T value) { return even_bin(value, first, last, bins); });
    });
    return cast_values(hist, x.dtype());
}

std::pair<Tensor, Tensor> histogram(const Tensor& x, int64_t bins,
                                    const std::optional<std::vector<double>>& range,
                                    const std::optional<Tensor>& weight, bool density) {
    if (!x.is_floating()) refuse_dtype("histogramdd", x.dtype());
    if (is_half(x.dtype()))
        return of_half(x, weight, [&](const Tensor& wide, const auto& weights) {
            return histogram(wide, bins, range, weights, density);
        });
    check_bins(bins);
    checked_add(bins, 1);
    if (is_replay_recorded())
        return pair_in_one_step(
            [=](const Tensor& values, const std::optional<Tensor>& weights) {
                return histogram(values, bins, range, weights, density);
            },
            x, weight);
    double low = 0, high = 1;
    if (range) {
        if (range->size() != 2)
            fail(kHistogram, "for a 1-dimensional histogram range should have 2 elements, but got ",
                 range->size());
        low = (*range)[0];
        high = (*range)[1];
    } else if (x.numel() > 0) {
        std::tie(low, high) = range_of(x);
    }
    if (!is_finite_range(low, high))
        fail(kHistogram, "dimension 0's range [", low, ", ", high, "] is not finite");
    if (low > high)
        fail(kHistogram, "min should not exceed max, but got min ", low, " max ", high,
             " for dimension 0");
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    const Tensor edges = linspace(low, high, bins + 1, x.dtype());
    return in_bins(x, edges, weight, density, [](auto value, const auto* e, int64_t count) {
        int64_t bin = even_bin(value, e[0], e[count], count);
        while (bin > 0 && value < e[bin]) --bin;
        while (bin + 1 < count && value >= e[bin + 1]) ++bin;
        return bin;
    });
}

std::pair<Tensor, Tensor> histogram(const Tensor& x, const Tensor& edges_given,
                                    const std::optional<Tensor>& weight, bool density) {
    if (!x.is_floating()) refuse_dtype("histogramdd", x.dtype());
    if (edges_given.dtype() != x.dtype())
        fail(kHistogram,
             "input tensor and bins tensors should have the same dtype, but got input with dtype ",
             cpp_type_name(x.dtype()), " and bins for dimension 0 with dtype ",
             cpp_type_name(edges_given.dtype()));
    if (edges_given.dim() != 1)
        fail(kHistogram, "bins tensor should have one dimension, but got ", edges_given.dim(),
             " dimensions in the bins tensor for dimension 0");
    if (edges_given.numel() == 0)
        fail(kHistogram,
             "bins tensor should have at least 1 element, but got 0 elements in the bins tensor "
             "for dimension 0");
    if (is_half(x.dtype()))
        return of_half(x, weight, [&](const Tensor& wide, const auto& weights) {
            return histogram(wide, cast_values(edges_given, DType::Float32), weights, density);
        });
    check_bins(edges_given.numel() - 1);
    if (is_replay_recorded())
        return pair_in_one_step(
            [density](const Tensor& values, const std::optional<Tensor>& weights,
                      const Tensor& edges) { return histogram(values, edges, weights, density); },
            x, weight, edges_given);
    const GradMode off(false);
    const Tensor edges = contiguous_clone(edges_given);
    return in_bins(x, edges, weight, density, [](auto value, const auto* e, int64_t count) {
        // The last bin holds its upper edge, too.
        const int64_t after = std::upper_bound(e, e + count + 1, value) - e;
        return std::clamp<int64_t>(after - 1, 0, count - 1);
    });
}

}  // namespace tapegrad
