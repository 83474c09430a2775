// Distinct values.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace tapegrad {

struct Distinct {
    Tensor values, inverse, counts;  // the last two only if they were asked for
};
// In ascending order; dim: whole slices along a dimension, in the order of their elements.
Distinct unique(const Tensor& x, bool inverse, bool counts, std::optional<int64_t> dim);
// Runs of equal values, or of equal slices.
Distinct unique_consecutive(const Tensor& x, bool inverse, bool counts, std::optional<int64_t> dim);

}  // namespace tapegrad
