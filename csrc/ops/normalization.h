// Layers that normalise: the last dimensions, groups of channels, or channels over all samples.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace tapegrad {

// weight, bias: of normalized_shape, or undefined.
Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps);

Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                std::optional<double> eps);

// weight, bias: [channels], or undefined.
Tensor group_norm(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps);

// Training takes the statistics from the input, and brings the running ones closer to them.
Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var, bool training,
                  double momentum, double eps);
Tensor instance_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                     const Tensor& running_mean, const Tensor& running_var, bool use_input_stats,
                     double momentum, double eps);

}  // namespace tapegrad
