#include "ops/scans.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_scans(PyObject* m) {
    def<"cumsum">(m, cumsum);
    def<"cumprod">(m, cumprod);
}

}  // namespace tapegrad::python
