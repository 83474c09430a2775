#include "ops/nn.h"

#include "core/random.h"
#include "ops/random.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

Reduction reduction_from(const std::string& name) {
    if (name == "mean") return Reduction::Mean;
    if (name == "sum") return Reduction::Sum;
    if (name == "none") return Reduction::None;
    fail<ValueError>(name, " is not a valid value for reduction");
}

}  // namespace

void bind_nn(py::module_& m) {
    def_both(m, "softmax", softmax, py::arg("dim"), py::arg("dtype") = py::none());
    def_both(m, "log_softmax", log_softmax, py::arg("dim"), py::arg("dtype") = py::none());
    m.def(
        "cross_entropy",
        [](const Tensor& input, const Tensor& target, const std::optional<Tensor>& weight,
           const std::string& reduction, int64_t ignore_index, double label_smoothing) {
            return cross_entropy(input, target, defined_or_empty(weight), reduction_from(reduction),
                                 ignore_index, label_smoothing);
        },
        py::arg("input"), py::arg("target"), py::arg("weight") = py::none(),
        py::arg("reduction") = "mean", py::arg("ignore_index") = -100,
        py::arg("label_smoothing") = 0.0);
    m.def(
        "nll_loss",
        [](const Tensor& input, const Tensor& target, const std::optional<Tensor>& weight,
           const std::string& reduction, int64_t ignore_index) {
            return nll_loss(input, target, defined_or_empty(weight), reduction_from(reduction),
                            ignore_index);
        },
        py::arg("input"), py::arg("target"), py::arg("weight") = py::none(),
        py::arg("reduction") = "mean", py::arg("ignore_index") = -100);
    m.def(
        "dropout",
        [](const Tensor& input, double p, bool train) {
            return dropout(input, p, train, default_generator());
        },
        py::arg("input"), py::arg("p") = 0.5, py::arg("train") = true);
    m.def(
        "mse_loss",
        [](const Tensor& input, const Tensor& target, const std::string& reduction) {
            return mse_loss(input, target, reduction_from(reduction));
        },
        py::arg("input"), py::arg("target"), py::arg("reduction") = "mean");
    m.def(
        "l1_loss",
        [](const Tensor& input, const Tensor& target, const std::string& reduction) {
            return l1_loss(input, target, reduction_from(reduction));
        },
        py::arg("input"), py::arg("target"), py::arg("reduction") = "mean");
    m.def(
        "binary_cross_entropy_with_logits",
        [](const Tensor& input, const Tensor& target, const std::optional<Tensor>& weight,
           const std::optional<Tensor>& pos_weight, const std::string& reduction) {
            return binary_cross_entropy_with_logits(input, target, defined_or_empty(weight),
                                                    defined_or_empty(pos_weight),
                                                    reduction_from(reduction));
        },
        py::arg("input"), py::arg("target"), py::arg("weight") = py::none(),
        py::arg("pos_weight") = py::none(), py::arg("reduction") = "mean");
}

}  // namespace tapegrad::python
