// Copies and conversions.
#pragma once

#include "ops/arg.h"

namespace tapegrad {

// out[...] = x, broadcast and converted; no tape, no checks of shape.
void copy_values(const Tensor& out, const Tensor& x);
// x itself if it is contiguous, else a contiguous copy; no tape.
Tensor contiguous_values(const Tensor& x);
// x itself if it has the dtype, else a converted copy; no tape.
Tensor cast_values(const Tensor& x, DType dtype);
void fill_values(const Tensor& out, const Scalar& value);

Tensor clone(const Tensor& x);
Tensor contiguous(const Tensor& x);
Tensor to_dtype(const Tensor& x, DType dtype);
const Tensor& copy_(const Tensor& self, const Tensor& source);
const Tensor& fill_(const Tensor& self, const Arg& value);
const Tensor& zero_(const Tensor& self);
Tensor zeros(const Dims& sizes, DType dtype);
Tensor zeros_like(const Tensor& x);
Tensor full(const Dims& sizes, const Scalar& value, DType dtype);
Tensor scalar_tensor(const Scalar& value, DType dtype);

}  // namespace tapegrad
