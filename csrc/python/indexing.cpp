#include "ops/indexing.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_indexing(PyObject* m) {
    def<"index_put">(m, [](const Tensor& x, const IndexList& indices, const Tensor& values,
                           bool accumulate) {
        return index_put(x, indices, values, accumulate);
    }).without_out();
    def_method<"index_put_">(m,
                             [](const Tensor& x, const IndexList& indices, const Tensor& values,
                                bool accumulate) -> const Tensor& {
                                 return index_put_(x, indices, values, accumulate);
                             });
}

}  // namespace tapegrad::python
