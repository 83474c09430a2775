// Products, powers and exponentials of matrices, and what is composed of other operators.
#pragma once

#include <optional>
#include <vector>

#include "core/tensor.h"
#include "ops/arg.h"
#include "ops/reductions.h"

namespace tapegrad {

Tensor matrix_power(const Tensor& a, int64_t n);
Tensor matrix_exp(const Tensor& a);
Tensor trace(const Tensor& a);
// Products in the order with the fewest multiplications; the first and the last one may be vectors.
Tensor multi_dot(const std::vector<Tensor>& tensors);
Tensor chain_matmul(const std::vector<Tensor>& matrices);
// Sums over dims_a of a and dims_b of b.
Tensor tensordot(const Tensor& a, const Tensor& b, const Dims& dims_a, const Dims& dims_b);
Tensor kron(const Tensor& a, const Tensor& b);
Tensor block_diag(const std::vector<Tensor>& tensors);
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim);
Tensor cross_old(const Tensor& a, const Tensor& b, std::optional<int64_t> dim);
Tensor vecdot(const Tensor& a, const Tensor& b, int64_t dim);
Tensor vdot(const Tensor& a, const Tensor& b);
// Powers of the elements along a new last dimension.
Tensor linalg_vander(const Tensor& x, std::optional<int64_t> count);
Tensor vander(const Tensor& x, std::optional<int64_t> count, bool increasing);
Tensor tensorinv(const Tensor& a, int64_t ind);
Tensor tensorsolve(const Tensor& a, const Tensor& b, const std::optional<Dims>& dims);
// The ratio of the largest to the smallest singular value, or of norms of the matrix and of its inverse.
Tensor cond(const Tensor& a, const std::optional<NormOrder>& order);

}  // namespace tapegrad
