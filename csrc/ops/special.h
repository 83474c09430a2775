// Special functions, and operators of floats that are made of others.
#pragma once

#include <optional>
#include <utility>

#include "ops/arg.h"

namespace tapegrad {

// Functions of two, of which the first has no derivative.
Tensor zeta(const Arg& order, const Arg& x);
Tensor igamma(const Tensor& a, const Tensor& x);
Tensor igammac(const Tensor& a, const Tensor& x);
const Tensor& igamma_(const Tensor& a, const Tensor& x);
const Tensor& igammac_(const Tensor& a, const Tensor& x);

Tensor polygamma_of(int64_t n, const Tensor& x);
const Tensor& polygamma_of_(int64_t n, const Tensor& x);
Tensor mvlgamma(const Tensor& x, int64_t p);
const Tensor& mvlgamma_(const Tensor& x, int64_t p);
Tensor logit_within(const Tensor& x, std::optional<double> eps);
const Tensor& logit_within_(const Tensor& x, std::optional<double> eps);

// Mantissa in [1/2, 1) and exponent, an int32.
std::pair<Tensor, Tensor> frexp(const Tensor& x);
// In float64.
Tensor float_power(const Arg& x, const Arg& exponent);
const Tensor& float_power_(const Tensor& x, const Arg& exponent);
Tensor heaviside_of(const Tensor& x, const Tensor& values);
const Tensor& heaviside_of_(const Tensor& x, const Tensor& values);
Tensor isreal(const Tensor& x);

}  // namespace tapegrad
