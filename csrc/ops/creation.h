// Tensors made from a rule.
#pragma once

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// start, start + step, ... up to but without end. Floats are computed in double precision.
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype);
// The same with the end.
Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype);
// steps values evenly from start to end, both included and exact.
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, DType dtype);
Tensor eye(int64_t rows, int64_t columns, DType dtype);

}  // namespace tapegrad
