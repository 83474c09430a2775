// Activations of networks that take parameters.
#pragma once

#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

Tensor leaky_relu(const Tensor& x, double negative_slope);
Tensor elu(const Tensor& x, double alpha);
Tensor softplus(const Tensor& x, double beta, double threshold);

enum class Approximation { None, Tanh };
void from_text(std::string_view text, Approximation& approximation);
Tensor gelu_with(const Tensor& x, Approximation approximation);

}  // namespace tapegrad
