// Cross-entropy between rows of logits and class indices, fused with log_softmax.
//
// With logp = log_softmax(x), target t, K classes, weights w (1 where not given) and label
// smoothing s, the loss of a row is
//     (1 - s) * w[t] * -logp[t] + s / K * sum_k w[k] * -logp[k]
// and 0 where t == ignore_index.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

struct CrossEntropyOptions {
    int64_t ignore_index = -100;
    double label_smoothing = 0.0;
};

// logits [rows, classes]; target [rows]; weight [classes] or null. Writes, each [rows] and of the
// logits' dtype: the loss, the weight of the target's class (0 where ignored; the mean divides by
// its sum) and logsumexp of the logits, which backward needs. Returns -1, or the first row whose
// target is neither ignored nor in [0, classes); then nothing has been written.
using CrossEntropyFn = int64_t (*)(const void* logits, const int64_t* target, const void* weight,
                                   CrossEntropyOptions options, void* loss_per_row,
                                   void* weight_per_row, void* log_normalizer, int64_t rows,
                                   int64_t classes);

// row_scale [rows] is the gradient of each row's loss; grad_logits [rows, classes] may be logits.
// Targets must be the ones that forward accepted.
using CrossEntropyBackwardFn = void (*)(const void* logits, const int64_t* target,
                                        const void* weight, CrossEntropyOptions options,
                                        const void* log_normalizer, const void* row_scale,
                                        void* grad_logits, int64_t rows, int64_t classes);

// Null but for floats.
struct CrossEntropyKernels {
    DTypeTable<CrossEntropyFn> forward;
    DTypeTable<CrossEntropyBackwardFn> backward;
};

}  // namespace tapegrad::kernels
