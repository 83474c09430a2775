// Calls that code in Python sees: operators while a dispatch mode is on (utils/_python_dispatch.py), and all that
// is done with tensors while somebody is asked by __torch_function__ (torch_function.h). What Python calls is
// exchanged for that time; without it nothing of this is on the way of a call.
#pragma once

#include <Python.h>

namespace tapegrad::python {

class Operator;

// Exchanges what Python calls, or takes that back; calls nest.
void watch_operators(bool on);
// Whether a mode of this thread sees operators.
bool is_dispatching() noexcept;

// As Operator::call_method, or without self as call_function.
PyObject* call_watched(const Operator& op, PyObject* self, PyObject* const* args, Py_ssize_t count,
                       PyObject* names) noexcept;

// From now on __torch_function__ is asked.
void begin_asking();

}  // namespace tapegrad::python
