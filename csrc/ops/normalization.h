// Normalisation of the last dimensions.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// weight, bias: of normalized_shape, or undefined.
Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps);

}  // namespace tapegrad
