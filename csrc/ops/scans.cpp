#include "ops/scans.h"

#include <vector>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/joining.h"
#include "ops/one_step.h"
#include "ops/overlap.h"
#include "ops/rearranging.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

Tensor scan(const kernels::DTypeTable<kernels::ReduceFn>& kernels, const char* name,
            const Tensor& x, int64_t dim) {
    const Tensor data = contiguous_values(x);
    Tensor out = empty(x.sizes(), x.dtype());
    if (x.dim() == 0) {
        copy_values(out, data);
        return out;
    }
    const Extents e = extents_at(x.sizes(), wrap_dim(dim, x.dim()));
    launch(kernels.require(x.dtype(), name), data.data(), out.data(), e.outer, e.n, e.inner);
    return out;
}

// The sum of each element and all after it.
Tensor reverse_cumsum(const Tensor& x, int64_t dim) {
    if (grad_enabled()) return flip(cumsum(flip(x, {dim}), dim), {dim});
    return scan(kernel_table().reduce.reverse_cumsum, "cumsum", x, dim);
}

TAPEGRAD_WORD(reverse_cumsum)

struct Cumsum : AlongDim {
    static constexpr auto node = "CumsumBackward0";
    auto backward(auto g, auto, auto) const { return reverse_cumsum(g, dim); }
    auto forward(auto t, auto, auto) const { return cumsum(t, dim); }
};

// d out_k / d x_i for k >= i is the product of x_0..x_k without x_i. Without zeros that is out_k / x_i;
// with zeros each i is computed on its own.
Tensor cumprod_gradient(const Tensor& grad, const Tensor& x, const Tensor& result, int64_t at) {
    if (x.dim() == 0) return grad;
    if (is_replay_recorded() && !grad_enabled())
        return in_one_step([at](const Tensor& g, const Tensor& a,
                                const Tensor& b) { return cumprod_gradient(g, a, b, at); },
                           grad, x, result);
    bool any_zero;
    {
        GradMode off(false);
        any_zero = any_values(x == 0);
    }
    if (!any_zero) return reverse_cumsum(grad * result, at) / x;
    const int dim = static_cast<int>(at);
    const int64_t n = x.size(dim);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < n; ++i) {
        Dims one = x.sizes();
        one[dim] = 1;
        const Tensor before = i == 0 ? full(one, 1, x.dtype())
                                     : prod(slice(x, dim, 0, i, 1), dim, true, std::nullopt);
        Tensor rest = slice(grad, dim, i, i + 1, 1);
        if (i + 1 < n) {
            const Tensor after = cumprod(slice(x, dim, i + 1, n, 1), dim);
            rest = rest + sum(slice(grad, dim, i + 1, n, 1) * after, {dim}, true);
        }
        parts.push_back(before * rest);
    }
    return cat(parts, dim);
}

TAPEGRAD_WORD(cumprod_gradient)

struct Cumprod : AlongDim {
    static constexpr auto node = "CumprodBackward0";
    auto backward(auto g, auto x, auto y) const { return cumprod_gradient(g, x, y, dim); }
};

}  // namespace

Tensor cumsum(const Tensor& x_given, int64_t dim_given, OptionalDType dtype) {
    const int64_t dim = wrap_dim(dim_given, x_given.dim());
    const Tensor x = to_dtype(x_given, sum_type(x_given, dtype));
    return recorded(scan(kernel_table().reduce.cumsum, "cumsum", x, dim), Cumsum{dim}, x);
}

Tensor cumprod(const Tensor& x_given, int64_t dim_given, OptionalDType dtype) {
    const int64_t dim = wrap_dim(dim_given, x_given.dim());
    const Tensor x = to_dtype(x_given, sum_type(x_given, dtype));
    return recorded(scan(kernel_table().reduce.cumprod, "cumprod", x, dim), Cumprod{dim}, x);
}

namespace {

void check_in_place(const Tensor& x, const char* name, OptionalDType dtype) {
    if (dtype && *dtype != x.dtype())
        fail("Bad in-place call: input tensor dtype ", cpp_type_name(x.dtype()),
             " and output tensor dtype ", cpp_type_name(*dtype), " should match");
    if (x.dtype() == DType::Bool)
        fail<NotImplementedError>("\"", name, "_out_cpu\" not implemented for 'Bool'");
    refuse_internal_overlap(x);
}

// Integers are added as int64 and kept in their own type.
void scan_in_place(const kernels::DTypeTable<kernels::ReduceFn>& kernels, const char* name,
                   const Tensor& x, int64_t dim) {
    copy_values(x, scan(kernels, name, cast_values(x, sum_type(x, {})), dim));
}

}  // namespace

const Tensor& cumsum_(const Tensor& x, int64_t dim_given, OptionalDType dtype) {
    const InPlace change(x);
    const int64_t dim = wrap_dim(dim_given, x.dim());
    check_in_place(x, "cumsum", dtype);
    return change.apply(Cumsum{dim},
                        [&] { scan_in_place(kernel_table().reduce.cumsum, "cumsum", x, dim); });
}

const Tensor& cumprod_(const Tensor& x, int64_t dim_given, OptionalDType dtype) {
    const InPlace change(x);
    const int64_t dim = wrap_dim(dim_given, x.dim());
    check_in_place(x, "cumprod", dtype);
    // Its derivative uses the result, which a view cannot keep.
    if (change.recorded() && is_view(x)) return copy_(x, cumprod(clone(x), dim));
    return change.apply(Cumprod{dim},
                        [&] { scan_in_place(kernel_table().reduce.cumprod, "cumprod", x, dim); });
}

}  // namespace tapegrad
