// Matrix products.
#pragma once

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

Tensor mm(const Tensor& a, const Tensor& b);   // 2-d @ 2-d
Tensor bmm(const Tensor& a, const Tensor& b);  // 3-d @ 3-d
Tensor mv(const Tensor& a, const Tensor& x);   // 2-d @ 1-d
Tensor dot(const Tensor& a, const Tensor& b);  // 1-d @ 1-d
Tensor outer(const Tensor& a, const Tensor& b);
// Over the last dimension of both.
Tensor inner(const Tensor& a, const Tensor& b);
// Any ranks, as NumPy's @; batches broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
// x @ weight.T + bias as one operator. bias may be undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
// beta * x + alpha * (a @ b). A factor of zero leaves out what it belongs to, NaN included.
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
             const Scalar& alpha);
const Tensor& addmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                     const Scalar& alpha);

}  // namespace tapegrad
