#include "ops/optim.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_optim(PyObject* m) {
    def_function<"_optim_sgd">(m, sgd_step);
    def_function<"_optim_adam">(m, adam_step);
    def_function<"_optim_rmsprop">(m, rmsprop_step);
    def_function<"_grad_norm">(m, grad_norm).without_out();
    def_function<"_scale_">(m, scale_);
}

}  // namespace tapegrad::python
