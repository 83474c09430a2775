// Products added to a tensor: beta * x + alpha * product. A factor of zero leaves out what it belongs to, NaN
// included.
#pragma once

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

#define TAPEGRAD_SCALED_PRODUCT_(name)                                                       \
    Tensor name(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,       \
                const Scalar& alpha);                                                        \
    const Tensor& name##_(const Tensor& x, const Tensor& a, const Tensor& b,                 \
                          const Scalar& beta, const Scalar& alpha);
TAPEGRAD_SCALED_PRODUCT_(addmm)
TAPEGRAD_SCALED_PRODUCT_(addmv)
TAPEGRAD_SCALED_PRODUCT_(addr)
TAPEGRAD_SCALED_PRODUCT_(baddbmm)
TAPEGRAD_SCALED_PRODUCT_(addbmm)  // of a batch, added up
#undef TAPEGRAD_SCALED_PRODUCT_

}  // namespace tapegrad
