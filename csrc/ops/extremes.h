// The largest and the smallest elements, and where they are.
#pragma once

#include <optional>
#include <utility>

#include "core/tensor.h"

namespace tapegrad {

enum class Extreme { Max, Min };
Tensor extreme(Extreme which, const Tensor& x);  // of all elements; ties share the gradient
Tensor extremes(Extreme which, const Tensor& x, const Dims& dims, bool keepdim);  // amax, amin
std::pair<Tensor, Tensor> extreme_with_index(Extreme which, const Tensor& x, int64_t dim,
                                             bool keepdim);
Tensor arg_extreme(Extreme which, const Tensor& x, std::optional<int64_t> dim, bool keepdim);

}  // namespace tapegrad
