// Operators on several tensors at once and on grids of them, made of views, copies and joins.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

Tensor atleast_2d(const Tensor& x);
Tensor atleast_3d(const Tensor& x);
Tensor hstack(const std::vector<Tensor>& tensors);
Tensor vstack(const std::vector<Tensor>& tensors);
Tensor dstack(const std::vector<Tensor>& tensors);
Tensor column_stack(const std::vector<Tensor>& tensors);

// Parts between indices, or as many as are asked for, of which the first ones may be larger by one.
std::vector<Tensor> tensor_split_at(const Tensor& x, const Dims& indices, int64_t dim);
std::vector<Tensor> tensor_split_into(const Tensor& x, int64_t sections, int64_t dim);
// A number of sections (0-d) or indices (1-d).
std::vector<Tensor> tensor_split_by(const Tensor& x, const Tensor& split, int64_t dim);
// Along one dimension, the one of the name; equal parts.
enum class SplitAxis { Horizontal, Vertical, Depth };
std::vector<Tensor> axis_split_into(SplitAxis axis, const Tensor& x, int64_t sections);
std::vector<Tensor> axis_split_at(SplitAxis axis, const Tensor& x, const Dims& indices);

// The order of the first two dimensions of grids: of matrices, or of coordinates.
enum class Indexing { Matrix, Cartesian };
void from_text(std::string_view text, Indexing& indexing);
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, std::optional<Indexing> indexing);
Tensor cartesian_prod(const std::vector<Tensor>& tensors);
Tensor combinations(const Tensor& x, int64_t r, bool with_replacement);

Tensor rot90(const Tensor& x, int64_t k, const Dims& dims);
Tensor fliplr(const Tensor& x);
Tensor flipud(const Tensor& x);

}  // namespace tapegrad
