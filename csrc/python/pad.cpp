#include "ops/pad.h"

#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <Tensor (*F)(int, const Tensor&, const Dims&), int spatial>
Tensor pad(const Tensor& x, const Dims& pad) {
    return F(spatial, x, pad);
}

}  // namespace

void bind_pad(PyObject* m) {
    def_function<"constant_pad_nd">(
        m, overload<Tensor(const Tensor&, const Dims&, const Scalar&)>(constant_pad))
        .without_out();
    def_function<"reflection_pad1d">(m, pad<reflection_pad, 1>).without_out();
    def_function<"reflection_pad2d">(m, pad<reflection_pad, 2>).without_out();
    def_function<"reflection_pad3d">(m, pad<reflection_pad, 3>).without_out();
    def_function<"replication_pad1d">(m, pad<replication_pad, 1>).without_out();
    def_function<"replication_pad2d">(m, pad<replication_pad, 2>).without_out();
    def_function<"replication_pad3d">(m, pad<replication_pad, 3>).without_out();
    def_function<"circular_pad">(m, circular_pad).without_out();
}

}  // namespace tapegrad::python
