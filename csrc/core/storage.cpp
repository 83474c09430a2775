#include "core/storage.h"

#include <cstring>

namespace tapegrad {

thread_local MemoryWatch* memory_watch = nullptr;

Storage::Storage(void* data, size_t bytes, void* owner, void (*free)(void*), bool read_only)
    : data_(static_cast<char*>(data)),
      bytes_(bytes),
      owner_(owner),
      free_(free),
      read_only_(read_only) {
    ++live_count_;
}

Ref<Storage> Storage::borrow(void* data, size_t bytes, void* owner, void (*free)(void*),
                             bool read_only) {
    return Ref<Storage>(new (Pool::take(sizeof(Storage)))
                            Storage(data, bytes, owner, free, read_only));
}

Ref<Storage> Storage::alias(const Ref<Storage>& storage, uint32_t version) {
    storage->retain();
    Ref<Storage> other(new (Pool::take(sizeof(Storage))) Storage(
        storage->data(), storage->bytes(), storage.get(),
        [](void* owner) { static_cast<Storage*>(owner)->release(); }, storage->read_only()));
    other->version_ = version;
    return other;
}

Ref<Storage> Storage::enlarged(const Ref<Storage>& storage, size_t bytes) {
    Ref<Storage> larger = allocate(bytes);
    std::memcpy(larger->data_, storage->data_, storage->bytes_);
    std::memset(larger->data_ + storage->bytes_, 0, bytes - storage->bytes_);
    larger->version_ = storage->version_;
    return larger;
}

}  // namespace tapegrad
