// Activation functions; see unary.h for how the lines are read.
#pragma once

#include "formulas/constants.h"
#include "formulas/traits.h"

namespace tapegrad::formulas {

struct LogSigmoid {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto x) { return -softplus(-x); }
    static constexpr auto backward(auto g, auto x, auto) { return g * logistic(-x); }
};
struct Relu {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto bool_error = "Boolean inputs not supported for relu";
    static constexpr auto forward(auto x) { return where(x <= 0, zero_like(x), x); }  // NaN stays
    static constexpr auto backward(auto g, auto, auto y) { return where(y <= 0, zero_like(g), g); }
};
struct LeakyRelu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto node_in_place = "LeakyReluBackward1";
    static constexpr const char* parameters[] = {"negative_slope"};
    static constexpr auto forward(auto x, auto slope) { return where(x > 0, x, x * slope); }
    static constexpr auto backward(auto g, auto x, auto, auto slope) {
        return where(x > 0, g, g * slope);
    }
};
struct Elu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto node_in_place = "EluBackward1";
    static constexpr const char* parameters[] = {"alpha"};
    static constexpr auto forward(auto x, auto alpha) { return where(x > 0, x, alpha * expm1(x)); }
    static constexpr auto backward(auto g, auto x, auto, auto alpha) {
        // exp may be infinite where it does not count.
        return where(x > 0, g, g * (alpha * exp(where(x >= 0, 0, x))));
    }
};
// Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415: x * Phi(x).
struct Gelu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto kernel = "GeluKernelImpl";
    static constexpr auto forward(auto x) { return x * normal_cdf(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (normal_cdf(x) + x * normal_pdf(x));
    }
};
// The approximation of the same paper by tanh, written with sigmoid(2 u) = (1 + tanh(u)) / 2.
struct GeluTanh {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto kernel = "GeluKernelImpl";
    static constexpr auto node = "GeluBackward0";
    static constexpr bool internal = true;
    static constexpr auto forward(auto x) {
        return x * sigmoid((x + kGeluCubic * (x * x * x)) * (2 * kSqrtTwoOverPi));
    }
    static constexpr auto backward(auto g, auto x, auto) {
        // Beyond 30 it is 0 or 1 to every digit, and the powers of x must not become infinite.
        auto z = where(x > 30, 30, where(x < -30, -30, x));
        auto u = (z + kGeluCubic * (z * z * z)) * (2 * kSqrtTwoOverPi);
        auto s = logistic(u);
        auto slope = (1 + (3 * kGeluCubic) * (z * z)) * (2 * kSqrtTwoOverPi);
        return g * (s + z * (s * logistic_rest(s, u)) * slope);
    }
};
struct Silu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto x) { return x * sigmoid(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        auto s = logistic(x);
        return g * (s * (1 + x * logistic_rest(s, x)));
    }
};
struct Softplus {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr const char* parameters[] = {"beta", "threshold"};
    static constexpr auto forward(auto x, auto beta, auto threshold) {
        return where(x * beta > threshold, x, softplus(x * beta) / beta);
    }
    static constexpr auto backward(auto g, auto x, auto, auto beta, auto threshold) {
        return where(x * beta > threshold, g, g * logistic(x * beta));
    }
};
struct Hardtanh {  // integers are clamped
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr const char* parameters[] = {"min_val", "max_val"};
    static constexpr auto forward(auto x, auto low, auto high) {
        // NaN stays, and a bound that is NaN makes everything NaN.
        auto raised = where(x >= low, x, where(isnan(x), x, low));
        return where(raised <= high, raised, where(isnan(raised), raised, high));
    }
    static constexpr auto backward(auto g, auto x, auto, auto low, auto high) {
        return where((x <= low) | (x >= high), zero_like(g), g);
    }
};
// Howard et al., "Searching for MobileNetV3", arXiv:1905.02244.
struct Hardsigmoid {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto x) { return Hardtanh::forward(x + 3, 0, 6) / 6; }
    static constexpr auto backward(auto g, auto x, auto) {
        return where((x > -3) & (x < 3), g / 6, zero_like(g));
    }
};
struct Hardswish {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto x) { return x * Hardsigmoid::forward(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        auto inner = where((x > -3) & (x < 3), x, 0);  // the others may be infinite
        return where(x <= -3, zero_like(g), where(x < 3, g * (inner / 3 + 0.5), g));
    }
};
// Klambauer et al., "Self-Normalizing Neural Networks", arXiv:1706.02515.
struct Selu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto kernel = "elu_cpu";
    static constexpr auto node = "EluBackward0";
    static constexpr auto node_in_place = "EluBackward1";
    static constexpr auto forward(auto x) {
        return where(x > 0, x * kSeluScale, expm1(x) * (kSeluScale * kSeluAlpha));
    }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * where(x > 0, kSeluScale, exp(where(x >= 0, 0, x)) * (kSeluScale * kSeluAlpha));
    }
};
// Barron, "Continuously Differentiable Exponential Linear Units", arXiv:1704.07483.
struct Celu {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto node_in_place = "CeluBackward1";
    static constexpr auto kernel = "elu_cpu";
    static constexpr const char* parameters[] = {"alpha"};
    static constexpr auto forward(auto x, auto alpha) {
        return where(x > 0, x, alpha * expm1(x / alpha));
    }
    static constexpr auto backward(auto g, auto x, auto, auto alpha) {
        return where(x > 0, g, g * exp(where(x >= 0, 0, x) / alpha));
    }
};
// Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", arXiv:1908.08681: x w with
// w = tanh(ln(1 + e^x)), which is (e^2x + 2 e^x) / (e^2x + 2 e^x + 2).
struct Mish {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto forward(auto x) { return x * mish_gate(x); }
    static constexpr auto backward(auto g, auto x, auto) {
        return g * (mish_gate(x) + x * mish_gate_slope(x));
    }
};
struct Softshrink {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto kernel = "softshrink_check";
    static constexpr const char* parameters[] = {"lambd"};
    static constexpr auto forward(auto x, auto lambd) {
        return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0));  // NaN stays
    }
    static constexpr auto backward(auto g, auto x, auto, auto lambd) {
        return where((x >= -lambd) & (x <= lambd), zero_like(g), g);
    }
};
struct Hardshrink {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr const char* parameters[] = {"lambd"};
    static constexpr auto forward(auto x, auto lambd) {
        return where((x >= -lambd) & (x <= lambd), zero_like(x), x);
    }
    static constexpr auto backward(auto g, auto x, auto, auto lambd) {
        return where((x >= -lambd) & (x <= lambd), zero_like(g), g);
    }
};
struct Threshold {
    static constexpr auto domain = Domain::FloatOnly;
    static constexpr auto node_in_place = "ThresholdBackward1";
    static constexpr const char* parameters[] = {"threshold", "value"};
    static constexpr auto forward(auto x, auto threshold, auto value) {
        return where(x <= threshold, value, x);
    }
    static constexpr auto backward(auto g, auto x, auto, auto threshold, auto) {
        return where(x <= threshold, zero_like(g), g);
    }
};

}  // namespace tapegrad::formulas
