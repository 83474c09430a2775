#include "ops/attention.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_attention(PyObject* m) {
    def_function<"scaled_dot_product_attention">(m, scaled_dot_product_attention).without_out();
}

}  // namespace tapegrad::python
