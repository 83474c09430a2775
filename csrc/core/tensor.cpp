#include "core/tensor.h"

#include <algorithm>
#include <numeric>

namespace tapegrad {

thread_local bool inference_tensors = false;

void TensorImpl::destroy() noexcept { delete this; }

namespace {

Tensor fresh(const Ref<Shape>& shape, size_t bytes, DType dtype) {
    Ref<Storage> storage = Storage::allocate(bytes);
    char* data = storage->data();
    return Tensor(new TensorImpl(shape, dtype, std::move(storage), data, inference_tensors));
}

Tensor fresh_checked(const Ref<Shape>& shape, int64_t extent, DType dtype) {
    int64_t bytes;
    if (__builtin_mul_overflow(extent, static_cast<int64_t>(item_size(dtype)), &bytes))
        fail("Storage size calculation overflowed with sizes=", to_string(shape->sizes));
    return fresh(shape, static_cast<size_t>(bytes), dtype);
}

}  // namespace

Tensor empty(const Dims& sizes, DType dtype) {
    const Ref<Shape> shape = Shape::row_major(sizes);
    return fresh_checked(shape, shape->numel, dtype);
}

Tensor empty_row_major_like(const Tensor& like) {
    const Ref<Shape>& shape = like.shape();
    if (!shape->is_row_major) [[unlikely]]
        return empty(shape->sizes, like.dtype());
    return fresh(shape, static_cast<size_t>(shape->numel) * like.item_size(), like.dtype());
}

Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype) {
    return fresh_checked(Shape::strided(sizes, strides), extent_of(sizes, strides), dtype);
}

Tensor alias(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset) {
    Ref<Shape> shape = Shape::strided(sizes, strides);
    const auto item = static_cast<int64_t>(base.item_size());
    if (shape->numel == 0) [[unlikely]] {  // a window without elements may lie anywhere
        const int64_t before = base.storage_offset();
        const int64_t all = static_cast<int64_t>(base.storage()->bytes()) / item;
        offset = std::clamp(offset, -before, all - before);
    }
    return Tensor(
        new TensorImpl(std::move(shape), base.dtype(), base.storage(), base->data + offset * item));
}

Tensor alias(const Tensor& base) {
    return Tensor(new TensorImpl(base.shape(), base.dtype(), base.storage(), base->data));
}

namespace {
// Dimensions of more than one element, by stride from small to large.
int by_stride(const Tensor& tensor, int* order) {
    int count = 0;
    for (int i = 0; i < tensor.dim() && count < 64; ++i)
        if (tensor.sizes()[i] != 1) order[count++] = i;
    std::sort(order, order + count,
              [&](int a, int b) { return tensor.strides()[a] < tensor.strides()[b]; });
    return count;
}
}  // namespace

bool has_internal_overlap(const Tensor& tensor) noexcept {
    if (tensor.is_contiguous() || tensor.numel() < 2) return false;
    int order[64];
    const int count = by_stride(tensor, order);
    int64_t reach = 0;  // farthest offset within the dimensions so far
    for (int i = 0; i < count; ++i) {
        if (tensor.strides()[order[i]] <= reach) return true;
        reach += (tensor.sizes()[order[i]] - 1) * tensor.strides()[order[i]];
    }
    return false;
}

bool repeats_one_element(const Tensor& tensor) noexcept {
    for (int i = 0; i < tensor.dim(); ++i)
        if (tensor.strides()[i] != 0 && tensor.sizes()[i] != 1) return false;
    return true;
}

bool is_non_overlapping_and_dense(const Tensor& tensor) noexcept {
    if (tensor.is_contiguous() || tensor.numel() < 2) return true;
    int order[64];
    const int count = by_stride(tensor, order);
    int64_t expected = 1;
    for (int i = 0; i < count; ++i) {
        if (tensor.strides()[order[i]] != expected) return false;
        expected *= tensor.sizes()[order[i]];
    }
    return true;
}

}  // namespace tapegrad
