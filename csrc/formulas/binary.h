// Element-wise functions of two tensors that broadcast; see unary.h for how the lines are read.
// lhs and rhs are the derivatives with respect to the first and the second operand: g is the gradient
// of the result y = forward(a, b).
#pragma once

#include "formulas/constants.h"
#include "formulas/traits.h"

namespace tapegrad::formulas {

struct Add {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return a + b; }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto, auto, auto) { return g; }
};
struct Sub {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto bool_error =
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.";
    static constexpr auto two_bools_error =
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
        "`logical_xor()` operator instead.";
    static constexpr auto node_of_number_lhs = "RsubBackward1";
    static constexpr auto forward(auto a, auto b) { return a - b; }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto, auto, auto) { return -g; }
};
struct Mul {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return a * b; }
    static constexpr auto lhs(auto g, auto, auto b, auto) { return g * b; }
    static constexpr auto rhs(auto g, auto a, auto, auto) { return g * a; }
};
struct Div {
    static constexpr auto cost = Cost::Light;
    static constexpr auto forward(auto a, auto b) { return a / b; }
    static constexpr auto lhs(auto g, auto, auto b, auto) { return g / b; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * ((a / b) / b); }
};
struct Pow {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto kernel = "pow";
    static constexpr auto node = "PowBackward1";
    static constexpr auto node_of_number_lhs = "PowBackward2";
    static constexpr auto node_of_number_rhs = "PowBackward0";
    static constexpr auto rhs_name = "exponent";
    static constexpr auto forward(auto a, auto b) { return pow(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) { return g * pow_slope(a, b); }
    // 0 ** b is 0 for every b > 0, so its slope is 0 and not 0 * log(0).
    static constexpr auto rhs(auto g, auto a, auto b, auto y) {
        auto flat = (a == 0) & (b >= 0);
        return where(flat, zero_like(g), g * (y * log(where(flat, 1, a))));
    }
};
// Where both are equal, each gets half of the gradient.
struct Maximum {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return maximum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(a < b, zero_like(g), g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(b < a, zero_like(g), g));
    }
};
struct Minimum {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return minimum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(a > b, zero_like(g), g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(b > a, zero_like(g), g));
    }
};
// maximum and minimum, except that at a bound the gradient is the input's, and that NaN has none. This is
// clamp with bounds that are tensors; Clamp has those that are numbers.
struct ClampMin {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto node = "ClampMinBackward1";
    static constexpr auto node_of_number_rhs = "ClampMinBackward0";
    static constexpr auto rhs_name = "min";
    static constexpr auto forward(auto a, auto b) { return maximum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a >= b, g, zero_like(g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a < b, g, zero_like(g));
    }
};
struct ClampMax {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto node = "ClampMaxBackward1";
    static constexpr auto node_of_number_rhs = "ClampMaxBackward0";
    static constexpr auto rhs_name = "max";
    static constexpr auto forward(auto a, auto b) { return minimum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a <= b, g, zero_like(g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a > b, g, zero_like(g));
    }
};
struct Remainder {  // the sign of the divisor, as Python's %
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto cost = Cost::Heavy;
    static constexpr bool divides = true;
    static constexpr auto node = "RemainderBackward1";
    static constexpr auto node_of_number_rhs = "RemainderBackward0";
    static constexpr auto forward(auto a, auto b) { return remainder(a, b); }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * floor_quotient(a, b); }
};
struct Fmod {  // the sign of the dividend, as C's fmod
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto cost = Cost::Heavy;
    static constexpr bool divides = true;
    static constexpr auto node = "FmodBackward1";
    static constexpr auto node_of_number_rhs = "FmodBackward0";
    static constexpr auto forward(auto a, auto b) { return fmod(a, b); }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * trunc_quotient(a, b); }
};
struct Atan2 {
    static constexpr auto forward(auto a, auto b) { return atan2(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) { return g * over_squares(b, a); }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * over_squares(a, b); }
};

struct Hypot {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto a, auto b) { return hypot(a, b); }
    static constexpr auto lhs(auto g, auto a, auto, auto y) {
        return where(y == 0, zero_like(g), g * (a / where(y == 0, 1, y)));
    }
    static constexpr auto rhs(auto g, auto, auto b, auto y) {
        return where(y == 0, zero_like(g), g * (b / where(y == 0, 1, y)));
    }
};
// ln(e^a + e^b), and the same with base 2.
struct Logaddexp {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto a, auto b) {
        return maximum(a, b) + softplus(-abs(difference(a, b)));
    }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return g * logistic(difference(a, b));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return g * logistic(difference(b, a));
    }
};
struct Logaddexp2 {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto a, auto b) {
        return maximum(a, b) + softplus(abs(difference(a, b)) * -kLn2) * (1 / kLn2);
    }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return g * logistic(difference(a, b) * kLn2);
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return g * logistic(difference(b, a) * kLn2);
    }
};
// As maximum and minimum, but a number wins over NaN, and equal ones leave the gradient to the first.
struct Fmax {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return where((a >= b) | isnan(b), a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where((a >= b) | isnan(b), g, zero_like(g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where((a >= b) | isnan(b), zero_like(g), g);
    }
};
struct Fmin {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return where((a <= b) | isnan(b), a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where((a <= b) | isnan(b), g, zero_like(g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where((a <= b) | isnan(b), zero_like(g), g);
    }
};
struct Copysign {
    static constexpr auto cost = Cost::Light;
    static constexpr auto node_of_number_rhs = "CopysignBackward1";
    static constexpr auto forward(auto a, auto b) { return copysign(a, b); }
    static constexpr auto lhs(auto g, auto a, auto, auto y) { return g * (sign(a) * sign(y)); }
    static constexpr auto rhs(auto g, auto, auto, auto) { return zero_like(g); }
};
struct Ldexp {
    static constexpr auto forward(auto a, auto b) { return ldexp(a, b); }
    static constexpr auto lhs(auto g, auto, auto b, auto) { return ldexp(g, b); }
    static constexpr auto rhs(auto g, auto, auto, auto y) { return g * y * kLn2; }
};
// 0 where a is 0, whatever the logarithm is.
struct Xlogy {
    static constexpr auto node_of_number_lhs = "XlogyBackward1";
    static constexpr auto node_of_number_rhs = "XlogyBackward2";
    static constexpr auto forward(auto a, auto b) {
        return where(isnan(b), b, where(a == 0, 0, a * log(b)));
    }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        auto none = (a == 0) & (b <= 0);
        return where(none, zero_like(g), g * log(where(none, 1, b)));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        auto none = (a == 0) & (b == 0);
        return where(none, zero_like(g), g * (a / where(none, 1, b)));
    }
};
struct Xlog1py {
    static constexpr bool special = true;
    static constexpr auto node = "SpecialXlog1PyBackward0";
    static constexpr auto node_of_number_lhs = "SpecialXlog1PyBackward1";
    static constexpr auto node_of_number_rhs = "SpecialXlog1PyBackward2";
    static constexpr auto forward(auto a, auto b) {
        return where(isnan(b), b, where(a == 0, 0, a * log1p(b)));
    }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        auto none = (a == 0) & (b <= -1);
        return where(none, zero_like(g), g * log1p(where(none, 0, b)));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        auto none = (a == 0) & (b == -1);
        return where(none, zero_like(g), g * (a / (where(none, 0, b) + 1)));
    }
};
struct Nextafter {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto a, auto b) { return nextafter(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a == b, zero_like(g), g);
    }
    static constexpr auto rhs(auto g, auto, auto, auto) { return zero_like(g); }
};
// Leaky relu with a slope that is learned.
struct PreluKernel {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto cost = Cost::Light;
    static constexpr auto kernel = "prelu_cpu";
    static constexpr bool internal = true;
    static constexpr auto rhs_name = "weight";
    static constexpr auto forward(auto a, auto b) { return where(a > 0, a, a * b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) { return where(a > 0, g, g * b); }
    static constexpr auto rhs(auto g, auto a, auto, auto) { return g * where(a > 0, 0, a); }
};

// Binary cross-entropy of logits x and probabilities t. s - t loses its digits where both are nearly 1, and
// max(x, 0) - x * t is no number where x is infinite.
struct LogitLoss {
    static constexpr bool internal = true;
    static constexpr auto forward(auto x, auto t) {
        return where(x > 0, x * (1 - t), -(x * t)) + softplus(-abs(x));
    }
    static constexpr auto lhs(auto g, auto x, auto t, auto) {
        return g * ((1 - t) * logistic(x) - t * logistic(-x));
    }
    static constexpr auto rhs(auto g, auto x, auto, auto) { return -g * x; }
};

// One of the two derivatives, as a type.
template <class F> struct Lhs {
    static constexpr auto backward(auto g, auto a, auto b, auto y) { return F::lhs(g, a, b, y); }
};
template <class F> struct Rhs {
    static constexpr auto backward(auto g, auto a, auto b, auto y) { return F::rhs(g, a, b, y); }
};

// X(Struct, function)
// clang-format off
#define TAPEGRAD_BINARY(X)                                                                          \
    X(Add, add) X(Sub, sub) X(Mul, mul) X(Div, div) X(Pow, pow) X(Maximum, maximum)                 \
    X(Minimum, minimum) X(ClampMin, clamp_min) X(ClampMax, clamp_max) X(Remainder, remainder)       \
    X(Fmod, fmod) X(Atan2, atan2) X(LogitLoss, logit_loss) X(Hypot, hypot)                          \
    X(Logaddexp, logaddexp) X(Logaddexp2, logaddexp2) X(Fmax, fmax) X(Fmin, fmin)                   \
    X(Copysign, copysign) X(Ldexp, ldexp) X(Xlogy, xlogy) X(Xlog1py, xlog1py)                       \
    X(Nextafter, nextafter) X(PreluKernel, prelu_kernel)
// clang-format on
TAPEGRAD_ENUMERATION(Binary, TAPEGRAD_BINARY)

}  // namespace tapegrad::formulas
