#include "ops/ranks.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_ranks(PyObject* m) {
    using OverAll = Tensor(const Tensor&);
    using Along = std::pair<Tensor, Tensor>(const Tensor&, int64_t, bool);
    def<"median">(m, overload<OverAll>(median), overload<Along>(median));
    def<"nanmedian">(m, overload<OverAll>(nanmedian), overload<Along>(nanmedian));
    def<"kthvalue">(m, kthvalue);
}

}  // namespace tapegrad::python
