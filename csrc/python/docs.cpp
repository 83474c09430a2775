// Docstrings: csrc/python/docs has their text, which the build turns into the table included below.
#include "python/docs.h"

#include <pybind11/pytypes.h>

#include <algorithm>
#include <cstring>

#include "python/bind.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

constexpr Docstring kDocstrings[] = {
#include "docstrings.inc"
};
bool is_operator[std::size(kDocstrings)];

void attach(PyObject* object, const Docstring& entry) {
    if (!object) fail("the docs tables have ", entry.name, ", which does not exist");
    // Methods bound with pybind11 hide their self, which the others have as first parameter.
    while (PyInstanceMethod_Check(object)) object = PyInstanceMethod_GET_FUNCTION(object);
    if (PyCFunction_Check(object))
        reinterpret_cast<PyCFunctionObject*>(object)->m_ml->ml_doc =
            compose_docstring(entry, entry.kind == DocKind::Method ? "self" : nullptr, false);
    else if (Py_IS_TYPE(object, &PyMethodDescr_Type))
        reinterpret_cast<PyMethodDescrObject*>(object)->d_method->ml_doc =
            compose_docstring(entry, "$self", false);
    else if (Py_IS_TYPE(object, &PyGetSetDescr_Type))
        reinterpret_cast<PyGetSetDescrObject*>(object)->d_getset->doc =
            compose_docstring(entry, nullptr, false);
    else fail<TypeError>("no docstring can be attached to ", entry.name);
}

}  // namespace

// The table is sorted by names; of one name the operator comes before the method.
const Docstring& docstring_of(const char* name, bool method) {
    const auto [first, last] = std::equal_range(
        std::begin(kDocstrings), std::end(kDocstrings), Docstring{{}, name, {}, {}},
        [](const Docstring& a, const Docstring& b) { return std::strcmp(a.name, b.name) < 0; });
    const DocKind wanted = method ? DocKind::Method : DocKind::Operator;
    auto found =
        std::find_if(first, last, [&](const Docstring& entry) { return entry.kind == wanted; });
    if (found == last && method) found = first;  // the same as the function
    if (found == last) fail("the docs tables do not have ", name);
    is_operator[found - kDocstrings] = true;
    return *found;
}

const char* compose_docstring(const Docstring& entry, const char* self, bool takes_out) {
    std::string result;
    std::string signature = entry.signatures;
    if (!signature.empty() && signature.find('\n') == signature.npos) {
        constexpr std::string_view first = "(input";
        if (self && signature.starts_with(first)) signature.replace(1, first.size() - 1, self);
        if (takes_out)
            signature.replace(
                signature.size() - 1, 1,
                signature.find('*') == signature.npos ? ", *, out=None)" : ", out=None)");
        result = entry.name + signature + "\n--\n\n";
    }
    return strdup(result.append(entry.text).c_str());
}

void bind_docs(PyObject* m) {
    PyObject* functions = PyModule_GetDict(m);
    for (Operator* op : all_operators()) op->attach_docstring();
    for (const Docstring& entry : kDocstrings) {
        if (entry.kind == DocKind::Type) {
            const auto type =
                py::reinterpret_steal<py::object>(PyObject_GetAttrString(m, entry.name));
            set_attribute(type.ptr(), "__doc__", py::str(entry.text).ptr());
            continue;
        }
        if (is_operator[&entry - kDocstrings]) continue;
        PyObject* owner = entry.kind == DocKind::Operator ? functions : tensor_type->tp_dict;
        attach(PyDict_GetItemString(owner, entry.name), entry);
    }
    // For tools that read the sources: what `import *` takes is listed here and in the stubs.
    py::list names;
    for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(functions))
        if (std::string name = py::str(key); name[0] != '_') names.append(key);
    set_attribute(m, "__all__", names.ptr());
}

}  // namespace tapegrad::python
