// Element-wise operators. Each records its derivative, written once in csrc/formulas.
#pragma once

#include <string>

#include "formulas/binary.h"
#include "formulas/unary.h"
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
Tensor integer_binary(Integer op, const Arg& a, const Arg& b);
const Tensor& integer_in_place(Integer op, const Tensor& a, const Arg& b);
Tensor predicate(Predicate op, const Tensor& x);

// "tanh": the function's name in Python, and whether there is an in-place form of it.
const char* unary_name(Unary op);
const char* binary_name(Binary op);
int unary_parameters(Unary op);

Tensor where(const Tensor& condition, const Arg& a, const Arg& b);
Tensor clamp(const Tensor& x, const Arg* low, const Arg* high);
const Tensor& clamp_(const Tensor& x, const Arg* low, const Arg* high);
Tensor pow(const Tensor& x, const Scalar& exponent);
const Tensor& pow_(const Tensor& x, const Scalar& exponent);
Tensor floor_divide(const Arg& a, const Arg& b);
bool equal(const Tensor& a, const Tensor& b);
bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);
Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan);

Tensor add(const Arg& a, const Arg& b);

// The Tensor reading of the formulas.
inline Tensor operator+(const Arg& a, const Tensor& b) { return binary(Binary::Add, a, b); }
inline Tensor operator+(const Tensor& a, const Arg& b) { return binary(Binary::Add, a, b); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return binary(Binary::Add, a, b); }
inline Tensor operator-(const Arg& a, const Tensor& b) { return binary(Binary::Sub, a, b); }
inline Tensor operator-(const Tensor& a, const Arg& b) { return binary(Binary::Sub, a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return binary(Binary::Sub, a, b); }
inline Tensor operator*(const Arg& a, const Tensor& b) { return binary(Binary::Mul, a, b); }
inline Tensor operator*(const Tensor& a, const Arg& b) { return binary(Binary::Mul, a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return binary(Binary::Mul, a, b); }
inline Tensor operator/(const Arg& a, const Tensor& b) { return binary(Binary::Div, a, b); }
inline Tensor operator/(const Tensor& a, const Arg& b) { return binary(Binary::Div, a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return binary(Binary::Div, a, b); }
inline Tensor operator-(const Tensor& a) { return unary(Unary::Neg, a); }
inline Tensor operator<(const Tensor& a, const Arg& b) { return compare(Comparison::Lt, a, b); }
inline Tensor operator<=(const Tensor& a, const Arg& b) { return compare(Comparison::Le, a, b); }
inline Tensor operator>(const Tensor& a, const Arg& b) { return compare(Comparison::Gt, a, b); }
inline Tensor operator>=(const Tensor& a, const Arg& b) { return compare(Comparison::Ge, a, b); }
inline Tensor operator==(const Tensor& a, const Arg& b) { return compare(Comparison::Eq, a, b); }
inline Tensor operator&(const Tensor& a, const Tensor& b) {
    return compare(Comparison::LogicalAnd, a, b);
}
inline Tensor zero_like(const Tensor& x) { return zeros_like(x); }
inline Tensor pow(const Tensor& a, const Tensor& b) { return binary(Binary::Pow, a, b); }
inline Tensor pow(const Tensor& a, double b) { return pow(a, Scalar(b)); }
#define TAPEGRAD_TENSOR_FUNCTION(name, Name) \
    inline Tensor name(const Tensor& x) { return unary(Unary::Name, x); }
TAPEGRAD_TENSOR_FUNCTION(sign, Sign)
TAPEGRAD_TENSOR_FUNCTION(exp, Exp)
TAPEGRAD_TENSOR_FUNCTION(log, Log)
TAPEGRAD_TENSOR_FUNCTION(sqrt, Sqrt)
TAPEGRAD_TENSOR_FUNCTION(rsqrt, Rsqrt)
TAPEGRAD_TENSOR_FUNCTION(sin, Sin)
TAPEGRAD_TENSOR_FUNCTION(cos, Cos)
TAPEGRAD_TENSOR_FUNCTION(sinh, Sinh)
TAPEGRAD_TENSOR_FUNCTION(cosh, Cosh)
TAPEGRAD_TENSOR_FUNCTION(sigmoid, Sigmoid)
TAPEGRAD_TENSOR_FUNCTION(floor, Floor)
TAPEGRAD_TENSOR_FUNCTION(trunc, Trunc)
TAPEGRAD_TENSOR_FUNCTION(abs, Abs)
#undef TAPEGRAD_TENSOR_FUNCTION
// The distribution of a standard normal variable, and its density.
inline Tensor normal_cdf(const Tensor& x) {
    return unary(Unary::Erfc, x * -formulas::kSqrtHalf) * 0.5;
}
inline Tensor normal_pdf(const Tensor& x) { return exp(x * x * -0.5) * formulas::kInvSqrtTwoPi; }

}  // namespace tapegrad
