// Where the elements are that are not zero.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

Tensor nonzero(const Tensor& x);
// One vector of coordinates per dimension.
std::vector<Tensor> nonzero_coordinates(const Tensor& x);
// The same, with a tensor without dimensions taken as a vector.
std::vector<Tensor> nonzero_tuple(const Tensor& x);

}  // namespace tapegrad
