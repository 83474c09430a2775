// layer_norm over the rows of a contiguous array [rows, n]:
//     out = (x - mean) * rstd * weight + bias,    rstd = 1 / sqrt(variance + eps)
// Mean and variance are computed in double, and the gradients of weight and bias added up in it.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// x, out [rows, n]; weight, bias [n] or null; mean, rstd [rows].
using LayerNormFn = void (*)(const void* x, const void* weight, const void* bias, double eps,
                             void* out, void* mean, void* rstd, int64_t rows, int64_t n);

// mean and rstd are what the forward function wrote. Gradients: grad_x [rows, n], which must not be grad,
// grad_weight and grad_bias [n]; null where they are not wanted.
using LayerNormBackwardFn = void (*)(const void* grad, const void* x, const void* weight,
                                     const void* mean, const void* rstd, void* grad_x,
                                     void* grad_weight, void* grad_bias, int64_t rows, int64_t n);

// Null but for floats.
struct LayerNormKernels {
    DTypeTable<LayerNormFn> forward;
    DTypeTable<LayerNormBackwardFn> backward;
};

}  // namespace tapegrad::kernels
