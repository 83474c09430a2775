// layer_norm over the rows of a contiguous array [rows, n]:
//     out = (x - mean) * rstd * weight + bias,    rstd = 1 / sqrt(variance + eps)
// Mean and variance are computed in double, and the gradients of weight and bias added up in it.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// x, out [outer, groups, n]: rows of n elements. weight, bias [groups, n] or null; mean, rstd [outer, groups].
// Where mean is null, rows are not centered: rstd is 1 / sqrt(mean(x^2) + eps).
struct RowSizes {
    int64_t outer, groups, n;
};
using LayerNormFn = void (*)(const void* x, const void* weight, const void* bias, double eps,
                             void* out, void* mean, void* rstd, RowSizes sizes);

// mean and rstd are what the forward function wrote. Gradients: grad_x, which must not be grad, grad_weight and
// grad_bias [groups, n]; null where they are not wanted.
using LayerNormBackwardFn = void (*)(const void* grad, const void* x, const void* weight,
                                     const void* mean, const void* rstd, void* grad_x,
                                     void* grad_weight, void* grad_bias, RowSizes sizes);

// Null but for floats.
struct LayerNormKernels {
    DTypeTable<LayerNormFn> forward;
    DTypeTable<LayerNormBackwardFn> backward;
};

}  // namespace tapegrad::kernels
