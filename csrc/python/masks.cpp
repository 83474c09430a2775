#include "ops/masks.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_masks(PyObject* m) {
    def<"masked_scatter">(m, masked_scatter).without_out();
    def_method<"masked_scatter_">(m, masked_scatter_);
    def<"masked_fill">(m, masked_fill).without_out();
    def_method<"masked_fill_">(m, masked_fill_);
    def<"masked_select">(m, masked_select).out_has(kSameType | kApart);
}

}  // namespace tapegrad::python
