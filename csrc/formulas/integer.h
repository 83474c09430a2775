// Functions of two integers (some also of floats). They have no derivative.
#pragma once

#include "formulas/traits.h"

namespace tapegrad::formulas {

struct FloorDivide {
    static constexpr auto domain = Domain::Numbers;
    static constexpr auto cost = Cost::Heavy;
    static constexpr auto kernel = "div_floor_cpu";
    static constexpr bool divides = true;
    static constexpr auto refused = "floor_divide";
    static constexpr auto forward(auto a, auto b) { return floor_divide(a, b); }
};
struct BitwiseAnd {
    static constexpr auto domain = Domain::Integers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return bitwise_and(a, b); }
};
struct BitwiseOr {
    static constexpr auto domain = Domain::Integers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return bitwise_or(a, b); }
};
struct BitwiseXor {
    static constexpr auto domain = Domain::Integers;
    static constexpr bool bools = true;
    static constexpr auto forward(auto a, auto b) { return bitwise_xor(a, b); }
};
struct LeftShift {
    static constexpr auto domain = Domain::Integers;
    static constexpr auto kernel = "lshift_cpu";
    static constexpr auto forward(auto a, auto b) { return bitwise_left_shift(a, b); }
};
struct RightShift {
    static constexpr auto domain = Domain::Integers;
    static constexpr auto kernel = "rshift_cpu";
    static constexpr auto forward(auto a, auto b) { return bitwise_right_shift(a, b); }
};
struct Gcd {
    static constexpr auto domain = Domain::Integers;
    static constexpr auto forward(auto a, auto b) { return gcd(a, b); }
};
struct Lcm {
    static constexpr auto domain = Domain::Integers;
    static constexpr auto forward(auto a, auto b) { return lcm(a, b); }
};
struct Heaviside {
    static constexpr auto domain = Domain::Numbers;
    static constexpr bool bools = true;
    static constexpr auto refused = "heaviside";
    static constexpr auto forward(auto a, auto b) { return heaviside(a, b); }
};
// X(Struct, function)
// clang-format off
#define TAPEGRAD_INTEGER(X)                                                                         \
    X(FloorDivide, floor_divide)                                                                    \
    X(BitwiseAnd, bitwise_and) X(BitwiseOr, bitwise_or) X(BitwiseXor, bitwise_xor)                  \
    X(LeftShift, bitwise_left_shift) X(RightShift, bitwise_right_shift)                             \
    X(Gcd, gcd) X(Lcm, lcm) X(Heaviside, heaviside)
// clang-format on
TAPEGRAD_ENUMERATION(Integer, TAPEGRAD_INTEGER)

}  // namespace tapegrad::formulas
