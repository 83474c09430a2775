#include "ops/triangles.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_triangles(PyObject* m) {
    def<"tril">(m, tril);
    def<"triu">(m, triu);
    def_method<"tril_">(m, tril_);
    def_method<"triu_">(m, triu_);
    def<"diag">(m, diag);
}

}  // namespace tapegrad::python
