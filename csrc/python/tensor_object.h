// The Python type Tensor: hand-written, because wrapping and unwrapping are most of a small operation.
#pragma once

#include <Python.h>

#include "core/tensor.h"
#include "ops/arg.h"

namespace tapegrad::python {

struct TensorObject {
    PyObject_HEAD
        // Made and destroyed by hand, like all of the object. It holds a reference unless the tensor owns the
        // object (python_owned).
        union {
        Tensor tensor;
    };
    PyObject* dict;
    PyObject* weak_references;

    TensorImpl* impl() const noexcept { return tensor.impl(); }
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* object) noexcept {
    return Py_TYPE(object) == tensor_type || PyType_IsSubtype(Py_TYPE(object), tensor_type);
}

// The tensor of a Python object that is known to be one.
inline const Tensor& unwrap(PyObject* object) noexcept {
    return reinterpret_cast<TensorObject*>(object)->tensor;
}

// A new reference to the Python object of a tensor: always the same one while it lives. None if undefined.
PyObject* wrap(Tensor tensor);

// A new object of a subclass of Tensor.
PyObject* wrap_as(PyTypeObject* type, Tensor tensor);

// Makes the type and puts it into the module.
void define_tensor_type(PyObject* module);

// Adds a method that is a C function.
void add_method(PyMethodDef* definition);

// Reads a Python number; false if it is none. NumPy scalars are numbers too.
bool to_scalar(PyObject* object, Scalar& result);

// x[index] and x[index] = value (subscript.cpp).
PyObject* get_item(PyObject* self, PyObject* index);
int set_item(PyObject* self, PyObject* index, PyObject* value);

// The size of a tensor as tapegrad.Size, a tuple.
PyObject* wrap_size(const Dims& sizes);

// Element as a Python number.
PyObject* element_to_python(const void* data, DType dtype);
PyObject* item(const Tensor& tensor);

}  // namespace tapegrad::python
