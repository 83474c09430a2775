#pragma once

#include "ops/arg.h"

namespace tapegrad {

// Whether each element is among others; NaN is nowhere.
Tensor isin(const Arg& elements, const Arg& test_elements, bool assume_unique, bool invert);

}  // namespace tapegrad
