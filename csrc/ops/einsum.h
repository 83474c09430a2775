// Einstein's summation.
#pragma once

#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// Products of tensors whose dimensions have names of one letter, summed over those that the result does not
// have: "ij,jk->ik". "..." stands for dimensions without names, which broadcast.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace tapegrad
