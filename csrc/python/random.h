// Generators and tensors of random numbers.
#pragma once

#include <pybind11/pybind11.h>

#include "core/random.h"
#include "core/tensor.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, tapegrad::Ref<T>, true)

namespace tapegrad::python {

// The generator behind a Python object; the default one for None and null.
Generator& read_generator(const char* function, PyObject* generator);

// A tensor of the size of input whose values are not set; its strides too if these leave no holes.
Tensor empty_like(const Tensor& input, DType dtype);

void bind_random(pybind11::module_& m);

}  // namespace tapegrad::python
