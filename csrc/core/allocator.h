// Memory for tensors: size classes whose blocks are kept for reuse, because touching fresh memory for
// the first time costs more than the arithmetic that is done on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tapegrad {

inline constexpr size_t kBufferAlignment = 64;

// Uninitialised memory, aligned to kBufferAlignment. Raises OutOfMemoryError.
void* allocate(size_t bytes);
// bytes must be what was asked for.
void deallocate(void* memory, size_t bytes) noexcept;

struct MemoryStats {
    size_t allocated_bytes;  // handed out now
    size_t peak_bytes;       // the most handed out at a time since the last reset
    size_t cached_bytes;     // kept for reuse
    uint64_t allocations;    // calls of allocate
    uint64_t cache_hits;     // of these, served from what was kept
};
MemoryStats memory_stats();
void reset_peak_memory();
// Gives all cached memory back to the system.
void empty_cache();

}  // namespace tapegrad
