#pragma once

#include "core/tensor.h"

namespace tapegrad {

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);

}  // namespace tapegrad
