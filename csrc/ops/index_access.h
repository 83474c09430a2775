// What gather, scatter and their relatives share: one integer index along a dimension.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "ops/offsets.h"

namespace tapegrad {

// A tensor without dimensions counts as a vector of one element.
inline Dims at_least_1d(const Dims& sizes) { return sizes.empty() ? Dims{1} : sizes; }
inline Tensor at_least_1d(const Tensor& x) { return x.dim() ? x : alias(x, {1}, {1}, 0); }

// A copy in row-major order that is not recorded.
Tensor copy_of(const Tensor& x);

// The elements x[..., index[o, l, k], ...] for an index seen as [outer, length, inner].
struct Access {
    Access(const Tensor& x, int dim, const Dims& index_sizes);

    int64_t count() const { return outer * length * inner; }
    int64_t outer = 1, length = 1, inner = 1;
    int64_t size = 1, stride = 1;  // of x along the dimension
    std::vector<int64_t> outer_offsets, inner_offsets;
};

// What was announced as written stays as it is.
void write_nothing(const Tensor& x);
void check_index_type(const char* function, const Tensor& index);
// Whether all are in [0, size), and the error for the first that is not.
bool in_bounds(const int64_t* index, int64_t count, int64_t size);
[[noreturn]] void refuse_index(const int64_t* index, int64_t count, int64_t size, int dim);
// Both together, for contiguous int64 values.
void check_bounds(const Tensor& index, int64_t size, int dim);

}  // namespace tapegrad
