// What the reductions share: the data in the form that kernels take, and the base of their rules.
#pragma once

#include "core/tensor.h"
#include "kernels/reduce.h"
#include "ops/extents.h"

namespace tapegrad {

// A reduction brought to [outer, n, inner]: contiguous data, and the sizes of the result.
struct ReductionPlan {
    // dims empty: over all.
    ReductionPlan(const Tensor& x, const Dims& dims, bool keepdim);

    // The result of a kernel on data. Raises where there is no kernel for the type.
    Tensor run(const kernels::DTypeTable<kernels::ReduceFn>& kernels, const char* name,
               DType dtype) const;

    Tensor data;
    Extents extents;
    DimSet dims;        // those that are reduced
    Dims result_sizes;  // of the result: without the reduced dimensions, or with 1 in their place
};

// out = a reduction of contiguous x, [outer, n, inner]. Of all its elements it may join the steps that compute them.
void run_reduction(kernels::ReduceFn kernel, const Tensor& x, const Tensor& out,
                   const Extents& extents);

// t, a gradient or result of a reduction of x, with size 1 for the dimensions that are reduced.
Tensor restore_dims(const Tensor& t, const Dims& sizes, DimSet dims);

// Base of the rules of reductions: they see gradient and result with the reduced dimensions of size 1, and multiply
// the gradient by the slopes; the sum of the slopes' products with a tangent is that of the result.
struct Reduced {
    Reduced(const ReductionPlan& plan, bool keeps) : dim(plan.dims), keepdim(keeps) {}

    // A single number broadcasts as it is.
    Tensor arriving(const Tensor& t, const Tensor& x) const {
        return t.dim() == 0 || keepdim ? t : restore_dims(t, x.sizes(), dim);
    }
    Tensor leaving(const Tensor& products) const;
    void parameters(auto show) const { show("dim", Dims(dim), "keepdim", keepdim); }

    DimSet dim;  // all, if none were given
    bool keepdim;
};

}  // namespace tapegrad
