// Data-parallel loops. This is the only place that knows of threads (see parallel.cpp).
#pragma once

#include <atomic>
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

// Waits until no region that has let go of the lock is running.
void wait_for_regions();

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

// For loops that wait for another thread, which may need this processor.
void yield_thread();

// Tasks that the threads of a region take one by one: first those of a range of its own, so that a thread
// finds in its caches what it has used before, then what others have not come to yet.
class TaskQueue {
public:
    struct alignas(64) Range {
        std::atomic<int64_t> next;
        int64_t end;
    };
    TaskQueue(Range* ranges, int count, int own) : ranges_(ranges), count_(count), at_(own) {}
    // The number of the next task; -1 when all are taken.
    int64_t take();

private:
    Range* ranges_;
    int count_, at_, exhausted_ = 0;
};

namespace detail {
using QueueBody = void (*)(void* context, TaskQueue& queue);
void parallel_run_tasks(int64_t n, int64_t enough, QueueBody body, void* context);
}  // namespace detail

// Calls f(queue) on each of the threads that take part, as many as have `enough` tasks; the queues
// together hold the tasks [0, n), and f must empty its own.
template <class F> void parallel_tasks(int64_t n, int64_t enough, F&& f) {
    if (n <= 0) return;
    using Body = std::remove_reference_t<F>;
    detail::parallel_run_tasks(
        n, enough, [](void* context, TaskQueue& queue) { (*static_cast<Body*>(context))(queue); },
        const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace tapegrad
