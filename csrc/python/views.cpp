#include "ops/views.h"
#include "ops/as_strided.h"
#include "ops/rearranging.h"
#include "ops/reshape.h"
#include "ops/split.h"

#include "ops/copy.h"
#include "ops/joining.h"
#include "ops/split.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

std::vector<int64_t> all_strides(const Tensor& x) {
    return {x.strides().begin(), x.strides().end()};
}
int64_t stride(const Tensor& x, int64_t dim) { return x.strides()[wrap_dim(dim, x.dim(), false)]; }

}  // namespace

void bind_views(PyObject* m) {
    def_method<"view">(m, view);
    def_method<"expand">(m, expand);
    def<"reshape">(m, reshape).without_out();
    def<"permute">(m, permute).without_out();
    def_method<"view_as">(m, [](const Tensor& x, const Tensor& y) { return view(x, y.sizes()); });
    def_method<"expand_as">(m,
                            [](const Tensor& x, const Tensor& y) { return expand(x, y.sizes()); });
    def_method<"reshape_as">(
        m, [](const Tensor& x, const Tensor& y) { return reshape(x, y.sizes()); });
    def_function<"broadcast_to">(m, expand).without_out();
    def_function<"broadcast_shapes">(m, broadcast_shapes);
    def_function<"broadcast_tensors">(m, broadcast_tensors);
    def<"transpose">(m, transpose).without_out();
    def<"swapaxes">(m, transpose).without_out();
    def<"t">(m, t).without_out();
    def<"movedim">(m, movedim).without_out();
    def<"flatten">(m, flatten).without_out();
    def<"unflatten">(m, unflatten).without_out();
    def<"ravel">(m, [](const Tensor& x) { return reshape(x, {-1}); }).without_out();
    def<"squeeze">(m, overload<Tensor(const Tensor&)>(squeeze),
                   overload<Tensor(const Tensor&, const Dims&)>(squeeze))
        .without_out();
    def<"unsqueeze">(m, unsqueeze).without_out();
    def<"select">(m, select).without_out();
    def<"narrow">(m, narrow).without_out();
    def<"diagonal">(m, diagonal).without_out();
    def<"as_strided">(m, as_strided).without_out();
    def<"split">(m, split_by_size, split_by_sizes);
    def<"chunk">(m, chunk);
    def<"unbind">(m, unbind);
    def<"atleast_1d">(m, [](const Tensor& x) {
        return x.dim() ? x : reshape(x, {1});
    }).without_out();
    def<"detach", detach>(m).without_out();

    // What a tensor says of its memory.
    def_method<"size">(
        m, [](const Tensor& x) { return x.sizes(); },
        [](const Tensor& x, int64_t dim) { return x.size(dim); });
    def_method<"stride">(m, all_strides, stride);
    def_method<"storage_offset">(m, [](const Tensor& x) { return x.storage_offset(); });
    def_method<"dim">(m, [](const Tensor& x) { return int64_t{x.dim()}; });
    def_method<"ndimension">(m, [](const Tensor& x) { return int64_t{x.dim()}; });
    def<"numel">(m, [](const Tensor& x) { return x.numel(); });
    def_method<"nelement">(m, [](const Tensor& x) { return x.numel(); });
    def_method<"element_size">(m, [](const Tensor& x) { return int64_t(x.item_size()); });
    def_method<"data_ptr">(
        m, [](const Tensor& x) { return x.numel() ? reinterpret_cast<int64_t>(x.data()) : 0; });
    def_method<"is_contiguous">(m, [](const Tensor& x) { return x.is_contiguous(); });
    def<"is_floating_point">(m, [](const Tensor& x) { return x.is_floating(); });
    def<"is_complex">(m, [](const Tensor&) { return false; });
}

}  // namespace tapegrad::python
