// Values that Python and C++ exchange beside tensors.
#pragma once

#include <Python.h>

#include <optional>

#include "core/dtype.h"

namespace tapegrad::python {

// The one object of each dtype.
PyObject* dtype_object(DType dtype);
std::optional<DType> dtype_from_object(PyObject* object);

// object.name = value; throws what that raises.
void set_attribute(PyObject* object, const char* name, PyObject* value);
// bool(object); what that raises is thrown.
bool truth_of(PyObject* object);
bool is_size(PyObject* object);

// An integer, from anything that says that it is one (int, NumPy integer, 0-d integer tensor).
bool to_integer(PyObject* object, int64_t& result);

}  // namespace tapegrad::python
