// Elements by their rank among those of a dimension, and where they are. NaN ranks last.
#pragma once

#include <utility>

#include "core/tensor.h"

namespace tapegrad {

// The lower one of the two in the middle; NaN where there is one. The second form passes over NaN.
Tensor median(const Tensor& x);
std::pair<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim);
Tensor nanmedian(const Tensor& x);
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim);
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim);

}  // namespace tapegrad
