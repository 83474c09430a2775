// Element-wise functions of one tensor: value and derivative, each written once as a template over "a
// number". The lines below are read in several ways:
//   Pack<T>, Lane<T>   fused kernels (csrc/kernels)
//   Tensor             differentiable expressions, used when the derivative is to be differentiated
//   Text               the formula that grad_fn.formula shows
//   Uses               which of x and y a derivative needs, and so what the tape saves
//
// forward(x, parameters...) and backward(g, x, y, parameters...): g is the gradient of the result y.
// Functions are found by argument-dependent lookup, so a reading provides them beside its type.
// To add a function: one struct here and one line in the list at the end.
#pragma once

#include "formulas/constants.h"

namespace tapegrad::formulas {

struct Neg {
    static constexpr auto forward(auto x) { return -x; }
    static constexpr auto backward(auto g, auto, auto) { return -g; }
};
struct Abs {
    static constexpr auto forward(auto x) { return abs(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * sign(x); }
};
struct Sign {
    static constexpr auto forward(auto x) { return sign(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Exp {
    static constexpr auto forward(auto x) { return exp(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * y; }
};
struct Exp2 {
    static constexpr auto forward(auto x) { return exp2(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * y * kLn2; }
};
struct Expm1 {
    static constexpr auto forward(auto x) { return expm1(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * (y + 1); }
};
struct Log {
    static constexpr auto forward(auto x) { return log(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / x; }
};
struct Log2 {
    static constexpr auto forward(auto x) { return log2(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / (x * kLn2); }
};
struct Log10 {
    static constexpr auto forward(auto x) { return log10(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / (x * kLn10); }
};
struct Log1p {
    static constexpr auto forward(auto x) { return log1p(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / (x + 1); }
};
struct Sqrt {
    static constexpr auto forward(auto x) { return sqrt(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g / (2 * y); }
};
struct Rsqrt {
    static constexpr auto forward(auto x) { return rsqrt(x); }
    static constexpr auto backward(auto g, auto, auto y) { return -0.5 * g * (y * y * y); }
};
struct Reciprocal {
    static constexpr auto forward(auto x) { return 1 / x; }
    static constexpr auto backward(auto g, auto, auto y) { return -g * (y * y); }
};
struct Square {
    static constexpr auto forward(auto x) { return x * x; }
    static constexpr auto backward(auto g, auto x, auto) { return g * (2 * x); }
};
struct Cube {
    static constexpr auto forward(auto x) { return x * x * x; }
    static constexpr auto backward(auto g, auto x, auto) { return g * (3 * (x * x)); }
};
struct Sin {
    static constexpr auto forward(auto x) { return sin(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * cos(x); }
};
struct Cos {
    static constexpr auto forward(auto x) { return cos(x); }
    static constexpr auto backward(auto g, auto x, auto) { return -g * sin(x); }
};
struct Tan {
    static constexpr auto forward(auto x) { return tan(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * (1 + y * y); }
};
struct Asin {
    static constexpr auto forward(auto x) { return asin(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * rsqrt(1 - x * x); }
};
struct Acos {
    static constexpr auto forward(auto x) { return acos(x); }
    static constexpr auto backward(auto g, auto x, auto) { return -g * rsqrt(1 - x * x); }
};
struct Atan {
    static constexpr auto forward(auto x) { return atan(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g / (x * x + 1); }
};
struct Sinh {
    static constexpr auto forward(auto x) { return sinh(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * cosh(x); }
};
struct Cosh {
    static constexpr auto forward(auto x) { return cosh(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * sinh(x); }
};
struct Tanh {
    static constexpr auto forward(auto x) { return tanh(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * (1 - y * y); }
};
struct Sigmoid {
    static constexpr auto forward(auto x) { return sigmoid(x); }
    static constexpr auto backward(auto g, auto, auto y) { return g * ((1 - y) * y); }
};
struct LogSigmoid {
    static constexpr auto forward(auto x) { return -softplus(-x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * sigmoid(-x); }
};
struct Relu {
    static constexpr auto forward(auto x) { return where(x <= 0, zero_like(x), x); }  // NaN stays
    static constexpr auto backward(auto g, auto, auto y) { return where(y <= 0, zero_like(g), g); }
};
struct LeakyRelu {
    static constexpr const char* parameters[] = {"negative_slope"};
    static constexpr auto forward(auto x, auto slope) { return where(x > 0, x, x * slope); }
    static constexpr auto backward(auto g, auto x, auto, auto slope) {
        return where(x > 0, g, g * slope);
    }
};
struct Elu {
    static constexpr const char* parameters[] = {"alpha"};
    static constexpr auto forward(auto x, auto alpha) { return where(x > 0, x, alpha * expm1(x)); }
    static constexpr auto backward(auto g, auto x, auto, auto alpha) {
        return where(x > 0, g, g * (alpha * exp(x)));
    }
};
// Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415: x * Phi(x).
struct Gelu {
    static constexpr auto forward(auto x) { return x * normal_cdf(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (normal_cdf(x) + x * normal_pdf(x));
    }
};
// The approximation of the same paper by tanh, written with sigmoid(2 u) = (1 + tanh(u)) / 2.
struct GeluTanh {
    static constexpr auto forward(auto x) {
        return x * sigmoid((x + kGeluCubic * (x * x * x)) * (2 * kSqrtTwoOverPi));
    }
    static constexpr auto backward(auto g, auto x, auto) {
        auto s = sigmoid((x + kGeluCubic * (x * x * x)) * (2 * kSqrtTwoOverPi));
        auto slope = (1 + (3 * kGeluCubic) * (x * x)) * (2 * kSqrtTwoOverPi);
        return g * (s + x * (s * (1 - s)) * slope);
    }
};
struct Silu {
    static constexpr auto forward(auto x) { return x * sigmoid(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        auto s = sigmoid(x);
        return g * (s * (1 + x * (1 - s)));
    }
};
struct Softplus {
    static constexpr const char* parameters[] = {"beta", "threshold"};
    static constexpr auto forward(auto x, auto beta, auto threshold) {
        return where(x * beta > threshold, x, softplus(x * beta) / beta);
    }
    static constexpr auto backward(auto g, auto x, auto, auto beta, auto threshold) {
        return where(x * beta > threshold, g, g * sigmoid(x * beta));
    }
};
struct Erf {
    static constexpr auto forward(auto x) { return erf(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (exp(-(x * x)) * kTwoOverSqrtPi);
    }
};
struct Erfc {
    static constexpr auto forward(auto x) { return erfc(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (exp(-(x * x)) * -kTwoOverSqrtPi);
    }
};
struct Floor {
    static constexpr auto forward(auto x) { return floor(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Ceil {
    static constexpr auto forward(auto x) { return ceil(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Round {
    static constexpr auto forward(auto x) { return round(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Trunc {
    static constexpr auto forward(auto x) { return trunc(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Clamp {
    static constexpr const char* parameters[] = {"min", "max"};
    static constexpr auto forward(auto x, auto low, auto high) {
        auto raised = where(x < low, low, x);  // NaN passes both
        return where(raised > high, high, raised);
    }
    static constexpr auto backward(auto g, auto x, auto, auto low, auto high) {
        return where((x >= low) & (x <= high), g, zero_like(g));
    }
};
struct PowScalar {  // x ** exponent for any exponent; the common ones have their own struct
    static constexpr const char* parameters[] = {"exponent"};
    static constexpr auto forward(auto x, auto exponent) { return pow(x, exponent); }
    static constexpr auto backward(auto g, auto x, auto, auto exponent) {
        return g * (exponent * pow(x, exponent - 1));
    }
};

// X(Struct, function, Domain): Domain says what integers do. Floats: they become floats first (exp, sin);
// Numbers: they stay what they are (neg, abs); FloatOnly: they are refused.
// clang-format off
#define TAPEGRAD_UNARY_PLAIN(X)                                                                     \
    X(Neg, neg, Numbers) X(Abs, abs, Numbers) X(Sign, sign, Numbers)      \
    X(Square, square, Numbers) X(Cube, cube, Numbers) X(Relu, relu, Numbers)                        \
    X(Floor, floor, Numbers) X(Ceil, ceil, Numbers) X(Round, round, Numbers)                        \
    X(Trunc, trunc, Numbers) X(Exp, exp, Floats) X(Exp2, exp2, Floats) X(Expm1, expm1, Floats)      \
    X(Log, log, Floats) X(Log2, log2, Floats) X(Log10, log10, Floats) X(Log1p, log1p, Floats)       \
    X(Sqrt, sqrt, Floats) X(Rsqrt, rsqrt, Floats) X(Reciprocal, reciprocal, Floats)                 \
    X(Sin, sin, Floats) X(Cos, cos, Floats) X(Tan, tan, Floats) X(Asin, asin, Floats)               \
    X(Acos, acos, Floats) X(Atan, atan, Floats) X(Sinh, sinh, Floats) X(Cosh, cosh, Floats)         \
    X(Tanh, tanh, Floats) X(Sigmoid, sigmoid, Floats) X(LogSigmoid, log_sigmoid, FloatOnly)         \
    X(Gelu, gelu, FloatOnly) X(GeluTanh, gelu_tanh, FloatOnly) X(Silu, silu, FloatOnly)             \
    X(Erf, erf, Floats) X(Erfc, erfc, Floats)
#define TAPEGRAD_UNARY_PARAMETRIC(X)                                                                \
    X(LeakyRelu, leaky_relu, FloatOnly) X(Elu, elu, FloatOnly) X(Softplus, softplus, FloatOnly)     \
    X(Clamp, clamp, Floats) X(PowScalar, pow_scalar, Floats)
#define TAPEGRAD_UNARY(X) TAPEGRAD_UNARY_PLAIN(X) TAPEGRAD_UNARY_PARAMETRIC(X)
// clang-format on

#define TAPEGRAD_ENUMERATOR(Name, ...) Name,
enum class Unary { TAPEGRAD_UNARY(TAPEGRAD_ENUMERATOR) };
#define TAPEGRAD_PLUS_ONE(...) +1
inline constexpr int kUnaryCount = 0 TAPEGRAD_UNARY(TAPEGRAD_PLUS_ONE);

template <class F> consteval int parameter_count() {
    if constexpr (requires { F::parameters; })
        return static_cast<int>(sizeof(F::parameters) / sizeof(F::parameters[0]));
    else return 0;
}

}  // namespace tapegrad::formulas
