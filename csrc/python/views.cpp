#include "ops/views.h"

#include "autograd/cuts.h"
#include "python/bind.h"

namespace tapegrad::python {

static Tensor detached(const Tensor& x) {
    note_cut("detach()", x);
    return detach(x);
}

void bind_views(PyObject* m) {
    def<"sum_to_size">(m, sum_to_size).without_out();
    def_method<"expand">(m, expand).also(
        "(input, *size, implicit)",
        [](const Tensor& x, const Dims& size, bool) { return expand(x, size); });
    def<"permute">(m, permute).without_out();
    def_method<"expand_as">(m,
                            [](const Tensor& x, const Tensor& y) { return expand(x, y.sizes()); });
    def<"broadcast_to">(m, expand).without_out();
    def_function<"broadcast_shapes">(m, broadcast_shapes);
    def_function<"broadcast_tensors">(m, broadcast_tensors);
    def<"transpose">(m, transpose).without_out().alias("swapdims");
    def_method<"transpose_">(m, transpose_).alias("swapdims_");
    def<"swapaxes">(m, transpose).without_out();
    def_method<"swapaxes_">(m, transpose_);
    def<"t">(m, t).without_out();
    def_method<"t_">(m, t_);
    def<"movedim">(m, movedim).without_out().alias("moveaxis");
    def<"squeeze">(m, overload<Tensor(const Tensor&)>(squeeze),
                   overload<Tensor(const Tensor&, const Dims&)>(squeeze))
        .without_out();
    def_method<"squeeze_">(m, overload<const Tensor&(const Tensor&)>(squeeze_),
                           overload<const Tensor&(const Tensor&, const Dims&)>(squeeze_));
    def<"unsqueeze">(m, unsqueeze).without_out();
    def_method<"unsqueeze_">(m, unsqueeze_);
    def<"select">(m, select).without_out();
    def<"narrow">(m, narrow).without_out();
    def<"diagonal">(m, diagonal).without_out();
    def<"detach", detached>(m).without_out();
}

}  // namespace tapegrad::python
