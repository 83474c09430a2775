// Element-wise operators whose derivatives are rules.
#pragma once

#include <initializer_list>
#include <optional>

#include "formulas/pointwise.h"
#include "ops/arg.h"

namespace tapegrad {

using formulas::Pointwise;

// Values alone. The operands broadcast and are brought to the dtype, which is a float's.
Tensor pointwise(Pointwise op, std::initializer_list<const Tensor*> operands, DType dtype,
                 std::initializer_list<double> parameters = {});

double largest_number(DType dtype);

Tensor lerp(const Tensor& x, const Tensor& end, const Tensor& weight);
Tensor lerp_number(const Tensor& x, const Tensor& end, const Scalar& weight);
const Tensor& lerp_(const Tensor& x, const Tensor& end, const Tensor& weight);
const Tensor& lerp_number_(const Tensor& x, const Tensor& end, const Scalar& weight);
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
const Tensor& addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
const Tensor& addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf);
const Tensor& nan_to_num_(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                          std::optional<double> neginf);

}  // namespace tapegrad
