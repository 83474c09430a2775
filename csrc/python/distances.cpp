#include "ops/distances.h"
#include "ops/statistics.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_distances(PyObject* m) {
    def_function<"cdist">(m, cdist).without_out();
    def_function<"pdist">(m, pdist).without_out();
    def<"dist">(m, dist).without_out();
    def<"renorm">(m, renorm).out_has(kSameType);
    def_method<"renorm_">(m, renorm_);
    def<"cov">(m, cov).without_out();
    def<"corrcoef">(m, corrcoef).without_out();
    using Places = Tensor(const Tensor&, const Tensor&, int64_t);
    using Even = Tensor(const Tensor&, const Scalar&, int64_t);
    def_function<"trapezoid">(m, overload<Places>(trapezoid), overload<Even>(trapezoid))
        .without_out()
        .alias("trapz");
    def_function<"cumulative_trapezoid">(m, overload<Places>(cumulative_trapezoid),
                                         overload<Even>(cumulative_trapezoid))
        .without_out();
}

}  // namespace tapegrad::python
