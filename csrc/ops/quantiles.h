// Elements by their rank or number, and reductions that leave NaN out.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "ops/reductions.h"

namespace tapegrad {

// What stands for a rank between two elements.
enum class BetweenRanks { Linear, Lower, Higher, Midpoint, Nearest };
void from_text(std::string_view text, BetweenRanks& interpolation);

// q: parts of the elements, 0-d or 1-d; several come first in the sizes of the result. skip_nan: NaN counts
// for nothing, where otherwise one makes the result NaN.
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                BetweenRanks interpolation, bool skip_nan);
Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                BetweenRanks interpolation, bool skip_nan);

// The value that occurs most often, the least of several, and the last place where it is.
std::pair<Tensor, Tensor> mode(const Tensor& x, int64_t dim, bool keepdim);

// The least and the greatest, along a dimension or of all.
std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim);

Tensor nansum(const Tensor& x, const Dims& dims, bool keepdim, OptionalDType dtype);
Tensor nanmean(const Tensor& x, const Dims& dims, bool keepdim, OptionalDType dtype);
Tensor msort(const Tensor& x);

}  // namespace tapegrad
