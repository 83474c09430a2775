#include "ops/optim.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_optim(PyObject* m) {
    def_function<"_optim_step">(m, optim_step);
    def_function<"_grad_norm">(m, grad_norm).without_out();
    def_function<"_scale_">(m, scale_);
}

}  // namespace tapegrad::python
