// Singular values.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// Of the matrices of the last two dimensions, the largest first.
Tensor singular_values(const Tensor& x);

}  // namespace tapegrad
