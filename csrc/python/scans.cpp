#include "ops/scans.h"
#include "ops/running.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_scans(PyObject* m) {
    def<"cumsum">(m, cumsum);
    def<"cumprod">(m, cumprod);
    def<"logcumsumexp">(m, logcumsumexp).out_has(kSameType);
    def_method<"cumsum_">(m, cumsum_);
    def_method<"cumprod_">(m, cumprod_);
}

}  // namespace tapegrad::python
