#include "ops/activations.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_activations(PyObject* m) {
    def<"leaky_relu">(m, leaky_relu).without_out();
    def<"leaky_relu_">(m, leaky_relu_);
    def<"elu">(m, elu).without_out();
    def<"elu_">(m, elu_);
    def<"celu">(m, celu).without_out();
    def<"celu_">(m, celu_);
    def<"gelu">(m, gelu_with).out_has(kSameType);
    def<"softplus">(m, softplus).out_has(kSameType);
    def<"hardtanh">(m, hardtanh).without_out();
    def<"hardtanh_">(m, hardtanh_);
    def<"softshrink">(m, softshrink).out_has(kSameType);
    def<"hardshrink">(m, hardshrink);
    def<"threshold">(m, threshold);
    def<"threshold_">(m, threshold_);
    def<"prelu">(m, prelu).without_out();
    def<"rrelu">(m, rrelu).without_out();
    def<"rrelu_">(m, rrelu_);
    def<"glu">(m, glu).without_out();
}

}  // namespace tapegrad::python
