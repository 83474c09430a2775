// One tensor cut into several views.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// equal: the sizes came from one size, which shows in the name of the node.
std::vector<Tensor> split(const Tensor& x, const Dims& sizes, int64_t dim, bool equal = false);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim);

}  // namespace tapegrad
