// Whole slices written by a vector of indices.
#pragma once

#include "ops/arg.h"

namespace tapegrad {

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);

}  // namespace tapegrad
