// Element-wise functions and methods, driven by the lists in csrc/formulas.
#include "ops/elementwise.h"

#include "autograd/cuts.h"
#include "ops/arithmetic.h"
#include "ops/nonzero.h"
#include "ops/special.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <Unary Op> Tensor unary_of(const Tensor& x) { return unary(Op, x); }
template <Unary Op> const Tensor& unary_in(const Tensor& x) { return unary_in_place(Op, x); }
// A number that is a bound must be one of the tensor's type; in arithmetic it wraps around.
template <Binary Op> void check_bounds(const Arg& a, const Arg& b) {
    if constexpr (Op == Binary::Maximum || Op == Binary::Minimum)
        for (const Arg* arg : {&a, &b})
            if (!arg->is_tensor()) check_convertible(arg->scalar(), result_type(a, b));
}
template <Binary Op> Tensor binary_of(const Arg& a, const Arg& b) {
    require_tensor(binary_name(Op), a, b);
    check_bounds<Op>(a, b);
    return binary(Op, a, b);
}
template <Binary Op> const Tensor& binary_in(const Tensor& a, const Arg& b) {
    check_bounds<Op>(a, b);
    return binary_in_place(Op, a, b);
}
// Operators that take no numbers.
constexpr bool is_of_tensors(Binary op) {
    return op == Binary::Hypot || op == Binary::Ldexp || op == Binary::Nextafter ||
           op == Binary::Logaddexp || op == Binary::Logaddexp2 || op == Binary::Fmax ||
           op == Binary::Fmin;
}
template <Binary Op> Tensor of_tensors(const Tensor& a, const Tensor& b) {
    return binary(Op, a, b);
}
template <Binary Op> const Tensor& of_tensors_in(const Tensor& a, const Tensor& b) {
    return binary_in_place(Op, a, b);
}
template <Integer Op> Tensor integer_of_tensors(const Tensor& a, const Tensor& b) {
    return integer_binary(Op, a, b);
}
template <Integer Op> const Tensor& integer_of_tensors_in(const Tensor& a, const Tensor& b) {
    return integer_in_place(Op, a, b);
}
// Arithmetic takes two numbers, too, as a tensor and a number.
template <auto F> struct Numbers;
template <class... More, Tensor (*F)(const Arg&, const Arg&, More...)> struct Numbers<F> {
    static Tensor of(const Arg& a, const Arg& b, More... more) {
        if (a.is_tensor() || b.is_tensor()) [[likely]]
            return F(a, b, more...);
        return F(number_tensor(a.scalar()), b, more...);
    }
};
// Without the name of the factor.
template <auto F> Tensor scaled_number(const Tensor& a, const Scalar& b, const Scalar& alpha) {
    return F(a, b, alpha);
}
// The form of old programs, with the factor in front of what it belongs to.
template <auto F> Tensor scaled_first(const Tensor& a, const Scalar& alpha, const Arg& b) {
    return F(a, b, alpha);
}
template <auto F> const Tensor& scaled_first_(const Tensor& a, const Scalar& alpha, const Arg& b) {
    return F(a, b, alpha);
}
template <Comparison Op> Tensor compared(const Tensor& a, const Arg& b) {
    note_cut("a comparison", a);
    return compare(Op, a, b);
}
template <Comparison Op> const Tensor& compared_in(const Tensor& a, const Arg& b) {
    return compare_in_place(Op, a, b);
}
template <Integer Op, Name N> Tensor integer_of(const Arg& a, const Arg& b) {
    require_tensor(N.text, a, b);
    return integer_binary(Op, a, b);
}
template <Integer Op> const Tensor& integer_in(const Tensor& a, const Arg& b) {
    return integer_in_place(Op, a, b);
}
template <Predicate Op> Tensor predicate_of(const Tensor& x) { return predicate(Op, x); }

// Bools become integers, as in other powers.
Tensor square_of(const Tensor& x) {
    return x.dtype() == DType::Bool ? pow(x, Scalar(2)) : unary(Unary::Square, x);
}
const Tensor& square_in(const Tensor& x) {
    return x.dtype() == DType::Bool ? pow_(x, Scalar(2)) : unary_in_place(Unary::Square, x);
}

// Operators that are bound below, with parameters of their own, or not at all.
constexpr bool is_plain(Unary op) {
    return op != Unary::Cube && op != Unary::Round && op != Unary::Gelu && op != Unary::GeluTanh &&
           op != Unary::Angle && op != Unary::Logit && op != Unary::Square;
}
constexpr bool is_plain(Binary op) {
    return op != Binary::Add && op != Binary::Sub && op != Binary::Div && op != Binary::Pow &&
           op != Binary::ClampMin && op != Binary::ClampMax && op != Binary::LogitLoss &&
           op != Binary::PreluKernel && op != Binary::Copysign && !is_of_tensors(op);
}

template <class Formula, Unary Op, Name N, Name InPlace> void bind_unary(PyObject* m) {
    if constexpr (formulas::Traits<Formula>::special()) {
        def_function<joined<"special_", N>()>(m, unary_of<Op>);
    } else if constexpr (formulas::parameter_count<Formula>() == 0 && is_plain(Op)) {
        def<N, unary_of<Op>>(m);
        def<InPlace, unary_in<Op>>(m);
    }
}
template <class Formula, Binary Op, Name N, Name InPlace> void bind_binary(PyObject* m) {
    if constexpr (formulas::Traits<Formula>::special()) {
        def_function<joined<"special_", N>()>(m, binary_of<Op>);
    } else if constexpr (is_of_tensors(Op)) {
        def<N>(m, of_tensors<Op>);
        if constexpr (Op == Binary::Ldexp) def<InPlace>(m, of_tensors_in<Op>);
        if constexpr (Op == Binary::Hypot || Op == Binary::Nextafter)
            def_method<InPlace>(m, of_tensors_in<Op>);
    } else if constexpr (is_plain(Op)) {
        if constexpr (Op == Binary::Mul) def<N>(m, Numbers<binary_of<Op>>::of);
        else def<N>(m, binary_of<Op>);
        if constexpr (Op == Binary::Xlogy) def<InPlace>(m, binary_in<Op>);
        else def_method<InPlace>(m, binary_in<Op>);
    }
}
template <Integer Op, Name N, Name InPlace> void bind_integer(PyObject* m) {
    if constexpr (Op == Integer::Gcd || Op == Integer::Lcm) {
        def<N>(m, integer_of_tensors<Op>);
        def<InPlace>(m, integer_of_tensors_in<Op>);
    } else if constexpr (Op != Integer::Heaviside) {
        if constexpr (Op == Integer::FloorDivide) def<N>(m, Numbers<integer_of<Op, N>>::of);
        else def<N>(m, integer_of<Op, N>);
        def_method<InPlace>(m, integer_in<Op>);
    }
}

}  // namespace

void bind_elementwise(PyObject* m) {
#define TAPEGRAD_BIND(Op, ...) \
    bind_unary<formulas::Op, Unary::Op, snake_case(#Op), snake_case(#Op, true)>(m);
    TAPEGRAD_UNARY(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
#define TAPEGRAD_BIND(Op, ...) \
    bind_binary<formulas::Op, Binary::Op, snake_case(#Op), snake_case(#Op, true)>(m);
    TAPEGRAD_BINARY(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
#define TAPEGRAD_BIND(Op, name)                  \
    def<#name>(m, compared<Comparison::Op>);     \
    def_method<#name "_">(m, compared_in<Comparison::Op>);
    TAPEGRAD_COMPARISON(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
#define TAPEGRAD_BIND(Op, name) bind_integer<Integer::Op, #name, #name "_">(m);
    TAPEGRAD_INTEGER(TAPEGRAD_BIND)
#undef TAPEGRAD_BIND
    constexpr std::pair<const char*, const char*> aliases[] = {
        {"negative", "neg"},     {"negative_", "neg_"},    {"absolute", "abs"},
        {"absolute_", "abs_"},   {"arcsin", "asin"},       {"arcsin_", "asin_"},
        {"arccos", "acos"},      {"arccos_", "acos_"},     {"arctan", "atan"},
        {"arctan_", "atan_"},    {"arcsinh", "asinh"},     {"arcsinh_", "asinh_"},
        {"arccosh", "acosh"},    {"arccosh_", "acosh_"},   {"arctanh", "atanh"},
        {"arctanh_", "atanh_"},  {"fix", "trunc"},         {"fix_", "trunc_"},
        {"multiply", "mul"},     {"multiply_", "mul_"},    {"arctan2", "atan2"},
        {"arctan2_", "atan2_"},  {"not_equal", "ne"},      {"not_equal_", "ne_"},
        {"less", "lt"},          {"less_", "lt_"},         {"less_equal", "le"},
        {"less_equal_", "le_"},  {"greater", "gt"},        {"greater_", "gt_"},
        {"greater_equal", "ge"}, {"greater_equal_", "ge_"}};
    for (const auto& [alias, name] : aliases) find_operator(name).alias(alias);

    def<"add">(m, Numbers<binary_of<Binary::Add>>::of, Numbers<add_scaled>::of)
        .deprecated("(input, alpha, other)", scaled_first<add_scaled>);
    def<"sub">(m, Numbers<binary_of<Binary::Sub>>::of, Numbers<sub_scaled>::of)
        .deprecated("(input, alpha, other)", scaled_first<sub_scaled>)
        .alias("subtract");
    def<"div">(m, Numbers<binary_of<Binary::Div>>::of, Numbers<divide>::of)
        .alias("divide")
        .alias("true_divide");
    def<"pow">(m, power);
    def<"rsub">(m, reverse_sub)
        .also("(input, other, alpha)", scaled_number<reverse_sub>)
        .without_out();
    def<"square", square_of>(m);
    def<"square_">(m, square_in);
    def<"round">(m, round_to);
    def<"positive">(m, positive).without_out();
    def_method<"add_">(m, binary_in<Binary::Add>, add_scaled_)
        .deprecated("(input, alpha, other)", scaled_first_<add_scaled_>);
    def_method<"sub_">(m, binary_in<Binary::Sub>, sub_scaled_)
        .deprecated("(input, alpha, other)", scaled_first_<sub_scaled_>)
        .alias("subtract_");
    def_method<"div_">(m, binary_in<Binary::Div>, divide_).alias("divide_").alias("true_divide_");
    def_method<"pow_">(m, power_);
    def_method<"round_">(m, round_to_);

    def<"copysign">(m,
                    [](const Tensor& a, const Arg& b) { return binary(Binary::Copysign, a, b); });
    def_method<"copysign_">(m, binary_in<Binary::Copysign>);
    def<"angle">(m, unary_of<Unary::Angle>);
    def<"logit">(m, logit_within);
    def<"logit_">(m, logit_within_);

    def_method<"logical_not_">(m, logical_not_);
    def<"heaviside">(m, heaviside_of);
    def_method<"heaviside_">(m, heaviside_of_);
    def<"bitwise_not">(m, bitwise_not);
    def_method<"bitwise_not_">(m, bitwise_not_);
    def<"isnan">(m, predicate_of<Predicate::IsNan>).without_out();
    def<"isinf">(m, predicate_of<Predicate::IsInf>).without_out();
    def<"isfinite">(m, predicate_of<Predicate::IsFinite>).without_out();
    def<"logical_not">(m, predicate_of<Predicate::LogicalNot>);
    def<"signbit">(m, predicate_of<Predicate::SignBit>);
    def<"isposinf">(m, predicate_of<Predicate::IsPosInf>);
    def<"isneginf">(m, predicate_of<Predicate::IsNegInf>);
    def<"isreal">(m, isreal).without_out();

    def_function<"where">(m, where, nonzero_tuple).out_has(kSameType);
    def_method<"where">(m, [](const Tensor& x, const Tensor& condition, const Arg& other) {
        return where(condition, x, other);
    });
    def<"clamp">(m, clamp).out_has(kSameTypeBesideNumbers).alias("clip");
    def_method<"clamp_">(m, clamp_).alias("clip_");
    def<"clamp_min_">(m, [](const Tensor& x, const Arg& low) -> const Tensor& {
        return clamp_(x, &low, nullptr);
    });
    def<"clamp_max_">(m, [](const Tensor& x, const Arg& high) -> const Tensor& {
        return clamp_(x, nullptr, &high);
    });
    def<"clamp_min">(m, [](const Tensor& x, const Arg& low) {
        return clamp(x, &low, nullptr);
    }).out_has(kSameTypeBesideNumbers);
    def<"clamp_max">(m, [](const Tensor& x, const Arg& high) {
        return clamp(x, nullptr, &high);
    }).out_has(kSameTypeBesideNumbers);

    def<"equal">(m, equal);
    def<"allclose">(m, allclose);
    def<"isclose">(m, isclose).without_out();
    def_function<"result_type">(m, result_type)
        .also("(scalar, tensor)", result_type)
        .also("(scalar1, scalar2)", result_type);
    def_function<"promote_types">(m, promote);
    def_function<"can_cast">(m, can_cast);
}

}  // namespace tapegrad::python
