// Reductions, scans and their helpers over contiguous arrays.
//
// `outer, n, inner` view an array as [outer, n, inner]; a reduction runs over n and gives
// [outer, inner]. inner == 1 means rows, outer == 1 columns. Any of the three may be 0.
// Every result has the same bits at any number of threads: the order of the additions is a
// function of the shape alone. float32 is added, multiplied and squared in double and rounded
// once at the end; float64 is added in blocks whose partial results are combined pairwise.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tapegrad::kernels {

using ReduceFn = void (*)(const void* x, void* out, int64_t outer, int64_t n, int64_t inner);

// `values` ([outer, inner], dtype of x) may be null. n must not be 0.
using ArgReduceFn = void (*)(const void* x, void* values, int64_t* indices, int64_t outer,
                             int64_t n, int64_t inner);

// Mean and sum of squared deviations from it, both [outer, inner]. n == 0 gives NaN and 0.
using MomentsFn = void (*)(const void* x, void* mean, void* m2, int64_t outer, int64_t n,
                           int64_t inner);

// How amax and amin share a gradient; both as PyTorch does. Divided: grad * (x == result) / count, which is
// NaN throughout where the result is NaN. Masked: grad / count at the hits, which are the NaNs where
// the result is NaN, and 0 elsewhere.
enum class Ties { Divided, Masked };
// out, x [outer, n]; grad, result [outer].
using ExtremeBackwardFn = void (*)(const void* grad, const void* x, const void* result, void* out,
                                   int64_t outer, int64_t n, Ties ties);

// out [outer, n, inner] = 0 but grad [outer, inner] at indices [outer, inner] along n.
using ScatterIndexFn = void (*)(const void* grad, const int64_t* indices, void* out, int64_t outer,
                                int64_t n, int64_t inner);

// Tables are indexed by the dtype of x; nullptr where a dtype makes no sense.
struct ReduceKernels {
    // To int64 from bool and integers (wrapping), to the same dtype from floats.
    ReduceFn sum[kDTypeCount];   // n == 0: 0
    ReduceFn prod[kDTypeCount];  // n == 0: 1

    // To the same dtype; NaN wins. n must not be 0.
    ReduceFn amax[kDTypeCount];
    ReduceFn amin[kDTypeCount];

    // To bool bytes (n == 0: false, true) and to int64. NaN is not zero.
    ReduceFn any[kDTypeCount];
    ReduceFn all[kDTypeCount];
    ReduceFn count_nonzero[kDTypeCount];

    // Floats only, to the same dtype.
    ReduceFn sum_abs[kDTypeCount];
    ReduceFn sum_squares[kDTypeCount];
    ReduceFn norm2[kDTypeCount];  // sqrt(sum of squares) without overflow or underflow on the way
    ReduceFn logsumexp[kDTypeCount];  // n == 0 or all -inf: -inf; any +inf: inf
    MomentsFn moments[kDTypeCount];

    // The first position of the extreme value; NaN is the extreme for both, the first one wins.
    ArgReduceFn max_index[kDTypeCount];
    ArgReduceFn min_index[kDTypeCount];

    ExtremeBackwardFn extreme_backward[kDTypeCount];  // floats only
    ScatterIndexFn scatter_index[kDTypeCount];

    // Scans along n, out [outer, n, inner] of the same dtype (not bool). out may be x.
    ReduceFn cumsum[kDTypeCount];
    ReduceFn reverse_cumsum[kDTypeCount];  // sum of the element and all after it
    ReduceFn cumprod[kDTypeCount];
};

}  // namespace tapegrad::kernels
