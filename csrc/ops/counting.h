// How often values occur: each integer, and all within bins.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

Tensor bincount(const Tensor& x, const std::optional<Tensor>& weights, int64_t minlength);
// low = high: from the least value to the greatest.
Tensor histc(const Tensor& x, int64_t bins, const Scalar& low, const Scalar& high);
std::pair<Tensor, Tensor> histogram(const Tensor& x, int64_t bins,
                                    const std::optional<std::vector<double>>& range,
                                    const std::optional<Tensor>& weight, bool density);
std::pair<Tensor, Tensor> histogram(const Tensor& x, const Tensor& edges,
                                    const std::optional<Tensor>& weight, bool density);

}  // namespace tapegrad
