// Running sums and products along a dimension.
#pragma once

#include "ops/reductions.h"

namespace tapegrad {

Tensor cumsum(const Tensor& x, int64_t dim, OptionalDType dtype = {});
Tensor cumprod(const Tensor& x, int64_t dim, OptionalDType dtype = {});
const Tensor& cumsum_(const Tensor& x, int64_t dim, OptionalDType dtype);
const Tensor& cumprod_(const Tensor& x, int64_t dim, OptionalDType dtype);

}  // namespace tapegrad
