#include "core/shape.h"

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"

namespace tapegrad {
namespace {

// The shapes that were asked for last, by a hash of their sizes.
constexpr int kRecentLog = 6;
Ref<Shape>& recent(const Dims& sizes) {
    static Ref<Shape>* const shapes =
        new Ref<Shape>[1 << kRecentLog];  // tensors may outlive statics
    uint64_t hash = static_cast<uint64_t>(sizes.size());
    for (int64_t size : sizes)
        hash = (hash ^ static_cast<uint64_t>(size)) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    return shapes[hash >> (64 - kRecentLog)];
}

bool has_row_major_strides(const Dims& sizes, const Dims& strides) noexcept {
    int64_t expected = 1;
    for (int i = sizes.size() - 1; i >= 0; --i) {
        if (strides[i] != expected) return false;
        if (__builtin_mul_overflow(expected, std::max<int64_t>(sizes[i], 1), &expected))
            return false;
    }
    return true;
}

}  // namespace

Ref<Shape> Shape::row_major(const Dims& sizes) {
    Ref<Shape>& known = recent(sizes);
    if (known && known->sizes == sizes) return known;
    Dims strides(sizes.size());
    int64_t numel = 1;
    bool overflow = false;
    for (int i = sizes.size() - 1; i >= 0; --i) {
        if (sizes[i] < 0)
            fail("Trying to create tensor with negative dimension ", sizes[i], ": ",
                 to_string(sizes));
        strides[i] = numel;
        overflow |= __builtin_mul_overflow(numel, std::max<int64_t>(sizes[i], 1), &numel);
    }
    if (overflow) fail("Storage size calculation overflowed with sizes=", to_string(sizes));
    for (int64_t size : sizes)
        if (size == 0) numel = 0;
    return known = Ref<Shape>(new Shape(sizes, strides, numel, true, true));
}

Ref<Shape> Shape::strided(const Dims& sizes, const Dims& strides) {
    const int64_t numel = element_count(sizes);
    if (has_row_major_strides(sizes, strides)) return row_major(sizes);
    return Ref<Shape>(new Shape(sizes, strides, numel, is_contiguous(sizes, strides), false));
}

}  // namespace tapegrad
