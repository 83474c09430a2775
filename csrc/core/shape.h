// Sizes and strides of a tensor. They never change and are shared: what lies alike has one Shape, so that
// to make a result, to compare two tensors or to remember a result takes a pointer.
#pragma once

#include "core/dims.h"
#include "core/refcount.h"

namespace tapegrad {

class Shape final : public Pooled {
public:
    // The last dimension lies closest. Raises for negative sizes and for more elements than an int64 counts.
    static Ref<Shape> row_major(const Dims& sizes);
    static Ref<Shape> strided(const Dims& sizes, const Dims& strides);

    Shape(const Shape&) = delete;
    Shape& operator=(const Shape&) = delete;
    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }

    const Dims sizes;
    const Dims strides;  // in elements
    const int64_t numel;
    const bool contiguous;
    // The strides are those of row_major(), also where a dimension has one element and they do not matter.
    const bool is_row_major;

private:
    Shape(const Dims& sizes_, const Dims& strides_, int64_t numel_, bool contiguous_,
          bool is_row_major_) noexcept
        : sizes(sizes_),
          strides(strides_),
          numel(numel_),
          contiguous(contiguous_),
          is_row_major(is_row_major_) {}

    uint32_t references_ = 0;
};

inline bool same_sizes(const Ref<Shape>& a, const Ref<Shape>& b) noexcept {
    return a == b || a->sizes == b->sizes;
}

inline bool same_layout(const Ref<Shape>& a, const Ref<Shape>& b) noexcept {
    return a == b || (a->sizes == b->sizes && a->strides == b->strides);
}

}  // namespace tapegrad
