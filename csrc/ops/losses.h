// Losses, fused for speed or for accuracy.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

enum class Reduction { None, Mean, Sum };
void from_text(std::string_view text, Reduction& reduction);

// input [N, C, d...] or [C]; target: class numbers (int64) or probabilities of input's shape.
Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                     Reduction reduction, int64_t ignore_index, double label_smoothing);
// The same of log-probabilities.
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                Reduction reduction, int64_t ignore_index);
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction);
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, double beta);
Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction);
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight, const Tensor& pos_weight,
                                        Reduction reduction);

}  // namespace tapegrad
