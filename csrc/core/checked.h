// Arithmetic on sizes, strides and offsets, which users choose: any int64 may come.
#pragma once

#include <cstdint>
#include <limits>

#include "core/error.h"

namespace tapegrad {

// For counts: a result that an int64 does not hold is an error.
inline int64_t checked_add(int64_t a, int64_t b) {
    int64_t result;
    if (__builtin_add_overflow(a, b, &result)) [[unlikely]]
        fail("Size calculation overflowed: ", a, " + ", b);
    return result;
}
inline int64_t checked_mul(int64_t a, int64_t b) {
    int64_t result;
    if (__builtin_mul_overflow(a, b, &result)) [[unlikely]]
        fail("Size calculation overflowed: ", a, " * ", b);
    return result;
}

// For strides and offsets. Within a window that has elements they lead from one element to another and
// fit; those that do not fit lead nowhere, as the stride of a dimension of size 1, and any value will do.
// Neither operand is negative.
inline int64_t saturating_add(int64_t a, int64_t b) noexcept {
    int64_t result;
    return __builtin_add_overflow(a, b, &result) ? std::numeric_limits<int64_t>::max() : result;
}
inline int64_t saturating_mul(int64_t a, int64_t b) noexcept {
    int64_t result;
    return __builtin_mul_overflow(a, b, &result) ? std::numeric_limits<int64_t>::max() : result;
}

// Quotients rounded up and down, of any a and a positive b: a + b - 1 may overflow.
[[gnu::always_inline]] constexpr int64_t ceil_div(int64_t a, int64_t b) noexcept {
    return a / b + (a % b > 0);
}
[[gnu::always_inline]] constexpr int64_t floor_div(int64_t a, int64_t b) noexcept {
    return a / b - (a % b < 0);
}

}  // namespace tapegrad
