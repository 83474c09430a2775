// Generators and tensors of random numbers.
#pragma once

#include <pybind11/pybind11.h>

#include "core/random.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, tapegrad::Ref<T>, true)

namespace tapegrad::python {

void bind_random(pybind11::module_& m);

}  // namespace tapegrad::python
