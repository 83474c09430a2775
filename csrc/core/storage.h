// The memory of a tensor and of its views, with the counter of its changes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/allocator.h"
#include "core/refcount.h"
#include "core/site.h"

namespace tapegrad {

// Told of the memory that comes and goes on a thread, while what the thread computes is recorded.
class MemoryWatch {
public:
    virtual void taken(const char* data, size_t bytes) = 0;
    virtual void given_back(const char* data) noexcept = 0;

protected:
    ~MemoryWatch() = default;
};
extern constinit thread_local MemoryWatch* memory_watch __attribute__((tls_model("initial-exec")));

class Storage final {
public:
    // Fresh memory, not initialised.
    static Ref<Storage> allocate(size_t bytes) {
        Ref<Storage> fresh(bytes > kInlineBytes ? in_two_parts(bytes) : in_one_part(bytes));
        if (memory_watch) [[unlikely]]
            memory_watch->taken(fresh->data_, bytes);
        return fresh;
    }
    // Memory of someone else (a NumPy array, another library's tensor): free(owner) is called at the end.
    static Ref<Storage> borrow(void* data, size_t bytes, void* owner, void (*free)(void*),
                               bool read_only);
    // The same memory with a version counter of its own, as behind Tensor.data.
    static Ref<Storage> alias(const Ref<Storage>& storage, uint32_t version = 0);
    // A larger copy, whose further bytes are zero, with the same version.
    static Ref<Storage> enlarged(const Ref<Storage>& storage, size_t bytes);

    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) destroy();
    }
    uint32_t use_count() const noexcept { return references_; }

    char* data() const noexcept { return data_; }
    size_t bytes() const noexcept { return bytes_; }
    uint32_t version() const noexcept { return version_; }
    void bump_version() noexcept { bump_version_by(1); }
    void bump_version_by(uint32_t changes) noexcept {
        version_ += changes;
        last_write_ = current_site();
    }
    // Where the memory was changed last, if that is known.
    Site last_write() const noexcept { return last_write_; }
    // What was saved so far is not what it was any more, though the memory is.
    void start_generation() noexcept { version_ += kGeneration; }
    // A version as users see it: how often the memory was changed.
    static uint32_t changes(uint32_t version) noexcept { return version % kGeneration; }
    bool read_only() const noexcept { return read_only_; }
    // Whether the memory is this object's alone: nobody outside the engine can see it.
    bool owns_memory() const noexcept { return free_ == nullptr; }

    static int64_t live_count() noexcept { return live_count_; }

private:
    // Small tensors need no second allocation: their elements lie behind this object, those of the
    // smallest in the same line of the cache, others from the next one on.
    static constexpr uint32_t kGeneration = uint32_t{1} << 28;
    static constexpr size_t kLine = 64, kInlineBytes = 256;
    static constexpr size_t inline_offset(size_t bytes) noexcept {
        return sizeof(Storage) + bytes <= kLine ? sizeof(Storage) : kLine;
    }

    static Storage* in_two_parts(size_t bytes) {
        char* data = static_cast<char*>(tapegrad::allocate(bytes));
        return new (Pool::take(sizeof(Storage))) Storage(data, bytes);
    }
    static Storage* in_one_part(size_t bytes) {
        const size_t offset = inline_offset(bytes);
        char* block = static_cast<char*>(Pool::take(offset + bytes));
        return new (block) Storage(block + offset, bytes);
    }

    Storage(char* data, size_t bytes) noexcept : data_(data), bytes_(bytes) { ++live_count_; }
    Storage(void* data, size_t bytes, void* owner, void (*free)(void*), bool read_only);
    void destroy() noexcept {
        --live_count_;
        if (memory_watch && !free_) [[unlikely]]
            memory_watch->given_back(data_);
        size_t block = sizeof(Storage);
        if (free_) free_(owner_);
        else if (bytes_ <= kInlineBytes) block = inline_offset(bytes_) + bytes_;
        else deallocate(data_, bytes_);
        Pool::give(this, block);
    }

    uint32_t references_ = 0;
    uint32_t version_ = 0;
    char* data_;
    size_t bytes_;
    void* owner_ = nullptr;
    void (*free_)(void*) = nullptr;
    Site last_write_ = 0;
    bool read_only_ = false;
    static inline int64_t live_count_ = 0;
};
static_assert(sizeof(Storage) == 48);

}  // namespace tapegrad
