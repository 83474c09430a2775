// Convolutions, and what else slides over the last three dimensions of an array.
//
// A convolution reads a copy of its input in which each tap of the kernel is a fixed offset: padding is
// written out, and elements that are a stride apart lie side by side, in planes of their own. The positions of
// the kernel are then the columns of a matrix product whose rows of the right factor start at the taps'
// offsets; columns between the end of one row of positions and the start of the next are computed for nothing.
// How an axis is laid out is chosen in csrc/ops/convolution_values.cpp.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// Elements behind a copy that may be read.
inline constexpr int64_t kCopyTail = 128;

// Plane i of an axis holds x[starts[i] + q * step] for q < length, and zeros where that lies outside.
struct ArrangeAxis {
    int64_t planes;
    const int64_t* starts;
    int64_t step, length, source;
};
// x [images, channels, axes...] with contiguous axes; out [channels, planes of the axes, images, lengths of
// the axes], and zeros in the tail.
struct ArrangeArgs {
    const void* x;
    int64_t image_stride, channel_stride;
    void* out;
    int64_t channels, images;
    ArrangeAxis axes[3];
};
using ArrangeFn = void (*)(const ArrangeArgs&);

// The columns: positions in the images of a copy, of which those below `used` count.
struct Columns {
    int64_t images, length[3], used[3];
};

// out[image, group, row, position] = bias[group, row] + sum over taps l of
//     weight[group, row, l] * copy[group, offsets[l] + column]
struct ConvolveArgs {
    const void* copy;
    int64_t copy_group;
    const int64_t* offsets;
    int64_t taps;
    const void* weight;  // (row, l) at row * weight_row + weight_offsets[l]
    int64_t weight_group, weight_row;
    const int64_t* weight_offsets;
    const void* bias;  // or null
    int64_t groups, rows;
    Columns columns;
    void* out;
    int64_t out_image, out_row, out_step[3];
    void* scratch;  // groups * rows * taps elements
};
using ConvolveFn = void (*)(const ConvolveArgs&);

// out[group, row, l] (+)= sum over columns of grad[group, row, column] * copy[group, offsets[l] + column];
// grad is laid out as the copy is, with zeros in columns that do not count.
struct CorrelateArgs {
    const void* copy;
    int64_t copy_group;
    const int64_t* offsets;
    int64_t taps;
    const void* grad;
    int64_t grad_row;
    int64_t groups, rows, columns;
    void* out;
    int64_t out_group, out_row;
    const int64_t* out_offsets;
    bool accumulate;
};
using CorrelateFn = void (*)(const CorrelateArgs&);

// The windows of an axis: for each of m results the first element, and how many there are, `step` apart.
struct WindowAxis {
    const int64_t *start, *count;
    int64_t step, source, m;
};
// The largest element of each window, the last NaN if there is one, and its place in the plane.
using MaxPoolFn = void (*)(const void* x, void* out, int64_t* places, int64_t planes,
                           const WindowAxis* axes);

// A sparse matrix along an axis, x [outer, n, inner] to out [outer, m, inner]: row j has the entries
// begin[j] <= e < begin[j + 1].
struct AxisMatrix {
    int64_t n, m;
    const int64_t *begin, *index;
    const double* weight;
};
using AxisMapFn = void (*)(const void* x, void* out, int64_t outer, int64_t inner,
                           const AxisMatrix&);

// Float32 and float64 alone.
struct ConvolutionKernels {
    DTypeTable<ArrangeFn> arrange;
    DTypeTable<ConvolveFn> convolve;
    DTypeTable<CorrelateFn> correlate;
    DTypeTable<MaxPoolFn> max_pool;
    DTypeTable<AxisMapFn> axis_map;
};

}  // namespace tapegrad::kernels
