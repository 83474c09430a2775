#include "ops/reshape.h"
#include "ops/arranging.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <auto F> std::vector<Tensor> each(const std::vector<Tensor>& tensors) {
    std::vector<Tensor> results;
    for (const Tensor& x : tensors) results.push_back(F(x));
    return results;
}

}  // namespace

void bind_reshape(PyObject* m) {
    def_method<"view">(m, view, view_of_type);
    def<"reshape">(m, reshape).without_out();
    def_method<"view_as">(m, [](const Tensor& x, const Tensor& y) { return view(x, y.sizes()); });
    def_method<"reshape_as">(
        m, [](const Tensor& x, const Tensor& y) { return reshape(x, y.sizes()); });
    def<"flatten">(m, flatten).without_out();
    def<"unflatten">(m, unflatten).without_out();
    def<"ravel">(m, [](const Tensor& x) { return reshape(x, {-1}); }).without_out();
    def_function<"atleast_1d">(m, atleast_1d, each<atleast_1d>).without_out();
    def_function<"atleast_2d">(m, atleast_2d, each<atleast_2d>).without_out();
    def_function<"atleast_3d">(m, atleast_3d, each<atleast_3d>).without_out();
}

}  // namespace tapegrad::python
