// One step of a recurrent layer, after the products with its weights: gates of `rows` rows of n units each.
// Rows of all arrays are contiguous; "before" is the state that the step starts from.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// gates [rows, 4 n]: sums of the gates i, f, g, o; they become the gates. c [rows, n] becomes the new state,
// out takes what is seen of it. c_before and tanh_c take copies for the derivative, or are null.
using LstmStepFn = void (*)(void* gates, void* c, void* c_before, void* tanh_c, void* out,
                            int64_t rows, int64_t n);
// grad_out (may be null) and grad_h add up to the gradient of out; grad_c is that of the new state and becomes
// that of the one before. grad_gates takes the gradients of the sums.
using LstmStepBackwardFn = void (*)(const void* gates, const void* c_before, const void* tanh_c,
                                    const void* grad_out, const void* grad_h, void* grad_c,
                                    void* grad_gates, int64_t rows, int64_t n);

// gates [rows, 3 n]: sums of the gates r, z, and of the inputs' part of n; they become the gates.
// hidden [rows, n]: the state's part of n.
using GruStepFn = void (*)(void* gates, const void* hidden, const void* before, void* out,
                           int64_t rows, int64_t n);
// grad_h becomes the part of the gradient of the state before that does not pass through gates.
using GruStepBackwardFn = void (*)(const void* gates, const void* hidden, const void* before,
                                   const void* grad_out, void* grad_h, void* grad_gates,
                                   void* grad_hidden, int64_t rows, int64_t n);

// gates [count]: sums; they become the new state.
using RnnStepFn = void (*)(void* gates, int64_t count);
using RnnStepBackwardFn = void (*)(const void* gates, const void* grad_out, const void* grad_h,
                                   void* grad_gates, int64_t count);

// out [columns, rows] = x^T of x [rows, columns]. Unless rows are a multiple of kTransposeSlack, as many elements
// more than that may be overwritten.
using TransposeFn = void (*)(const void* x, int64_t rows, int64_t columns, void* out);
constexpr int64_t kTransposeSlack = 16;  // elements of the longest vector

// Null but for float32 and float64.
struct RecurrentKernels {
    DTypeTable<LstmStepFn> lstm;
    DTypeTable<LstmStepBackwardFn> lstm_backward;
    DTypeTable<GruStepFn> gru;
    DTypeTable<GruStepBackwardFn> gru_backward;
    DTypeTable<RnnStepFn> tanh, relu;
    DTypeTable<RnnStepBackwardFn> tanh_backward, relu_backward;
    DTypeTable<TransposeFn> transpose;
};

}  // namespace tapegrad::kernels
