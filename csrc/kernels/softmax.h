// softmax and log_softmax along n of a contiguous array viewed as [outer, n, inner].
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// `out` may be `x`.
using SoftmaxFn = void (*)(const void* x, void* out, int64_t outer, int64_t n, int64_t inner);

// `result` is what the forward function returned; `out` (the gradient of x) may be `grad`.
using SoftmaxBackwardFn = void (*)(const void* grad, const void* result, void* out, int64_t outer,
                                   int64_t n, int64_t inner);

// Null but for floats.
struct SoftmaxKernels {
    DTypeTable<SoftmaxFn> softmax;
    DTypeTable<SoftmaxFn> log_softmax;
    DTypeTable<SoftmaxBackwardFn> softmax_backward;      // result * (grad - sum(grad * result))
    DTypeTable<SoftmaxBackwardFn> log_softmax_backward;  // grad - exp(result) * sum(grad)
};

}  // namespace tapegrad::kernels
