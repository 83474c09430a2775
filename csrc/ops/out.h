// Results that go into a tensor that the caller has: out=.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// Raises if the operation would be recorded: one of its arguments, or out, requires gradients.
void refuse_recorded_out(const char* function, bool requires_grad);

// Puts a result into out, which is given its shape.
void write_out(const Tensor& out, const Tensor& result);

}  // namespace tapegrad
