#include "ops/extremes.h"

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/reduced.h"
#include "ops/scatter.h"
#include "ops/selected.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

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

}  // namespace

Tensor zeros_at_indices(const Dims& sizes, int64_t dim, const Tensor& indices, const Tensor& g,
                        bool keepdim) {
    if (sizes.empty()) return g;
    Tensor out = zeros(sizes, g.dtype());
    if (keepdim) scatter_(out, dim, indices, g);
    else scatter_(out, dim, unsqueeze(indices, dim), unsqueeze(g, dim));
    return out;
}

Tensor at_indices(const Tensor& x, int64_t dim, const Tensor& indices, bool keepdim) {
    if (x.dim() == 0) return x;
    if (keepdim) return gather(x, dim, indices);
    return squeeze(gather(x, dim, unsqueeze(indices, dim)), {dim});
}

Tensor extreme(Extreme which, const Tensor& x) {
    const ReductionPlan plan(x, {}, false);
    require_elements(plan.extents, extreme_name(which), true);
    return recorded(plan.run(extreme_kernels(which), extreme_name(which), x.dtype()),
                    Evenly<kernels::Ties::Masked>{
                        {plan, false}, {which == Extreme::Max ? "MaxBackward1" : "MinBackward1"}},
                    x);
}

Tensor extremes(Extreme which, const Tensor& x, const Dims& dims, bool keepdim) {
    const bool max = which == Extreme::Max;
    const char* name = max ? "amax" : "amin";
    const ReductionPlan plan(x, dims, keepdim);
    require_elements(plan.extents, name, dims.empty(), dims.empty() ? 0 : dims[0]);
    return recorded(
        plan.run(extreme_kernels(which), name, x.dtype()),
        Evenly<kernels::Ties::Divided>{{plan, keepdim}, {max ? "AmaxBackward0" : "AminBackward0"}},
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
    launch((which == Extreme::Max ? reduce.max_index : reduce.min_index)[x.dtype()],
           plan.data.data(), values.data(), indices.data<int64_t>(), outer, n, inner);
    values =
        recorded(std::move(values),
                 AtIndices{{which == Extreme::Max ? "MaxBackward0" : "MinBackward0"}, dim, keepdim},
                 x, indices);
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
    launch((which == Extreme::Max ? reduce.max_index : reduce.min_index)[x.dtype()],
           plan.data.data(), nullptr, indices.data<int64_t>(), outer, n, inner);
    return indices;
}

}  // namespace tapegrad
