#include "ops/reductions.h"
#include "ops/one_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/joining.h"
#include "ops/norms.h"
#include "ops/pair_rule.h"
#include "ops/rearranging.h"
#include "ops/reduced.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/scans.h"
#include "ops/softmax.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

using kernels::Spread;
using ReduceTable = kernels::DTypeTable<kernels::ReduceFn>;

constexpr double kInf = std::numeric_limits<double>::infinity();

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
    visit_dtype(grad.dtype(), [&]<class T>() {
        launch([](T* to, int64_t n, const T* value) { std::fill_n(to, n, *value); }, out.data<T>(),
               out.numel(), grad.data<T>());
    });
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
    return recorded(plan.run(kernel_table().reduce.mean, "mean", x.dtype()), Mean{{plan, keepdim}},
                    x);
}

// ------------------------------------------------------------------------------------- product

namespace {

bool all_normal(const Tensor& given) {
    refuse_replay("a second derivative of a product, which looks at its value");
    const Tensor x = contiguous_values(given);
    return visit_dtype(x.dtype(), [&]<class T>() {
        const std::span values(x.data<T>(), static_cast<size_t>(x.numel()));
        return std::ranges::all_of(values, [](T v) {
            if constexpr (is_half_type<T>)
                return std::isfinite(float{v}) && std::abs(v) >= std::numeric_limits<T>::min();
            else return std::isnormal(v);
        });
    });
}

// For each element the product of the others along a dimension. That is product / x, unless an element
// is zero, infinite or NaN, or the product has left the range of numbers; then it is built from the
// products before and after each element, without division. So it is where it will be differentiated: the
// derivative with respect to the element itself is zero then, to the last digit.
Tensor others_along(const Tensor& x, const Tensor& product, int dim) {
    if (x.numel() == 0) return zeros_like(x);
    if (is_replay_recorded() && !grad_enabled())
        return in_one_step(
            [dim](const Tensor& a, const Tensor& b) { return others_along(a, b, dim); }, x,
            product);
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

// The variance or the deviation.
Tensor spread_values(const ReductionPlan& plan, double correction, Spread spread,
                     const char* name) {
    Tensor out = empty(plan.result_sizes, plan.data.dtype());
    const auto& [outer, n, inner] = plan.extents;
    const double divisor = std::max(static_cast<double>(n) - correction, 0.0);
    launch(kernel_table().reduce.spread[out.dtype()], plan.data.data(), out.data(), outer, n, inner,
           divisor, spread);
    if (divisor == 0 && out.numel())
        warn(text(name,
                  "(): degrees of freedom is <= 0. Correction should be strictly less than the "
                  "reduction factor (input numel divided by output numel)."));
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

// Whether numbers are so far from the ends of the range that what is multiplied or divided by them is, too.
bool all_moderate(const Tensor& x) {
    GradMode off(false);
    return all_values((x > 0x1p-80) & (x < 0x1p80));
}

// d std / d x = (x - mean) / std / (n - correction); the slope at a spread of zero is taken to be zero.
struct Std : Var {
    static constexpr auto node = "StdBackward0";
    auto backward(auto g, auto x, auto y) const {
        return g / degrees_of_freedom(x.sizes(), dim, correction) *
               ((x - mean(x, dim, true)) / where(y == 0, kInf, y));
    }
    Tensor fused(const Tensor& g, const Tensor& x, const Tensor& y) const {
        if (is_replay_recorded())
            return in_one_step(
                [rule = *this](const Tensor& grad, const Tensor& data, const Tensor& result) {
                    const Tensor found = rule.fused(grad, data, result);
                    return found.defined() ? found : rule.backward(grad, data, result);
                },
                g, x, y);
        if (!all_moderate(y)) return {};
        return g / (y * degrees_of_freedom(x.sizes(), dim, correction)) * (x - mean(x, dim, true));
    }
};

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(spread_values(plan, correction, Spread::Variance, "var"),
                    Var{{plan, keepdim}, correction}, x);
}

Tensor stddev(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const ReductionPlan plan(x, dims, keepdim);
    return recorded(spread_values(plan, correction, Spread::Deviation, "std"),
                    Std{{{plan, keepdim}, correction}}, x);
}

namespace {

struct VarMean : Var {
    static constexpr auto node = "VarMeanBackward0";
};
struct StdMean : Std {
    static constexpr auto node = "StdMeanBackward0";
};

template <class Rule>
std::vector<Tensor> with_mean(const Tensor& x, const ReductionPlan& plan, Tensor spread,
                              const Rule& rule) {
    return recorded_pair(
        {std::move(spread), plan.run(kernel_table().reduce.mean, "mean", x.dtype())}, rule,
        Mean{{plan, rule.keepdim}}, x);
}

}  // namespace

std::vector<Tensor> var_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "var_mean");
    const ReductionPlan plan(x, dims, keepdim);
    return with_mean(x, plan, spread_values(plan, correction, Spread::Variance, "var_mean"),
                     VarMean{{{plan, keepdim}, correction}});
}

std::vector<Tensor> std_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std_mean");
    const ReductionPlan plan(x, dims, keepdim);
    return with_mean(x, plan, spread_values(plan, correction, Spread::Deviation, "std_mean"),
                     StdMean{{{{plan, keepdim}, correction}}});
}

namespace {

// In units of the norm, which is at least as large as what counts, nothing overflows. The slope at a zero is
// taken to be zero, in every order: there x / infinity stands for x / y, and powers are those of 1.
struct VectorNorm : Reduced {
    static constexpr auto node = "LinalgVectorNormBackward0";
    double p;
    auto backward(auto g, auto x, auto y) const {
        if (p == 0) return zeros_like(x);
        if (p == 1) return g * sign(x);
        if (std::isinf(p)) {
            auto hits = cast_like(abs(x) == y, x);
            return sign(x) * hits * (g / sum(hits, dim, true));
        }
        if (std::abs(p - 1) <= 1 &&
            p != 2)  // where x / y may underflow, but no power of x or y does
            return sign(x) * pow(where(x == 0, 1, abs(x)), p - 1) *
                   (g * pow(where(y == 0, 1, y), 1 - p));
        auto u = x / where(y == 0, kInf, y);
        if (p == 2) return g * u;
        return g * (sign(u) * pow(where(u == 0, 1, abs(u)), p - 1));
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
    if (p == 0) {
        ReductionPlan changed = plan;
        changed.data = to_dtype(compare(Comparison::Ne, plan.data, 0), dtype);
        return changed.run(reduce.sum, "norm", dtype);
    }
    if (std::isinf(p)) {
        GradMode off(false);
        ReductionPlan changed = plan;
        changed.data = abs(plan.data);
        return changed.run(p > 0 ? reduce.amax : reduce.amin, "norm", dtype);
    }
    Tensor out = empty(plan.result_sizes, dtype);
    const auto& [outer, n, inner] = plan.extents;
    launch(reduce.norm[dtype], plan.data.data(), p, out.data(), outer, n, inner);
    return out;
}

// Only sums of nothing are zero.
void require_elements(const Tensor& x, const ReductionPlan& plan, double p) {
    if (plan.extents.n > 0 || (p >= 0 && !std::isinf(p))) return;
    const std::string problem =
        "linalg.vector_norm cannot compute the " + formulas::as_text(p) + " norm on ";
    if (plan.dims.is_all())
        fail(problem, "an empty tensor because the operation does not have an identity");
    for (int d = 0; d < x.dim(); ++d)
        if (plan.dims.contains(d) && x.sizes()[d] == 0)
            fail(problem, "the dimension ", d,
                 " because this dimension is empty and the operation does not have an identity");
}

}  // namespace

Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim) {
    if (!x.is_floating())
        fail("linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
    const ReductionPlan plan(x, dims, keepdim);
    require_elements(x, plan, p);
    return recorded(norm_values(plan, p), VectorNorm{{plan, keepdim}, p}, x);
}

void from_text(std::string_view text, NormOrder& order) {
    if (text != "fro" && text != "nuc") fail("linalg.matrix_norm: Order ", text, " not supported.");
    order = {2, text == "nuc", text == "fro"};
}

Tensor norm_of(const Tensor& x, const std::optional<NormOrder>& order, const Dims& dims,
               bool keepdim, OptionalDType dtype) {
    const Tensor data = dtype ? to_dtype(x, *dtype) : x;
    if (order && order->nuclear) return nuclear_norm(data, dims, keepdim);
    if (order && order->frobenius && dims.size() > 2) refuse_matrix_dims(dims);
    return norm(data, order ? order->p : 2, dims, keepdim);
}

namespace {

// The softmax over several dimensions.
Tensor softmax_over(const Tensor& x, DimSet set) {
    Dims dims, last, sizes;
    for (int d = 0; d < x.dim(); ++d) {
        if (set.contains(d)) dims.push_back(d);
        else sizes.push_back(x.sizes()[d]);
    }
    if (dims.size() <= 1) return softmax(x, dims.empty() ? 0 : dims[0]);
    for (int i = -dims.size(); i < 0; ++i) last.push_back(i);
    sizes.push_back(count_of(x.sizes(), set));
    const Tensor moved = movedim(x, dims, last);
    return movedim(reshape(softmax(reshape(moved, sizes), -1), moved.sizes()), last, dims);
}

// The parts that elements have in their sum of exponentials. That of an infinite sum is what infinite elements
// have in common; where all are -inf, none has any.
Tensor shares(const Tensor& x, const Tensor& y, DimSet dims) {
    if (is_replay_recorded() && !grad_enabled())
        return in_one_step([dims](const Tensor& a, const Tensor& b) { return shares(a, b, dims); },
                           x, y);
    bool finite;
    {
        GradMode off(false);
        finite = !any_values(isinf(y));
    }
    if (finite) return softmax_over(x, dims);
    const Tensor decided = where(isinf(y), where(x == y, 0, -kInf), x);
    return where(y == -kInf, 0, softmax_over(decided, dims));
}

TAPEGRAD_WORD(shares)
rules::Text shares(const rules::Text& x, const rules::Text&, DimSet dims) {
    return formulas::call("softmax", {x.s, formulas::as_text(Dims(dims))});
}

struct Logsumexp : Reduced {
    static constexpr auto node = "LogsumexpBackward0";
    auto backward(auto g, auto x, auto y) const { return g * shares(x, y, dim); }
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
bool all_values(const Tensor& x) {
    refuse_replay("an operation that looks at the values of a tensor");
    return *all(x, {}, false).data<uint8_t>() != 0;
}
bool any_values(const Tensor& x) {
    refuse_replay("an operation that looks at the values of a tensor");
    return *any(x, {}, false).data<uint8_t>() != 0;
}

bool is_nonzero(const Tensor& x) {
    if (x.numel() != 1)
        fail("Boolean value of Tensor with ", x.numel() ? "more than one value" : "no values",
             " is ambiguous");
    refuse_replay("the value of a tensor, as a condition of Python");
    return visit_dtype(x.dtype(), [&]<class T>() { return *x.data<T>() != T(0); });
}

}  // namespace tapegrad
