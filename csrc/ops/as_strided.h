// Any window on a storage; and what the tape makes of writing through views.
#pragma once

#include <optional>

#include "autograd/node.h"
#include "core/tensor.h"
#include "ops/memory_format.h"

namespace tapegrad {

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides,
                  std::optional<int64_t> storage_offset = {});
const Tensor& as_strided_(const Tensor& x, const Dims& sizes, const Dims& strides,
                          std::optional<int64_t> storage_offset);
// Whether the memory from the tensor's offset on has room for these sizes; where nobody else has it, it grows.
bool make_room(const Tensor& x, const Dims& sizes);
// The first elements of the memory from the tensor's offset on, which grows if it has to.
const Tensor& resize_(const Tensor& x, const Dims& sizes, OptionalFormat format = {});

// The node of a base that was written through a view: node is that of the writing.
Ref<Node> copy_slices_node(const Tensor& base, const Tensor& view, const Ref<Node>& node);
// The node that takes a view's window out of its base.
Ref<Node> as_strided_node(const Tensor& base, const Tensor& view);

}  // namespace tapegrad
