// Distances between points, and norms of parts.
#pragma once

#include <optional>
#include <string_view>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// How distances are computed makes no difference here: never by a product of matrices, which loses digits.
enum class DistanceMode { IfNecessary, Always, Never };
void from_text(std::string_view text, DistanceMode& mode);

// The p-norm of the difference of each row of x1 and each row of x2.
Tensor cdist(const Tensor& x1, const Tensor& x2, double p, std::optional<DistanceMode> mode);
// Of each pair of rows of a matrix.
Tensor pdist(const Tensor& x, double p);
// The p-norm of the difference of two tensors.
Tensor dist(const Tensor& x, const Tensor& other, double p);

// The parts along a dimension, those made shorter whose p-norm is larger than maxnorm.
Tensor renorm(const Tensor& x, double p, int64_t dim, double maxnorm);
const Tensor& renorm_(const Tensor& x, double p, int64_t dim, double maxnorm);

}  // namespace tapegrad
