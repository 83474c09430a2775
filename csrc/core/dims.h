// Sizes or strides of a tensor: a short list of integers, inline up to four.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>

namespace tapegrad {

class Dims {
public:
    static constexpr int kInline = 4;

    Dims() noexcept = default;
    explicit Dims(int count) { resize(count); }
    Dims(int count, int64_t value) : Dims(count) { std::fill_n(data(), count, value); }
    Dims(std::initializer_list<int64_t> values)
        : Dims(values.begin(), static_cast<int>(values.size())) {}
    Dims(const int64_t* values, int count) : Dims(count) { std::copy_n(values, count, data()); }
    Dims(std::span<const int64_t> values) : Dims(values.data(), static_cast<int>(values.size())) {}
    Dims(const Dims& other) { copy(other); }
    Dims(Dims&& other) noexcept { take(other); }
    Dims& operator=(const Dims& other) {
        if (this != &other) copy(other);
        return *this;
    }
    Dims& operator=(Dims&& other) noexcept {
        if (this != &other) {
            release();
            take(other);
        }
        return *this;
    }
    ~Dims() { release(); }

    int size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    int64_t* data() noexcept { return data_; }
    const int64_t* data() const noexcept { return data_; }
    int64_t* begin() noexcept { return data_; }
    int64_t* end() noexcept { return data_ + size_; }
    const int64_t* begin() const noexcept { return data_; }
    const int64_t* end() const noexcept { return data_ + size_; }
    int64_t& operator[](int i) noexcept { return data_[i]; }
    int64_t operator[](int i) const noexcept { return data_[i]; }
    int64_t back() const noexcept { return data_[size_ - 1]; }
    operator std::span<const int64_t>() const noexcept {
        return {data(), static_cast<size_t>(size_)};
    }

    bool operator==(const Dims& other) const noexcept {
        if (size_ != other.size_) return false;
        for (int i = 0; i < size_; ++i)  // shorter than the call of a memcmp
            if (data_[i] != other.data_[i]) return false;
        return true;
    }

    // Keeps the leading values; new ones are not set.
    void resize(int count) {
        if (count > capacity_) grow(count);
        size_ = count;
    }
    void push_back(int64_t value) {
        resize(size_ + 1);
        data()[size_ - 1] = value;
    }
    void insert(int position, int64_t value) {
        resize(size_ + 1);
        std::copy_backward(data() + position, data() + size_ - 1, data() + size_);
        data()[position] = value;
    }
    void erase(int position) {
        std::copy(data() + position + 1, data() + size_, data() + position);
        resize(size_ - 1);
    }

private:
    void grow(int count);
    void copy(const Dims& other) {
        if (other.size_ <= kInline && data_ == inline_) [[likely]] {
            // All places, set or not: two moves instead of a call for a length known only now. (A list on
            // the heap has room for more.)
            std::memcpy(inline_, other.data_, sizeof inline_);
        } else {
            resize(other.size_);
            std::copy_n(other.data_, other.size_, data_);
        }
        size_ = other.size_;
    }
    void release() noexcept {
        if (data_ != inline_) delete[] data_;
    }
    // From another one; what this held is gone already.
    void take(Dims& other) noexcept {
        if (other.data_ != other.inline_) {
            data_ = other.data_;
            capacity_ = other.capacity_;
            other.data_ = other.inline_;
            other.capacity_ = kInline;
        } else {
            data_ = inline_;
            capacity_ = kInline;
            std::copy_n(other.inline_, kInline, inline_);
        }
        size_ = other.size_;
        other.size_ = 0;
    }

    int64_t* data_ = inline_;
    int size_ = 0, capacity_ = kInline;
    int64_t inline_[kInline];
};

// A set of dimensions: of tensors with at most 64, or all of any tensor.
class DimSet {
public:
    DimSet() = default;
    static DimSet all() {
        DimSet set;
        set.bits_ = ~uint64_t{0};
        return set;
    }
    void insert(int dim) noexcept { bits_ |= uint64_t{1} << dim; }
    bool contains(int dim) const noexcept { return is_all() || bits_ >> dim & 1; }
    bool is_all() const noexcept { return bits_ == ~uint64_t{0}; }
    // In order; all are none, as functions that take dimensions have it.
    operator Dims() const;

private:
    uint64_t bits_ = 0;
};

// "[2, 3]", as messages show shapes.
std::string to_string(const Dims& dims);
// The number of elements; raises where it does not fit into an int64.
int64_t element_count(const Dims& sizes);
// The number of elements from the first to the last in memory; 0 where there are none. Strides are not
// negative. Raises where it does not fit into an int64.
int64_t extent_of(const Dims& sizes, const Dims& strides);
[[noreturn]] void refuse_storage_size(const Dims& sizes, const Dims& strides);
Dims contiguous_strides(const Dims& sizes);
bool is_contiguous(const Dims& sizes, const Dims& strides) noexcept;
// The shape that a and b broadcast to; raises PyTorch's message where they do not.
Dims broadcast(const Dims& a, const Dims& b);
bool is_expandable_to(const Dims& from, const Dims& to) noexcept;
// Dimension in [0, count) for one in [-count, count); raises IndexError otherwise. A 0-d tensor accepts
// -1 and 0, as in PyTorch, unless scalars_too is false.
int wrap_dim(int64_t dim, int count, bool scalars_too = true);
// The same for several, refusing repetition.
DimSet wrap_dims(std::span<const int64_t> dims, int count);

}  // namespace tapegrad
