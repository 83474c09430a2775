#include "ops/normalization.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_normalization(PyObject* m) { def_function<"layer_norm">(m, layer_norm).without_out(); }

}  // namespace tapegrad::python
