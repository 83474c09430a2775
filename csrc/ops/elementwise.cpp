#include "ops/elementwise.h"

#include <limits>

#include "kernels/table.h"
#include "ops/elementwise_operands.h"
#include "ops/overlap.h"
#include "ops/record.h"
#include "ops/reductions.h"
#include "ops/rule.h"

namespace tapegrad {

using kernels::Operand;

Tensor compare(Comparison op, const Arg& given_a, const Arg& given_b) {
    const Arg a = comparable(given_a, given_b), b = comparable(given_b, given_a);
    const DType dtype = comparison_type(a, b);
    Tensor out = empty_result(broadcast_shape(a, b), DType::Bool, a, b);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel_table().elementwise.comparison[int(op)][dtype], out, operands,
                             2, item_size(dtype));
    return out;
}

namespace {

// What is written does not depend on the operands any more.
struct ComparedInPlace : Named {
    static constexpr bool is_symmetric = true;
    static constexpr std::array arguments{"self", "other"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return zero_like(g); }, [=] { return zero_like(g); });
    }
};

// With a number and with a tensor.
constexpr const char* kComparisonNodes[][2] = {
#define TAPEGRAD_NODES(Name, ...) {#Name "Backward0", #Name "Backward1"},
    TAPEGRAD_COMPARISON(TAPEGRAD_NODES)
#undef TAPEGRAD_NODES
};

}  // namespace

const Tensor& compare_in_place(Comparison op, const Tensor& a, const Arg& b) {
    const InPlace change(a, b);
    refuse_overlaps(a, b);
    check_in_place_result(a, broadcast_shape(a, b), DType::Bool);
    const auto write = [&] { copy_values(a, compare(op, a, b)); };
    if (!a.is_floating()) return change.apply(Ref<Node>(), write);
    return change.apply(ComparedInPlace{kComparisonNodes[int(op)][b.is_tensor()]}, write, b);
}

const Tensor& logical_not_(const Tensor& x) {
    const InPlace change(x);
    refuse_internal_overlap(x);
    return change.apply(Overwritten{"LogicalNotBackward0"},
                        [&] { copy_values(x, predicate(Predicate::LogicalNot, x)); });
}

namespace {

struct Where {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "WhereBackward0";
    static constexpr std::array arguments{"self", "other", "condition"};
    auto backward(auto g, auto, auto, auto condition, auto) const {
        return gradients([=] { return where(condition, g, 0); },
                         [=] { return where(condition, 0, g); });
    }
};

}  // namespace

void fill_where(const Tensor& out, const Tensor& condition, const Operand& a, const Operand& b) {
    const Operand operands[] = {condition, a, b};
    const size_t bytes[] = {1, out.item_size(), out.item_size()};
    kernels::run_elementwise(kernel_table().elementwise.where[out.dtype()], out, operands, 3,
                             bytes);
}

Tensor where(const Tensor& condition, const Arg& a, const Arg& b) {
    if (condition.dtype() != DType::Bool && condition.dtype() != DType::UInt8)
        fail("where expected condition to be a boolean tensor, but got a tensor with dtype ",
             scalar_type_name(condition.dtype()));
    const DType dtype =
        !a.is_tensor() && !b.is_tensor() && (a.scalar().is_floating() || b.scalar().is_floating())
            ? default_float_type
            : result_type(a, b);
    for (const Arg* arg : {&a, &b})
        if (!arg->is_tensor()) check_convertible(arg->scalar(), dtype);
    Dims shape = condition.sizes();
    if (a.is_tensor()) shape = broadcast(shape, a.tensor().sizes());
    if (b.is_tensor()) shape = broadcast(shape, b.tensor().sizes());
    auto tensor_of = [](const Arg& arg) { return arg.is_tensor() ? &arg.tensor() : nullptr; };
    auto plain = [](const Arg& arg) { return !arg.is_tensor() || arg.tensor().is_contiguous(); };
    Tensor out = condition.is_contiguous() && plain(a) && plain(b)
                     ? empty(shape, dtype)
                     : empty_in_order(shape, dtype, {&condition, tensor_of(a), tensor_of(b)});
    Prepared pa(a, dtype), pb(b, dtype);
    fill_where(out, condition, pa.operand, pb.operand);
    return recorded(std::move(out), Where{}, a, b, condition);
}

namespace {

double bound(const Arg* arg, double otherwise) {
    return arg ? arg->scalar().to_double() : otherwise;
}

// Both bounds are numbers (or absent) and x is a float: one fused kernel does it.
bool scalar_clamp(const Tensor& x, const Arg* low, const Arg* high) {
    if (!low && !high) fail("tapegrad.clamp: At least one of 'min' or 'max' must not be None");
    DType dtype = x.dtype();
    bool tensors = false;
    for (const Arg* bound : {low, high}) {
        if (!bound) continue;
        tensors |= bound->is_tensor();
        if (!x.is_floating() || bound->is_tensor()) dtype = promote(dtype, result_type(x, *bound));
    }
    for (const Arg* bound : {low, high})
        if (bound && !bound->is_tensor()) check_convertible(bound->scalar(), dtype);
    if (dtype == DType::Bool && !tensors)
        fail<NotImplementedError>("\"clamp", high ? "" : "_min", low ? "" : "_max",
                                  "_scalar_cpu\" not implemented for 'Bool'");
    return !tensors && x.is_floating();
}

}  // namespace

Tensor clamp(const Tensor& x, const Arg* low, const Arg* high) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (scalar_clamp(x, low, high))
        return unary(Unary::Clamp, x, bound(low, -inf), bound(high, inf));
    Tensor result = low ? binary(Binary::ClampMin, x, *low) : x;
    return high ? binary(Binary::ClampMax, result, *high) : result;
}

const Tensor& clamp_(const Tensor& x, const Arg* low, const Arg* high) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (!low && !high) check_inplace(x, recording(x));
    if (scalar_clamp(x, low, high))
        return unary_in_place(Unary::Clamp, x, bound(low, -inf), bound(high, inf));
    if (low && high) {
        check_inplace(x, recording_args(Arg(x), *low, *high));
        refuse_overlaps(x, *low);
        refuse_overlaps(x, *high);
        const Tensor result = clamp(clone(x), low, high);
        check_in_place_result(x, result.sizes(), result.dtype());
        return copy_(x, result);
    }
    return low ? binary_in_place(Binary::ClampMin, x, *low)
               : binary_in_place(Binary::ClampMax, x, *high);
}

namespace {

// Common exponents have kernels of their own.
bool special_power(const Tensor& x, double exponent, Unary& op) {
    if (exponent == 2) op = Unary::Square;
    else if (exponent == 3) op = Unary::Cube;
    else if (x.is_floating()) op = Unary::PowScalar;
    else return false;
    return true;
}

bool is_zero_power(const Tensor& x, const Scalar& exponent) {
    return x.is_floating() && exponent.to_double() == 0;
}

}  // namespace

Tensor pow(const Tensor& x, const Scalar& exponent) {
    Unary op;
    if (x.dtype() == DType::Bool && exponent.kind() == DType::Bool)
        return exponent.to_bool() ? clone(x) : full(x.sizes(), true, DType::Bool);
    if (x.dtype() == DType::Bool || (exponent.is_floating() && !x.is_floating()))
        return binary(Binary::Pow, x, exponent);
    // x ** 0 has derivative 0 everywhere, also at 0: the tensor form says so.
    if (is_zero_power(x, exponent)) return binary(Binary::Pow, x, exponent);
    if (!special_power(x, exponent.to_double(), op)) return binary(Binary::Pow, x, exponent);
    return unary(op, x, exponent.to_double());
}

const Tensor& pow_(const Tensor& x, const Scalar& exponent) {
    Unary op;
    if (x.dtype() == DType::Bool && exponent.kind() == DType::Bool)
        return copy_(x, pow(x, exponent));
    if (x.dtype() == DType::Bool || is_zero_power(x, exponent) ||
        (exponent.is_floating() && !x.is_floating()) || !special_power(x, exponent.to_double(), op))
        return binary_in_place(Binary::Pow, x, exponent);
    return unary_in_place(op, x, exponent.to_double());
}

// ------------------------------------------------- words of the formulas, where they are differentiated

// Both end where the density is 0 to every digit: its derivatives would multiply 0 by infinite squares.
static Tensor within_density(const Tensor& x) { return unary(Unary::Clamp, x, -40, 40); }
Tensor normal_cdf(const Tensor& x) {
    return unary(Unary::Erfc, within_density(x) * -formulas::kSqrtHalf) * 0.5;
}
Tensor normal_pdf(const Tensor& x) {
    const Tensor z = within_density(x);
    return exp(z * z * -0.5) * formulas::kInvSqrtTwoPi;
}

// The derivative of a sigmoid s is s (1 - s): the smaller one of both is computed, the other taken from it.
Tensor logistic(const Tensor& x) {
    if (!grad_enabled()) return sigmoid(x);
    const Tensor upper = x > 0;
    const Tensor s = sigmoid(where(upper, -x, x));
    return where(upper, 1 - s, s);
}
Tensor logistic_rest(const Tensor& s, const Tensor& x) {
    return grad_enabled() ? logistic(-x) : 1 - s;
}

// For b = 0 it is 0, also where a ** -1 is infinite. What changes with b there is b / a.
Tensor pow_slope(const Tensor& a, const Tensor& b) {
    const Tensor none = b == 0;
    const Tensor power = pow(where(none, 1, a), where(none, 1, b - 1));
    if (!recording(b)) return b * power;
    return where(none, b / where(none & (abs(a) > 0), a, 1), b) * power;
}

// Scaled by the larger one. For every scale the value is the same, so the scale counts as a constant.
Tensor over_squares(const Tensor& a, const Tensor& b) {
    Tensor scale, limit;
    {
        GradMode off(false);
        scale = maximum(abs(a), abs(b));
        limit = (scale == 0) | isinf(scale);
        scale = where(limit, 1, scale);
    }
    const Tensor x = where(limit, 0, a / scale), y = where(limit, 1, b / scale);
    return x / (x * x + y * y) / scale;
}

// Both are constant between their jumps.
Tensor floor_quotient(const Tensor& a, const Tensor& b) {
    GradMode off(false);
    return floor_divide(a, b);
}
Tensor trunc_quotient(const Tensor& a, const Tensor& b) {
    GradMode off(false);
    const Tensor size = floor_divide(abs(a), abs(b));
    return where(a / b < 0, -size, size);
}

bool equal(const Tensor& a, const Tensor& b) {
    return a.sizes() == b.sizes() && all_values(eq(a, b));
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    if (a.dtype() != b.dtype())
        fail(scalar_type_name(a.dtype()), " did not match ", scalar_type_name(b.dtype()));
    if (!(rtol >= 0)) fail("rtol must be greater than or equal to zero, but got ", rtol);
    if (!(atol >= 0)) fail("atol must be greater than or equal to zero, but got ", atol);
    GradMode off(false);
    Tensor same = eq(a, b);
    const Tensor x = to_dtype(a, promote(a.dtype(), DType::Float32)),
                 y = to_dtype(b, promote(b.dtype(), DType::Float32));
    const Tensor difference = abs(x - y);
    const Tensor near = difference <= abs(y) * rtol + atol;
    same = logical_or(same, logical_and(near, isfinite(difference)));
    if (equal_nan) same = logical_or(same, logical_and(isnan(x), isnan(y)));
    return same;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    return all_values(isclose(a, b, rtol, atol, equal_nan));
}

}  // namespace tapegrad
