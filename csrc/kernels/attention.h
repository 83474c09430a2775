// The softmax of attention, in place over rows of scores.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

struct AttentionRows {
    int64_t rows, n;  // scores [rows, n], contiguous
    double scale;     // factor of the scores
    bool causal;      // row i sees the columns up to first_row + i
    int64_t first_row;
    // Null, or what is added to the scaled scores, or (allowed) which of them count; strides in elements.
    const void* added;
    const uint8_t* allowed;
    int64_t mask_row, mask_column;
};

// A row that sees no column becomes zeros.
using AttentionSoftmaxFn = void (*)(void* scores, const AttentionRows& rows);
// grad, of the softmax p, becomes that of the scores before they were scaled.
using AttentionSoftmaxBackwardFn = void (*)(const void* p, void* grad, int64_t rows, int64_t n,
                                            double scale);

// Null but for float32 and float64.
struct AttentionKernels {
    DTypeTable<AttentionSoftmaxFn> softmax;
    DTypeTable<AttentionSoftmaxBackwardFn> softmax_backward;
};

}  // namespace tapegrad::kernels
