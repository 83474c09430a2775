// Arithmetic as its functions offer it: with factors, ways of rounding and powers of any kind.
#pragma once

#include <optional>
#include <string_view>

#include "ops/arg.h"

namespace tapegrad {

// a + alpha * b and a - alpha * b.
Tensor add_scaled(const Arg& a, const Arg& b, const Scalar& alpha);
Tensor sub_scaled(const Arg& a, const Arg& b, const Scalar& alpha);
const Tensor& add_scaled_(const Tensor& a, const Arg& b, const Scalar& alpha);
const Tensor& sub_scaled_(const Tensor& a, const Arg& b, const Scalar& alpha);
Tensor reverse_sub(const Tensor& a, const Arg& b, const Scalar& alpha);  // b - alpha * a

enum class Rounding { Floor, Trunc };
void from_text(std::string_view text, Rounding& rounding);
// The quotient, true or rounded; rounded ones keep integers, and have no slope.
Tensor divide(const Arg& a, const Arg& b, std::optional<Rounding> rounding);
const Tensor& divide_(const Tensor& a, const Arg& b, std::optional<Rounding> rounding);

// To the nearest number of some decimals, halves to the even one.
Tensor round_to(const Tensor& x, int64_t decimals);
const Tensor& round_to_(const Tensor& x, int64_t decimals);

Tensor power(const Arg& x, const Arg& exponent);
const Tensor& power_(const Tensor& x, const Arg& exponent);

Tensor positive(const Tensor& x);
Tensor bitwise_not(const Tensor& x);
const Tensor& bitwise_not_(const Tensor& x);

// Raises unless a or b is a tensor.
void require_tensor(const char* function, const Arg& a, const Arg& b);

// A number as tensor() makes one.
Tensor number_tensor(const Scalar& value);

}  // namespace tapegrad
