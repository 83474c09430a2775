#include "ops/joining.h"
#include "ops/rearranging.h"
#include "ops/triangles.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_joining(PyObject* m) {
    def_function<"cat">(m, cat).alias("concat").alias("concatenate");
    def_function<"stack">(m, stack);
    def<"flip">(m, flip).without_out();
    def<"roll">(m, roll).without_out();
    def_method<"repeat">(m, repeat);
    def<"tile">(m, tile).without_out();
    def<"tril">(m, tril);
    def<"triu">(m, triu);
    def_method<"tril_">(m, tril_);
    def_method<"triu_">(m, triu_);
    def<"diag">(m, diag);
}

}  // namespace tapegrad::python
