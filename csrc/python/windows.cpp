#include "ops/windows.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_windows(PyObject* m) {
    def<"select_scatter">(m, select_scatter).without_out();
    def<"slice_scatter">(m, slice_scatter).out_has(kSameType);
    def<"diagonal_scatter">(m, diagonal_scatter).without_out();
    def<"as_strided_scatter">(m, as_strided_scatter).without_out();
    def_method<"unfold">(m, unfold);
    def<"diag_embed">(m, diag_embed).without_out();
    def<"diagflat">(m, diagflat).without_out();
    def_method<"fill_diagonal_">(m, fill_diagonal_);
}

}  // namespace tapegrad::python
