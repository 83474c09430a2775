// A vector whose first N elements need no allocation.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <new>
#include <utility>

namespace tapegrad {

template <class T, uint32_t N> class SmallVector {
public:
    SmallVector() noexcept = default;
    explicit SmallVector(size_t count) { resize(count); }
    SmallVector(std::initializer_list<T> values) {
        reserve(values.size());
        for (const T& value : values) push_back(value);
    }
    // Of a few items, known here.
    template <class... Items> explicit SmallVector(std::in_place_t, Items&&... items) {
        static_assert(sizeof...(Items) <= N);
        [[maybe_unused]] T* place = reinterpret_cast<T*>(inline_);
        (new (place++) T(std::forward<Items>(items)), ...);
        size_ = sizeof...(Items);
    }
    SmallVector(const SmallVector& other) {
        reserve(other.size_);
        for (const T& value : other) push_back(value);
    }
    SmallVector(SmallVector&& other) noexcept { take(other); }
    SmallVector& operator=(SmallVector other) noexcept {
        release();
        take(other);
        return *this;
    }
    ~SmallVector() { release(); }

    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* data() noexcept { return is_inline() ? reinterpret_cast<T*>(inline_) : heap_; }
    const T* data() const noexcept { return const_cast<SmallVector*>(this)->data(); }
    T* begin() noexcept { return data(); }
    T* end() noexcept { return data() + size_; }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + size_; }
    T& operator[](size_t i) noexcept { return data()[i]; }
    const T& operator[](size_t i) const noexcept { return data()[i]; }
    T& back() noexcept { return data()[size_ - 1]; }

    void push_back(T value) { emplace_back(std::move(value)); }
    template <class... Args> T& emplace_back(Args&&... args) {
        if (size_ == capacity_) [[unlikely]]
            reserve(2 * size_t{capacity_});
        return *new (data() + size_++) T{std::forward<Args>(args)...};
    }
    T pop_back() {
        T* last = data() + --size_;
        T value = std::move(*last);
        last->~T();
        return value;
    }
    void resize(size_t count) {
        reserve(count);
        T* const items = data();
        while (size_ > count) items[--size_].~T();
        while (size_ < count) new (items + size_++) T();
    }
    void clear() noexcept {
        T* item = data();
        for (T* const end = item + std::exchange(size_, 0); item < end; ++item) item->~T();
    }
    void reserve(size_t count) {
        if (count <= capacity_) return;
        T* fresh = static_cast<T*>(::operator new(count * sizeof(T)));
        T* items = data();
        for (uint32_t i = 0; i < size_; ++i) {
            new (fresh + i) T(std::move(items[i]));
            items[i].~T();
        }
        if (!is_inline()) ::operator delete(heap_);
        heap_ = fresh;
        capacity_ = static_cast<uint32_t>(count);
    }

private:
    bool is_inline() const noexcept { return capacity_ == N; }
    // Inline, or GCC 12 takes one instance of the template for another and warns of their sizes.
    [[gnu::always_inline]] void release() noexcept {
        clear();
        if (is_inline()) return;
        ::operator delete(heap_);
        capacity_ = N;
    }
    void take(SmallVector& other) noexcept {  // this is empty and inline
        size_ = std::exchange(other.size_, 0);
        if (!other.is_inline()) {
            heap_ = other.heap_;
            capacity_ = std::exchange(other.capacity_, N);
            return;
        }
        T* items = data();
        T* theirs = other.data();
        for (uint32_t i = 0; i < size_; ++i) {
            new (items + i) T(std::move(theirs[i]));
            theirs[i].~T();
        }
    }

    uint32_t size_ = 0, capacity_ = N;  // more than N: on the heap
    union {
        T* heap_;
        alignas(T) unsigned char inline_[N * sizeof(T)];
    };
};

}  // namespace tapegrad
