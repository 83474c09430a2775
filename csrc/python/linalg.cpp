#include "ops/linalg.h"
#include "ops/svd.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_linalg(PyObject* m) {
    def<"matmul">(m, matmul);
    def<"mm">(m, mm);
    def<"bmm">(m, bmm);
    def<"mv">(m, mv);
    def<"dot">(m, dot);
    def<"inner">(m, inner);
    def<"outer">(m, outer);
    def<"addmm">(m, addmm);
    def_method<"addmm_">(m, addmm_);
    def_function<"linear">(m, linear);
    def_function<"_svdvals">(m, singular_values).without_out();
}

}  // namespace tapegrad::python
