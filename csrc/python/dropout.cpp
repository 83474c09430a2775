#include "ops/dropout.h"
#include "core/random.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_dropout(PyObject* m) {
    def_function<"dropout">(m, [](const Tensor& x, double p, bool train) {
        return dropout(x, p, train, default_generator());
    }).without_out();
}

}  // namespace tapegrad::python
