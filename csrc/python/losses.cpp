#include "ops/losses.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_losses(PyObject* m) {
    def_function<"cross_entropy">(m, cross_entropy).without_out();
    def_function<"nll_loss">(m, nll_loss).without_out();
    def_function<"mse_loss">(m, mse_loss).without_out();
    def_function<"l1_loss">(m, l1_loss).without_out();
    def_function<"smooth_l1_loss">(m, smooth_l1_loss).without_out();
    def_function<"binary_cross_entropy_with_logits">(m, binary_cross_entropy_with_logits)
        .without_out();
}

}  // namespace tapegrad::python
