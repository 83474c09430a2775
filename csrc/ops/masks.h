// Elements chosen by a mask: filled, taken, and filled in order.
#pragma once

#include "kernels/elementwise_driver.h"
#include "ops/arg.h"

namespace tapegrad {

// out = where(mask, value, x) without the tape; mask and x broadcast to out.
void fill_where(const Tensor& out, const Tensor& mask, const kernels::Operand& value,
                const Tensor& x);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Arg& value);
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);
Tensor masked_select(const Tensor& x, const Tensor& mask);

}  // namespace tapegrad
