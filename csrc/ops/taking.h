// Elements by their places in the flattened tensor or along a dimension, and places by numbers.
#pragma once

#include <optional>
#include <vector>

#include "core/tensor.h"
#include "ops/options.h"

namespace tapegrad {

// By places in row-major order; negative ones count from the end.
Tensor take(const Tensor& x, const Tensor& index);
const Tensor& put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate);
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate);
Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim);

// 0 as often as repeats says, then 1, and so on.
Tensor repeated_places(const Tensor& repeats, std::optional<int64_t> output_size);
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size);
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size);

// The coordinates of places in a shape.
std::vector<Tensor> unravel_index(const Tensor& index, const Dims& shape);
// The coordinates of a triangle of a matrix, row by row: [2, count].
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options);
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options);

}  // namespace tapegrad
