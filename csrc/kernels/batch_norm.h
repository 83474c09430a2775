// Normalisation of each channel over all samples and places.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// x, out [outer, channels, inner]. What the statistics of a channel are taken of: outer * inner elements.
struct BatchSizes {
    int64_t outer, channels, inner;
};

// weight, bias [channels] or null; writes the mean, 1 / sqrt(variance + eps) and the variance of each channel.
using BatchNormFn = void (*)(const void* x, const void* weight, const void* bias, double eps,
                             void* out, void* mean, void* rstd, void* variance, BatchSizes sizes);

// out = (x - mean) * rstd * weight + bias, for statistics that are given.
using BatchNormApplyFn = void (*)(const void* x, const void* weight, const void* bias,
                                  const void* mean, const void* rstd, void* out, BatchSizes sizes);

// mean and rstd are what the forward function wrote. Gradients: grad_x, which must not be grad, grad_weight and
// grad_bias [channels]; null where they are not wanted.
using BatchNormBackwardFn = void (*)(const void* grad, const void* x, const void* weight,
                                     const void* mean, const void* rstd, void* grad_x,
                                     void* grad_weight, void* grad_bias, BatchSizes sizes);

// Null but for floats.
struct BatchNormKernels {
    DTypeTable<BatchNormFn> forward;
    DTypeTable<BatchNormApplyFn> apply;
    DTypeTable<BatchNormBackwardFn> backward;
};

}  // namespace tapegrad::kernels
