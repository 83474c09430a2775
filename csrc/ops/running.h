// Extremes and sums of exponentials of the elements up to each one, along a dimension.
#pragma once

#include <utility>

#include "ops/extremes.h"

namespace tapegrad {

// The values and where they were: the last of equal ones. NaN is more extreme than any number.
std::pair<Tensor, Tensor> running_extreme(Extreme which, const Tensor& x, int64_t dim);
Tensor logcumsumexp(const Tensor& x, int64_t dim);

}  // namespace tapegrad
