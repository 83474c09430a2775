// The base of nn.Module: reading its attributes, and calling it.
//
// As in PyTorch, parameters, buffers and submodules are not in the module's __dict__ but in three dicts in
// there. Python would look for them in a __getattr__, after a failed search; here they are the next place of
// one search, which costs a quarter of that.
#include <pybind11/pytypes.h>

#include "python/bind.h"
#include "python/provenance.h"
#include "python/replay.h"
#include "python/slot.h"
#include "python/tensor_object.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

PyTypeObject* base_type = nullptr;
PyObject* base_getattr = nullptr;  // its __getattr__

struct Names {
    PyObject* registries[3];
    PyObject* hooks[4];
    PyObject *forward, *with_hooks, *getattr, *getattribute;
} names;

// Borrowed; null where the object has none yet.
PyObject* dict_of(PyObject* self) {
    PyObject** place = _PyObject_GetDictPtr(self);
    return place ? *place : nullptr;
}

// A new reference to what the dicts in a module's dict have under a name, or null, perhaps with an error.
PyObject* find_registered(PyObject* dict, PyObject* name) {
    for (PyObject* registry : names.registries) {
        PyObject* entries = PyDict_GetItemWithError(dict, registry);
        if (!entries) {
            if (PyErr_Occurred()) return nullptr;
            continue;
        }
        if (PyDict_CheckExact(entries) || PyODict_CheckExact(entries)) [[likely]] {
            if (PyDict_GET_SIZE(entries) == 0) continue;
            if (PyObject* found = PyDict_GetItemWithError(entries, name)) return Py_NewRef(found);
            if (PyErr_Occurred()) return nullptr;
        } else if (const int has = PySequence_Contains(entries, name)) {
            return has > 0 ? PyObject_GetItem(entries, name) : nullptr;
        }
    }
    return nullptr;
}

PyObject* get_attribute(PyObject* self, PyObject* name) {
    PyObject* dict = dict_of(self);
    if (!_PyType_Lookup(Py_TYPE(self), name) && dict) [[likely]] {
        if (PyObject* value = PyDict_GetItemWithError(dict, name)) return Py_NewRef(value);
        if (PyErr_Occurred()) return nullptr;
        PyObject* found = find_registered(dict, name);
        if (found || PyErr_Occurred()) return found;
        return PyObject_GenericGetAttr(self, name);  // for the error
    }
    PyObject* value = PyObject_GenericGetAttr(self, name);
    if (value || !dict || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
    // A property that could not answer.
    py::error_already_set error;
    PyObject* found = find_registered(dict, name);
    if (!found && !PyErr_Occurred()) error.restore();
    return found;
}

// For subclasses with a __getattr__ of their own, which call this one.
PyObject* getattr_method(PyObject* self, PyObject* name) {
    if (PyObject* dict = dict_of(self)) {
        PyObject* found = find_registered(dict, name);
        if (found || PyErr_Occurred()) return found;
    }
    return PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'",
                        Py_TYPE(self)->tp_name, name);
}

// A type whose dictionary has a __getattr__, be it inherited, gets a slot that looks for it in each access.
// Where it is the one above, the search above does the same. The interpreter sets the slot anew when a class
// gets another __getattr__ later.
PyObject* init_subclass(PyObject* cls, PyObject* args, PyObject* kwargs) {
    auto* type = reinterpret_cast<PyTypeObject*>(cls);
    PyObject* getattribute = _PyType_Lookup(type, names.getattribute);
    if (_PyType_Lookup(type, names.getattr) == base_getattr && getattribute &&
        getattribute == _PyType_Lookup(base_type, names.getattribute)) {
        type->tp_getattro = get_attribute;
        PyType_Modified(type);
    }
    // Other bases may have one, too.
    PyObject* super = PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type),
                                                   base_type, cls, nullptr);
    PyObject* next = super ? PyObject_GetAttrString(super, "__init_subclass__") : nullptr;
    PyObject* result = next ? PyObject_Call(next, args, kwargs) : nullptr;
    Py_XDECREF(next);
    Py_XDECREF(super);
    return result;
}

// The tables of hooks of all modules, which live as long as the process.
PyObject* watched[4];

PyObject* watch(PyObject*, PyObject* const* tables, Py_ssize_t count) {
    if (count != 4) return PyErr_Format(PyExc_TypeError, "_watch() takes 4 tables");
    for (int i = 0; i < 4; ++i) {
        if (!PyDict_Check(tables[i])) return PyErr_Format(PyExc_TypeError, "_watch() takes dicts");
        Py_SETREF(watched[i], Py_NewRef(tables[i]));
    }
    Py_RETURN_NONE;
}

// 1 or 0; -1 with an error.
int has_hooks(PyObject* self, PyObject* dict) {
    Py_ssize_t of_all = 0;
    for (PyObject* hooks : watched) of_all += PyDict_GET_SIZE(hooks);
    if (of_all) return 1;
    for (PyObject* name : names.hooks) {
        PyObject* hooks = dict ? PyDict_GetItemWithError(dict, name) : nullptr;
        if (!hooks) {  // Module.__init__ was not called
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'",
                             Py_TYPE(self)->tp_name, name);
            return -1;
        }
        if (PyDict_CheckExact(hooks) || PyODict_CheckExact(hooks)) [[likely]] {
            if (PyDict_GET_SIZE(hooks)) return 1;
        } else if (const int has = PyObject_IsTrue(hooks)) {
            return has;
        }
    }
    return 0;
}

PyObject* call_forward(PyObject* self, PyObject* args, PyObject* kwargs) {
    PyObject* dict = dict_of(self);
    const int hooked = has_hooks(self, dict);
    if (hooked < 0) return nullptr;
    if (is_replay_recorded()) [[unlikely]] {
        note_module(dict, hooked != 0);
        for (PyObject* hooks : watched) note_dict(hooks);
    }
    if (hooked) {
        PyObject* empty = kwargs ? nullptr : PyDict_New();
        if (!kwargs && !empty) return nullptr;
        PyObject* result = PyObject_CallMethodObjArgs(self, names.with_hooks, args,
                                                      kwargs ? kwargs : empty, nullptr);
        Py_XDECREF(empty);
        return result;
    }
    PyObject* forward = _PyType_Lookup(Py_TYPE(self), names.forward);
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    constexpr Py_ssize_t kFew = 7;
    if (forward && PyFunction_Check(forward) && count < kFew &&
        !PyDict_GetItemWithError(dict, names.forward)) [[likely]] {
        PyObject* values[kFew + 1] = {self};  // a call of the function makes no method object
        for (Py_ssize_t i = 0; i < count; ++i) values[i + 1] = PyTuple_GET_ITEM(args, i);
        Py_INCREF(forward);
        PyObject* result =
            PyObject_VectorcallDict(forward, values, static_cast<size_t>(count) + 1, kwargs);
        Py_DECREF(forward);
        return result;
    }
    if (PyErr_Occurred()) return nullptr;
    forward = PyObject_GetAttr(self, names.forward);
    if (!forward) return nullptr;
    PyObject* result = PyObject_Call(forward, args, kwargs);
    Py_DECREF(forward);
    return result;
}

PyObject* call(PyObject* self, PyObject* args, PyObject* kwargs) {
    RunningModule running(self);
    PyObject* result = call_forward(self, args, kwargs);
    if (!result) [[unlikely]]
        running.note_error();
    return result;
}

}  // namespace

void bind_module_base(PyObject* m) {
    names = {{PyUnicode_InternFromString("_parameters"), PyUnicode_InternFromString("_buffers"),
              PyUnicode_InternFromString("_modules")},
             {PyUnicode_InternFromString("_backward_hooks"),
              PyUnicode_InternFromString("_backward_pre_hooks"),
              PyUnicode_InternFromString("_forward_hooks"),
              PyUnicode_InternFromString("_forward_pre_hooks")},
             PyUnicode_InternFromString("forward"),
             PyUnicode_InternFromString("_call_with_hooks"),
             PyUnicode_InternFromString("__getattr__"),
             PyUnicode_InternFromString("__getattribute__")};
    for (PyObject*& hooks : watched) hooks = PyDict_New();
    static PyMethodDef methods[] = {
        {"__getattr__", getattr_method, METH_O, nullptr},
        {"_watch", reinterpret_cast<PyCFunction>(slot(watch)), METH_FASTCALL | METH_STATIC,
         nullptr},
        {"__init_subclass__", reinterpret_cast<PyCFunction>(slot(init_subclass)),
         METH_VARARGS | METH_KEYWORDS | METH_CLASS, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_getattro, slot(get_attribute)},
        {Py_tp_call, slot(call)},
        {Py_tp_methods, methods},
        {0, nullptr},
    };
    static PyType_Spec spec = {"tapegrad._C._ModuleBase", sizeof(PyObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    py::object type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
    if (!type || PyObject_SetAttrString(m, "_ModuleBase", type.ptr()) < 0)
        throw py::error_already_set();
    base_type = reinterpret_cast<PyTypeObject*>(type.release().ptr());
    base_getattr = _PyType_Lookup(base_type, names.getattr);
}

}  // namespace tapegrad::python
