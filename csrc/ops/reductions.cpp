#include "ops/reductions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/record.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

using kernels::ReduceFn;
using kernels::Ties;

// A reduction brought to the form that kernels take: contiguous data as [outer, n, inner].
struct Layout {
    Tensor data;
    int64_t outer = 1, n = 1, inner = 1;
    Dims result_sizes;  // without the reduced dimensions
    Dims kept_sizes;    // with 1 in their place
    uint64_t mask = 0;
};

uint64_t reduced_mask(const Tensor& x, const Dims& dims) {
    return dims.empty() ? (x.dim() >= 64 ? ~uint64_t{0} : (uint64_t{1} << x.dim()) - 1)
                        : wrap_dims(dims, x.dim());
}

Layout layout(const Tensor& x, const Dims& dims) {
    Layout result;
    result.mask = reduced_mask(x, dims);
    int first = -1, last = -1, count = 0;
    for (int i = 0; i < x.dim(); ++i) {
        const bool reduced = result.mask >> i & 1;
        result.kept_sizes.push_back(reduced ? 1 : x.sizes()[i]);
        if (!reduced) {
            result.result_sizes.push_back(x.sizes()[i]);
            continue;
        }
        if (first < 0) first = i;
        last = i;
        ++count;
    }
    if (count == 0) {  // a 0-d tensor
        result.data = contiguous_values(x);
        result.outer = x.numel();
        return result;
    }
    if (count == x.dim()) {
        // The order of a sum over everything is that of the elements.
        result.data = contiguous_values(x);
        result.n = x.numel();
        return result;
    }
    if (last - first + 1 == count) {
        result.data = contiguous_values(x);
        for (int i = 0; i < x.dim(); ++i)
            (i < first ? result.outer : i <= last ? result.n : result.inner) *= x.sizes()[i];
        return result;
    }
    // Reduced dimensions with others in between: move them together, last.
    Dims sizes, strides;
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < x.dim(); ++i) {
            const bool reduced = result.mask >> i & 1;
            if (reduced != (pass == 1)) continue;
            sizes.push_back(x.sizes()[i]);
            strides.push_back(x.strides()[i]);
            (reduced ? result.n : result.outer) *= x.sizes()[i];
        }
    }
    result.data = contiguous_values(alias(x, sizes, strides, 0));
    return result;
}

Tensor run(ReduceFn kernel, const char* name, const Layout& l, bool keepdim, DType dtype) {
    if (!kernel)
        fail<NotImplementedError>("\"", name, "\" not implemented for '",
                                  scalar_type_name(l.data.dtype()), "'");
    Tensor out = empty(keepdim ? l.kept_sizes : l.result_sizes, dtype);
    kernel(l.data.data(), out.data(), l.outer, l.n, l.inner);
    return out;
}

// Gives a reduced tensor its reduced dimensions back, with size 1.
Tensor restore(const Tensor& reduced, const Dims& input_sizes, uint64_t mask, bool keepdim) {
    if (keepdim || reduced.dim() == input_sizes.size()) return reduced;
    Dims sizes = input_sizes;
    for (int i = 0; i < sizes.size(); ++i)
        if (mask >> i & 1) sizes[i] = 1;
    return reshape(reduced, sizes);
}

// Node of a reduction; the rule gets the gradient with the reduced dimensions restored to size 1.
class ReductionNode final : public Node {
public:
    using Rule = Tensor (*)(const Tensor& grad, const ReductionNode& node);
    ReductionNode(const char* name, Rule rule, const char* formula, const Tensor& x, uint64_t mask,
                  bool keepdim, double parameter)
        : Node(gradient_edge(x)),
          input_sizes(x.sizes()),
          mask(mask),
          keepdim(keepdim),
          parameter(parameter),
          name_(name),
          rule_(rule),
          formula_(formula) {}

    const char* name() const noexcept override { return name_; }
    std::string formula() const override { return formula_; }
    void release_saved() override {
        input.release();
        result.release();
        indices.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        if (input.defined()) visitor.tensor("self", input);
        if (result.defined()) visitor.tensor("result", result);
        if (indices.defined()) visitor.tensor("indices", indices);
        visitor.dims("self_sym_sizes", input_sizes);
        visitor.boolean("keepdim", keepdim);
        visitor.dims("dim", reduced_dims());
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0) || !grads[0].defined()) return;
        // A single number broadcasts as it is; only rules with indices look at its dimensions.
        const bool broadcasts = grads[0].dim() == 0 && !indices.defined();
        inputs[0] =
            rule_(broadcasts ? grads[0] : restore(grads[0], input_sizes, mask, keepdim), *this);
    }
    Tensor saved_input() const { return input.unpack(*this); }
    // The result with its reduced dimensions restored.
    Tensor saved_result() const {
        return restore(result.unpack(*this), input_sizes, mask, keepdim);
    }
    Tensor saved_indices() const {
        return restore(indices.unpack(*this), input_sizes, mask, keepdim);
    }
    Dims reduced_dims() const {
        Dims dims;
        for (int i = 0; i < input_sizes.size(); ++i)
            if (mask >> i & 1) dims.push_back(i);
        return dims;
    }
    int64_t reduced_count() const {
        int64_t count = 1;
        for (int i = 0; i < input_sizes.size(); ++i)
            if (mask >> i & 1) count *= input_sizes[i];
        return count;
    }

    const Dims input_sizes;
    const uint64_t mask;
    const bool keepdim;
    const double parameter;
    SavedTensor input, result, indices;

private:
    const char* name_;
    Rule rule_;
    const char* formula_;
};

enum Save { kNothing = 0, kInput = 1, kResult = 2 };

void record(const Tensor& out, const Tensor& x, const char* name, ReductionNode::Rule rule,
            const char* formula, uint64_t mask, bool keepdim, int save = kNothing,
            double parameter = 0) {
    if (!recording(x)) return;
    Ref<ReductionNode> node(new ReductionNode(name, rule, formula, x, mask, keepdim, parameter));
    set_history(out, node);
    if (save & kInput) node->input = SavedTensor(x, false);
    if (save & kResult) node->result = SavedTensor(out, true);
}

DType sum_type(const Tensor& x, OptionalDType dtype) {
    return dtype ? *dtype : x.is_floating() ? x.dtype() : DType::Int64;
}

// x converted so that a kernel gives the wanted type.
Tensor reduction_input(const Tensor& x, OptionalDType dtype) {
    if (!dtype || *dtype == x.dtype() || (*dtype == DType::Int64 && !x.is_floating())) return x;
    return to_dtype(x, *dtype);
}

const char* numbered(const Dims& dims, const char* over_all, const char* over_dims) {
    return dims.empty() ? over_all : over_dims;
}

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

// The gradient of a sum for each of its elements. A small one is written out: what follows is quicker on
// plain memory than on strides of zero.
Tensor spread(const Tensor& grad, const Dims& sizes) {
    constexpr int64_t kSmall = 1024;
    if (grad_enabled() || grad.numel() != 1 || element_count(sizes) > kSmall)
        return expand(grad, sizes);
    Tensor out = empty(sizes, grad.dtype());
    visit_dtype(grad.dtype(),
                [&]<class T>() { std::fill_n(out.data<T>(), out.numel(), *grad.data<T>()); });
    return out;
}

}  // namespace

Tensor sum(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    const DType out_type = sum_type(x_given, dtype);
    const Tensor x = reduction_input(x_given, dtype);
    const Layout l = layout(x, dims);
    const bool integers = !x.is_floating();
    Tensor out = run(kernel_table().reduce.sum[int(x.dtype())], "sum", l, keepdim,
                     integers ? DType::Int64 : x.dtype());
    if (out.dtype() != out_type) out = cast_values(out, out_type);
    record(
        out, x, numbered(dims, "SumBackward0", "SumBackward1"),
        [](const Tensor& g, const ReductionNode& node) { return spread(g, node.input_sizes); },
        "expand(grad)", l.mask, keepdim);
    return out;
}

Tensor mean(const Tensor& x_given, const Dims& dims, bool keepdim, OptionalDType dtype) {
    const Tensor x = reduction_input(x_given, dtype);
    if (!x.is_floating())
        fail(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            "complex dtype. Got: ",
            scalar_type_name(x.dtype()));
    const Layout l = layout(x, dims);
    Tensor out = run(kernel_table().reduce.sum[int(x.dtype())], "mean", l, keepdim, x.dtype());
    divide_values(out, l.n);
    record(
        out, x, numbered(dims, "MeanBackward0", "MeanBackward1"),
        [](const Tensor& g, const ReductionNode& node) {
            return spread(g / static_cast<double>(node.reduced_count()), node.input_sizes);
        },
        "expand(grad) / count", l.mask, keepdim);
    return out;
}

// ------------------------------------------------------------------------------------- product

namespace {

// d prod / d x_i is the product of the others. Where no element is zero, that is result / x_i; elsewhere it
// is built from the products before and after each element, which needs no division.
Tensor prod_gradient(const Tensor& grad, const Tensor& x, const Tensor& result, int dim) {
    if (x.numel() == 0) return zeros(x.sizes(), x.dtype());
    bool any_zero;
    {
        GradMode off(false);
        any_zero = any_values(compare(Comparison::Eq, x, 0));
    }
    if (!any_zero && !grad_enabled()) return grad * (result / x);
    const int64_t n = x.size(dim);
    if (n == 1) return grad * (zeros(x.sizes(), x.dtype()) + 1);
    Dims one = x.sizes();
    one[dim] = 1;
    const Tensor ones = full(one, 1, x.dtype());
    const Tensor before =
        cumprod(concat2(ones, slice(x, dim, 0, n - 1, 1), dim), dim, std::nullopt);
    const Tensor after = flip(
        cumprod(concat2(ones, flip(slice(x, dim, 1, n, 1), {dim}), dim), dim, std::nullopt), {dim});
    return grad * (before * after);
}

}  // namespace

Tensor prod(const Tensor& x_given, OptionalDType dtype) {
    const DType out_type = sum_type(x_given, dtype);
    const Tensor x = reduction_input(x_given, dtype);
    const Layout l = layout(x, {});
    Tensor out = run(kernel_table().reduce.prod[int(x.dtype())], "prod", l, false,
                     x.is_floating() ? x.dtype() : DType::Int64);
    if (out.dtype() != out_type) out = cast_values(out, out_type);
    record(
        out, x, "ProdBackward0",
        [](const Tensor& g, const ReductionNode& node) {
            const Tensor flat = reshape(node.saved_input(), {-1});
            return reshape(
                prod_gradient(reshape(g, {1}), flat, reshape(node.saved_result(), {1}), 0),
                node.input_sizes);
        },
        "grad * result / self", l.mask, false, kInput | kResult);
    return out;
}

Tensor prod(const Tensor& x_given, int64_t dim, bool keepdim, OptionalDType dtype) {
    const DType out_type = sum_type(x_given, dtype);
    const Tensor x = reduction_input(x_given, dtype);
    if (x.dim() == 0) {
        wrap_dim(dim, 0);
        return prod(x, dtype);
    }
    const Layout l = layout(x, {dim});
    Tensor out = run(kernel_table().reduce.prod[int(x.dtype())], "prod", l, keepdim,
                     x.is_floating() ? x.dtype() : DType::Int64);
    if (out.dtype() != out_type) out = cast_values(out, out_type);
    record(
        out, x, "ProdBackward1",
        [](const Tensor& g, const ReductionNode& node) {
            return prod_gradient(g, node.saved_input(), node.saved_result(),
                                 static_cast<int>(node.parameter));
        },
        "grad * result / self", l.mask, keepdim, kInput | kResult, wrap_dim(dim, x.dim()));
    return out;
}

// ------------------------------------------------------------------------------ var, std, norm

namespace {

void require_floating(const Tensor& x, const char* name) {
    if (!x.is_floating()) fail(name, " only support floating point and complex dtypes");
}

// Variance without recording, together with the layout that was reduced.
Tensor variance(const Tensor& x, const Layout& l, double correction, bool keepdim) {
    Tensor mean_values = empty(keepdim ? l.kept_sizes : l.result_sizes, x.dtype());
    Tensor out = empty(mean_values.sizes(), x.dtype());
    kernel_table().reduce.moments[int(x.dtype())](l.data.data(), mean_values.data(), out.data(),
                                                  l.outer, l.n, l.inner);
    const double divisor = std::max(static_cast<double>(l.n) - correction, 0.0);
    if (divisor == 0 && out.numel())
        warn(
            "var(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).");
    GradMode off(false);
    binary_in_place(Binary::Div, out, divisor);
    return out;
}

Tensor dims_mean(const Tensor& x, const ReductionNode& node) {
    Dims dims;
    for (int i = 0; i < x.dim(); ++i)
        if (node.mask >> i & 1) dims.push_back(i);
    return dims.empty() ? x : mean(x, dims, true, std::nullopt);
}

// d var / d x = 2 (x - mean) / (n - correction)
Tensor var_gradient(const Tensor& grad, const ReductionNode& node) {
    const Tensor x = node.saved_input();
    const double divisor =
        std::max(static_cast<double>(node.reduced_count()) - node.parameter, 0.0);
    return (grad * (2.0 / divisor)) * (x - dims_mean(x, node));
}

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const Layout l = layout(x, dims);
    Tensor out = variance(x, l, correction, keepdim);
    record(out, x, "VarBackward0", var_gradient,
           "grad * 2 * (self - mean(self)) / (count - correction)", l.mask, keepdim, kInput,
           correction);
    return out;
}

Tensor stddev(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
    require_floating(x, "std and var");
    const Layout l = layout(x, dims);
    Tensor out = variance(x, l, correction, keepdim);
    {
        GradMode off(false);
        unary_in_place(Unary::Sqrt, out);
    }
    record(
        out, x, "StdBackward0",
        [](const Tensor& g, const ReductionNode& node) {
            // The slope at a spread of zero is taken to be zero.
            const Tensor result = node.saved_result();
            return var_gradient(where(result == 0, 0, g / (result * 2)), node);
        },
        "grad * (self - mean(self)) / (result * (count - correction))", l.mask, keepdim,
        kInput | kResult, correction);
    return out;
}

namespace {

// Gradients of p-norms; at zero the subgradient 0 is taken.
Tensor norm_gradient(const Tensor& grad, const ReductionNode& node) {
    const Tensor x = node.saved_input(), result = node.saved_result();
    const double p = node.parameter;
    if (p == 0) return zeros(x.sizes(), x.dtype());
    if (p == 1) return grad * sign(x);
    if (p == 2) return where(result == 0, 0, grad * (x / result));
    if (std::isinf(p)) {
        const Tensor hits = to_dtype(abs(x) == result, x.dtype());
        Dims dims;
        for (int i = 0; i < x.dim(); ++i)
            if (node.mask >> i & 1) dims.push_back(i);
        const Tensor count = dims.empty() ? hits : sum(hits, dims, true, std::nullopt);
        return (sign(x) * hits) * (grad / count);
    }
    const Tensor scaled = sign(x) * pow(abs(x), p - 1);
    const Tensor slope = where(result == 0, 0, grad / pow(result, p - 1));
    return where(x == 0, 0, scaled * slope);
}

Tensor norm_values(const Tensor& x, const Layout& l, double p, bool keepdim) {
    const auto& reduce = kernel_table().reduce;
    const int type = int(x.dtype());
    if (p == 2) return run(reduce.norm2[type], "norm", l, keepdim, x.dtype());
    if (p == 1) return run(reduce.sum_abs[type], "norm", l, keepdim, x.dtype());
    GradMode off(false);
    Layout changed = l;
    if (std::isinf(p)) {
        changed.data = abs(l.data);
        if (l.n == 0)
            fail("norm: the dimension that is reduced must not be empty for an infinite order");
        return run(p > 0 ? reduce.amax[type] : reduce.amin[type], "norm", changed, keepdim,
                   x.dtype());
    }
    if (p == 0) {
        changed.data = to_dtype(compare(Comparison::Ne, l.data, 0), x.dtype());
        return run(reduce.sum[type], "norm", changed, keepdim, x.dtype());
    }
    changed.data = pow(abs(l.data), p);
    return pow(run(reduce.sum[type], "norm", changed, keepdim, x.dtype()), 1 / p);
}

}  // namespace

Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim) {
    if (!x.is_floating())
        fail("linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
    const Layout l = layout(x, dims);
    Tensor out = norm_values(x, l, p, keepdim);
    record(out, x, "LinalgVectorNormBackward0", norm_gradient, p == 2 ? "grad * self / result" : "",
           l.mask, keepdim, kInput | kResult, p);
    return out;
}

Tensor logsumexp(const Tensor& x_given, const Dims& dims, bool keepdim) {
    const Tensor x = x_given.is_floating() ? x_given : to_dtype(x_given, DType::Float32);
    const Layout l = layout(x, dims);
    Tensor out =
        run(kernel_table().reduce.logsumexp[int(x.dtype())], "logsumexp", l, keepdim, x.dtype());
    record(
        out, x, "LogsumexpBackward0",
        [](const Tensor& g, const ReductionNode& node) {
            // exp(x - result) where both are infinite counts as zero.
            const Tensor result = node.saved_result();
            const Tensor safe = where(predicate(Predicate::IsInf, result), 0, result);
            return g * exp(node.saved_input() - safe);
        },
        "grad * exp(self - result)", l.mask, keepdim, kInput | kResult);
    return out;
}

// ------------------------------------------------------------------------------------ extremes

namespace {

const char* extreme_name(Extreme which) { return which == Extreme::Max ? "max" : "min"; }

void require_elements(const Layout& l, const char* name, bool over_all, const Dims& dims = {}) {
    if (l.n > 0) return;
    if (over_all)
        fail(name,
             "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
             "reduction dim with the 'dim' argument.");
    if (l.outer * l.inner > 0)
        fail<IndexError>(name, "(): Expected reduction dim ", dims.empty() ? 0 : dims[0],
                         " to have non-zero size.");
}

// The gradient is shared evenly among the elements that are extreme.
template <Ties ties> Tensor evenly(const Tensor& grad, const ReductionNode& node) {
    const Tensor x = node.saved_input();
    const Tensor result = node.saved_result();
    const Dims dims = node.reduced_dims();
    const bool rows = dims.empty() || dims[0] == x.dim() - dims.size();
    if (!grad_enabled() && rows && x.is_contiguous() && grad.dtype() == x.dtype()) {
        Tensor out = empty_row_major_like(x);
        const Tensor g = contiguous_values(grad), y = contiguous_values(result);
        kernel_table().reduce.extreme_backward[int(x.dtype())](
            g.data(), x.data(), y.data(), out.data(), g.numel(),
            g.numel() ? x.numel() / g.numel() : 0, ties);
        return out;
    }
    Tensor hits = x == result;
    if (ties == Ties::Masked) {
        GradMode off(false);
        const Tensor nan = compare(Comparison::LogicalAnd, predicate(Predicate::IsNan, x),
                                   predicate(Predicate::IsNan, result));
        hits = compare(Comparison::LogicalOr, hits, nan);
    }
    const Tensor ones = to_dtype(hits, x.dtype());
    const Tensor count = dims.empty() ? ones : sum(ones, dims, true, std::nullopt);
    return ties == Ties::Masked ? where(hits, grad / count, 0) : grad * ones / count;
}

}  // namespace

Tensor extreme(Extreme which, const Tensor& x) {
    const Layout l = layout(x, {});
    require_elements(l, extreme_name(which), true);
    const auto& reduce = kernel_table().reduce;
    Tensor out = run((which == Extreme::Max ? reduce.amax : reduce.amin)[int(x.dtype())],
                     extreme_name(which), l, false, x.dtype());
    record(out, x, which == Extreme::Max ? "MaxBackward1" : "MinBackward1", evenly<Ties::Masked>,
           "grad * (self == result) / count(self == result)", l.mask, false, kInput | kResult);
    return out;
}

Tensor extremes(Extreme which, const Tensor& x, const Dims& dims, bool keepdim) {
    const bool max = which == Extreme::Max;
    const Layout l = layout(x, dims);
    require_elements(l, max ? "amax" : "amin", dims.empty(), dims);
    const auto& reduce = kernel_table().reduce;
    Tensor out = run((max ? reduce.amax : reduce.amin)[int(x.dtype())], max ? "amax" : "amin", l,
                     keepdim, x.dtype());
    record(out, x, max ? "AmaxBackward0" : "AminBackward0", evenly<Ties::Divided>,
           "grad * (self == result) / count(self == result)", l.mask, keepdim, kInput | kResult);
    return out;
}

std::pair<Tensor, Tensor> extreme_with_index(Extreme which, const Tensor& x, int64_t dim,
                                             bool keepdim) {
    const Layout l = layout(x, {dim});
    require_elements(l, extreme_name(which), false, {wrap_dim(dim, x.dim())});
    const auto& reduce = kernel_table().reduce;
    Tensor values = empty(keepdim ? l.kept_sizes : l.result_sizes, x.dtype());
    Tensor indices = empty(values.sizes(), DType::Int64);
    (which == Extreme::Max ? reduce.max_index : reduce.min_index)[int(x.dtype())](
        l.data.data(), values.data(), indices.data<int64_t>(), l.outer, l.n, l.inner);
    if (recording(x)) {
        Ref<ReductionNode> node(new ReductionNode(
            which == Extreme::Max ? "MaxBackward0" : "MinBackward0",
            [](const Tensor& g, const ReductionNode& self) {
                const int64_t at = static_cast<int64_t>(self.parameter);
                if (self.input_sizes.empty()) return g;
                return scatter(zeros(self.input_sizes, g.dtype()), at, self.saved_indices(), g);
            },
            "scatter(grad, indices)", x, l.mask, keepdim, wrap_dim(dim, x.dim())));
        set_history(values, node);
        node->indices = SavedTensor(indices, false);
    }
    return {values, indices};
}

Tensor arg_extreme(Extreme which, const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
    const Layout l = layout(x, dim ? Dims{*dim} : Dims{});
    const char* name = which == Extreme::Max ? "argmax" : "argmin";
    if (l.n == 0 && (!dim || l.outer * l.inner > 0)) {
        if (dim)
            fail<IndexError>(name, "(): Expected reduction dim ", *dim, " to have non-zero size.");
        fail<IndexError>(name,
                         "(): Expected reduction dim to be specified for input.numel() == 0.");
    }
    if (x.dtype() == DType::Bool)
        fail<NotImplementedError>("\"", name, "_cpu\" not implemented for 'Bool'");
    const auto& reduce = kernel_table().reduce;
    Tensor indices = empty(keepdim ? l.kept_sizes : l.result_sizes, DType::Int64);
    (which == Extreme::Max ? reduce.max_index : reduce.min_index)[int(x.dtype())](
        l.data.data(), nullptr, indices.data<int64_t>(), l.outer, l.n, l.inner);
    return indices;
}

namespace {
// Bytes used to be the type of masks: any and all of bytes are bytes.
Tensor truth(const Tensor& result, const Tensor& x) {
    return x.dtype() == DType::UInt8 ? cast_values(result, DType::UInt8) : result;
}
}  // namespace

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
    return truth(run(kernel_table().reduce.any[int(x.dtype())], "any", layout(x, dims), keepdim,
                     DType::Bool),
                 x);
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
    return truth(run(kernel_table().reduce.all[int(x.dtype())], "all", layout(x, dims), keepdim,
                     DType::Bool),
                 x);
}
Tensor count_nonzero(const Tensor& x, const Dims& dims) {
    return run(kernel_table().reduce.count_nonzero[int(x.dtype())], "count_nonzero",
               layout(x, dims), false, DType::Int64);
}
bool all_values(const Tensor& x) { return *all(x, {}, false).data<uint8_t>() != 0; }
bool any_values(const Tensor& x) { return *any(x, {}, false).data<uint8_t>() != 0; }

// --------------------------------------------------------------------------------------- scans

namespace {

Tensor scan(const ReduceFn* kernels, const char* name, const Tensor& x, int64_t dim) {
    const Tensor data = contiguous_values(x);
    Tensor out = empty(x.sizes(), x.dtype());
    if (x.dim() == 0) {
        copy_values(out, data);
        return out;
    }
    Layout l;
    const int at = wrap_dim(dim, x.dim());
    for (int i = 0; i < x.dim(); ++i) (i < at ? l.outer : i == at ? l.n : l.inner) *= x.sizes()[i];
    const ReduceFn kernel = kernels[int(x.dtype())];
    if (!kernel)
        fail<NotImplementedError>("\"", name, "\" not implemented for '",
                                  scalar_type_name(x.dtype()), "'");
    kernel(data.data(), out.data(), l.outer, l.n, l.inner);
    return out;
}

Tensor scan_input(const Tensor& x, OptionalDType dtype) { return to_dtype(x, sum_type(x, dtype)); }

Tensor reverse_cumsum(const Tensor& x, int64_t dim) {
    if (grad_enabled()) return flip(cumsum(flip(x, {dim}), dim, std::nullopt), {dim});
    return scan(kernel_table().reduce.reverse_cumsum, "cumsum", x, dim);
}

// d out_k / d x_i for k >= i is the product of x_0..x_k without x_i. Without zeros that is out_k / x_i;
// with zeros each i is computed on its own.
Tensor cumprod_gradient(const Tensor& grad, const Tensor& x, const Tensor& result, int dim) {
    if (x.dim() == 0) return grad;
    bool any_zero;
    {
        GradMode off(false);
        any_zero = any_values(compare(Comparison::Eq, x, 0));
    }
    if (!any_zero) return reverse_cumsum(grad * result, dim) / x;
    const int64_t n = x.size(dim);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < n; ++i) {
        Dims one = x.sizes();
        one[dim] = 1;
        const Tensor before = i == 0 ? full(one, 1, x.dtype())
                                     : prod(slice(x, dim, 0, i, 1), dim, true, std::nullopt);
        Tensor rest = slice(grad, dim, i, i + 1, 1);
        if (i + 1 < n) {
            const Tensor after = cumprod(slice(x, dim, i + 1, n, 1), dim, std::nullopt);
            rest = rest + sum(slice(grad, dim, i + 1, n, 1) * after, {dim}, true, std::nullopt);
        }
        parts.push_back(before * rest);
    }
    return cat(parts, dim);
}

}  // namespace

Tensor cumsum(const Tensor& x_given, int64_t dim, OptionalDType dtype) {
    wrap_dim(dim, x_given.dim());
    const Tensor x = scan_input(x_given, dtype);
    Tensor out = scan(kernel_table().reduce.cumsum, "cumsum", x, dim);
    record(
        out, x, "CumsumBackward0",
        [](const Tensor& g, const ReductionNode& node) {
            return node.input_sizes.empty()
                       ? g
                       : reverse_cumsum(g, static_cast<int64_t>(node.parameter));
        },
        "reverse_cumsum(grad)", 0, true, kNothing, wrap_dim(dim, x.dim()));
    return out;
}

Tensor cumprod(const Tensor& x_given, int64_t dim, OptionalDType dtype) {
    wrap_dim(dim, x_given.dim());
    const Tensor x = scan_input(x_given, dtype);
    Tensor out = scan(kernel_table().reduce.cumprod, "cumprod", x, dim);
    record(
        out, x, "CumprodBackward0",
        [](const Tensor& g, const ReductionNode& node) {
            return cumprod_gradient(g, node.saved_input(), node.saved_result(),
                                    static_cast<int>(node.parameter));
        },
        "reverse_cumsum(grad * result) / self", 0, true, kInput | kResult, wrap_dim(dim, x.dim()));
    return out;
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

bool is_nonzero(const Tensor& x) {
    if (x.numel() != 1)
        fail("Boolean value of Tensor with ", x.numel() ? "more than one value" : "no values",
             " is ambiguous");
    return visit_dtype(x.dtype(), [&]<class T>() { return *x.data<T>() != T(0); });
}

}  // namespace tapegrad
