#include "ops/quantiles.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/checked.h"
#include "core/parallel.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/offsets.h"
#include "ops/reshape.h"
#include "ops/selected.h"
#include "ops/sort.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- quantiles

void from_text(std::string_view text, BetweenRanks& interpolation) {
    if (text == "linear") interpolation = BetweenRanks::Linear;
    else if (text == "lower") interpolation = BetweenRanks::Lower;
    else if (text == "higher") interpolation = BetweenRanks::Higher;
    else if (text == "midpoint") interpolation = BetweenRanks::Midpoint;
    else if (text == "nearest") interpolation = BetweenRanks::Nearest;
    else
        fail(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            "but got ",
            std::string(text));
}

namespace {

// For each row of sorted elements and each q, the places of the elements below and above the rank, and how
// much of the one above counts: q * span - floor.
struct Ranks {
    Tensor below, above, span, floor;
};

template <class T>
Ranks ranks_in(const Tensor& sorted, const Tensor& q, BetweenRanks interpolation, bool skip_nan) {
    Dims sizes = sorted.sizes();
    const int64_t n = sizes[sizes.size() - 1], each = q.numel();
    sizes[sizes.size() - 1] = each;
    Ranks ranks{empty(sizes, DType::Int64), empty(sizes, DType::Int64), empty(sizes, q.dtype()),
                empty(sizes, q.dtype())};
    const Tensor rows = contiguous_values(sorted), parts = contiguous_values(q);
    launch(
        [=, lines = sorted.numel() / n](const T* all, const T* wanted, int64_t* below,
                                        int64_t* above, T* spans, T* floors) {
            for (int64_t row = 0; row < lines; ++row) {
                const T* values = all + row * n;
                const auto numbers =
                    std::partition_point(values, values + n, [](T v) { return v == v; });
                const int64_t count = numbers - values;
                for (int64_t k = 0; k < each; ++k) {
                    const int64_t used = skip_nan ? std::max<int64_t>(count, 1) : n;
                    const bool poisoned = count < n && !skip_nan;
                    const T span = poisoned ? 0 : static_cast<T>(used - 1);
                    T rank = poisoned ? static_cast<T>(n - 1) : wanted[k] * span;
                    if (interpolation == BetweenRanks::Lower) rank = std::floor(rank);
                    if (interpolation == BetweenRanks::Higher) rank = std::ceil(rank);
                    if (interpolation == BetweenRanks::Nearest) rank = std::nearbyint(rank);
                    const int64_t i = row * each + k;
                    const auto place = [&](T at) {
                        return std::clamp<int64_t>(static_cast<int64_t>(at), 0, n - 1);
                    };
                    below[i] = place(std::floor(rank));
                    above[i] = place(std::ceil(rank));
                    spans[i] = span;
                    floors[i] = poisoned ? 0 : std::floor(rank);
                }
            }
        },
        rows.data<T>(), parts.data<T>(), ranks.below.data<int64_t>(), ranks.above.data<int64_t>(),
        ranks.span.data<T>(), ranks.floor.data<T>());
    return ranks;
}

void check_quantile(const Tensor& x, const Tensor& q) {
    if (x.numel() == 0) fail("quantile() input tensor must be non-empty");
    if (q.dim() > 1) fail("quantile() q must be a scalar or 1D tensor");
    if (x.dtype() != DType::Float32 && x.dtype() != DType::Float64)
        fail("quantile() input tensor must be either float or double dtype");
    if (q.dtype() != x.dtype()) fail("quantile() q tensor must be same dtype as the input tensor");
}

}  // namespace

Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                BetweenRanks interpolation, bool skip_nan) {
    check_quantile(x, q);
    const int at = wrap_dim(dim.value_or(0), x.dim());
    {
        const GradMode off(false);
        require_all((q >= 0) & (q <= 1),
                    [] { fail("quantile() q values must be in the range [0, 1]"); });
    }
    const Tensor rows = !dim || x.dim() == 0 ? reshape(x, {-1}) : movedim(x, {at}, {-1});
    const Tensor sorted = sort(rows, -1, false).first;
    const Ranks ranks = x.dtype() == DType::Float32
                            ? ranks_in<float>(sorted, q, interpolation, skip_nan)
                            : ranks_in<double>(sorted, q, interpolation, skip_nan);
    Tensor out = gather(sorted, -1, ranks.below);
    if (interpolation == BetweenRanks::Linear || interpolation == BetweenRanks::Midpoint) {
        // From the nearer of the two, so that the result does not pass the other one.
        const Tensor above = gather(sorted, -1, ranks.above), way = above - out;
        const Tensor weight = interpolation == BetweenRanks::Midpoint
                                  ? full(q.sizes(), 0.5, q.dtype())
                                  : q * ranks.span - ranks.floor;
        out = where(weight < 0.5, out + weight * way, above - way * (Arg(1.0) - weight));
    }
    // The values of q come first, the reduced dimension back to its place.
    Dims sizes = x.sizes();
    for (int d = 0; d < sizes.size(); ++d)
        if (!dim || d == at) sizes[d] = 1;
    if (!keepdim) {
        if (!dim) sizes.resize(0);
        else if (!sizes.empty()) sizes.erase(at);
    }
    if (q.dim() == 0) return reshape(out, sizes);
    sizes.insert(0, q.numel());
    return reshape(movedim(out, {-1}, {0}), sizes);
}

Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                BetweenRanks interpolation, bool skip_nan) {
    if (!(q >= 0 && q <= 1)) fail("quantile() q must be in the range [0, 1] but got ", q);
    const DType dtype = x.is_floating() ? x.dtype() : DType::Float64;
    return quantile(x, scalar_tensor(q, dtype), dim, keepdim, interpolation, skip_nan);
}

// ------------------------------------------------------------------------------- mode

namespace {

template <class T> struct Entry {
    T value;
    int64_t place;
};

// Of a line of n elements that lie step apart. NaN is equal to nothing.
template <class T>
Entry<T> most_frequent(const T* line, int64_t n, int64_t step, std::vector<Entry<T>>& entries) {
    entries.resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) entries[static_cast<size_t>(i)] = {line[i * step], i};
    std::sort(entries.begin(), entries.end(), [](const Entry<T>& a, const Entry<T>& b) {
        if (a.value < b.value || (a.value == a.value && b.value != b.value)) return true;
        return !(b.value < a.value) && (a.value == a.value) == (b.value == b.value) &&
               a.place < b.place;
    });
    size_t best = 0, most = 0, run = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
        run = i > 0 && entries[i].value == entries[i - 1].value ? run + 1 : 1;
        if (run > most) {
            most = run;
            best = i;
        }
    }
    return entries[best];
}

}  // namespace

std::pair<Tensor, Tensor> mode(const Tensor& x, int64_t dim_given, bool keepdim) {
    const int dim = wrap_dim(dim_given, x.dim());
    if (x.dim() > 0 && x.sizes()[dim] == 0)
        fail<IndexError>("mode(): Expected reduction dim ", dim, " to have non-zero size.");
    const ReductionPlan plan(x, {dim}, keepdim);
    const auto [outer, n, inner] = plan.extents;
    Tensor values = empty(plan.result_sizes, x.dtype());
    const Tensor indices = empty(plan.result_sizes, DType::Int64);
    visit_dtype(x.dtype(), [&, n = n, inner = inner]<class T>() {
        launch(
            [n, inner, rows = values.numel()](const T* data, T* chosen, int64_t* places) {
                parallel_for(rows, grain_for(8 * n), [&](int64_t begin, int64_t end) {
                    std::vector<Entry<T>> entries;
                    for (int64_t row = begin; row < end; ++row) {
                        const T* line = data + row / inner * n * inner + row % inner;
                        const Entry<T> found = most_frequent(line, n, inner, entries);
                        chosen[row] = found.value;
                        places[row] = found.place;
                    }
                });
            },
            plan.data.data<T>(), values.data<T>(), indices.data<int64_t>());
    });
    return {recorded(std::move(values), AtIndices{"ModeBackward0", dim, keepdim}, x, indices),
            indices};
}

// ------------------------------------------------------------------------------- reductions

std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
    const ReductionPlan plan(x, dim ? Dims{*dim} : Dims{}, keepdim);
    if (!dim && x.numel() == 0)
        fail(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity.");
    if (dim && x.dim() > 0 && x.size(*dim) == 0)
        fail<IndexError>("aminmax: Expected reduction dim ", wrap_dim(*dim, x.dim()),
                         " to have non-zero size.");
    const auto& reduce = kernel_table().reduce;
    const Evenly<kernels::Ties::Divided> rule{{plan, keepdim}, "AminmaxBackward0"};
    return {recorded(plan.run(reduce.amin, "aminmax", x.dtype()), rule, x),
            recorded(plan.run(reduce.amax, "aminmax", x.dtype()), rule, x)};
}

namespace {

struct Nansum : Reduced {
    static constexpr auto node = "NansumBackward0";
    auto backward(auto g, auto x, auto) const { return where(isnan(x), 0, expand(g, x.sizes())); }
};

}  // namespace

Tensor nansum(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    if (!x_given.is_floating()) return sum(x_given, dims, keepdim, dtype);
    const Tensor x = dtype && is_floating(*dtype) ? to_dtype(x_given, *dtype) : x_given;
    const ReductionPlan plan(x, dims, keepdim);
    Tensor out;
    {
        const GradMode off(false);
        if (dtype && !is_floating(*dtype)) out = sum(where(isnan(x), 0, x), dims, keepdim, dtype);
        else out = plan.run(kernel_table().reduce.nansum, "nansum", x.dtype());
    }
    return recorded(std::move(out), Nansum{{plan, keepdim}}, x);
}

Tensor nanmean(const Tensor& x, const Dims& dims, bool keepdim, OptionalDType dtype) {
    if (!x.is_floating())
        fail("nanmean(): expected input to have floating point or complex dtype but got ",
             scalar_type_name(x.dtype()));
    const Tensor count = sum(compare(Comparison::Eq, x, x), dims, keepdim);
    return nansum(x, dims, keepdim, dtype) / count;
}

Tensor msort(const Tensor& x) { return sort(x, 0, false).first; }

}  // namespace tapegrad
