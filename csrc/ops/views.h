// Operators whose result is another window on the same memory.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// The same window with two dimensions swapped; no relation on the tape.
Tensor swap_dims(const Tensor& x, int a, int b);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor t(const Tensor& x);  // 2-d or less
const Tensor& transpose_(const Tensor& x, int64_t dim0, int64_t dim1);
const Tensor& t_(const Tensor& x);
Tensor matrix_transpose(const Tensor& x);  // the last two dimensions
Tensor reversed(const Tensor& x);          // .T: all dimensions in reverse order
Tensor permute(const Tensor& x, const Dims& dims);
Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination);
Tensor expand(const Tensor& x, const Dims& sizes);
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, const Dims& dims);
const Tensor& squeeze_(const Tensor& x);
const Tensor& squeeze_(const Tensor& x, const Dims& dims);
Tensor unsqueeze(const Tensor& x, int64_t dim);
const Tensor& unsqueeze_(const Tensor& x, int64_t dim);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
// Zeros of the given sizes with g on a diagonal.
Tensor zeros_diagonal(const Dims& sizes, int64_t offset, int64_t dim1, int64_t dim2,
                      const Tensor& g);
Tensor view_alias(const Tensor& x);  // the same window as a recorded view of x
Tensor detach(const Tensor& x);

// Sums x to sizes, from which it was broadcast.
Tensor sum_to(const Tensor& x, const Dims& sizes);
// The same, for a size that users name: it must be one that broadcasts to x.
Tensor sum_to_size(const Tensor& x, const Dims& size);

Dims broadcast_shapes(const std::vector<Dims>& shapes);
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);

}  // namespace tapegrad
