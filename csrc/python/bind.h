// Registration of functions and methods, and the list of the binding files.
#pragma once

#include "python/casters.h"

namespace tapegrad::python {

namespace py = pybind11;

// A function of the module.
template <class F, class... Extra>
void def_function(py::module_& m, const char* name, F&& f, const Extra&... extra) {
    m.def(name, std::forward<F>(f), extra...);
}

// The attribute `name` of the Tensor type, if it is a function that can be overloaded further.
py::object method_sibling(const char* name);
void set_method(const char* name, const py::object& function);

// A method of Tensor; the first parameter of f is the tensor.
template <class F, class... Extra> void def_method(const char* name, F&& f, const Extra&... extra) {
    const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    py::cpp_function function(std::forward<F>(f), py::name(name), py::is_method(type),
                              py::sibling(method_sibling(name)), extra...);
    set_method(name, function);
}

// Both: tapegrad.name(input, ...) and tensor.name(...). extra names every parameter but the first.
template <class F, class... Extra>
void def_both(py::module_& m, const char* name, F&& f, const Extra&... extra) {
    m.def(name, f, py::arg("input"), extra...);
    def_method(name, std::forward<F>(f), extra...);
}

void bind_dtypes(py::module_& m);
void bind_elementwise(py::module_& m);
void bind_reductions(py::module_& m);
void bind_views(py::module_& m);
void bind_indexing(py::module_& m);
void bind_linalg(py::module_& m);
void bind_nn(py::module_& m);
void bind_creation(py::module_& m);
void bind_numpy(py::module_& m);
void bind_optim(py::module_& m);
void bind_autograd(py::module_& m);
void bind_grad_mode_guards(py::module_& m);
void bind_nodes(py::module_& m);
void bind_custom_functions(py::module_& m);
void bind_runtime(py::module_& m);
void bind_shortcuts(py::module_& m);
void bind_docs(py::module_& m);

}  // namespace tapegrad::python
