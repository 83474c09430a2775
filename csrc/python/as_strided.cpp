#include "ops/as_strided.h"
#include "python/bind.h"

namespace tapegrad::python {

static const Tensor& resize_as_(const Tensor& x, const Tensor& other, OptionalFormat format) {
    if (format == MemoryFormat::Preserve) format = suggested_format(other);
    return resize_(x, other.sizes(), format);
}

void bind_as_strided(PyObject* m) {
    def<"as_strided">(m, as_strided).without_out();
    def<"as_strided_">(m, as_strided_);
    def_method<"resize_">(m, resize_);
    def<"resize_as_">(m, resize_as_)
        .also("(input, the_template, *, memory_format=None)", resize_as_);
}

}  // namespace tapegrad::python
