#include "ops/nonzero.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_nonzero(PyObject* m) {
    def<"nonzero">(
        m, [](const Tensor& x, std::false_type) { return nonzero(x); },
        [](const Tensor& x, std::true_type) { return nonzero_tuple(x); })
        .out_has(kSameType);
    def<"argwhere">(m, nonzero).without_out();
}

}  // namespace tapegrad::python
