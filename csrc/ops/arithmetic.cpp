#include "ops/arithmetic.h"

#include <cmath>

#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/overlap.h"
#include "ops/rule.h"

namespace tapegrad {
namespace {

// The product of a number or tensor with a factor that may have to be an integer.
class Scaled {
public:
    Scaled(const Arg& a, const Arg& b, const Scalar& alpha) {
        const DType dtype = result_type(a, b);
        if (alpha.kind() == DType::Bool && dtype != DType::Bool)
            fail("Boolean alpha only supported for Boolean results.");
        if (alpha.is_floating() && !is_floating(dtype))
            fail("For integral input tensors, argument alpha must not be a floating point number.");
        const Scalar factor = alpha.as(dtype);
        if (b.is_tensor()) tensor_ = binary(Binary::Mul, to_dtype(b.tensor(), dtype), factor);
        else if (b.scalar().is_floating() || factor.is_floating())
            number_ = Scalar(b.scalar().to_double() * factor.to_double());
        else number_ = product(b.scalar().to_int(), factor.to_int());
    }
    operator Arg() const { return tensor_.defined() ? Arg(tensor_) : Arg(number_); }

private:
    // As in tensors, integers wrap around.
    static int64_t product(int64_t a, int64_t b) {
        return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    }

    Tensor tensor_;
    Scalar number_{0};
};

Tensor scaled(Binary op, const Arg& a, const Arg& b, const Scalar& alpha) {
    require_tensor(binary_name(op), a, b);
    return binary(op, a, Scaled(a, b, alpha));
}

const Tensor& scaled_in_place(Binary op, const Tensor& a, const Arg& b, const Scalar& alpha) {
    // The scaled operand is memory of its own: what was given is checked here.
    check_inplace(a, recording(a) || (grad_enabled() && b.requires_grad()));
    refuse_internal_overlap(a);
    if (b.is_tensor()) refuse_partial_overlap(a, b.tensor());
    return binary_in_place(op, a, Scaled(a, b, alpha));
}

}  // namespace

Tensor add_scaled(const Arg& a, const Arg& b, const Scalar& alpha) {
    return scaled(Binary::Add, a, b, alpha);
}
Tensor sub_scaled(const Arg& a, const Arg& b, const Scalar& alpha) {
    return scaled(Binary::Sub, a, b, alpha);
}
const Tensor& add_scaled_(const Tensor& a, const Arg& b, const Scalar& alpha) {
    return scaled_in_place(Binary::Add, a, b, alpha);
}
const Tensor& sub_scaled_(const Tensor& a, const Arg& b, const Scalar& alpha) {
    return scaled_in_place(Binary::Sub, a, b, alpha);
}
Tensor reverse_sub(const Tensor& a, const Arg& b, const Scalar& alpha) {
    const bool scales = alpha.kind() != DType::Int64 || alpha.to_int() != 1;
    return scales ? sub_scaled(b, a, alpha) : binary(Binary::Sub, b, a);
}

void from_text(std::string_view text, Rounding& rounding) {
    if (text == "floor") rounding = Rounding::Floor;
    else if (text == "trunc") rounding = Rounding::Trunc;
    else
        fail("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", text,
             "'");
}

namespace {

// Constant between its jumps, also where the quotient is infinite or none.
struct RoundedQuotient {
    static constexpr auto node = "DivBackward2";
    static constexpr std::array arguments{"self", "other"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return zero_like(g); }, [=] { return zero_like(g); });
    }
};

Tensor truncated_quotient(const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    if (is_floating(dtype)) return unary(Unary::Trunc, binary(Binary::Div, a, b));
    if (dtype == DType::Bool)
        fail<NotImplementedError>("\"div_trunc_cpu\" not implemented for 'Bool'");
    // a - fmod(a, b) is a multiple of b.
    const Tensor rest = binary(Binary::Fmod, a, b);
    return floor_divide(binary(Binary::Sub, a.is_tensor() ? to_dtype(a.tensor(), dtype) : a, rest),
                        b);
}

}  // namespace

Tensor divide(const Arg& a, const Arg& b, std::optional<Rounding> rounding) {
    require_tensor("div", a, b);
    if (!rounding) return binary(Binary::Div, a, b);
    Tensor out;
    {
        const GradMode off(false);
        out = *rounding == Rounding::Floor ? floor_divide(a, b) : truncated_quotient(a, b);
    }
    return recorded(std::move(out), RoundedQuotient{}, a, b);
}

const Tensor& divide_(const Tensor& a, const Arg& b, std::optional<Rounding> rounding) {
    if (!rounding) return binary_in_place(Binary::Div, a, b);
    check_inplace(a, recording(a) || (grad_enabled() && b.requires_grad()));
    refuse_overlaps(a, b);
    const Tensor out = divide(a, b, rounding);
    check_in_place_result(a, out.sizes(), out.dtype());
    return copy_(a, out);
}

// round(x * 10^d) / 10^d
Tensor round_to(const Tensor& x, int64_t decimals) {
    if (decimals == 0) return unary(Unary::Round, x);
    if (!x.is_floating())
        fail<NotImplementedError>("\"round_decimals\" not implemented for '",
                                  scalar_type_name(x.dtype()), "'");
    const double scale = std::pow(10.0, std::abs(static_cast<double>(decimals)));
    const Tensor moved = decimals > 0 ? x * scale : x / scale;
    const Tensor rounded = unary(Unary::Round, moved);
    return decimals > 0 ? rounded / scale : rounded * scale;
}

const Tensor& round_to_(const Tensor& x, int64_t decimals) {
    if (decimals == 0) return unary_in_place(Unary::Round, x);
    check_inplace(x, recording(x));
    return copy_(x, round_to(x, decimals));
}

Tensor power(const Arg& x, const Arg& exponent) {
    require_tensor("pow", x, exponent);
    return exponent.is_tensor() ? binary(Binary::Pow, x, exponent)
                                : pow(x.tensor(), exponent.scalar());
}

const Tensor& power_(const Tensor& x, const Arg& exponent) {
    return exponent.is_tensor() ? binary_in_place(Binary::Pow, x, exponent)
                                : pow_(x, exponent.scalar());
}

Tensor positive(const Tensor& x) {
    if (x.dtype() == DType::Bool) fail("The `+` operator, on a bool tensor is not supported.");
    return x;
}

Tensor bitwise_not(const Tensor& x) {
    if (x.dtype() == DType::Bool) return predicate(Predicate::LogicalNot, x);
    if (x.is_floating())
        fail<TypeError>(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors");
    return integer_binary(Integer::BitwiseXor, x,
                          x.dtype() == DType::UInt8 ? int64_t{255} : int64_t{-1});
}

const Tensor& bitwise_not_(const Tensor& x) { return copy_(x, bitwise_not(x)); }

Tensor number_tensor(const Scalar& value) {
    return scalar_tensor(value, value.is_floating() ? default_float_type : value.kind());
}

void require_tensor(const char* function, const Arg& a, const Arg& b) {
    if (a.is_tensor() || b.is_tensor()) return;
    const Scalar& number = a.scalar();
    fail<TypeError>(function, "(): argument 'input' (position 1) must be Tensor, not ",
                    number.kind() == DType::Bool ? "bool"
                    : number.is_floating()       ? "float"
                                                 : "int");
}

}  // namespace tapegrad
