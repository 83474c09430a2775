// Selecting and writing by index tensors and masks.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Whether an index is a mask: bools, or bytes as in older programs.
bool is_mask(const Tensor& index);
// x[i0, i1, ...] with integer or bool tensors; an undefined one takes the whole dimension. A mask takes as
// many dimensions of x as it has itself.
Tensor index(const Tensor& x, const std::vector<Tensor>& indices);
const Tensor& index_put_(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                         bool accumulate);
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate);
// Writes into out what index_put_ does: no tape, no checks of overlap, no version.
void put_values(const Tensor& out, const std::vector<Tensor>& indices, const Tensor& values,
                bool accumulate = false);

}  // namespace tapegrad
