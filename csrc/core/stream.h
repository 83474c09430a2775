// Copies that go past the caches: memory that is not used again soon is neither read before it is written, nor
// takes the place of what is.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tapegrad {

inline constexpr size_t kStreamAlignment = 16;

// to must have that alignment. finish_streams() comes before another thread reads what was written.
inline void stream_copy(void* to, const void* from, size_t bytes) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= bytes; i += 16)
        _mm_stream_si128(
            reinterpret_cast<__m128i*>(static_cast<char*>(to) + i),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const char*>(from) + i)));
#endif
    std::memcpy(static_cast<char*>(to) + i, static_cast<const char*>(from) + i, bytes - i);
}

inline void finish_streams() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

}  // namespace tapegrad
