#include "ops/reduced.h"

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "replay/elementwise.h"
#include "replay/recorder.h"

namespace tapegrad {

ReductionPlan::ReductionPlan(const Tensor& x, const Dims& given, bool keepdim) {
    if (given.empty()) {  // the order of a sum over everything is that of the elements
        data = contiguous_values(x);
        (x.dim() ? extents.n : extents.outer) = x.numel();
        dims = DimSet::all();
        if (keepdim) result_sizes = Dims(x.dim(), 1);
        return;
    }
    dims = wrap_dims(given, x.dim());
    int count = 0, first = -1, last = -1;
    for (int d = 0; d < x.dim(); ++d) {
        const bool reduced = dims.contains(d);
        if (reduced) {
            ++count;
            first = first < 0 ? d : first;
            last = d;
        }
        if (!reduced || keepdim) result_sizes.push_back(reduced ? 1 : x.sizes()[d]);
    }
    if (count == 0 || count == x.dim()) {
        data = contiguous_values(x);
        (count ? extents.n : extents.outer) = x.numel();
        return;
    }
    if (last - first + 1 == count) {
        data = contiguous_values(x);
        for (int d = 0; d < x.dim(); ++d) {
            int64_t& part = d < first ? extents.outer : d <= last ? extents.n : extents.inner;
            part = saturating_mul(part, x.sizes()[d]);
        }
        return;
    }
    // Reduced dimensions with others in between: move them together, last.
    Dims sizes, strides;
    for (const bool reduced : {false, true}) {
        for (int d = 0; d < x.dim(); ++d) {
            if (dims.contains(d) != reduced) continue;
            sizes.push_back(x.sizes()[d]);
            strides.push_back(x.strides()[d]);
            int64_t& part = reduced ? extents.n : extents.outer;
            part = saturating_mul(part, x.sizes()[d]);
        }
    }
    data = contiguous_values(alias(x, sizes, strides, 0));
}

namespace {

bool record_total(kernels::ReduceFn kernel, const Tensor& x, const Tensor& out,
                  const Extents& extents) {
    const kernels::TotalKernel* total = kernel_table().reduce.total_of(kernel);
    if (!total || extents.outer != 1 || extents.inner != 1) return false;
    static_assert(replay::TotalStep::kBlock == kernels::kTotalBlock);
    replay::TotalStep step;
    step.kernel = {total->whole, total->block, total->finish};
    step.n = extents.n;
    step.bytes = x.item_size();
    step.in = x.data();
    step.out = out.data();
    replay::recorder()->run_and_add(step);
    return true;
}

}  // namespace

void run_reduction(kernels::ReduceFn kernel, const Tensor& x, const Tensor& out,
                   const Extents& extents) {
    if (is_replay_recorded() && record_total(kernel, x, out, extents)) [[unlikely]]
        return;
    launch(kernel, x.data(), out.data(), extents.outer, extents.n, extents.inner);
}

Tensor ReductionPlan::run(const kernels::DTypeTable<kernels::ReduceFn>& kernels, const char* name,
                          DType dtype) const {
    const kernels::ReduceFn kernel = kernels.require(data.dtype(), name);
    Tensor out = empty(result_sizes, dtype);
    run_reduction(kernel, data, out, extents);
    return out;
}

Tensor restore_dims(const Tensor& t, const Dims& sizes, DimSet dims) {
    if (t.dim() == sizes.size()) return t;
    Dims restored = sizes;
    for (int d = 0; d < sizes.size(); ++d)
        if (dims.contains(d)) restored[d] = 1;
    return reshape(t, restored);
}

Tensor Reduced::leaving(const Tensor& products) const { return sum(products, Dims(dim), keepdim); }

}  // namespace tapegrad
