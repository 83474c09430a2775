#include "ops/reductions.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/joining.h"
#include "ops/rearranging.h"
#include "ops/reduced.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/scans.h"
#include "ops/views.h"

namespace tapegrad {

using ReduceTable = kernels::DTypeTable<kernels::ReduceFn>;

DType sum_type(const Tensor& x, OptionalDType dtype) {
    return dtype ? *dtype : x.is_floating() ? x.dtype() : DType::Int64;
}

namespace {

// x converted so that a kernel gives the wanted type.
Tensor reduction_input(const Tensor& x, OptionalDType dtype) {
    if (!dtype || *dtype == x.dtype() || (*dtype == DType::Int64 && !x.is_floating())) return x;
    return to_dtype(x, *dtype);
}

// The result of a kernel that adds or multiplies, in the type that was asked for.
Tensor accumulated(const ReductionPlan& plan, const ReduceTable& kernels, const char* name,
                   DType wanted) {
    const DType type = plan.data.dtype();
    Tensor out = plan.run(kernels, name, is_floating(type) ? type : DType::Int64);
    return cast_values(out, wanted);
}

// How many elements become one.
int64_t count_of(const Dims& sizes, DimSet dims) {
    int64_t count = 1;
    for (int d = 0; d < sizes.size(); ++d)
        if (dims.contains(d)) count = saturating_mul(count, sizes[d]);
    return count;
}
double degrees_of_freedom(const Dims& sizes, DimSet dims, double correction) {
    return std::max(static_cast<double>(count_of(sizes, dims)) - correction, 0.0);
}

TAPEGRAD_WORD(count_of)
TAPEGRAD_WORD(degrees_of_freedom)

// The gradient of a sum for each of its elements. A small one is written out: what follows is quicker on
// plain memory than on strides of zero.
Tensor spread(const Tensor& grad, const Dims& sizes) {
    constexpr int64_t kSmall = 1024;
    if (grad.numel() != 1 || element_count(sizes) > kSmall) return expand(grad, sizes);
    Tensor out = empty(sizes, grad.dtype());
    visit_dtype(grad.dtype(),
                [&]<class T>() { std::fill_n(out.data<T>(), out.numel(), *grad.data<T>()); });
    return out;
}

struct Sum : Reduced {
    const char* node() const { return dim.is_all() ? "SumBackward0" : "SumBackward1"; }
    auto backward(auto g, auto x, auto) const { return expand(g, x.sizes()); }
    Tensor fused(const Tensor& g, const Tensor& x, const Tensor&) const {
        return spread(g, x.sizes());
    }
};

struct Mean : Reduced {
    const char* node() const { return dim.is_all() ? "MeanBackward0" : "MeanBackward1"; }
    auto backward(auto g, auto x, auto) const {
        return expand(g / count_of(x.sizes(), dim), x.sizes());
    }
    Tensor fused(const Tensor& g, const Tensor& x, const Tensor&) const {
        return spread(g / count_of(x.sizes(), dim), x.sizes());
    }
};

// A fresh result, float or double, divided by a count.
void divide_values(Tensor& out, int64_t count) {
    constexpr int64_t kFew = 64;
    if (out.numel() > kFew) {
        GradMode off(false);
        out = out / static_cast<double>(count);
        return;
    }
    auto divide = [&]<class T>(T* values) {
        for (int64_t i = 0; i < out.numel(); ++i) values[i] /= static_cast<T>(count);
    };
    if (out.dtype() == DType::Float32) divide(out.data<float>());
    else divide(out.data<double>());
}

}  // namespace

Tensor sum(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    const Tensor x = reduction_input(x_given, dtype);
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(accumulated(plan, kernel_table().reduce.sum, "sum", sum_type(x_given, dtype)),
                    Sum{{plan, keepdim}}, x);
}

Tensor mean(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    const Tensor x = reduction_input(x_given, dtype);
    if (!x.is_floating())
        fail(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            "complex dtype. Got: ",
            scalar_type_name(x.dtype()));
    const ReductionPlan plan(x, dims, keepdim);
    Tensor out = accumulated(plan, kernel_table().reduce.sum, "mean", x.dtype());
    divide_values(out, plan.extents.n);
    return recorded(std::move(out), Mean{{plan, keepdim}}, x);
}

// ------------------------------------------------------------------------------------- product

namespace {

bool all_normal(const Tensor& given) {
    const Tensor x = contiguous_values(given);
    return visit_dtype(x.dtype(), [&]<class T>() {
        const std::span values(x.data<T>(), static_cast<size_t>(x.numel()));
        return std::ranges::all_of(values, [](T v) { return std::isnormal(v); });
    });
}

// For each element the product of the others along a dimension. That is product / x, unless an element
// is zero, infinite or NaN, or the product has left the range of numbers; then it is built from the
// products before and after each element, without division. So it is where it will be differentiated: the
// derivative with respect to the element itself is zero then, to the last digit.
Tensor others_along(const Tensor& x, const Tensor& product, int dim) {
    if (x.numel() == 0) return zeros_like(x);
    if (!grad_enabled() && all_normal(product)) return product / x;
    const int64_t n = x.size(dim);
    Dims one = x.sizes();
    one[dim] = 1;
    if (n == 1) return full(one, 1, x.dtype());
    // Products of a part may be out of float's range although those of all are not.
    const Tensor wide = to_dtype(x, DType::Float64), ones = full(one, 1, DType::Float64);
    const Tensor before = cumprod(concat2(ones, slice(wide, dim, 0, n - 1, 1), dim), dim);
    const Tensor after =
        flip(cumprod(concat2(ones, flip(slice(wide, dim, 1, n, 1), {dim}), dim), dim), {dim});
    const Tensor others = to_dtype(before * after, x.dtype());
    return all_normal(product) && !all_normal(others) ? product / x : others;
}
Tensor product_of_others(const Tensor& x, const Tensor& product, const Dims& dims) {
    if (dims.size() == 1) return others_along(x, product, static_cast<int>(dims[0]));
    return reshape(others_along(reshape(x, {-1}), product, 0), x.sizes());
}

TAPEGRAD_WORD(product_of_others)

struct Prod : Reduced {
    const char* node() const { return dim.is_all() ? "ProdBackward0" : "ProdBackward1"; }
    auto backward(auto g, auto x, auto y) const { return g * product_of_others(x, y, dim); }
};

Tensor product(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    const Tensor x = reduction_input(x_given, dtype);
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(accumulated(plan, kernel_table().reduce.prod, "prod", sum_type(x_given, dtype)),
                    Prod{{plan, keepdim}}, x);
}

}  // namespace

Tensor prod(const Tensor& x, OptionalDType dtype) { return product(x, {}, false, dtype); }

Tensor prod(const Tensor& x, int64_t dim, bool keepdim, OptionalDType dtype) {
    wrap_dim(dim, x.dim());
    return product(x, x.dim() ? Dims{dim} : Dims{}, keepdim, dtype);
}

// ------------------------------------------------------------------------------ var, std, norm

namespace {

void require_floating(const Tensor& x, const char* name) {
    if (!x.is_floating()) fail(name, " only support floating point and complex dtypes");
}

Tensor variance(const ReductionPlan& plan, double correction) {
    Tensor means = empty(plan.result_sizes, plan.data.dtype());
    Tensor out = empty_row_major_like(means);
    const auto& [outer, n, inner] = plan.extents;
    kernel_table().reduce.moments[out.dtype()](plan.data.data(), means.data(), out.data(), outer, n,
                                               inner);
    const double divisor = std::max(static_cast<double>(n) - correction, 0.0);
    if (divisor == 0 && out.numel())
        warn(
            "var(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).");
    GradMode off(false);
    binary_in_place(Binary::Div, out, divisor);
    return out;
}

// d var / d x = 2 (x - mean) / (n - correction)
struct Var : Reduced {
    static constexpr auto node = "VarBackward0";
    double correction;
    auto backward(auto g, auto x, auto) const {
        return g * (2.0 / degrees_of_freedom(x.sizes(), dim, correction)) *
               (x - mean(x, dim, true));
    }
    void parameters(auto show) const {
        Reduced::parameters(show);
        show("correction", correction);
    }
};

struct Std : Var {
    static constexpr auto node = "StdBackward0";
    auto backward(auto g, auto x, auto y) const {
        // The slope at a spread of zero is taken to be zero.
        return Var::backward(where(y == 0, 0, g / (y * 2)), x, y);
    }
};

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(variance(plan, correction), Var{{plan, keepdim}, correction}, x);
}

Tensor stddev(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const ReductionPlan plan(x, dims, keepdim);
    Tensor out = variance(plan, correction);
    {
        GradMode off(false);
        unary_in_place(Unary::Sqrt, out);
    }
    return recorded(std::move(out), Std{{{plan, keepdim}, correction}}, x);
}

namespace {

// At zero the subgradient 0 is taken.
struct VectorNorm : Reduced {
    static constexpr auto node = "LinalgVectorNormBackward0";
    double p;
    auto backward(auto g, auto x, auto y) const {
        if (p == 0) return zeros_like(x);
        if (p == 1) return g * sign(x);
        if (p == 2) return where(y == 0, 0, g * (x / y));
        if (std::isinf(p)) {
            auto hits = cast_like(abs(x) == y, x);
            return sign(x) * hits * (g / sum(hits, dim, true));
        }
        return where(x == 0, 0, sign(x) * pow(abs(x), p - 1) * where(y == 0, 0, g / pow(y, p - 1)));
    }
    void parameters(auto show) const {
        Reduced::parameters(show);
        show("ord", p);
    }
};

Tensor norm_values(const ReductionPlan& plan, double p) {
    const auto& reduce = kernel_table().reduce;
    const DType dtype = plan.data.dtype();
    if (p == 2) return plan.run(reduce.norm2, "norm", dtype);
    if (p == 1) return plan.run(reduce.sum_abs, "norm", dtype);
    GradMode off(false);
    ReductionPlan changed = plan;
    if (std::isinf(p)) {
        changed.data = abs(plan.data);
        if (plan.extents.n == 0)
            fail("norm: the dimension that is reduced must not be empty for an infinite order");
        return changed.run(p > 0 ? reduce.amax : reduce.amin, "norm", dtype);
    }
    if (p == 0) {
        changed.data = to_dtype(compare(Comparison::Ne, plan.data, 0), dtype);
        return changed.run(reduce.sum, "norm", dtype);
    }
    changed.data = pow(abs(plan.data), p);
    return pow(changed.run(reduce.sum, "norm", dtype), 1 / p);
}

}  // namespace

Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim) {
    if (!x.is_floating())
        fail("linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(norm_values(plan, p), VectorNorm{{plan, keepdim}, p}, x);
}

void from_text(std::string_view text, NormOrder& order) {
    if (text != "fro") fail("norm: order '", text, "' is not supported");
    order.p = 2;
}

Tensor norm_of(const Tensor& x, const std::optional<NormOrder>& order, const Dims& dims,
               bool keepdim, OptionalDType dtype) {
    const double p = order ? order->p : 2;
    return norm(dtype ? to_dtype(x, *dtype) : x, p, dims, keepdim);
}

namespace {

struct Logsumexp : Reduced {
    static constexpr auto node = "LogsumexpBackward0";
    auto backward(auto g, auto x, auto y) const {
        // exp(x - result) where both are infinite counts as zero.
        return g * exp(x - where(isinf(y), 0, y));
    }
};

}  // namespace

Tensor logsumexp(const Tensor& x_given, const Dims& dims, bool keepdim) {
    const Tensor x = x_given.is_floating() ? x_given : to_dtype(x_given, DType::Float32);
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(plan.run(kernel_table().reduce.logsumexp, "logsumexp", x.dtype()),
                    Logsumexp{{plan, keepdim}}, x);
}

// ----------------------------------------------------------------------------------- questions

namespace {
// Bytes used to be the type of masks: any and all of bytes are bytes.
Tensor truth(const Tensor& x, const Dims& dims, bool keepdim, const ReduceTable& kernels,
             const char* name) {
    const Tensor result = ReductionPlan(x, dims, keepdim).run(kernels, name, DType::Bool);
    return x.dtype() == DType::UInt8 ? cast_values(result, DType::UInt8) : result;
}
}  // namespace

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
    return truth(x, dims, keepdim, kernel_table().reduce.any, "any");
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
    return truth(x, dims, keepdim, kernel_table().reduce.all, "all");
}
Tensor count_nonzero(const Tensor& x, const Dims& dims) {
    return ReductionPlan(x, dims, false)
        .run(kernel_table().reduce.count_nonzero, "count_nonzero", DType::Int64);
}
bool all_values(const Tensor& x) { return *all(x, {}, false).data<uint8_t>() != 0; }
bool any_values(const Tensor& x) { return *any(x, {}, false).data<uint8_t>() != 0; }

bool is_nonzero(const Tensor& x) {
    if (x.numel() != 1)
        fail("Boolean value of Tensor with ", x.numel() ? "more than one value" : "no values",
             " is ambiguous");
    return visit_dtype(x.dtype(), [&]<class T>() { return *x.data<T>() != T(0); });
}

}  // namespace tapegrad
