// Element-wise functions of two tensors that broadcast; see unary.h for how the lines are read.
// lhs and rhs are the derivatives with respect to the first and the second operand: g is the gradient
// of the result y = forward(a, b).
#pragma once

#include "formulas/constants.h"

namespace tapegrad::formulas {

struct Add {
    static constexpr auto forward(auto a, auto b) { return a + b; }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto, auto, auto) { return g; }
};
struct Sub {
    static constexpr auto forward(auto a, auto b) { return a - b; }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto, auto, auto) { return -g; }
};
struct Mul {
    static constexpr auto forward(auto a, auto b) { return a * b; }
    static constexpr auto lhs(auto g, auto, auto b, auto) { return g * b; }
    static constexpr auto rhs(auto g, auto a, auto, auto) { return g * a; }
};
struct Div {
    static constexpr auto forward(auto a, auto b) { return a / b; }
    static constexpr auto lhs(auto g, auto, auto b, auto) { return g / b; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * ((a / b) / b); }
};
struct Pow {
    static constexpr auto forward(auto a, auto b) { return pow(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(b == 0, zero_like(g), g * (b * pow(a, b - 1)));
    }
    // 0 ** b is 0 for every b > 0, so its slope is 0 and not 0 * log(0).
    static constexpr auto rhs(auto g, auto a, auto b, auto y) {
        return where((a == 0) & (b >= 0), zero_like(g), g * (y * log(a)));
    }
};
// Where both are equal, each gets half of the gradient.
struct Maximum {
    static constexpr auto forward(auto a, auto b) { return maximum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(a < b, zero_like(g), g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(b < a, zero_like(g), g));
    }
};
struct Minimum {
    static constexpr auto forward(auto a, auto b) { return minimum(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(a > b, zero_like(g), g));
    }
    static constexpr auto rhs(auto g, auto a, auto b, auto) {
        return where(a == b, g * 0.5, where(b > a, zero_like(g), g));
    }
};
struct Remainder {  // the sign of the divisor, as Python's %
    static constexpr auto forward(auto a, auto b) { return remainder(a, b); }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * floor(a / b); }
};
struct Fmod {  // the sign of the dividend, as C's fmod
    static constexpr auto forward(auto a, auto b) { return fmod(a, b); }
    static constexpr auto lhs(auto g, auto, auto, auto) { return g; }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return -g * trunc(a / b); }
};
struct Atan2 {
    static constexpr auto forward(auto a, auto b) { return atan2(a, b); }
    static constexpr auto lhs(auto g, auto a, auto b, auto) { return g * (b / (a * a + b * b)); }
    static constexpr auto rhs(auto g, auto a, auto b, auto) { return g * (-a / (a * a + b * b)); }
};

// X(Struct, function, Domain): Numbers: integers stay integers; Floats: they become floats first.
// clang-format off
#define TAPEGRAD_BINARY(X)                                                                          \
    X(Add, add, Numbers) X(Sub, sub, Numbers) X(Mul, mul, Numbers) X(Div, div, Floats)              \
    X(Pow, pow, Numbers) X(Maximum, maximum, Numbers) X(Minimum, minimum, Numbers)                  \
    X(Remainder, remainder, Numbers) X(Fmod, fmod, Numbers) X(Atan2, atan2, Floats)
// clang-format on

enum class Binary {
#define TAPEGRAD_ENUMERATOR_(Name, ...) Name,
    TAPEGRAD_BINARY(TAPEGRAD_ENUMERATOR_)
#undef TAPEGRAD_ENUMERATOR_
};
#define TAPEGRAD_PLUS_ONE_(...) +1
inline constexpr int kBinaryCount = 0 TAPEGRAD_BINARY(TAPEGRAD_PLUS_ONE_);
#undef TAPEGRAD_PLUS_ONE_

// Functions without a derivative. Comparisons and logic give bool; the others keep the type.
enum class Comparison { Eq, Ne, Lt, Le, Gt, Ge, LogicalAnd, LogicalOr, LogicalXor };
inline constexpr int kComparisonCount = 9;
enum class Integer { FloorDivide, BitwiseAnd, BitwiseOr, BitwiseXor, LeftShift, RightShift };
inline constexpr int kIntegerCount = 6;
enum class Predicate { IsNan, IsInf, IsFinite, LogicalNot, SignBit };
inline constexpr int kPredicateCount = 5;

}  // namespace tapegrad::formulas
