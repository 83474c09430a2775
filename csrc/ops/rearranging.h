// The elements of a tensor in another order, or several times, in fresh memory.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

Tensor flip(const Tensor& x, const Dims& dims);
// dims empty: over the flattened tensor.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims);
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor tile(const Tensor& x, const Dims& dims);  // fewer numbers than dimensions will do

}  // namespace tapegrad
