// Singular values.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// Of the matrices of the last two dimensions, the largest first.
Tensor singular_values(const Tensor& x);
// Their sum, of matrices of two dimensions; dims empty: of a matrix.
Tensor nuclear_norm(const Tensor& x, const Dims& dims, bool keepdim);

// Raises for dimensions that are not two.
[[noreturn]] void refuse_matrix_dims(const Dims& dims);

}  // namespace tapegrad
