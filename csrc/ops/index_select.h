// Whole slices by a vector of indices: taken, added and joined.
#pragma once

#include "ops/arg.h"
#include "ops/scatter.h"

namespace tapegrad {

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         const Scalar& alpha = 1);
// By one of scatter_reduce's ways, but sums.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    Reduce reduce, bool include_self);
const Tensor& index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                            Reduce reduce, bool include_self);

}  // namespace tapegrad
