// Data-parallel loops. This is the only place that knows of threads (see parallel.cpp).
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace tapegrad {

int num_threads();
void set_num_threads(int count);

// Called around regions that are long enough for other threads of the program to make progress;
// the Python bindings let go of the interpreter lock there.
struct BlockingHooks {
    void* (*enter)();
    void (*leave)(void* state);
};
void set_blocking_hooks(BlockingHooks hooks);

// While one lives on this thread, no region of it lets go of the lock: what is updated in the region
// belongs to several threads.
class KeepLock {
public:
    KeepLock();
    ~KeepLock();
    KeepLock(const KeepLock&) = delete;
    KeepLock& operator=(const KeepLock&) = delete;
};

namespace detail {
using ParallelBody = void (*)(void* context, int64_t begin, int64_t end);
void parallel_run(int64_t n, int64_t unit, int64_t enough, ParallelBody body, void* context);
}  // namespace detail

// Calls f(begin, end) on disjoint chunks of [0, n) that begin at multiples of unit. As many threads take
// part as have `enough` each: to wake one costs as much as some ten microseconds of work. Which thread
// runs which chunk, and how many chunks there are, must not matter to the result.
template <class F> void parallel_for(int64_t n, int64_t unit, int64_t enough, F&& f) {
    if (n <= 0) return;
    if (n < 2 * enough) {
        f(int64_t{0}, n);
        return;
    }
    using Body = std::remove_reference_t<F>;
    detail::parallel_run(
        n, unit, enough,
        [](void* context, int64_t begin, int64_t end) {
            (*static_cast<Body*>(context))(begin, end);
        },
        const_cast<void*>(static_cast<const void*>(&f)));
}
// For chunks that are all worth a thread.
template <class F> void parallel_for(int64_t n, int64_t grain, F&& f) {
    parallel_for(n, grain, grain, std::forward<F>(f));
}

// f(first, last) for the blocks of [begin, end) in order, or from the last block to the first.
template <class F>
void for_blocks(int64_t begin, int64_t end, int64_t block, bool down, const F& f) {
    const int64_t count = (end - begin + block - 1) / block;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t first = begin + (down ? count - 1 - i : i) * block;
        f(first, first + block < end ? first + block : end);
    }
}
// Alternates: operations on the same large arrays go up and down in turn, because what the one before
// touched last is still in the cache.
bool next_direction() noexcept;

}  // namespace tapegrad
