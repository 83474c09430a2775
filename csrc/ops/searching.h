// Places of values in sorted ones.
#pragma once

#include <optional>
#include <string_view>

#include "ops/arg.h"

namespace tapegrad {

enum class Side { Left, Right };
void from_text(std::string_view text, Side& side);

// How many elements of the rows of a sorted sequence are less than each value; right: not greater. Without a
// number of dimensions more than 1, the sequence serves all values; otherwise its rows serve theirs. sorter:
// the order in which the sequence is sorted.
Tensor searchsorted(const Tensor& sequence, const Arg& values, bool out_int32, bool right,
                    std::optional<Side> side, const std::optional<Tensor>& sorter);
Tensor bucketize(const Arg& values, const Tensor& boundaries, bool out_int32, bool right);

}  // namespace tapegrad
