#include "ops/index_write.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_index_write(PyObject* m) {
    def<"index_copy">(m, index_copy).out_has(kSameType | kApartFromOthers);
    def_method<"index_copy_">(m, index_copy_);
    def<"index_fill">(m, index_fill).without_out();
    def_method<"index_fill_">(m, index_fill_);
}

}  // namespace tapegrad::python
