// The same elements in another shape: a view where the strides allow it.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

// -1 stands for the size that remains.
Tensor view(const Tensor& x, const Dims& sizes);
// The memory read as another dtype, which is not recorded.
Tensor view_of_type(const Tensor& x, DType dtype);
Tensor reshape(const Tensor& x, const Dims& sizes);
Tensor flatten(const Tensor& x, int64_t start, int64_t end);
Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes);
Tensor atleast_1d(const Tensor& x);

// Rule of everything that gives the same elements, in the same order, another shape.
struct Reshaped {
    const char* name;
    const char* node() const { return name; }
    auto backward(auto g, auto x, auto) const { return reshape(g, x.sizes()); }
    auto forward(auto t, auto, auto y) const { return reshape(t, y.sizes()); }
};

}  // namespace tapegrad
