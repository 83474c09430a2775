// Rows of a table by their indices.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// The row of padding_idx gets no gradient (negative: there is none); with scale_grad_by_freq those of others
// are divided by how often they were taken.
Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx,
                 bool scale_grad_by_freq, bool sparse);
// Scales the rows that indices name, where their norm is larger, to max_norm.
const Tensor& embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm,
                                double norm_type);

}  // namespace tapegrad
