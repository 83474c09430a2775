// Element-wise operators. Each records its derivative, written once in csrc/formulas.
#pragma once

#include <concepts>

#include "formulas/vocabulary.h"
#include "ops/arg.h"
#include "ops/copy.h"

namespace tapegrad {

using formulas::Binary;
using formulas::Comparison;
using formulas::Integer;
using formulas::Predicate;
using formulas::Unary;

Tensor unary(Unary op, const Tensor& x, double p0 = 0, double p1 = 0);
const Tensor& unary_in_place(Unary op, const Tensor& x, double p0 = 0, double p1 = 0);
Tensor binary(Binary op, const Arg& a, const Arg& b);
const Tensor& binary_in_place(Binary op, const Tensor& a, const Arg& b);
Tensor compare(Comparison op, const Arg& a, const Arg& b);
const Tensor& compare_in_place(Comparison op, const Tensor& a, const Arg& b);
Tensor integer_binary(Integer op, const Arg& a, const Arg& b);
const Tensor& integer_in_place(Integer op, const Tensor& a, const Arg& b);
Tensor predicate(Predicate op, const Tensor& x);
const Tensor& logical_not_(const Tensor& x);

// "atan2": the function's name in Python.
const char* binary_name(Binary op);

Tensor where(const Tensor& condition, const Arg& a, const Arg& b);
Tensor clamp(const Tensor& x, const Arg* low, const Arg* high);
const Tensor& clamp_(const Tensor& x, const Arg* low, const Arg* high);
Tensor pow(const Tensor& x, const Scalar& exponent);
const Tensor& pow_(const Tensor& x, const Scalar& exponent);
bool equal(const Tensor& a, const Tensor& b);
bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);
Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);

// The Tensor reading of the rules (formulas/vocabulary.h).
// clang-format off
#define TAPEGRAD_OPERATOR_(sign, Name, ...)                                                         \
    inline Tensor operator sign(const Arg& a, const Tensor& b) {                                    \
        return binary(Binary::Name, a, b);                                                          \
    }                                                                                               \
    inline Tensor operator sign(const Tensor& a, const Arg& b) {                                    \
        return binary(Binary::Name, a, b);                                                          \
    }                                                                                               \
    inline Tensor operator sign(const Tensor& a, const Tensor& b) {                                 \
        return binary(Binary::Name, a, b);                                                          \
    }
TAPEGRAD_ARITHMETIC(TAPEGRAD_OPERATOR_)
#undef TAPEGRAD_OPERATOR_
#define TAPEGRAD_TEST_(sign, Name, ...)                                                             \
    inline Tensor operator sign(const Tensor& a, const Arg& b) {                                    \
        return compare(Comparison::Name, a, b);                                                     \
    }
TAPEGRAD_TESTS(TAPEGRAD_TEST_)
#undef TAPEGRAD_TEST_
// clang-format on
inline Tensor operator&(const Tensor& a, const Tensor& b) {
    return compare(Comparison::LogicalAnd, a, b);
}
inline Tensor operator|(const Tensor& a, const Tensor& b) {
    return compare(Comparison::LogicalOr, a, b);
}
inline Tensor operator-(const Tensor& a) { return unary(Unary::Neg, a); }
inline Tensor cast_like(const Tensor& x, const Tensor& like) { return to_dtype(x, like.dtype()); }
inline Tensor zero_like(const Tensor& x) { return zeros_like(x); }
inline Tensor pow(const Tensor& a, double b) { return pow(a, Scalar(b)); }

#define TAPEGRAD_FUNCTION_(Name, name) \
    inline Tensor name(const Tensor& x) { return unary(Unary::Name, x); }
TAPEGRAD_UNARY_PLAIN(TAPEGRAD_FUNCTION_)
#undef TAPEGRAD_FUNCTION_
#define TAPEGRAD_FUNCTION_(Name, name) \
    inline Tensor name(const Arg& a, const Arg& b) { return binary(Binary::Name, a, b); }
TAPEGRAD_BINARY(TAPEGRAD_FUNCTION_)
#undef TAPEGRAD_FUNCTION_
#define TAPEGRAD_FUNCTION_(Name, name) \
    inline Tensor name(const Arg& a, const Arg& b) { return compare(Comparison::Name, a, b); }
TAPEGRAD_COMPARISON(TAPEGRAD_FUNCTION_)
#undef TAPEGRAD_FUNCTION_
#define TAPEGRAD_FUNCTION_(Name, name) \
    inline Tensor name(const Arg& a, const Arg& b) { return integer_binary(Integer::Name, a, b); }
TAPEGRAD_INTEGER(TAPEGRAD_FUNCTION_)
#undef TAPEGRAD_FUNCTION_
#define TAPEGRAD_FUNCTION_(Name, name) \
    inline Tensor name(const Tensor& x) { return predicate(Predicate::Name, x); }
TAPEGRAD_PREDICATE(TAPEGRAD_FUNCTION_)
#undef TAPEGRAD_FUNCTION_

Tensor normal_cdf(const Tensor& x);
Tensor normal_pdf(const Tensor& x);
Tensor logistic(const Tensor& x);
Tensor logistic_rest(const Tensor& s, const Tensor& x);
Tensor pow_slope(const Tensor& a, const Tensor& b);
Tensor over_squares(const Tensor& a, const Tensor& b);
Tensor floor_quotient(const Tensor& a, const Tensor& b);
Tensor trunc_quotient(const Tensor& a, const Tensor& b);

}  // namespace tapegrad
