// Putting tensors together.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Types are promoted; a one-dimensional empty tensor is skipped whatever the shape of the others.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim);
Tensor concat2(const Tensor& a, const Tensor& b, int64_t dim);
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim);

}  // namespace tapegrad
