// Results that go into a tensor that the caller has: out=.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Raises if the operation would be recorded.
void refuse_recorded_out(const char* function, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& outs);
// Raises unless the result can be put into out.
void check_out(const Tensor& out, const Tensor& result, const std::vector<Tensor>& inputs);
// Puts the result into out, which is given its shape: silently if out has no elements, or the result's
// shape is what the caller has asked for.
void write_out(const Tensor& out, const Tensor& result, bool warns);

}  // namespace tapegrad
