// Tensors from nested Python data.
#pragma once

#include <Python.h>

#include <optional>

#include "core/tensor.h"

namespace tapegrad::python {

// A tensor with the values of numbers, arrays and (nested) sequences of them; without a dtype it follows from
// the data, as in PyTorch. An array shares its memory with the result if share is set and its type allows it.
// Not for tensors, but for sequences that contain tensors of one element.
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool share = false);

}  // namespace tapegrad::python
