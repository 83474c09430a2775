// Gives the tape the tensor operations that it needs itself.
#include <cstring>

#include "autograd/variable.h"
#include "kernels/elementwise_driver.h"
#include "kernels/table.h"
#include "ops/as_strided.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

Dims without_ones(const Dims& sizes) {
    Dims rest;
    for (const int64_t size : sizes)
        if (size != 1) rest.push_back(size);
    return rest;
}

// A gradient that was on its way when its leaf got another shape. Dimensions of size 1 make no difference;
// anything else would be the gradient of other numbers.
Tensor reshaped_like(const Tensor& grad, const Tensor& variable) {
    const Dims& sizes = variable.sizes();
    if (without_ones(sizes) == without_ones(grad.sizes())) return reshape(grad, sizes);
    if (!(broadcast(sizes, grad.sizes()) == sizes))
        fail("output with shape ", to_string(sizes), " doesn't match the broadcast shape ",
             to_string(grad.sizes()));
    fail("a gradient of shape ", to_string(grad.sizes()),
         " has arrived at a leaf that was given the shape ", to_string(sizes), " meanwhile");
}

// A copy of a gradient in the layout of the variable that it belongs to.
Tensor clone_like(const Tensor& given, const Tensor& variable) {
    const bool fits = same_sizes(variable.shape(), given.shape());
    const Tensor grad = fits ? given : reshaped_like(given, variable);
    if (grad_enabled() && grad.requires_grad()) return clone(grad);
    Tensor out = is_non_overlapping_and_dense(variable)
                     ? empty_strided(variable.sizes(), variable.strides(), grad.dtype())
                     : empty(grad.sizes(), grad.dtype());
    copy_values(out, grad);
    return out;
}

void add_in_place(const Tensor& into, const Tensor& grad) {
    if (into.is_contiguous() && grad.is_contiguous() && into.dtype() == grad.dtype() &&
        same_sizes(into.shape(), grad.shape()) && !into.storage()->read_only()) {
        const void* in[] = {into.data(), grad.data()};
        kernels::run_contiguous(kernel_table().elementwise.binary[int(Binary::Add)][into.dtype()],
                                in, 2, into.data(), into.numel(), into.item_size(), nullptr,
                                kernels::Cost::Light);
        into.bump_version();
        return;
    }
    GradMode off(false);
    binary_in_place(Binary::Add, into, grad);
}

// A NaN alone differs from itself. Vectors of 16 bytes every processor has; blocks, because the search ends early.
template <class T> bool has_nan(const T* x, int64_t count) {
    typedef T Lanes __attribute__((vector_size(16)));
    constexpr int64_t kLanes = 16 / sizeof(T), kBlock = 16 * kLanes;
    int64_t i = 0;
    for (; i + kBlock <= count; i += kBlock) {
        decltype(Lanes() != Lanes()) found{};
        for (int64_t j = i; j < i + kBlock; j += kLanes) {
            Lanes lanes;
            std::memcpy(&lanes, x + j, sizeof lanes);
            found |= lanes != lanes;
        }
        for (int64_t lane = 0; lane < kLanes; ++lane)
            if (found[lane]) return true;
    }
    for (; i < count; ++i)
        if (x[i] != x[i]) return true;
    return false;
}

// Anomaly mode asks this of every gradient.
bool has_nan(const Tensor& x) {
    if (x.is_contiguous() && !is_replay_recorded()) {
        if (x.dtype() == DType::Float32) return has_nan(x.data<float>(), x.numel());
        if (x.dtype() == DType::Float64) return has_nan(x.data<double>(), x.numel());
    }
    return any_values(predicate(Predicate::IsNan, x));
}

const bool registered = [] {
    tape_operations = TapeOperations{
        [](const Tensor& a, const Tensor& b) { return add(a, b); },
        add_in_place,
        [](DType dtype) -> BlockProgram::Kernel {
            return kernel_table().elementwise.binary[int(Binary::Add)][dtype];
        },
        sum_to,
        to_dtype,
        clone_like,
        [](const Tensor& x) { return full(x.sizes(), 1, x.dtype()); },
        full,
        expand,
        [](const Tensor& a, const Tensor& b) { return sum(a * b, {}); },
        has_nan,
        copy_slices_node,
        as_strided_node,
    };
    return true;
}();

}  // namespace
}  // namespace tapegrad
