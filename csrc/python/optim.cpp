#include "ops/optim.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_optim(PyObject* m) {
    using Step = void (*)(OptimRule, const Tensors&, const Tensors&, const Tensors&,
                          const std::vector<double>&);
    using StepFrom =
        void (*)(OptimRule, const Tensors&, const Tensors&, const Tensors&, const Tensor&);
    def_function<"_optim_step">(m, Step{optim_step}, StepFrom{optim_step});
    def_function<"_grad_norm">(m, grad_norm).without_out();
    def_function<"_clip_">(m, clip_);
}

}  // namespace tapegrad::python
