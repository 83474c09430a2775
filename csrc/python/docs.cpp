// Docstrings of functions and methods. Their text is kept in Python (tapegrad/_docs), where examples
// are easy to write and to run; here it is put where Python looks for it.
#include <cstdlib>
#include <cstring>

#include "python/bind.h"
#include "python/errors.h"

namespace tapegrad::python {
namespace {

void add_docstr(const py::object& target, const std::string& text) {
    PyObject* object = target.ptr();
    while (PyInstanceMethod_Check(object)) object = PyInstanceMethod_GET_FUNCTION(object);
    // A copy that is never freed, as these objects live as long as the process.
    if (PyCFunction_Check(object)) {
        reinterpret_cast<PyCFunctionObject*>(object)->m_ml->ml_doc = strdup(text.c_str());
    } else if (Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        reinterpret_cast<PyMethodDescrObject*>(object)->d_method->ml_doc = strdup(text.c_str());
    } else if (Py_IS_TYPE(object, &PyGetSetDescr_Type)) {
        reinterpret_cast<PyGetSetDescrObject*>(object)->d_getset->doc = strdup(text.c_str());
    } else {
        fail<TypeError>("_add_docstr expects a function, method or attribute, not ",
                        Py_TYPE(object)->tp_name);
    }
}

}  // namespace

void bind_docs(py::module_& m) {
    m.def("_add_docstr", add_docstr);
    // For tools that read the sources: what `import *` takes is listed here and in the stubs.
    py::list names;
    for (const auto& [key, value] : m.attr("__dict__").cast<py::dict>())
        if (std::string name = py::str(key); name[0] != '_') names.append(key);
    m.attr("__all__") = names;
}

}  // namespace tapegrad::python
