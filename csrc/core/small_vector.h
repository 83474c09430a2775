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
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](size_t i) noexcept { return data_[i]; }
    const T& operator[](size_t i) const noexcept { return data_[i]; }
    T& back() noexcept { return data_[size_ - 1]; }

    void push_back(T value) { emplace_back(std::move(value)); }
    template <class... Args> T& emplace_back(Args&&... args) {
        if (size_ == capacity_) [[unlikely]]
            reserve(2 * size_t{capacity_});
        return *new (data_ + size_++) T{std::forward<Args>(args)...};
    }
    T pop_back() {
        T value = std::move(back());
        data_[--size_].~T();
        return value;
    }
    void resize(size_t count) {
        reserve(count);
        while (size_ > count) data_[--size_].~T();
        while (size_ < count) new (data_ + size_++) T();
    }
    void clear() noexcept {
        while (size_ > 0) data_[--size_].~T();
    }
    void reserve(size_t count) {
        if (count <= capacity_) return;
        T* fresh = static_cast<T*>(::operator new(count * sizeof(T)));
        for (uint32_t i = 0; i < size_; ++i) {
            new (fresh + i) T(std::move(data_[i]));
            data_[i].~T();
        }
        if (data_ != inline_data()) ::operator delete(data_);
        data_ = fresh;
        capacity_ = static_cast<uint32_t>(count);
    }

private:
    T* inline_data() noexcept { return reinterpret_cast<T*>(inline_); }
    void release() noexcept {
        clear();
        if (data_ != inline_data()) ::operator delete(data_);
        data_ = inline_data();
        capacity_ = N;
    }
    void take(SmallVector& other) noexcept {  // this is empty and inline
        if (other.data_ != other.inline_data()) {
            data_ = std::exchange(other.data_, other.inline_data());
            capacity_ = std::exchange(other.capacity_, N);
            size_ = std::exchange(other.size_, 0);
            return;
        }
        for (; size_ < other.size_; ++size_) new (data_ + size_) T(std::move(other.data_[size_]));
        other.clear();
    }

    T* data_ = inline_data();
    uint32_t size_ = 0, capacity_ = N;
    alignas(T) unsigned char inline_[N * sizeof(T)];
};

}  // namespace tapegrad
