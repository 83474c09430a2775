// The vocabulary of the rules: which operators and functions a derivative may be written in. Every reading
// provides them beside its type: Text and Uses from these lists, by one template each; Tensor as the
// functions of csrc/ops; Pack and Lane as far as kernels need them.
//
// Words for whole tensors are in words.h, which kernels do not read. Arguments that are no tensors (numbers, bools,
// strings, Dims) stay what they are in every reading.
#pragma once

#include "formulas/binary.h"
#include "formulas/integer.h"
#include "formulas/logic.h"
#include "formulas/unary.h"

// Functions: all element-wise operators, what is composed of them.
//   normal_cdf, normal_pdf   of the standard normal distribution
//   logistic(x)              sigmoid, with derivatives that keep their digits where it is nearly 1
//   logistic_rest(s, x)      1 - s for s = logistic(x), in the same way
//   pow_slope(a, b)          b * a ** (b - 1), which is 0 for b = 0, whatever a is
//   over_squares(a, b)       a / (a * a + b * b) for every magnitude, 0 at the origin
//   floor_quotient(a, b), trunc_quotient(a, b)
//                            of the exact quotient: a / b rounds, and may reach the next integer
//   the shared words         see composed.h
// clang-format off
#define TAPEGRAD_COMPOSED_WORDS(X)                                                                  \
    X(where) X(normal_cdf) X(normal_pdf) X(logistic) X(logistic_rest) X(pow_slope) X(over_squares)  \
    X(floor_quotient) X(trunc_quotient) X(zeta) TAPEGRAD_SHARED_WORDS(X)
#define TAPEGRAD_SHARED_WORDS(X)                                                                    \
    X(mish_gate) X(mish_gate_slope) X(sinc_slope) X(i1_slope) X(i1e_slope) X(erfcx_slope)           \
    X(difference)
#define TAPEGRAD_WORDS(X, Operator)                                                                 \
    TAPEGRAD_UNARY(Operator) TAPEGRAD_BINARY(Operator) TAPEGRAD_INTEGER(Operator)                   \
    TAPEGRAD_COMPARISON(Operator) TAPEGRAD_PREDICATE(Operator)                                      \
    TAPEGRAD_COMPOSED_WORDS(X)

// X(sign, Struct, how tightly the text of the result binds, and how tightly a right operand has to).
#define TAPEGRAD_ARITHMETIC(X)                                                                      \
    X(+, Add, kSum, kSum) X(-, Sub, kSum, kProduct)                                                 \
    X(*, Mul, kProduct, kNegation) X(/, Div, kProduct, kNegation)
#define TAPEGRAD_TESTS(X)                                                                           \
    X(<, Lt, kCompare, kSum) X(<=, Le, kCompare, kSum) X(>, Gt, kCompare, kSum)                     \
    X(>=, Ge, kCompare, kSum) X(==, Eq, kCompare, kSum)

// What is known of a tensor without its values: x.sizes() and so on.
#define TAPEGRAD_PROPERTIES(X) X(sizes) X(dim) X(numel) X(dtype)
// clang-format on

namespace tapegrad::formulas {

// Whether a call with these arguments belongs to a reading: one of them is of its type.
template <class Reading, class... Args>
concept ReadAs = (__is_same(Reading, Args) || ...);

}  // namespace tapegrad::formulas
