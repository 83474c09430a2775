#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace tapegrad {

// x itself outside training; else each element is zero with probability p and 1 / (1 - p) times as large
// otherwise.
Tensor dropout(const Tensor& x, double p, bool train, Generator& generator);

}  // namespace tapegrad
