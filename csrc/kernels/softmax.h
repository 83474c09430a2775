// softmax and log_softmax along n of a contiguous array viewed as [outer, n, inner].
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tapegrad::kernels {

// `out` may be `x`.
using SoftmaxFn = void (*)(const void* x, void* out, int64_t outer, int64_t n, int64_t inner);

// `result` is what the forward function returned; `out` (the gradient of x) may be `grad`.
using SoftmaxBackwardFn = void (*)(const void* grad, const void* result, void* out, int64_t outer,
                                   int64_t n, int64_t inner);

// Indexed by dtype; nullptr but for floats.
struct SoftmaxKernels {
    SoftmaxFn softmax[kDTypeCount];
    SoftmaxFn log_softmax[kDTypeCount];
    SoftmaxBackwardFn softmax_backward[kDTypeCount];      // result * (grad - sum(grad * result))
    SoftmaxBackwardFn log_softmax_backward[kDTypeCount];  // grad - exp(result) * sum(grad)
};

}  // namespace tapegrad::kernels
