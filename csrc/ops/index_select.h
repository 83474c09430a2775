// Whole slices by a vector of indices: taken, added and joined.
#pragma once

#include "ops/arg.h"

namespace tapegrad {

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         const Scalar& alpha = 1);
// What a source of slices and their index have to be.
void check_slices(const char* name, const Tensor& x, int dim, const Tensor& index,
                  const Tensor& source);

}  // namespace tapegrad
