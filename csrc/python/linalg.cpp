#include "ops/linalg.h"

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/views.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_linalg(py::module_& m) {
    def_both(m, "matmul", matmul, py::arg("other"));
    def_both(m, "mm", mm, py::arg("mat2"));
    def_both(m, "bmm", bmm, py::arg("mat2"));
    def_both(m, "mv", mv, py::arg("vec"));
    def_both(m, "dot", dot, py::arg("tensor"));
    def_both(
        m, "inner",
        [](const Tensor& a, const Tensor& b) {
            return a.dim() && b.dim() ? matmul(a, b.dim() > 1 ? transpose(b, -2, -1) : b) : a * b;
        },
        py::arg("other"));
    def_both(m, "outer", outer, py::arg("vec2"));
    def_both(m, "addmm", addmm, py::arg("mat1"), py::arg("mat2"), py::kw_only(),
             py::arg("beta") = 1.0, py::arg("alpha") = 1.0);
    m.def(
        "linear",
        [](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
            return linear(x, weight, defined_or_empty(bias));
        },
        py::arg("input"), py::arg("weight"), py::arg("bias") = py::none());
}

}  // namespace tapegrad::python
