#include "ops/extremes.h"

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reduced.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

using kernels::Ties;

const char* extreme_name(Extreme which) { return which == Extreme::Max ? "max" : "min"; }

const auto& extreme_kernels(Extreme which) {
    const auto& reduce = kernel_table().reduce;
    return which == Extreme::Max ? reduce.amax : reduce.amin;
}

void require_elements(const Extents& e, const char* name, bool over_all, int64_t dim = 0) {
    if (e.n > 0) return;
    if (over_all)
        fail(name,
             "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
             "reduction dim with the 'dim' argument.");
    if (e.outer > 0 && e.inner > 0)
        fail<IndexError>(name, "(): Expected reduction dim ", dim, " to have non-zero size.");
}

// The gradient is shared evenly among the elements that are extreme.
template <Ties ties> struct Evenly : Reduced {
    const char* name;
    const char* node() const { return name; }
    auto backward(auto g, auto x, auto y) const {
        if constexpr (ties == Ties::Masked) {
            auto hits = (x == y) | (isnan(x) & isnan(y));
            return where(hits, g / sum(cast_like(hits, x), dim, true), 0);
        } else {
            auto hits = cast_like(x == y, x);
            return g * hits / sum(hits, dim, true);
        }
    }
    Tensor fused(const Tensor& grad, const Tensor& x, const Tensor& result) const {
        bool rows = true;
        for (int d = 1; d < x.dim(); ++d) rows &= dim.contains(d) || !dim.contains(d - 1);
        if (!rows || !x.is_contiguous() || grad.dtype() != x.dtype()) return {};
        Tensor out = empty_row_major_like(x);
        const Tensor g = contiguous_values(grad), y = contiguous_values(result);
        kernel_table().reduce.extreme_backward[x.dtype()](
            g.data(), x.data(), y.data(), out.data(), g.numel(),
            g.numel() ? x.numel() / g.numel() : 0, ties);
        return out;
    }
};

// Zeros but for g, a gradient of what was taken at the indices along a dimension.
Tensor zeros_at_indices(const Dims& sizes, int64_t dim, const Tensor& indices, const Tensor& g,
                        bool keepdim) {
    if (sizes.empty()) return g;
    Tensor out = zeros(sizes, g.dtype());
    if (keepdim) scatter_(out, dim, indices, g);
    else scatter_(out, dim, unsqueeze(indices, dim), unsqueeze(g, dim));
    return out;
}

TAPEGRAD_WORD(zeros_at_indices)

struct ExtremeAlong {
    static constexpr std::array arguments{"self", "indices"};
    const char* name;
    int64_t dim;
    bool keepdim;
    const char* node() const { return name; }
    auto backward(auto g, auto x, auto indices, auto) const {
        return zeros_at_indices(x.sizes(), dim, indices, g, keepdim);
    }
    void parameters(auto show) const { show("dim", dim, "keepdim", keepdim); }
};

}  // namespace

Tensor extreme(Extreme which, const Tensor& x) {
    const ReductionPlan plan(x, {}, false);
    require_elements(plan.extents, extreme_name(which), true);
    return recorded(plan.run(extreme_kernels(which), extreme_name(which), x.dtype()),
                    Evenly<Ties::Masked>{{plan, false},
                                         which == Extreme::Max ? "MaxBackward1" : "MinBackward1"},
                    x);
}

Tensor extremes(Extreme which, const Tensor& x, const Dims& dims, bool keepdim) {
    const bool max = which == Extreme::Max;
    const char* name = max ? "amax" : "amin";
    const ReductionPlan plan(x, dims, keepdim);
    require_elements(plan.extents, name, dims.empty(), dims.empty() ? 0 : dims[0]);
    return recorded(plan.run(extreme_kernels(which), name, x.dtype()),
                    Evenly<Ties::Divided>{{plan, keepdim}, max ? "AmaxBackward0" : "AminBackward0"},
                    x);
}

std::pair<Tensor, Tensor> extreme_with_index(Extreme which, const Tensor& x, int64_t dim_given,
                                             bool keepdim) {
    const ReductionPlan plan(x, {dim_given}, keepdim);
    const int64_t dim = wrap_dim(dim_given, x.dim());
    require_elements(plan.extents, extreme_name(which), false, dim);
    const auto& reduce = kernel_table().reduce;
    Tensor values = empty(plan.result_sizes, x.dtype());
    const Tensor indices = empty(values.sizes(), DType::Int64);
    const auto& [outer, n, inner] = plan.extents;
    (which == Extreme::Max ? reduce.max_index : reduce.min_index)[x.dtype()](
        plan.data.data(), values.data(), indices.data<int64_t>(), outer, n, inner);
    values = recorded(
        std::move(values),
        ExtremeAlong{which == Extreme::Max ? "MaxBackward0" : "MinBackward0", dim, keepdim}, x,
        indices);
    return {values, indices};
}

Tensor arg_extreme(Extreme which, const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
    const ReductionPlan plan(x, dim ? Dims{*dim} : Dims{}, keepdim);
    const auto& [outer, n, inner] = plan.extents;
    const char* name = which == Extreme::Max ? "argmax" : "argmin";
    if (n == 0 && (!dim || (outer > 0 && inner > 0))) {
        if (dim)
            fail<IndexError>(name, "(): Expected reduction dim ", *dim, " to have non-zero size.");
        fail<IndexError>(name,
                         "(): Expected reduction dim to be specified for input.numel() == 0.");
    }
    if (x.dtype() == DType::Bool)
        fail<NotImplementedError>("\"", name, "_cpu\" not implemented for 'Bool'");
    const auto& reduce = kernel_table().reduce;
    Tensor indices = empty(plan.result_sizes, DType::Int64);
    (which == Extreme::Max ? reduce.max_index : reduce.min_index)[x.dtype()](
        plan.data.data(), nullptr, indices.data<int64_t>(), outer, n, inner);
    return indices;
}

}  // namespace tapegrad
