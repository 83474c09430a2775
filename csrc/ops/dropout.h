#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace tapegrad {

// x itself outside training; else each element is zero with probability p and 1 / (1 - p) times as large
// otherwise.
Tensor dropout(const Tensor& x, double p, bool train, Generator& generator);
// x where the mask is true, 1 / (1 - p) times as large; 0 elsewhere.
Tensor masked_scale(const Tensor& x, const Tensor& mask, double p);

}  // namespace tapegrad
