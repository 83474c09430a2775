#include "ops/index_select.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_index_select(PyObject* m) {
    def<"index_select">(m, index_select);
    def<"index_add">(m, index_add);
    def_method<"index_add_">(m, index_add_);
}

}  // namespace tapegrad::python
