// Norms of vectors and of matrices.
#pragma once

#include <optional>

#include "core/scalar.h"
#include "ops/reductions.h"

namespace tapegrad {

// dims none or empty: over all elements.
Tensor vector_norm(const Tensor& x, const Scalar& order, const std::optional<Dims>& dims,
                   bool keepdim, OptionalDType dtype);
// Of the matrices of two dimensions, the last ones if none are given.
Tensor matrix_norm(const Tensor& a, const NormOrder& order, const std::optional<Dims>& dims,
                   bool keepdim, OptionalDType dtype);
// Of vectors along one dimension, of matrices along two; without an order of all elements.
Tensor linalg_norm(const Tensor& a, const std::optional<NormOrder>& order,
                   const std::optional<Dims>& dims, bool keepdim, OptionalDType dtype);
// Raises for dimensions of matrices that are not two.
[[noreturn]] void refuse_matrix_dims(const Dims& dims);
// The sum of the singular values; dims empty: of a matrix.
Tensor nuclear_norm(const Tensor& x, const Dims& dims, bool keepdim);

}  // namespace tapegrad
