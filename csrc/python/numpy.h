// Memory shared with NumPy and with everything that speaks the buffer protocol or DLPack.
#pragma once

#include <pybind11/pytypes.h>

#include <optional>

#include "core/tensor.h"

namespace tapegrad::python {

// Whether the object is a numpy.ndarray.
bool is_array(PyObject* object);
// Whether it is one, without the import of NumPy: what is no array needs none.
bool may_be_array(PyObject* object);
// left op right of a tensor and an array, in either order, as NumPy computes it, as a tensor;
// NotImplemented where neither is an array. The tensor must not require gradients unless it is compared.
PyObject* through_numpy(PyObject* left, PyObject* right, binaryfunc op);
PyObject* compare_through_numpy(PyObject* left, PyObject* right, int op);
// The values of an array that is the other operand of an operation in place.
Tensor array_operand(const Tensor& self, PyObject* array);
// The call of a method as NumPy's functions do it, with the keyword out=None; null where it is none.
PyObject* call_by_numpy(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t count,
                        PyObject* names);
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
