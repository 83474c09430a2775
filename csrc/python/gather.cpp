#include "ops/gather.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_gather(PyObject* m) { def<"gather">(m, gather).out_has(kSameType | kApartFromFirst); }

}  // namespace tapegrad::python
