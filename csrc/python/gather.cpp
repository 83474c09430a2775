#include "ops/gather.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_gather(PyObject* m) { def<"gather">(m, gather); }

}  // namespace tapegrad::python
