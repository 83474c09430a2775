#include "ops/sampling.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_sampling(PyObject* m) {
    def_function<"poisson">(m, poisson).without_out();
    def_function<"binomial">(m, binomial).without_out();
    def_function<"_standard_gamma">(m, standard_gamma).without_out();
    def_function<"_sample_dirichlet">(m, sample_dirichlet).without_out();
    def_function<"_standard_gamma_grad">(m, standard_gamma_grad).without_out();
    def_function<"_dirichlet_grad">(m, dirichlet_grad).without_out();
}

}  // namespace tapegrad::python
