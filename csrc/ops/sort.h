#pragma once

#include <utility>

#include "core/tensor.h"

namespace tapegrad {

// Sorted values along dim and where they were; stable, NaN counts as the largest value.
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending);
Tensor argsort(const Tensor& x, int64_t dim, bool descending);
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest);

}  // namespace tapegrad
