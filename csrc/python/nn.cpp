#include "ops/dropout.h"
#include "ops/losses.h"
#include "ops/normalization.h"
#include "ops/softmax.h"

#include "ops/random.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_nn(py::module_& m) {
    def<"softmax">(m, softmax);
    def<"log_softmax">(m, log_softmax);
    def_function<"layer_norm">(m, layer_norm).without_out();
    def_function<"cross_entropy">(m, cross_entropy).without_out();
    def_function<"nll_loss">(m, nll_loss).without_out();
    def_function<"dropout">(m, [](const Tensor& x, double p, bool train) {
        return dropout(x, p, train, default_generator());
    }).without_out();
    def_function<"mse_loss">(m, mse_loss).without_out();
    def_function<"l1_loss">(m, l1_loss).without_out();
    def_function<"binary_cross_entropy_with_logits">(m, binary_cross_entropy_with_logits)
        .without_out();
}

}  // namespace tapegrad::python
