// Parts of matrices: triangles and diagonals.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

Tensor tril(const Tensor& x, int64_t diagonal);
Tensor triu(const Tensor& x, int64_t diagonal);
const Tensor& tril_(const Tensor& x, int64_t diagonal);
const Tensor& triu_(const Tensor& x, int64_t diagonal);
// The diagonal of a matrix, or a matrix with the given diagonal.
Tensor diag(const Tensor& x, int64_t offset);

}  // namespace tapegrad
