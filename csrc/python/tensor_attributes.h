// Attributes of Tensor objects, and what their life depends on.
#pragma once

#include <pybind11/pytypes.h>

#include <vector>

#include "core/tensor.h"

namespace tapegrad::python {

PyGetSetDef* tensor_getset();
PyObject* construct_tensor(PyTypeObject* type, PyObject* args, PyObject* kwargs);

// The Python callables that hang on a tensor, for the garbage collector.
int traverse_hooks(const Tensor& tensor, visitproc visit, void* arg);
void clear_hooks(const Tensor& tensor);

// After something was attached to an object that may lead back to it.
void track_object(PyObject* object);
// Python finalizes an object once; one that came back from its finalizer may need it again. The mark is
// the lowest bit of the last word before the object, in all of Python 3.9 to 3.13.
inline void allow_finalizer(PyObject* object) noexcept {
    reinterpret_cast<uintptr_t*>(object)[-1] &= ~uintptr_t{1};
}

}  // namespace tapegrad::python
