#include "ops/triangles.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_triangles(PyObject* m) {
    def<"tril">(m, tril).out_has(kSameType);
    def<"triu">(m, triu).out_has(kSameType);
    def_method<"tril_">(m, tril_);
    def_method<"triu_">(m, triu_);
    def<"diag">(m, diag).out_has(kSameType);
}

}  // namespace tapegrad::python
