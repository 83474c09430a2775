#include "core/dims.h"

#include "core/checked.h"
#include "core/error.h"

namespace tapegrad {

void Dims::grow(int count) {
    count = std::max(count, kInline);
    int64_t* fresh = new int64_t[static_cast<size_t>(count)];
    std::copy_n(data_, size_, fresh);
    release();
    data_ = fresh;
    capacity_ = count;
}

std::string to_string(const Dims& dims) {
    std::string result = "[";
    for (int i = 0; i < dims.size(); ++i) {
        if (i) result += ", ";
        result += std::to_string(dims[i]);
    }
    return result + "]";
}

int64_t element_count(const Dims& sizes) {
    int64_t count = 1;
    bool overflow = false;
    for (int64_t size : sizes) overflow |= __builtin_mul_overflow(count, size, &count);
    if (overflow) [[unlikely]] {
        for (int64_t size : sizes)
            if (size == 0) return 0;
        fail("Storage size calculation overflowed with sizes=", to_string(sizes));
    }
    return count;
}

int64_t extent_of(const Dims& sizes, const Dims& strides) {
    int64_t last = 0;
    bool overflow = false;
    for (int i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == 0) return 0;
        int64_t reach;
        overflow |= __builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) ||
                    __builtin_add_overflow(last, reach, &last);
    }
    if (overflow || last == std::numeric_limits<int64_t>::max())
        refuse_storage_size(sizes, strides);
    return last + 1;
}

void refuse_storage_size(const Dims& sizes, const Dims& strides) {
    fail("Storage size calculation overflowed with sizes=", to_string(sizes),
         " and strides=", to_string(strides));
}

Dims contiguous_strides(const Dims& sizes) {
    Dims strides(sizes.size());
    int64_t stride = 1;
    for (int i = sizes.size() - 1; i >= 0; --i) {
        strides[i] = stride;
        stride = saturating_mul(stride, std::max<int64_t>(sizes[i], 1));
    }
    return strides;
}

bool is_contiguous(const Dims& sizes, const Dims& strides) noexcept {
    int64_t expected = 1;
    for (int i = sizes.size() - 1; i >= 0; --i) {
        if (sizes[i] == 0) return true;
        if (sizes[i] != 1) {
            if (strides[i] != expected) {
                for (int64_t size : sizes)
                    if (size == 0) return true;
                return false;
            }
            expected = saturating_mul(expected, sizes[i]);
        }
    }
    return true;
}

Dims broadcast(const Dims& a, const Dims& b) {
    if (a == b) return a;
    const int count = std::max(a.size(), b.size());
    Dims result(count);
    for (int i = 1; i <= count; ++i) {
        const int64_t x = i <= a.size() ? a[a.size() - i] : 1;
        const int64_t y = i <= b.size() ? b[b.size() - i] : 1;
        if (x != y && x != 1 && y != 1)
            fail("The size of tensor a (", x, ") must match the size of tensor b (", y,
                 ") at non-singleton dimension ", count - i, ". Shapes ", to_string(a), " and ",
                 to_string(b), " cannot be broadcast together.");
        result[count - i] = x == 1 ? y : x;
    }
    return result;
}

bool is_expandable_to(const Dims& from, const Dims& to) noexcept {
    if (from.size() > to.size()) return false;
    for (int i = 1; i <= from.size(); ++i) {
        const int64_t size = from[from.size() - i];
        if (size != to[to.size() - i] && size != 1) return false;
    }
    return true;
}

int wrap_dim(int64_t dim, int count, bool scalars_too) {
    if (count == 0 && scalars_too) count = 1;
    if (count == 0)
        fail<IndexError>("Dimension specified as ", dim, " but tensor has no dimensions");
    if (dim < -count || dim >= count)
        fail<IndexError>("Dimension out of range (expected to be in range of [", -count, ", ",
                         count - 1, "], but got ", dim, ")");
    return static_cast<int>(dim < 0 ? dim + count : dim);
}

DimSet wrap_dims(std::span<const int64_t> dims, int count) {
    if (count > 64)
        fail("tensors with more than 64 dimensions cannot be reduced over several dimensions");
    DimSet set;
    for (int64_t dim : dims) {
        const int wrapped = wrap_dim(dim, count);
        if (set.contains(wrapped))
            fail("dim ", wrapped, " appears multiple times in the list of dims");
        set.insert(wrapped);
    }
    return set;
}

DimSet::operator Dims() const {
    Dims dims;
    for (int d = 0; d < 64 && !is_all(); ++d)
        if (contains(d)) dims.push_back(d);
    return dims;
}

}  // namespace tapegrad
