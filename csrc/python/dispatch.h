// Calls of operators that code in Python sees while a dispatch mode is on (utils/_python_dispatch.py). What
// Python calls is exchanged for that time; without a mode nothing of this is on the way of a call.
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

}  // namespace tapegrad::python
