// More elements around the last dimensions.
#pragma once

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// pad: pairs of numbers of elements before and after, the last dimension first; negative ones take away.
Tensor constant_pad(const Tensor& x, const Dims& pad, const Scalar& value);
// Elements that there are, mirrored at the border, or its own again. `spatial` is how many dimensions are padded.
Tensor reflection_pad(int spatial, const Tensor& x, const Dims& pad);
Tensor replication_pad(int spatial, const Tensor& x, const Dims& pad);
// Elements from the other end.
Tensor circular_pad(const Tensor& x, const Dims& pad);

}  // namespace tapegrad
