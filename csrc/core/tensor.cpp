#include "core/tensor.h"

#include <algorithm>
#include <numeric>

namespace tapegrad {

thread_local bool inference_tensors = false;
DType default_float_type = DType::Float32;

namespace {

TensorImpl* window(Ref<Storage> storage, char* data, const Dims& sizes, const Dims& strides,
                   DType dtype) {
    TensorImpl* impl = new TensorImpl;
    impl->storage = std::move(storage);
    impl->data = data;
    impl->dtype = dtype;
    impl->sizes = sizes;
    impl->strides = strides;
    impl->numel = element_count(sizes);
    impl->contiguous = is_contiguous(sizes, strides);
    return impl;
}

int64_t byte_count(int64_t numel, const Dims& sizes, DType dtype) {
    int64_t bytes;
    if (__builtin_mul_overflow(numel, static_cast<int64_t>(item_size(dtype)), &bytes))
        fail("Storage size calculation overflowed with sizes=", to_string(sizes));
    return bytes;
}

}  // namespace

Tensor empty(const Dims& sizes, DType dtype) {
    Ref<TensorImpl> impl(new TensorImpl);
    const int count = sizes.size();
    impl->dtype = dtype;
    impl->inference = inference_tensors;
    impl->sizes = sizes;
    impl->strides.resize(count);
    int64_t numel = 1;
    bool overflow = false;
    for (int i = count - 1; i >= 0; --i) {
        if (sizes[i] < 0)
            fail("Trying to create tensor with negative dimension ", sizes[i], ": ",
                 to_string(sizes));
        impl->strides[i] = numel;
        overflow |= __builtin_mul_overflow(numel, std::max<int64_t>(sizes[i], 1), &numel);
    }
    if (overflow) fail("Storage size calculation overflowed with sizes=", to_string(sizes));
    for (int64_t size : sizes)
        if (size == 0) numel = 0;
    impl->numel = numel;
    impl->storage = Storage::allocate(static_cast<size_t>(byte_count(numel, sizes, dtype)));
    impl->data = impl->storage->data();
    return Tensor(std::move(impl));
}

Tensor empty_like_contiguous(const Tensor& like) {
    const TensorImpl& model = *like.impl();
    Ref<TensorImpl> impl(new TensorImpl(model.dtype, model.sizes, model.strides, model.numel));
    // Strides of dimensions of one element may be anything in the model.
    const int64_t* sizes = model.sizes.data();
    int64_t* strides = impl->strides.data();
    int64_t stride = 1;
    for (int i = model.sizes.size() - 1; i >= 0; --i) {
        strides[i] = stride;
        stride *= std::max<int64_t>(sizes[i], 1);
    }
    impl->inference = inference_tensors;
    impl->storage = Storage::allocate(static_cast<size_t>(model.numel) * item_size(model.dtype));
    impl->data = impl->storage->data();
    return Tensor(std::move(impl));
}

Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype) {
    int64_t extent = 1;
    for (int i = 0; i < sizes.size(); ++i)
        extent += std::max<int64_t>(sizes[i] - 1, 0) * strides[i];
    auto storage = Storage::allocate(static_cast<size_t>(byte_count(extent, sizes, dtype)));
    char* data = storage->data();
    TensorImpl* impl = window(std::move(storage), data, sizes, strides, dtype);
    impl->inference = inference_tensors;
    return Tensor(impl);
}

Tensor alias(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset) {
    return Tensor(window(base.storage(),
                         base->data + offset * static_cast<int64_t>(base.item_size()), sizes,
                         strides, base.dtype()));
}

Tensor alias(const Tensor& base) {
    return Tensor(window(base.storage(), base->data, base.sizes(), base.strides(), base.dtype()));
}

Tensor from_storage(Ref<Storage> storage, char* data, const Dims& sizes, const Dims& strides,
                    DType dtype) {
    return Tensor(window(std::move(storage), data, sizes, strides, dtype));
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
