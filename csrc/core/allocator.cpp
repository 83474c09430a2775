#include "core/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "core/error.h"
#include "core/refcount.h"

namespace tapegrad {
namespace {

// Classes are powers of two with four steps in between: at most a quarter of a block is unused.
constexpr int kSteps = 4;
constexpr int kSmallestLog = 6;
constexpr int kLargestLog = 40;
constexpr int kClassCount = (kLargestLog - kSmallestLog) * kSteps + 1;
constexpr size_t kHugePageBytes = size_t{2} << 20;
// What lies idle is bounded by what the program has had in use at a time, and by this floor.
constexpr size_t kCacheFloor = size_t{64} << 20;

struct Block {
    Block* next;
};
Block* bins[kClassCount];
MemoryStats stats{};

int class_of(size_t bytes) {
    if (bytes <= (size_t{1} << kSmallestLog)) return 0;
    const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
    const size_t step = (size_t{1} << log) / kSteps;
    const int steps = static_cast<int>((bytes - (size_t{1} << log) + step - 1) / step);
    return (log - kSmallestLog) * kSteps + steps;
}

size_t class_bytes(int index) {
    const int log = kSmallestLog + index / kSteps;
    return (size_t{1} << log) + (size_t{1} << log) / kSteps * static_cast<size_t>(index % kSteps);
}

void* from_system(size_t bytes) {
    const size_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : kBufferAlignment;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
    if (bytes >= kHugePageBytes) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

[[noreturn]] void out_of_memory(size_t bytes) {
    fail<OutOfMemoryError>("tapegrad: can't allocate memory: you tried to allocate ", bytes,
                           " bytes.");
}

}  // namespace

void* allocate(size_t bytes) {
    if (bytes > (size_t{1} << kLargestLog)) out_of_memory(bytes);
    const int index = class_of(bytes);
    const size_t size = class_bytes(index);
    ++stats.allocations;
    void* memory;
    if (Block* block = bins[index]) {
        bins[index] = block->next;
        stats.cached_bytes -= size;
        ++stats.cache_hits;
        memory = block;
    } else {
        memory = from_system(size);
        if (!memory && stats.cached_bytes) {
            empty_cache();
            memory = from_system(size);
        }
        if (!memory) out_of_memory(bytes);
    }
    stats.allocated_bytes += size;
    stats.peak_bytes = std::max(stats.peak_bytes, stats.allocated_bytes);
    return memory;
}

void deallocate(void* memory, size_t bytes) noexcept {
    const int index = class_of(bytes);
    const size_t size = class_bytes(index);
    stats.allocated_bytes -= size;
    if (stats.cached_bytes + size > std::max(kCacheFloor, stats.peak_bytes)) {
        std::free(memory);
        return;
    }
    Block* block = static_cast<Block*>(memory);
    block->next = bins[index];
    bins[index] = block;
    stats.cached_bytes += size;
}

MemoryStats memory_stats() { return stats; }

void reset_peak_memory() { stats.peak_bytes = stats.allocated_bytes; }

void empty_cache() {
    for (Block*& bin : bins) {
        while (bin) {
            Block* block = bin;
            bin = block->next;
            std::free(block);
        }
    }
    stats.cached_bytes = 0;
    Pool::trim();
}

}  // namespace tapegrad
