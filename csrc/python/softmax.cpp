#include "ops/softmax.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_softmax(PyObject* m) {
    def<"softmax">(m, softmax).out_has(kSameType);
    def<"log_softmax">(m, log_softmax).out_has(kSameType);
}

}  // namespace tapegrad::python
