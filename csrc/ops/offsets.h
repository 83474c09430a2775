// Addresses of elements as sums of offsets per group of dimensions, for loops that no strides describe.
#pragma once

#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

// Elements that are worth a chunk of their own where one costs about a nanosecond.
inline constexpr int64_t kIndexGrain = 16384;

// How many outer iterations of the given length make up a chunk.
inline int64_t grain_for(int64_t length) {
    return std::max<int64_t>(1, kIndexGrain / std::max<int64_t>(length, 1));
}

// part(o, begin, end) for each of the outer windows of `length` rows, on ranges of their inner columns: windows in
// parallel, or the columns of a single one, a cache line of floats at a time.
template <class F> void for_windows(int64_t outer, int64_t length, int64_t inner, const F& part) {
    if (outer == 1) {
        constexpr int64_t kLine = 16;
        parallel_for(inner, kLine, std::max(kLine, grain_for(length)),
                     [&](int64_t begin, int64_t end) { part(int64_t{0}, begin, end); });
        return;
    }
    parallel_for(outer, grain_for(length * inner), [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) part(o, int64_t{0}, inner);
    });
}

// The offsets of all elements of a window in row-major order, and one more entry, so that a loop may step
// past the last.
inline std::vector<int64_t> offset_table(const Dims& sizes, const Dims& strides) {
    const int64_t count = element_count(sizes);
    std::vector<int64_t> table(static_cast<size_t>(count) + 1);
    if (count == 0) return table;
    // Each dimension, from the last on, repeats what is there already.
    int64_t filled = 1;
    for (int d = sizes.size() - 1; d >= 0; --d) {
        int64_t* next = table.data() + filled;
        for (int64_t i = 1; i < sizes[d]; ++i)
            for (int64_t j = 0; j < filled; ++j)
                *next++ = table[static_cast<size_t>(j)] + i * strides[d];
        filled *= sizes[d];
    }
    return table;
}

// Calls f.template operator()<T>() with an unsigned type of the given size: for moving elements.
template <class F> decltype(auto) visit_item(size_t bytes, F&& f) {
    if (bytes == 1) return f.template operator()<uint8_t>();
    if (bytes == 2) return f.template operator()<uint16_t>();
    if (bytes == 4) return f.template operator()<uint32_t>();
    return f.template operator()<uint64_t>();
}

template <class T> inline void copy_items(T* out, const T* x, int64_t count) {
    if (count < 8) {
        for (int64_t i = 0; i < count; ++i) out[i] = x[i];
    } else {
        std::memcpy(out, x, static_cast<size_t>(count) * sizeof(T));
    }
}

// Integer indices as contiguous int64 values.
Tensor int64_values(const Tensor& index);

}  // namespace tapegrad
