#include "ops/triangles.h"
#include "ops/taking.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_triangles(PyObject* m) {
    def<"tril">(m, tril).out_has(kSameType);
    def<"triu">(m, triu).out_has(kSameType);
    def_method<"tril_">(m, tril_);
    def_method<"triu_">(m, triu_);
    def<"diag">(m, diag).out_has(kSameType);
    def_function<"tril_indices">(m, tril_indices).without_out();
    def_function<"triu_indices">(m, triu_indices).without_out();
}

}  // namespace tapegrad::python
