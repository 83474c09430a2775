#include "ops/joining.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_joining(PyObject* m) {
    def_function<"cat">(m, cat).alias("concat").alias("concatenate").out_has(kApart | kJoined);
    def_function<"stack">(m, stack).out_has(kApart | kJoined);
}

}  // namespace tapegrad::python
