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
    bind_numpy(m);
    bind_generator(m);
#define TAPEGRAD_BIND_(topic) bind_##topic(m.ptr());
    TAPEGRAD_TOPICS(TAPEGRAD_BIND_)
#undef TAPEGRAD_BIND_
    bind_autograd(m);
    bind_grad_mode_guards(m.ptr());
    bind_module_base(m.ptr());
    bind_custom_functions(m);
    bind_legacy(m);
    bind_runtime(m);
    bind_operator_table(m);
    bind_dispatch(m);
    bind_provenance(m);
    bind_replay(m);
    bind_torch_function(m);
    bind_docs(m.ptr());
}
