#include "ops/index_access.h"

#include <atomic>

#include "autograd/grad_mode.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "replay/recorder.h"

namespace tapegrad {

Tensor copy_of(const Tensor& x) {
    GradMode off(false);
    return contiguous_clone(x);
}

Access::Access(const Tensor& x, int dim, const Dims& index_sizes) {
    const Dims sizes = at_least_1d(index_sizes);
    const Dims strides = x.dim() ? x.strides() : Dims{1};
    Dims outer_sizes, outer_strides, inner_sizes, inner_strides;
    for (int d = 0; d < sizes.size(); ++d) {
        if (d == dim) continue;
        (d < dim ? outer_sizes : inner_sizes).push_back(sizes[d]);
        (d < dim ? outer_strides : inner_strides).push_back(strides[d]);
    }
    outer = element_count(outer_sizes);
    length = sizes[dim];
    inner = element_count(inner_sizes);
    size = x.dim() ? x.sizes()[dim] : 1;
    stride = strides[dim];
    outer_offsets = offset_table(outer_sizes, outer_strides);
    inner_offsets = offset_table(inner_sizes, inner_strides);
}

void refuse_index(const int64_t* index, int64_t count, int64_t size, int dim) {
    int64_t i = 0;
    while (i < count - 1 && index[i] >= 0 && index[i] < size) ++i;
    fail("index ", index[i], " is out of bounds for dimension ", dim, " with size ", size);
}

bool in_bounds(const int64_t* index, int64_t count, int64_t size) {
    std::atomic<bool> bad = false;
    parallel_for(count, kIndexGrain, [&](int64_t begin, int64_t end) {
        // The sign of an index, or of its distance to the last.
        const auto last = static_cast<uint64_t>(size - 1);
        uint64_t signs = 0;
        for (int64_t i = begin; i < end; ++i) {
            const auto j = static_cast<uint64_t>(index[i]);
            signs |= j | (last - j);
        }
        if (static_cast<int64_t>(signs) < 0) bad = true;
    });
    return !bad;
}

void check_bounds(const Tensor& index, int64_t size, int dim) {
    launch(checking([count = index.numel(), size, dim](const int64_t* at) {
               if (!in_bounds(at, count, size)) refuse_index(at, count, size, dim);
           }),
           index.data<int64_t>());
}

void write_nothing(const Tensor& x) {
    launch([](void*) {}, x.data());
}

void check_index_type(const char* function, const Tensor& index) {
    if (index.dtype() != DType::Int64 && index.dtype() != DType::Int32)
        fail(function, "(): Expected dtype int32/int64 for index");
}

}  // namespace tapegrad
