// Values of element-wise functions whose derivatives are rules (csrc/ops): of more than two operands, or where
// one of them has no derivative. They are of floats; `operands` says of how many.
#pragma once

#include "formulas/activations.h"
#include "formulas/constants.h"
#include "formulas/traits.h"

namespace tapegrad::formulas {

// From the nearer end, so that both are reached exactly.
struct Lerp {
    static constexpr int operands = 3;
    static constexpr auto forward(auto a, auto b, auto weight) {
        return where(abs(weight) < 0.5, a + weight * (b - a), b - (b - a) * (1 - weight));
    }
};
struct LerpNumber {
    static constexpr int operands = 2;
    static constexpr const char* parameters[] = {"weight"};
    static constexpr auto forward(auto a, auto b, auto weight) {
        return Lerp::forward(a, b, weight);
    }
};
struct Addcmul {
    static constexpr int operands = 3;
    static constexpr const char* parameters[] = {"value"};
    static constexpr auto forward(auto x, auto a, auto b, auto value) { return x + value * a * b; }
};
struct Addcdiv {
    static constexpr int operands = 3;
    static constexpr const char* parameters[] = {"value"};
    static constexpr auto forward(auto x, auto a, auto b, auto value) { return x + value * a / b; }
};
struct NanToNum {
    static constexpr int operands = 1;
    static constexpr const char* parameters[] = {"nan", "posinf", "neginf"};
    static constexpr auto forward(auto x, auto nan, auto positive, auto negative) {
        auto finite = where(x == kInfinity, positive, where(x == -kInfinity, negative, x));
        return where(isnan(x), nan, finite);
    }
};
// Dauphin et al., "Language Modeling with Gated Convolutional Networks", arXiv:1612.08083.
struct Glu {
    static constexpr int operands = 2;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto a, auto b) { return a * sigmoid(b); }
};
struct Zeta {
    static constexpr int operands = 2;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto a, auto b) { return zeta(a, b); }
};
struct Igamma {
    static constexpr int operands = 2;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto a, auto b) { return igamma(a, b); }
};
struct Igammac {
    static constexpr int operands = 2;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto a, auto b) { return igammac(a, b); }
};

struct GammaSlope {
    static constexpr int operands = 2;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto a, auto x) { return gamma_slope(a, x); }
};
struct BetaSlope {
    static constexpr int operands = 3;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto forward(auto x, auto a, auto total) { return beta_slope(x, a, total); }
};

// X(Struct, the name in '"..." not implemented for')
// clang-format off
#define TAPEGRAD_POINTWISE(X)                                                                       \
    X(Lerp, "lerp_kernel_tensor") X(LerpNumber, "lerp_kernel_scalar") X(Addcmul, "addcmul_cpu_out") \
    X(Addcdiv, "addcdiv_cpu_out") X(NanToNum, "nan_to_num") X(Glu, "glu_cpu") X(Zeta, "zeta")       \
    X(Igamma, "igamma_cpu") X(Igammac, "igammac_cpu") X(GammaSlope, "gamma_cpu")                    \
    X(BetaSlope, "dirichlet")
// clang-format on
TAPEGRAD_ENUMERATION(Pointwise, TAPEGRAD_POINTWISE)

}  // namespace tapegrad::formulas
