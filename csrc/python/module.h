// What the module has beside its operators: bound with pybind11, or by hand.
#pragma once

#include "python/casters.h"
#include "python/name.h"
#include "python/torch_function.h"

namespace tapegrad::python {

namespace py = pybind11;

// A method that is no operator, and that pybind11 calls. Python sees a method like the others.
template <Name N> struct PlainMethod {
    static PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* names) {
        return call_plain_method(function, method, self, args, count, names);
    }
    static inline PyObject *function = nullptr, *method = nullptr;
    static inline PyMethodDef definition{
        N.text, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
        METH_FASTCALL | METH_KEYWORDS, nullptr};
};
template <Name N, class F, class... Extra> void def_plain_method(F&& f, const Extra&... extra) {
    using Method = PlainMethod<N>;
    const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    py::cpp_function function(std::forward<F>(f), py::name(N.text), py::is_method(type), extra...);
    Method::definition.ml_doc =
        PyUnicode_AsUTF8(py::object(function.attr("__doc__")).release().ptr());
    Method::function = function.release().ptr();
    add_method(&Method::definition);
    Method::method = py::object(type.attr(N.text)).release().ptr();
}

// Arguments as Python gives them, as a tuple and a dict.
std::pair<py::tuple, py::dict> pack_arguments(PyObject* self, PyObject* const* args,
                                              Py_ssize_t count, PyObject* names);

void bind_dlpack(py::module_& m);
void bind_numpy(py::module_& m);
void bind_autograd(py::module_& m);
void bind_nodes(py::module_& m);
void bind_custom_functions(py::module_& m);
void bind_generator(py::module_& m);
void bind_legacy(py::module_& m);
void bind_runtime(py::module_& m);
void bind_operator_table(py::module_& m);
void bind_dispatch(py::module_& m);
void bind_provenance(py::module_& m);
void bind_replay(py::module_& m);
void bind_torch_function(py::module_& m);

}  // namespace tapegrad::python
