#include "ops/as_strided.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_as_strided(PyObject* m) { def<"as_strided">(m, as_strided).without_out(); }

}  // namespace tapegrad::python
