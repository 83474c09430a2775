// Element-wise functions of one tensor: value and derivative, each written once as a template over "a
// number". The lines below are read in several ways:
//   Pack<T>, Lane<T>   fused kernels (csrc/kernels)
//   Tensor             differentiable expressions, used when the derivative is to be differentiated
//   Text               the formula that grad_fn.formula shows
//   Uses               which of x and y a derivative needs, and so what the tape saves
//
// forward(x, parameters...) and backward(g, x, y, parameters...): g is the gradient of the result y.
// Functions are found by argument-dependent lookup, so a reading provides them beside its type.
// To add a function: one struct here and one entry in the list at the end. What else is known of it are
// members of the struct (traits.h).
#pragma once

#include "formulas/activations.h"
#include "formulas/constants.h"
#include "formulas/special.h"
#include "formulas/traits.h"

namespace tapegrad::formulas {

struct Neg {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto bool_error =
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.";
    static constexpr auto forward(auto x) { return -x; }
    static constexpr auto backward(auto g, auto, auto) { return -g; }
};
struct Abs {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto forward(auto x) { return abs(x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * sign(x); }
};
struct Sign {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
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
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto node = "PowBackward0";
    static constexpr int exponent = 2;
    static constexpr auto forward(auto x) { return x * x; }
    static constexpr auto backward(auto g, auto x, auto) { return g * (2 * x); }
};
struct Cube {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto node = "PowBackward0";
    static constexpr int exponent = 3;
    static constexpr bool internal = true;
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
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto kernel = "floor_vml_cpu";
    static constexpr auto forward(auto x) { return floor(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Ceil {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto kernel = "ceil_vml_cpu";
    static constexpr auto forward(auto x) { return ceil(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Round {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto kernel = "round_vml_cpu";
    static constexpr auto forward(auto x) { return round(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Trunc {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto kernel = "trunc_vml_cpu";
    static constexpr auto forward(auto x) { return trunc(x); }
    static constexpr auto backward(auto g, auto, auto) { return zero_like(g); }
};
struct Clamp {
    static constexpr auto node = "ClampBackward1";
    static constexpr const char* parameters[] = {"min", "max"};
    static constexpr auto forward(auto x, auto low, auto high) {
        // NaN stays, and a bound that is NaN makes everything NaN.
        auto raised = where(x >= low, x, where(isnan(x), x, low));
        return where(raised <= high, raised, where(isnan(raised), raised, high));
    }
    static constexpr auto backward(auto g, auto x, auto, auto low, auto high) {
        return where((x >= low) & (x <= high), g, zero_like(g));
    }
};
// Of the difference of input and target: quadratic up to beta, linear beyond.
struct SmoothL1 {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto node = "SmoothL1LossBackward0";
    static constexpr bool internal = true;
    static constexpr const char* parameters[] = {"beta"};
    static constexpr auto forward(auto x, auto beta) {
        auto size = abs(x);
        return where(size < beta, size * (size / beta) * 0.5, size - beta * 0.5);
    }
    static constexpr auto backward(auto g, auto x, auto, auto beta) {
        return g * where(abs(x) >= beta, sign(x), x / beta);
    }
};
struct PowScalar {  // x ** exponent for any exponent; the common ones have their own struct
    static constexpr auto node = "PowBackward0";
    static constexpr bool internal = true;
    static constexpr const char* parameters[] = {"exponent"};
    static constexpr auto forward(auto x, auto exponent) { return pow(x, exponent); }
    static constexpr auto backward(auto g, auto x, auto, auto exponent) {
        return g * (exponent * pow(x, exponent - 1));
    }
};

// X(Struct, function); parametric: with numbers beside the tensor.
// clang-format off
#define TAPEGRAD_UNARY_PLAIN(X)                                                                     \
    X(Neg, neg) X(Abs, abs) X(Sign, sign) X(Square, square) X(Cube, cube) X(Relu, relu)             \
    X(Floor, floor) X(Ceil, ceil) X(Round, round) X(Trunc, trunc) X(Exp, exp) X(Exp2, exp2)         \
    X(Expm1, expm1) X(Log, log) X(Log2, log2) X(Log10, log10) X(Log1p, log1p) X(Sqrt, sqrt)         \
    X(Rsqrt, rsqrt) X(Reciprocal, reciprocal) X(Sin, sin) X(Cos, cos) X(Tan, tan) X(Asin, asin)     \
    X(Acos, acos) X(Atan, atan) X(Sinh, sinh) X(Cosh, cosh) X(Tanh, tanh) X(Sigmoid, sigmoid)       \
    X(LogSigmoid, log_sigmoid) X(Gelu, gelu) X(GeluTanh, gelu_tanh) X(Silu, silu) X(Erf, erf)       \
    X(Erfc, erfc)                                                                                   \
    X(Hardsigmoid, hardsigmoid) X(Hardswish, hardswish) X(Selu, selu) X(Mish, mish)                 \
    X(Asinh, asinh) X(Acosh, acosh) X(Atanh, atanh) X(Frac, frac) X(Sgn, sgn)                       \
    X(Deg2rad, deg2rad) X(Rad2deg, rad2deg) X(Angle, angle) X(Sinc, sinc) X(Logit, logit)           \
    X(Erfinv, erfinv) X(Erfcx, erfcx) X(Ndtr, ndtr) X(Ndtri, ndtri) X(LogNdtr, log_ndtr)            \
    X(Entr, entr) X(Lgamma, lgamma) X(Digamma, digamma) X(I0, i0) X(I0e, i0e) X(I1, i1) X(I1e, i1e)
#define TAPEGRAD_UNARY_PARAMETRIC(X)                                                                \
    X(LeakyRelu, leaky_relu) X(Elu, elu) X(Softplus, softplus) X(Clamp, clamp)                      \
    X(SmoothL1, smooth_l1) X(PowScalar, pow_scalar)                                                 \
    X(Hardtanh, hardtanh) X(Celu, celu) X(Softshrink, softshrink) X(Hardshrink, hardshrink)         \
    X(Threshold, threshold) X(LogitEps, logit_eps) X(Polygamma, polygamma)
#define TAPEGRAD_UNARY(X) TAPEGRAD_UNARY_PLAIN(X) TAPEGRAD_UNARY_PARAMETRIC(X)
// clang-format on
TAPEGRAD_ENUMERATION(Unary, TAPEGRAD_UNARY)

}  // namespace tapegrad::formulas
