// The bases of no_grad and enable_grad: context managers that cost as little as what they switch.
#include <pybind11/pytypes.h>

#include <string>

#include "autograd/cuts.h"
#include "python/bind.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

struct GuardObject {
    PyObject_HEAD bool before;
    UnrecordedBlock block;
};

// Without an argument a context manager; with a function, that function decorated.
PyObject* guard_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    PyObject* function = Py_None;
    if (PyTuple_GET_SIZE(args) > 0 || kwargs) {
        static const char* names[] = {"orig_func", nullptr};
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &function))
            return nullptr;
    }
    PyObject* self = type->tp_alloc(type, 0);
    if (!self || function == Py_None) return self;
    PyObject* decorated = PyObject_CallOneArg(self, function);
    Py_DECREF(self);
    return decorated;
}

void guard_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

template <bool Enabled> PyObject* guard_enter(PyObject* self, PyObject*) {
    auto* guard = reinterpret_cast<GuardObject*>(self);
    guard->before = thread_state.grad_enabled;
    thread_state.grad_enabled = Enabled;
    if (!Enabled) guard->block.begin();
    Py_RETURN_NONE;
}
template <bool Enabled> PyObject* guard_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
    auto* guard = reinterpret_cast<GuardObject*>(self);
    thread_state.grad_enabled = guard->before;
    if (!Enabled) guard->block.end();
    Py_RETURN_NONE;
}

template <bool Enabled> void define_guard(PyObject* m, const char* name) {
    static PyMethodDef methods[] = {
        {"__enter__", guard_enter<Enabled>, METH_NOARGS, nullptr},
        {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(guard_exit<Enabled>)),
         METH_FASTCALL, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, reinterpret_cast<void*>(guard_new)},
        {Py_tp_dealloc, reinterpret_cast<void*>(guard_dealloc)},
        {Py_tp_methods, methods},
        {0, nullptr},
    };
    static const std::string full_name = std::string("tapegrad._C.") + name;
    static PyType_Spec spec = {full_name.c_str(), sizeof(GuardObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    py::object type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
    if (!type) throw py::error_already_set();
    if (PyObject_SetAttrString(m, name, type.ptr()) < 0) throw py::error_already_set();
}

}  // namespace

void bind_grad_mode_guards(PyObject* m) {
    define_guard<false>(m, "_NoGrad");
    define_guard<true>(m, "_EnableGrad");
}

}  // namespace tapegrad::python
