#include "ops/isin.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_isin(PyObject* m) { def_function<"isin">(m, isin).out_has(kSameType); }

}  // namespace tapegrad::python
