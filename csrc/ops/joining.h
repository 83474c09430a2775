// Putting tensors together, and rearranging one into fresh memory.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Types are promoted; a one-dimensional empty tensor is skipped whatever the shape of the others.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim);
Tensor concat2(const Tensor& a, const Tensor& b, int64_t dim);
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim);
Tensor flip(const Tensor& x, const Dims& dims);
// dims empty: over the flattened tensor.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims);
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor tile(const Tensor& x, const Dims& dims);  // fewer numbers than dimensions will do
Tensor tril(const Tensor& x, int64_t diagonal);
Tensor triu(const Tensor& x, int64_t diagonal);
const Tensor& tril_(const Tensor& x, int64_t diagonal);
const Tensor& triu_(const Tensor& x, int64_t diagonal);
// The diagonal of a matrix, or a matrix with the given diagonal.
Tensor diag(const Tensor& x, int64_t offset);

}  // namespace tapegrad
