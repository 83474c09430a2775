#include "ops/softmax.h"

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

Tensor run(kernels::SoftmaxFn kernel, const Tensor& x, int64_t dim) {
    const Tensor data = contiguous_values(x);
    Tensor out = empty(x.sizes(), x.dtype());
    const Extents e = extents_at(x.sizes(), static_cast<int>(dim));
    launch(kernel, data.data(), out.data(), e.outer, e.n, e.inner);
    return out;
}

Tensor run_backward(kernels::SoftmaxBackwardFn kernel, const Tensor& g, const Tensor& y,
                    int64_t dim) {
    const Tensor grad = contiguous_values(g);
    Tensor out = empty(y.sizes(), y.dtype());
    const Extents e = extents_at(y.sizes(), static_cast<int>(dim));
    launch(kernel, grad.data(), y.data(), out.data(), e.outer, e.n, e.inner);
    return out;
}

// x in the type of the computation.
Tensor softmax_input(const Tensor& x_given, OptionalDType dtype, const char* name) {
    const Tensor x = dtype ? to_dtype(x_given, *dtype) : x_given;
    if (!x.is_floating())
        fail<NotImplementedError>("\"", name, "_kernel_impl\" not implemented for '",
                                  scalar_type_name(x.dtype()), "'");
    return x;
}

struct Softmax : AlongDim {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "SoftmaxBackward0";
    auto backward(auto g, auto, auto y) const { return y * (g - sum(g * y, Dims{dim}, true)); }
    Tensor fused(const Tensor& g, const Tensor&, const Tensor& y) const {
        return run_backward(kernel_table().softmax.softmax_backward[y.dtype()], g, y, dim);
    }
};

struct LogSoftmax : AlongDim {
    static constexpr auto node = "LogSoftmaxBackward0";
    auto backward(auto g, auto, auto y) const { return g - exp(y) * sum(g, Dims{dim}, true); }
    auto forward(auto t, auto, auto y) const { return t - sum(exp(y) * t, Dims{dim}, true); }
    Tensor fused(const Tensor& g, const Tensor&, const Tensor& y) const {
        return run_backward(kernel_table().softmax.log_softmax_backward[y.dtype()], g, y, dim);
    }
};

}  // namespace

Tensor softmax(const Tensor& x_given, int64_t dim_given, OptionalDType dtype) {
    const Tensor x = softmax_input(x_given, dtype, "softmax");
    const int64_t dim = wrap_dim(dim_given, x.dim());
    return recorded(run(kernel_table().softmax.softmax[x.dtype()], x, dim), Softmax{dim}, x);
}

Tensor log_softmax(const Tensor& x_given, int64_t dim_given, OptionalDType dtype) {
    const Tensor x = softmax_input(x_given, dtype, "log_softmax");
    const int64_t dim = wrap_dim(dim_given, x.dim());
    return recorded(run(kernel_table().softmax.log_softmax[x.dtype()], x, dim), LogSoftmax{dim}, x);
}

}  // namespace tapegrad
