// What a tensor is: a window of sizes and strides on a storage, and its place on the tape.
#pragma once

#include <string>

#include "core/dtype.h"
#include "core/error.h"
#include "core/refcount.h"
#include "core/shape.h"
#include "core/storage.h"

namespace tapegrad {

// Set on a thread in inference mode: fresh tensors are inference tensors.
extern constinit thread_local bool inference_tensors __attribute__((tls_model("initial-exec")));

// Fills one line of the cache.
class TensorImpl final : public Pooled {
public:
    TensorImpl(Ref<Shape> shape_, DType dtype_, Ref<Storage> storage_, char* data_,
               bool inference_ = false) noexcept
        : dtype(dtype_),
          inference(inference_),
          data(data_),
          shape(std::move(shape_)),
          storage(std::move(storage_)) {
        ++live_count;
    }
    ~TensorImpl() {
        --live_count;
        if (python_owned) release_python_object(python_object);
    }
    TensorImpl(const TensorImpl&) = delete;
    TensorImpl& operator=(const TensorImpl&) = delete;

    void retain() noexcept { ++references; }
    void release() noexcept {
        if (--references == 0) destroy();
    }

    static constexpr int kOutputBits = 24;

    uint32_t references = 0;
    uint32_t output_nr : kOutputBits = 0;  // which result of grad_fn this is
    DType dtype : 4;
    bool requires_grad : 1 = false;  // asked for by the user: this is a leaf
    bool retains_grad : 1 = false;
    bool inference : 1;             // made in inference mode: has no version that could be checked
    bool python_owned : 1 = false;  // the tensor owns its Python object, not the other way around
    char* data;                     // of the first element
    Ref<Shape> shape;
    Ref<Storage> storage;
    Ref<Counted> grad_fn;  // an autograd Node
    Ref<TensorImpl> grad;
    Ref<Counted> autograd_extra;    // an AutogradExtra: hooks, view relation, accumulator
    void* python_object = nullptr;  // the one wrapper of this tensor

    static inline int64_t live_count = 0;
    static inline void (*release_python_object)(void*) = nullptr;  // of the bindings

private:
    void destroy() noexcept;
};
static_assert(sizeof(TensorImpl) == 64);

class Tensor {
public:
    Tensor() noexcept = default;
    Tensor(std::nullptr_t) noexcept {}
    explicit Tensor(Ref<TensorImpl> impl) noexcept : impl_(std::move(impl)) {}
    explicit Tensor(TensorImpl* impl) noexcept : impl_(impl) {}

    bool defined() const noexcept { return static_cast<bool>(impl_); }
    explicit operator bool() const noexcept { return defined(); }
    bool is_same(const Tensor& other) const noexcept { return impl_ == other.impl_; }
    TensorImpl* impl() const noexcept { return impl_.get(); }
    TensorImpl* operator->() const noexcept { return impl_.get(); }
    void reset() noexcept { impl_.reset(); }
    // Gives up the reference without releasing it.
    TensorImpl* detach() noexcept { return impl_.detach(); }

    DType dtype() const noexcept { return impl_->dtype; }
    int dim() const noexcept { return impl_->shape->sizes.size(); }
    const Ref<Shape>& shape() const noexcept { return impl_->shape; }
    int64_t numel() const noexcept { return impl_->shape->numel; }
    const Dims& sizes() const noexcept { return impl_->shape->sizes; }
    const Dims& strides() const noexcept { return impl_->shape->strides; }
    int64_t size(int64_t dim) const { return sizes()[wrap_dim(dim, this->dim(), false)]; }
    bool is_contiguous() const noexcept { return impl_->shape->contiguous; }
    bool is_floating() const noexcept { return tapegrad::is_floating(impl_->dtype); }
    size_t item_size() const noexcept { return tapegrad::item_size(impl_->dtype); }
    const Ref<Storage>& storage() const noexcept { return impl_->storage; }
    int64_t storage_offset() const noexcept {
        return (impl_->data - impl_->storage->data()) / static_cast<int64_t>(item_size());
    }
    uint32_t version() const noexcept { return impl_->storage->version(); }
    void bump_version() const noexcept { impl_->storage->bump_version(); }

    template <class T = void> T* data() const noexcept { return reinterpret_cast<T*>(impl_->data); }

    bool requires_grad() const noexcept {
        return impl_->requires_grad || impl_->grad_fn ||
               (impl_->autograd_extra && base_requires_grad(*impl_));
    }
    bool is_leaf() const noexcept {
        return !impl_->grad_fn && !(impl_->autograd_extra && joins_base(*impl_));
    }
    Tensor grad() const noexcept { return Tensor(impl_->grad); }

private:
    // For views, whose place on the tape follows that of their base; the tape defines them.
    static bool base_requires_grad(const TensorImpl& view) noexcept;
    static bool joins_base(const TensorImpl& view) noexcept;

    Ref<TensorImpl> impl_;
};

// Fresh memory, not initialised, in the order of the dimensions.
Tensor empty(const Dims& sizes, DType dtype);
// The same with the sizes of another tensor.
Tensor empty_row_major_like(const Tensor& like);
// Fresh memory with the given strides, which must address every element once.
Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype);
// Another window on the storage; no relation on the tape. offset is in elements from the start of base.
Tensor alias(const Tensor& base, const Dims& sizes, const Dims& strides, int64_t offset);
// The same window as another tensor object; shares the version counter.
Tensor alias(const Tensor& base);

// Whether some element has more than one index (as after expand). May answer true when unsure.
bool has_internal_overlap(const Tensor& tensor) noexcept;
// Whether all indices lead to the same element, as after the expansion of a single one.
bool repeats_one_element(const Tensor& tensor) noexcept;
// Every address in the extent is used exactly once, whatever the order of dimensions.
bool is_non_overlapping_and_dense(const Tensor& tensor) noexcept;

}  // namespace tapegrad
