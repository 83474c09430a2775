// Maxima and means over windows of the last dimensions.
#pragma once

#include <optional>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// One number counts for all dimensions; no stride is that of the kernel. Values and, for maxima, their places
// in the last `spatial` dimensions together.
std::vector<Tensor> max_pool(int spatial, const Tensor& x, const Dims& kernel, const Dims& stride,
                             const Dims& padding, const Dims& dilation, bool ceil_mode);
Tensor avg_pool(int spatial, const Tensor& x, const Dims& kernel, const Dims& stride,
                const Dims& padding, bool ceil_mode, bool count_include_pad,
                std::optional<int64_t> divisor);
// Windows that cut each dimension into so many parts.
std::vector<Tensor> adaptive_max_pool(int spatial, const Tensor& x, const Dims& output_size);
Tensor adaptive_avg_pool(int spatial, const Tensor& x, const Dims& output_size);
// Zeros of the size with the values of x at the places.
Tensor max_unpool(int spatial, const Tensor& x, const Tensor& indices, const Dims& output_size);

}  // namespace tapegrad
