#include "kernels/table.h"
#include "python/bind.h"
#include "python/errors.h"

PYBIND11_MODULE(_C, m) {
    using namespace tapegrad::python;
    m.doc() = "The compiled core of tapegrad.";
    m.attr("__version__") = TAPEGRAD_VERSION;
    install_error_handling();
    tapegrad::kernels::select_instruction_set();
    bind_dtypes(m);
    define_tensor_type(m.ptr());
    bind_nodes(m);
    bind_elementwise(m);
    bind_reductions(m);
    bind_views(m);
    bind_indexing(m);
    bind_joining(m);
    bind_linalg(m);
    bind_nn(m);
    bind_numpy(m);
    bind_creation(m);
    bind_autograd(m);
    bind_grad_mode_guards(m);
    bind_custom_functions(m);
    bind_optim(m);
    bind_runtime(m);
    bind_operator_table(m);
    bind_docs(m);
}
