// Activations of networks that take parameters.
#pragma once

#include <string_view>

#include "core/random.h"
#include "ops/arg.h"

namespace tapegrad {

Tensor leaky_relu(const Tensor& x, double negative_slope);
Tensor elu(const Tensor& x, double alpha);
Tensor softplus(const Tensor& x, double beta, double threshold);
Tensor celu(const Tensor& x, double alpha);
Tensor hardtanh(const Tensor& x, const Scalar& low, const Scalar& high);
Tensor softshrink(const Tensor& x, double lambd);
Tensor hardshrink(const Tensor& x, double lambd);
Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value);
const Tensor& leaky_relu_(const Tensor& x, double negative_slope);
const Tensor& elu_(const Tensor& x, double alpha);
const Tensor& celu_(const Tensor& x, double alpha);
const Tensor& hardtanh_(const Tensor& x, const Scalar& low, const Scalar& high);
const Tensor& threshold_(const Tensor& x, const Scalar& threshold, const Scalar& value);

// One slope for all, or one for each channel (dimension 1).
Tensor prelu(const Tensor& x, const Tensor& weight);
// Slopes drawn from [lower, upper] in training, their mean otherwise.
Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Generator& generator);
const Tensor& rrelu_(const Tensor& x, double lower, double upper, bool training,
                     Generator& generator);
Tensor glu(const Tensor& x, int64_t dim);

enum class Approximation { None, Tanh };
void from_text(std::string_view text, Approximation& approximation);
Tensor gelu_with(const Tensor& x, Approximation approximation);

}  // namespace tapegrad
