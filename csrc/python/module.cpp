#include "python/module.h"
#include "kernels/table.h"
#include "python/bind.h"
#include "python/errors.h"

PYBIND11_MODULE(_C, m) {
    using namespace tapegrad::python;
    m.doc() = "The compiled core of tapegrad.";
    m.attr("__version__") = TAPEGRAD_VERSION;
    install_error_handling();
    tapegrad::kernels::select_instruction_set();
    bind_dtypes(m.ptr());
    define_tensor_type(m.ptr());
    bind_nodes(m);
    bind_elementwise(m.ptr());
    bind_reductions(m.ptr());
    bind_views(m.ptr());
    bind_indexing(m.ptr());
    bind_joining(m.ptr());
    bind_linalg(m.ptr());
    bind_nn(m.ptr());
    bind_numpy(m);
    bind_creation(m.ptr());
    bind_generator(m);
    bind_random(m.ptr());
    bind_autograd(m);
    bind_grad_mode_guards(m.ptr());
    bind_custom_functions(m);
    bind_optim(m.ptr());
    bind_runtime(m);
    bind_operator_table(m);
    bind_docs(m.ptr());
}
