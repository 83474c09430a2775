#include "ops/rearranging.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_rearranging(PyObject* m) {
    def<"flip">(m, flip).without_out();
    def<"roll">(m, roll).without_out();
    def_method<"repeat">(m, repeat);
    def<"tile">(m, tile).without_out();
}

}  // namespace tapegrad::python
