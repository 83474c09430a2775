#include "ops/sort.h"

#include "autograd/cuts.h"
#include "ops/quantiles.h"
#include "python/bind.h"

namespace tapegrad::python {

static Tensor order(const Tensor& x, int64_t dim, bool descending) {
    note_cut("argsort()", x);
    return argsort(x, dim, descending);
}

void bind_sort(PyObject* m) {
    def<"sort">(m, sort).out_has(kSameType);
    def<"argsort">(m, order).out_has(kSameType);
    def<"msort">(m, msort).out_has(kSameType);
    def<"topk">(m, topk).out_has(kSameType);
}

}  // namespace tapegrad::python
