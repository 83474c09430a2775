#pragma once

#include "ops/reductions.h"

namespace tapegrad {

Tensor softmax(const Tensor& x, int64_t dim, OptionalDType dtype = {});
Tensor log_softmax(const Tensor& x, int64_t dim, OptionalDType dtype = {});

}  // namespace tapegrad
