#include "ops/index_select.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_index_select(PyObject* m) {
    def<"index_select">(m, index_select).out_has(kSameType | kApart);
    def<"index_add">(m, index_add).out_has(kSameType | kApartFromOthers);
    def_method<"index_add_">(m, index_add_);
}

}  // namespace tapegrad::python
