// Intrusive reference counts. They are not atomic: the owner of the interpreter lock is the only one
// who touches tensors and nodes; kernels that run without it see raw pointers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace tapegrad {

class Counted {
public:
    Counted() = default;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) destroy();
    }
    uint32_t use_count() const noexcept { return references_; }

protected:
    virtual ~Counted() = default;
    // Called when the last reference is gone.
    virtual void destroy() noexcept { delete this; }

private:
    uint32_t references_ = 0;
};

// Owning pointer to a T that has retain() and release().
template <class T> class Ref {
public:
    Ref() noexcept = default;
    Ref(std::nullptr_t) noexcept {}
    Ref(T* pointer) noexcept : pointer_(pointer) {
        if (pointer_) pointer_->retain();
    }
    Ref(const Ref& other) noexcept : Ref(other.pointer_) {}
    Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(const Ref<U>& other) noexcept : Ref(static_cast<T*>(other.get())) {}
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(Ref<U>&& other) noexcept : pointer_(other.detach()) {}
    ~Ref() {
        if (pointer_) pointer_->release();
    }
    Ref& operator=(Ref other) noexcept {
        std::swap(pointer_, other.pointer_);
        return *this;
    }

    T* get() const noexcept { return pointer_; }
    T* operator->() const noexcept { return pointer_; }
    T& operator*() const noexcept { return *pointer_; }
    explicit operator bool() const noexcept { return pointer_ != nullptr; }
    bool operator==(const Ref& other) const noexcept { return pointer_ == other.pointer_; }

    void reset() noexcept {
        if (T* old = std::exchange(pointer_, nullptr)) old->release();
    }
    // Gives up ownership without releasing.
    T* detach() noexcept { return std::exchange(pointer_, nullptr); }

private:
    T* pointer_ = nullptr;
};

template <class T, class... Args> Ref<T> make_ref(Args&&... args) {
    return Ref<T>(new T(std::forward<Args>(args)...));
}

// Memory of tensors, storages and nodes, in sizes that are multiples of 64, handed out again instead of
// going back to the system: to touch fresh memory costs more than the objects do. Guarded by the same
// lock as the reference counts.
class Pool {
public:
    static void* take(size_t size) {
        const size_t index = index_of(size);
        if (index < kLists) [[likely]] {
            if (Slot* slot = lists_[index]) {
                lists_[index] = slot->next;
                idle_bytes_ -= bytes_of(index);
                return slot;
            }
        }
        return ::operator new(bytes_of(index), std::align_val_t{kStep});
    }
    static void give(void* memory, size_t size) noexcept {
        const size_t index = index_of(size);
        if (index >= kLists || idle_bytes_ >= kIdleBytes) [[unlikely]] {
            ::operator delete(memory, std::align_val_t{kStep});
            return;
        }
        Slot* slot = static_cast<Slot*>(memory);
        slot->next = lists_[index];
        lists_[index] = slot;
        idle_bytes_ += bytes_of(index);
    }
    // Gives idle memory back to the system.
    static void trim() noexcept {
        for (Slot*& list : lists_) {
            while (Slot* slot = list) {
                list = slot->next;
                ::operator delete(slot, std::align_val_t{kStep});
            }
        }
        idle_bytes_ = 0;
    }

private:
    static constexpr size_t kStep = 64, kLists = 12;
    static constexpr size_t kIdleBytes = size_t{64} << 20;
    static size_t index_of(size_t size) { return (size - 1) / kStep; }
    static size_t bytes_of(size_t index) { return (index + 1) * kStep; }
    struct Slot {
        Slot* next;
    };
    static inline Slot* lists_[kLists];
    static inline size_t idle_bytes_ = 0;
};

// Base of classes whose objects live in the pool.
struct Pooled {
    static void* operator new(size_t size) { return Pool::take(size); }
    static void* operator new(size_t, void* place) noexcept { return place; }
    static void operator delete(void* memory, size_t size) noexcept { Pool::give(memory, size); }
};

}  // namespace tapegrad
