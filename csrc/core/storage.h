// The memory of a tensor and of its views, with the counter of its changes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/allocator.h"
#include "core/refcount.h"

namespace tapegrad {

class Storage final : public Pooled {
public:
    // Fresh memory, not initialised.
    static Ref<Storage> allocate(size_t bytes) { return Ref<Storage>(new Storage(bytes)); }
    // Memory of someone else (a NumPy array, another library's tensor): free(owner) is called at the end.
    static Ref<Storage> borrow(void* data, size_t bytes, void* owner, void (*free)(void*),
                               bool read_only);
    // The same memory with a version counter of its own, as behind Tensor.data.
    static Ref<Storage> alias(const Ref<Storage>& storage);

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }
    uint32_t use_count() const noexcept { return references_; }

    char* data() const noexcept { return data_; }
    size_t bytes() const noexcept { return bytes_; }
    uint32_t version() const noexcept { return version_; }
    void bump_version() noexcept { ++version_; }
    bool read_only() const noexcept { return read_only_; }
    // Whether the memory is this object's alone: nobody outside the engine can see it.
    bool owns_memory() const noexcept { return free_ == nullptr; }

    static int64_t live_count() noexcept { return live_count_; }

private:
    explicit Storage(size_t bytes)
        : data_(bytes <= kInlineBytes ? inline_ : static_cast<char*>(tapegrad::allocate(bytes))),
          bytes_(bytes) {
        ++live_count_;
    }
    Storage(void* data, size_t bytes, void* owner, void (*free)(void*), bool read_only);
    ~Storage() {
        --live_count_;
        if (free_) free_(owner_);
        else if (data_ != inline_) deallocate(data_, bytes_);
    }

    uint32_t references_ = 0;
    uint32_t version_ = 0;
    char* data_;
    size_t bytes_;
    void* owner_ = nullptr;
    void (*free_)(void*) = nullptr;
    bool read_only_ = false;
    static inline int64_t live_count_ = 0;

    // Small tensors need no second allocation.
    static constexpr size_t kInlineBytes = 64;
    alignas(64) char inline_[kInlineBytes];
};

}  // namespace tapegrad
