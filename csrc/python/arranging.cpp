#include "ops/arranging.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <SplitAxis axis> struct Split {
    static std::vector<Tensor> into(const Tensor& x, int64_t sections) {
        return axis_split_into(axis, x, sections);
    }
    static std::vector<Tensor> at(const Tensor& x, const Dims& indices) {
        return axis_split_at(axis, x, indices);
    }
};

}  // namespace

void bind_arranging(PyObject* m) {
    def_function<"hstack">(m, hstack).out_has(kApart | kJoined);
    def_function<"vstack">(m, vstack).alias("row_stack").out_has(kApart | kJoined);
    def_function<"dstack">(m, dstack).out_has(kApart | kJoined);
    def_function<"column_stack">(m, column_stack).out_has(kApart | kJoined);
    def<"tensor_split">(m, tensor_split_by, tensor_split_into, tensor_split_at);
    using Horizontal = Split<SplitAxis::Horizontal>;
    using Vertical = Split<SplitAxis::Vertical>;
    using Depth = Split<SplitAxis::Depth>;
    def<"hsplit">(m, Horizontal::into, Horizontal::at);
    def<"vsplit">(m, Vertical::into, Vertical::at);
    def<"dsplit">(m, Depth::into, Depth::at);
    def_function<"meshgrid">(m, meshgrid);
    def_function<"cartesian_prod">(m, cartesian_prod).without_out();
    def_function<"combinations">(m, combinations).without_out();
    def<"rot90">(m, [](const Tensor& x, int64_t k, const std::optional<Dims>& dims) {
        return rot90(x, k, dims.value_or(Dims{0, 1}));
    }).without_out();
    def<"fliplr">(m, fliplr).without_out();
    def<"flipud">(m, flipud).without_out();
}

}  // namespace tapegrad::python
