// One element written many times.
#pragma once

#include <cstdint>
#include <cstring>

namespace tapegrad {
namespace detail {

template <class T> void repeat_as(void* to, const void* value, int64_t n) {
    T v;
    std::memcpy(&v, value, sizeof v);
    for (int64_t i = 0; i < n; ++i) static_cast<T*>(to)[i] = v;
}

}  // namespace detail

inline void repeat_element(void* to, const void* value, size_t bytes, int64_t n) {
    switch (bytes) {
        case 1:
            std::memset(to, *static_cast<const unsigned char*>(value), static_cast<size_t>(n));
            break;
        case 2: detail::repeat_as<uint16_t>(to, value, n); break;
        case 4: detail::repeat_as<uint32_t>(to, value, n); break;
        default: detail::repeat_as<uint64_t>(to, value, n);
    }
}

}  // namespace tapegrad
