// Tensors taken apart into several, and several brought to one shape. All results are views.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Parts of one size, the last one with what is left.
std::vector<Tensor> split_by_size(const Tensor& x, int64_t size, int64_t dim);
std::vector<Tensor> split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim);

Dims broadcast_shapes(const std::vector<Dims>& shapes);
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);

}  // namespace tapegrad
