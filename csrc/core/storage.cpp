#include "core/storage.h"

#include "core/allocator.h"

namespace tapegrad {

Storage::Storage(size_t bytes)
    : data_(bytes <= kInlineBytes ? inline_ : static_cast<char*>(tapegrad::allocate(bytes))),
      bytes_(bytes) {
    ++live_count_;
}

Storage::Storage(void* data, size_t bytes, void* owner, void (*free)(void*), bool read_only)
    : data_(static_cast<char*>(data)),
      bytes_(bytes),
      owner_(owner),
      free_(free),
      read_only_(read_only) {
    ++live_count_;
}

Storage::~Storage() {
    --live_count_;
    if (free_) free_(owner_);
    else if (data_ != inline_) deallocate(data_, bytes_);
}

Ref<Storage> Storage::borrow(void* data, size_t bytes, void* owner, void (*free)(void*),
                             bool read_only) {
    return Ref<Storage>(new Storage(data, bytes, owner, free, read_only));
}

Ref<Storage> Storage::alias(const Ref<Storage>& storage) {
    storage->retain();
    return Ref<Storage>(new Storage(
        storage->data(), storage->bytes(), storage.get(),
        [](void* owner) { static_cast<Storage*>(owner)->release(); }, storage->read_only()));
}

}  // namespace tapegrad
