// One tensor cut into several views.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Parts of one size, the last one with what is left.
std::vector<Tensor> split_by_size(const Tensor& x, int64_t size, int64_t dim);
std::vector<Tensor> split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim);
// Parts that PyTorch does not count as views of one tensor, so that each may be written to.
std::vector<Tensor> unsafe_split(const Tensor& x, int64_t size, int64_t dim);
std::vector<Tensor> unsafe_split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim);
std::vector<Tensor> unsafe_chunk(const Tensor& x, int64_t chunks, int64_t dim);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim);
// Raises for more parts than a node has results.
void check_part_count(int64_t count);

}  // namespace tapegrad
