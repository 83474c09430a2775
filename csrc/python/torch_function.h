// PyTorch's protocol __torch_function__: objects and modes that give the result of a call in its place. Who can
// be asked is known before the call: modes that are on, and types of which an instance was seen. As long as there
// are none nobody looks for them (dispatch.h).
#pragma once

#include <Python.h>

namespace tapegrad::python {

// What holds for a thread.
struct Asking {
    bool modes = false;       // a mode is on and not at work itself
    bool no_objects = false;  // DisableTorchFunctionSubclass
    bool nobody = false;      // DisableTorchFunction
};
extern constinit thread_local Asking asking;

// Whether somebody may be asked at all, on any thread.
extern bool anybody_to_ask;

// Whether somebody is to be asked about a call with these arguments (self may be null).
bool find_overridden(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;
inline bool is_overridden(PyObject* self, PyObject* const* args = nullptr,
                          Py_ssize_t count = 0) noexcept {
    return anybody_to_ask && find_overridden(self, args, count);
}

// What those who are asked give for function(*args, **kwargs); kwargs may be null. Where all of them refuse, a
// TypeError, or NotImplemented if it may be returned.
PyObject* ask(PyObject* function, PyObject* args, PyObject* kwargs, bool may_refuse = false);

// The same for arguments as Python gives them.
PyObject* ask(PyObject* function, PyObject* self, PyObject* const* args, Py_ssize_t count,
              PyObject* names);

// The same for a method of Tensor, by its name.
PyObject* ask_method(const char* name, PyObject* self, PyObject* const* args = nullptr,
                     Py_ssize_t count = 0, PyObject* names = nullptr, bool may_refuse = false);

// Calls a method of Tensor by a function of it and the rest, or asks.
PyObject* call_plain_method(PyObject* function, PyObject* method, PyObject* self,
                            PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept;

// Whether a type has the method and does not switch it off.
bool has_torch_function(PyTypeObject* type) noexcept;

// For what does not fit: whether one of the objects is to be asked. From then on calls look for its like, so that
// the call can be made again. Also in lists and tuples.
bool take_note(PyObject* const* objects, Py_ssize_t count);
bool take_note(PyObject* left, PyObject* right);
// After that, in an operator that the function in Python which runs only hands its arguments to (relu): the result
// of that function, called again. Null without an error where no such function runs.
PyObject* call_again();

// Of the type of a new tensor that is none of Tensor itself.
void note_subclass(PyTypeObject* type);

}  // namespace tapegrad::python
