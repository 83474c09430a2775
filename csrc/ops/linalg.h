// Matrix products.
#pragma once

#include "core/tensor.h"
#include "formulas/words.h"

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
// a @ b.mT and a.mT @ b, the products of derivatives: what is not recorded needs no transposed tensor.
Tensor matmul_mT(const Tensor& a, const Tensor& b);
Tensor mT_matmul(const Tensor& a, const Tensor& b);

namespace formulas {
TAPEGRAD_WORD(matmul_mT)
TAPEGRAD_WORD(mT_matmul)
inline Text matmul_mT(const Text& a, const Text& b) { return mm(a, mT(b)); }
inline Text mT_matmul(const Text& a, const Text& b) { return mm(mT(a), b); }
}  // namespace formulas

}  // namespace tapegrad
