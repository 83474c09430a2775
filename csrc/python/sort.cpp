#include "ops/sort.h"
#include "ops/quantiles.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_sort(PyObject* m) {
    def<"sort">(m, sort).out_has(kSameType);
    def<"argsort">(m, argsort).without_out();
    def<"msort">(m, msort).out_has(kSameType);
    def<"topk">(m, topk).out_has(kSameType);
}

}  // namespace tapegrad::python
