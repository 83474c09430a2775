// Memory shared with NumPy and with everything that speaks the buffer protocol or DLPack.
#pragma once

#include <pybind11/pytypes.h>

#include <optional>

#include "core/tensor.h"

namespace tapegrad::python {

// Whether the object is a numpy.ndarray.
bool is_array(PyObject* object);
// Whether the object is one of NumPy's scalars, such as numpy.float32(2).
bool is_array_scalar(PyObject* object);
// The element type of an array or of one of NumPy's scalars; raises where there is none here.
DType array_dtype(pybind11::handle array);
// A tensor on the memory of an array, or of what NumPy makes an array of. It has memory of its own where a
// copy is asked for or another dtype than that of the array.
Tensor convert_array(pybind11::handle array, bool copy, std::optional<DType> dtype = std::nullopt);
// An array on the memory of a tensor.
pybind11::object to_array(const Tensor& tensor);

// The buffer slots of the Tensor type.
int get_buffer(PyObject* self, Py_buffer* view, int flags);
void release_buffer(PyObject* self, Py_buffer* view);

// A tensor on memory that Python keeps: release(owner) is called when nobody needs it any more.
// Sizes and strides are in elements; raises where an address is not aligned.
Tensor borrow_memory(void* data, const Dims& sizes, const Dims& strides, DType dtype, void* owner,
                     void (*release)(void*), bool read_only);

}  // namespace tapegrad::python
