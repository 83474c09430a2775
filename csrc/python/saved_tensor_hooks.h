// Python hooks on saved tensors.
#pragma once

#include <pybind11/pybind11.h>

#include "autograd/saved_tensor.h"

namespace tapegrad::python {

void bind_saved_tensor_hooks(pybind11::module_& m);
// The object that node._raw_saved_x gives: hooks can be set on it.
pybind11::object raw_saved_tensor(const Node& node, const SavedTensor& value);

// The hooks that are set on this thread, for one that takes its place.
struct HookStack;
HookStack* hook_stack();
void use_hook_stack(HookStack* hooks);

}  // namespace tapegrad::python
