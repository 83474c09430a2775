// Operators whose result is another window on the same memory.
#pragma once

#include <optional>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides,
                  std::optional<int64_t> storage_offset);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor t(const Tensor& x);                 // 2-d or less
Tensor matrix_transpose(const Tensor& x);  // the last two dimensions
Tensor reversed(const Tensor& x);          // .T: all dimensions in reverse order
Tensor permute(const Tensor& x, const Dims& dims);
Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination);
// -1 stands for the size that remains.
Tensor view(const Tensor& x, const Dims& sizes);
Tensor reshape(const Tensor& x, const Dims& sizes);
Tensor flatten(const Tensor& x, int64_t start, int64_t end);
Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes);
Tensor expand(const Tensor& x, const Dims& sizes);
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, const Dims& dims);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
Tensor view_alias(const Tensor& x);  // the same window as a recorded view of x
Tensor detach(const Tensor& x);
// equal: the sizes came from one size, which shows in the name of the node.
std::vector<Tensor> split(const Tensor& x, const Dims& sizes, int64_t dim, bool equal = false);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim);

// Sums x to sizes, from which it was broadcast.
Tensor sum_to(const Tensor& x, const Dims& sizes);
// The same, for a size that users name: it must be one that broadcasts to x.
Tensor sum_to_size(const Tensor& x, const Dims& size);

}  // namespace tapegrad
