#include "core/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

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
// What lies idle is bounded by what the program has had in use at a time, but never below this.
constexpr size_t kCacheFloor = size_t{64} << 20;

// Idle blocks of a class: the last one that was given back is the first to be handed out, and the one that
// has been idle for longest the first to go to the system. None of their memory is touched for it.
class Bin {
public:
    bool empty() const { return begin_ == end_; }
    uint64_t oldest() const { return idle_[begin_].since; }
    void* take_newest() { return idle_[--end_].memory; }
    void* take_oldest() { return idle_[begin_++].memory; }
    // False if there is no memory to remember it in.
    bool put(void* memory, uint64_t now) {
        if (end_ == capacity_ && !make_room()) return false;
        idle_[end_++] = {memory, now};
        return true;
    }

private:
    struct Idle {
        void* memory;
        uint64_t since;
    };
    bool make_room() {
        if (begin_ > capacity_ / 2) {
            std::copy(idle_ + begin_, idle_ + end_, idle_);
            end_ -= std::exchange(begin_, 0);
            return true;
        }
        const size_t capacity = std::max<size_t>(16, 2 * capacity_);
        void* larger = std::realloc(static_cast<void*>(idle_), capacity * sizeof(Idle));
        if (!larger) return false;
        idle_ = static_cast<Idle*>(larger);
        capacity_ = capacity;
        return true;
    }

    // Never freed: threads may give memory back while the process ends.
    Idle* idle_ = nullptr;
    size_t begin_ = 0, end_ = 0, capacity_ = 0;
};
constinit Bin bins[kClassCount];
constinit MemoryStats stats{};

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
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

// Large pages spare those who read at random a fifth of their time. Only memory that has been touched asks for
// them, so that they come in the background: at the first touch the kernel stops to look for one for each
// 2 MB, which took between half and 7 times as long as all small pages.
void use_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
    if (bytes >= kHugePageBytes) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

// Gives blocks to the system, those first that have been idle for longest, until `bytes` more may be kept.
void make_room(size_t bytes) noexcept {
    const size_t bound = std::max(kCacheFloor, stats.peak_bytes);
    const auto full = [&] { return stats.cached_bytes && stats.cached_bytes + bytes > bound; };
    while (full()) {
        int index = -1;
        uint64_t oldest = ~uint64_t{0}, next = oldest;  // of all bins, and of all others
        for (int i = 0; i < kClassCount; ++i) {
            if (bins[i].empty()) continue;
            if (bins[i].oldest() < oldest) {
                next = std::exchange(oldest, bins[i].oldest());
                index = i;
            } else {
                next = std::min(next, bins[i].oldest());
            }
        }
        Bin& bin = bins[index];
        while (full() && !bin.empty() && bin.oldest() <= next) {
            std::free(bin.take_oldest());
            stats.cached_bytes -= class_bytes(index);
        }
    }
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
    if (Bin& bin = bins[index]; !bin.empty()) {
        memory = bin.take_newest();
        stats.cached_bytes -= size;
        ++stats.cache_hits;
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
    make_room(size);
    use_huge_pages(memory, size);
    if (bins[index].put(memory, stats.allocations)) stats.cached_bytes += size;
    else std::free(memory);
}

MemoryStats memory_stats() { return stats; }

void reset_peak_memory() { stats.peak_bytes = stats.allocated_bytes; }

void empty_cache() {
    for (Bin& bin : bins)
        while (!bin.empty()) std::free(bin.take_newest());
    stats.cached_bytes = 0;
    Pool::trim();
}

}  // namespace tapegrad
