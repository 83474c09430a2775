// Functions that give bools and have no derivative; kernels/logic.cpp says what each of them tests.
#pragma once

#include "formulas/traits.h"

namespace tapegrad::formulas {

// X(Struct, function)
// clang-format off
#define TAPEGRAD_COMPARISON(X)                                                                      \
    X(Eq, eq) X(Ne, ne) X(Lt, lt) X(Le, le) X(Gt, gt) X(Ge, ge)                                     \
    X(LogicalAnd, logical_and) X(LogicalOr, logical_or) X(LogicalXor, logical_xor)
#define TAPEGRAD_PREDICATE(X)                                                                       \
    X(IsNan, isnan) X(IsInf, isinf) X(IsFinite, isfinite) X(LogicalNot, logical_not)                \
    X(SignBit, signbit) X(IsPosInf, isposinf) X(IsNegInf, isneginf)
// clang-format on
TAPEGRAD_ENUMERATION(Comparison, TAPEGRAD_COMPARISON)
TAPEGRAD_ENUMERATION(Predicate, TAPEGRAD_PREDICATE)

}  // namespace tapegrad::formulas
