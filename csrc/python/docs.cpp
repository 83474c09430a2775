// Docstrings: csrc/python/docs has their text, which the build turns into the table included below.
#include <cstring>

#include "python/bind.h"
#include "python/errors.h"

namespace tapegrad::python {
namespace {

// Operators are functions of the module, methods of Tensor, or both.
enum class Kind { Operator, Method, Type };
struct Docstring {
    Kind kind;
    const char* name;
    const char* signature;  // "(input, ...)", or "" where there are several forms
    const char* text;
};
constexpr Docstring kDocstrings[] = {
#include "docstrings.inc"
};

// The signature in the form that inspect reads, and the text. Never freed: what it belongs to lives as
// long as the process.
const char* compose(const Docstring& entry, const char* self) {
    std::string result;
    if (*entry.signature) {
        constexpr std::string_view first = "(input";
        std::string_view signature = entry.signature;
        result = entry.name;
        if (self && signature.starts_with(first)) {
            result.append("(").append(self);
            signature.remove_prefix(first.size());
        }
        result.append(signature).append("\n--\n\n");
    }
    return strdup(result.append(entry.text).c_str());
}

void attach(PyObject* object, const Docstring& entry, bool method) {
    if (!object) return PyErr_Clear();
    while (PyInstanceMethod_Check(object)) object = PyInstanceMethod_GET_FUNCTION(object);
    // C methods hide their self, which the others have as first parameter.
    if (PyCFunction_Check(object))
        reinterpret_cast<PyCFunctionObject*>(object)->m_ml->ml_doc =
            compose(entry, method ? "self" : nullptr);
    else if (Py_IS_TYPE(object, &PyMethodDescr_Type))
        reinterpret_cast<PyMethodDescrObject*>(object)->d_method->ml_doc = compose(entry, "$self");
    else if (Py_IS_TYPE(object, &PyGetSetDescr_Type))
        reinterpret_cast<PyGetSetDescrObject*>(object)->d_getset->doc = compose(entry, nullptr);
    else fail<TypeError>("no docstring can be attached to ", entry.name);
}

}  // namespace

void bind_docs(py::module_& m) {
    PyObject* functions = PyModule_GetDict(m.ptr());
    for (const Docstring& entry : kDocstrings) {
        if (entry.kind == Kind::Type) {
            m.attr(entry.name).attr("__doc__") = entry.text;
            continue;
        }
        if (entry.kind == Kind::Operator)
            attach(PyDict_GetItemString(functions, entry.name), entry, false);
        attach(PyDict_GetItemString(tensor_type->tp_dict, entry.name), entry, true);
    }
    // For tools that read the sources: what `import *` takes is listed here and in the stubs.
    py::list names;
    for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(functions))
        if (std::string name = py::str(key); name[0] != '_') names.append(key);
    m.attr("__all__") = names;
}

}  // namespace tapegrad::python
