// Windows of a tensor that is copied: written by values of their own, slid along a dimension, on diagonals.
#pragma once

#include <optional>

#include "ops/arg.h"

namespace tapegrad {

// A copy of x whose window, that of select, slice, diagonal or as_strided, holds source.
Tensor select_scatter(const Tensor& x, const Tensor& source, int64_t dim, int64_t index);
Tensor slice_scatter(const Tensor& x, const Tensor& source, int64_t dim,
                     std::optional<int64_t> start, std::optional<int64_t> end, int64_t step);
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int64_t dim1,
                        int64_t dim2);
Tensor as_strided_scatter(const Tensor& x, const Tensor& source, const Dims& sizes,
                          const Dims& strides, std::optional<int64_t> storage_offset);

// All windows of a size along a dimension, step apart, as a last dimension: a view.
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);

// Matrices, in two dimensions of the result, with the last dimension of x as a diagonal.
Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
Tensor diagflat(const Tensor& x, int64_t offset);
// The main diagonal; with wrap, of tall matrices also those that begin again below it.
const Tensor& fill_diagonal_(const Tensor& x, const Scalar& value, bool wrap);

}  // namespace tapegrad
