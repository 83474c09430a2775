#include "ops/softmax.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_softmax(PyObject* m) {
    def<"softmax">(m, softmax);
    def<"log_softmax">(m, log_softmax);
}

}  // namespace tapegrad::python
