#include "ops/joining.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_joining(PyObject* m) {
    def_function<"cat">(m, cat).alias("concat").alias("concatenate");
    def_function<"stack">(m, stack);
}

}  // namespace tapegrad::python
