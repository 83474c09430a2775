// What a tensor says of its memory.
#include "core/tensor.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

std::vector<int64_t> all_strides(const Tensor& x, Nothing) {
    return {x.strides().begin(), x.strides().end()};
}
int64_t stride(const Tensor& x, int64_t dim) { return x.strides()[wrap_dim(dim, x.dim(), false)]; }

}  // namespace

void bind_attributes(PyObject* m) {
    def_method<"size">(
        m, [](const Tensor& x, Nothing) { return x.sizes(); },
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
    def_method<"is_contiguous">(m, [](const Tensor& x, OptionalFormat format) {
        return is_contiguous(x, format.value_or(MemoryFormat::Contiguous));
    });
    def<"is_floating_point">(m, [](const Tensor& x) { return x.is_floating(); });
    def<"is_complex">(m, [](const Tensor&) { return false; });
}

}  // namespace tapegrad::python
