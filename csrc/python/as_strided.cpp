#include "ops/as_strided.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_as_strided(PyObject* m) {
    def<"as_strided">(m, as_strided).without_out();
    def<"as_strided_">(m, as_strided_);
    def_method<"resize_">(m, resize_);
    def<"resize_as_">(
        m, [](const Tensor& x, const Tensor& other, OptionalFormat format) -> const Tensor& {
            if (format == MemoryFormat::Preserve) format = suggested_format(other);
            return resize_(x, other.sizes(), format);
        });
}

}  // namespace tapegrad::python
