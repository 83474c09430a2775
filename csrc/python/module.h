// What the module has beside its operators: bound with pybind11, or by hand.
#pragma once

#include "python/casters.h"

namespace tapegrad::python {

namespace py = pybind11;

// A method that is no operator, and that pybind11 calls.
template <class F, class... Extra>
void def_plain_method(const char* name, F&& f, const Extra&... extra) {
    const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    py::setattr(
        type, name,
        py::cpp_function(std::forward<F>(f), py::name(name), py::is_method(type), extra...));
}

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
void bind_replay(py::module_& m);

}  // namespace tapegrad::python
