// Covariances, and areas under sampled curves.
#pragma once

#include <optional>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// Rows are variables, columns observations. fweights: how often each was made; aweights: how much it counts.
Tensor cov(const Tensor& x, int64_t correction, const std::optional<Tensor>& fweights,
           const std::optional<Tensor>& aweights);
Tensor corrcoef(const Tensor& x);

// By the rule of trapezoids, for samples y at x, or dx apart.
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim);
Tensor trapezoid(const Tensor& y, const Scalar& dx, int64_t dim);
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim);
Tensor cumulative_trapezoid(const Tensor& y, const Scalar& dx, int64_t dim);

}  // namespace tapegrad
