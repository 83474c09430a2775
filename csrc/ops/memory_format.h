// The order of dimensions in memory that users may ask for.
#pragma once

#include <optional>

#include "ops/options.h"

namespace tapegrad {

enum class MemoryFormat { Preserve, Contiguous, ChannelsLast, ChannelsLast3d };
using OptionalFormat = std::optional<MemoryFormat>;  // none: as the operator does without

// What makes a tensor like another one: its order too, unless another is asked for.
struct LikeOptions : TensorOptions {
    OptionalFormat format;
};

// Whether the elements of x lie as a fresh tensor of the format has them.
bool is_contiguous(const Tensor& x, MemoryFormat format);

// The strides of a tensor whose memory is in a format; raises where the number of dimensions is not that of
// the format.
Dims strides_in(const Dims& sizes, MemoryFormat format);
// The format of what is made like x: that of its channels, where they come last.
MemoryFormat suggested_format(const Tensor& x);

// Fresh memory in a format.
Tensor empty(const Dims& sizes, DType dtype, MemoryFormat format);
Tensor empty_like(const Tensor& x, DType dtype, OptionalFormat format);

Tensor clone(const Tensor& x, OptionalFormat format);
// x itself where it lies so already.
Tensor contiguous(const Tensor& x, OptionalFormat format);
// A copy where the dtype or the format asks for one, or the caller does.
Tensor to_copy(const Tensor& x, DType dtype, bool copy, OptionalFormat format);

}  // namespace tapegrad
