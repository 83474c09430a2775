// Reductions, scans and their helpers over contiguous arrays.
//
// `outer, n, inner` view an array as [outer, n, inner]; a reduction runs over n and gives
// [outer, inner]. inner == 1 means rows, outer == 1 columns. Any of the three may be 0.
// Every result has the same bits at any number of threads: the order of the additions is a
// function of the shape alone. float32 is added, multiplied and squared in double and rounded
// once at the end; float64 is added in blocks whose partial results are combined pairwise. Means, norms,
// variances and deviations are right wherever they can be represented: scaled.h.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

using ReduceFn = void (*)(const void* x, void* out, int64_t outer, int64_t n, int64_t inner);

// A sum over all of an array in two parts, for a caller that has its blocks in the cache one by one: each but
// the last of kTotalBlock elements. The same bits as `whole`.
inline constexpr int64_t kTotalBlock = 4096;
struct TotalKernel {
    ReduceFn whole;
    void (*block)(const void* x, int64_t n, double* partial);
    void (*finish)(double* partials, int64_t n, void* out);
};

// `values` ([outer, inner], dtype of x) may be null. n must not be 0.
using ArgReduceFn = void (*)(const void* x, void* values, int64_t* indices, int64_t outer,
                             int64_t n, int64_t inner);

// The norm of order p, which is neither 0 nor infinite. n == 0 is for p > 0 alone.
using NormFn = void (*)(const void* x, double p, void* out, int64_t outer, int64_t n,
                        int64_t inner);

// The sum of squared deviations from the mean, divided; and the square root of that.
enum class Spread { Variance, Deviation };
using SpreadFn = void (*)(const void* x, void* out, int64_t outer, int64_t n, int64_t inner,
                          double divisor, Spread spread);

// How amax and amin share a gradient; both as PyTorch does. Divided: grad * (x == result) / count, which is
// NaN throughout where the result is NaN. Masked: grad / count at the hits, which are the NaNs where
// the result is NaN, and 0 elsewhere.
enum class Ties { Divided, Masked };
// out, x [outer, n]; grad, result [outer].
using ExtremeBackwardFn = void (*)(const void* grad, const void* x, const void* result, void* out,
                                   int64_t outer, int64_t n, Ties ties);

// By the dtype of x; null where a dtype makes no sense.
struct ReduceKernels {
    // To int64 from bool and integers (wrapping), to the same dtype from floats.
    DTypeTable<ReduceFn> sum;   // n == 0: 0
    DTypeTable<ReduceFn> prod;  // n == 0: 1

    // To the same dtype; NaN wins. n must not be 0.
    DTypeTable<ReduceFn> amax;
    DTypeTable<ReduceFn> amin;

    // To bool bytes (n == 0: false, true) and to int64. NaN is not zero.
    DTypeTable<ReduceFn> any;
    DTypeTable<ReduceFn> all;
    DTypeTable<ReduceFn> count_nonzero;

    // Floats only, to the same dtype.
    DTypeTable<ReduceFn> mean;  // n == 0: NaN
    DTypeTable<ReduceFn> mean_squares;
    DTypeTable<ReduceFn> nansum;  // without what is NaN
    DTypeTable<ReduceFn> sum_abs;
    DTypeTable<ReduceFn> sum_squares;
    DTypeTable<ReduceFn> norm2;
    DTypeTable<NormFn> norm;
    DTypeTable<ReduceFn> logsumexp;  // n == 0 or all -inf: -inf; any +inf: inf
    DTypeTable<SpreadFn> spread;

    // The first position of the extreme value; NaN is the extreme for both, the first one wins.
    DTypeTable<ArgReduceFn> max_index;
    DTypeTable<ArgReduceFn> min_index;

    DTypeTable<ExtremeBackwardFn> extreme_backward;  // floats only

    // Scans along n, out [outer, n, inner] of the same dtype (not bool). out may be x.
    DTypeTable<ReduceFn> cumsum;
    DTypeTable<ReduceFn> reverse_cumsum;  // sum of the element and all after it
    DTypeTable<ReduceFn> cumprod;

    TotalKernel totals[10];
    // Null where a reduction needs its data at once.
    const TotalKernel* total_of(ReduceFn whole) const {
        for (const TotalKernel& total : totals)
            if (total.whole == whole) return &total;
        return nullptr;
    }
};

}  // namespace tapegrad::kernels
