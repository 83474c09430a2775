#include "ops/ranks.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_ranks(PyObject* m) {
    using OverAll = Tensor(const Tensor&);
    using Along = std::pair<Tensor, Tensor>(const Tensor&, int64_t, bool);
    def<"median">(m, overload<OverAll>(median), overload<Along>(median))
        .out_has(kSameType | kOfPairs);
    def<"nanmedian">(m, overload<OverAll>(nanmedian), overload<Along>(nanmedian))
        .out_has(kSameType | kOfPairs);
    def<"kthvalue">(m, kthvalue).out_has(kSameType | kApart);
}

}  // namespace tapegrad::python
