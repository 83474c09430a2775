#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>

#include "core/libraries.h"

namespace tapegrad {
namespace {

// A region with this many times the grain is worth letting other threads of the program run.
constexpr int64_t kReleaseFactor = 8;

BlockingHooks blocking_hooks{nullptr, nullptr};
// In the initial TLS block: one instruction to reach.
thread_local int keep_lock_depth __attribute__((tls_model("initial-exec"))) = 0;
thread_local bool inside_region __attribute__((tls_model("initial-exec"))) = false;
bool forked = false;
std::atomic<int> unlocked_regions{0};
int thread_count = 0;
std::mutex failure_mutex;

int positive_from_environment(const char* name) {
    const char* text = std::getenv(name);
    int value = text ? std::atoi(text) : 0;
    return value > 0 ? value : 0;
}

std::string first_line(const std::string& path, const char* prefix = "") {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(prefix)) return line.substr(std::strlen(prefix));
    return {};
}

// "max 100000" and "50000 100000": microseconds of CPU time in each period. In whole CPUs rounded up; 0
// where there is no limit.
int cpus_granted(const std::string& quota_and_period) {
    double quota = -1, period = 0;
    if (std::sscanf(quota_and_period.c_str(), "%lf %lf", &quota, &period) != 2) return 0;
    return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

// The least that this process's control group and those around it grant; 0 where none sets a limit.
int cgroup_cpus() {
    const std::string root = "/sys/fs/cgroup";
    int least = 0;
    auto limit = [&](int cpus) {
        if (cpus > 0) least = least > 0 ? std::min(least, cpus) : cpus;
    };
    std::string group = first_line("/proc/self/cgroup", "0::");
    for (bool top = false; !top; group.erase(std::min(group.rfind('/'), group.size()))) {
        top = group.empty() || group == "/";
        limit(cpus_granted(first_line(root + (top ? "" : group) + "/cpu.max")));
    }
    // Version 1 shows a container's own group at the root.
    limit(cpus_granted(first_line(root + "/cpu/cpu.cfs_quota_us") + " " +
                       first_line(root + "/cpu/cpu.cfs_period_us")));
    return least;
}

int default_thread_count() {
    if (int count = positive_from_environment("TAPEGRAD_NUM_THREADS")) return count;
    if (int count = positive_from_environment("OMP_NUM_THREADS")) return count;
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0
                    ? CPU_COUNT(&set)
                    : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    if (int quota = cgroup_cpus()) count = std::min(count, quota);
    return std::max(count, 1);
}

struct Release {
    void* state = nullptr;
    bool released;
    explicit Release(bool worthwhile)
        : released(worthwhile && keep_lock_depth == 0 && blocking_hooks.enter) {
        if (!released) return;
        ++unlocked_regions;
        state = blocking_hooks.enter();
    }
    ~Release() {
        if (!released) return;
        --unlocked_regions;
        blocking_hooks.leave(state);
    }
};

}  // namespace

int num_threads() {
    if (thread_count == 0) {
        thread_count = default_thread_count();
        // The OpenMP runtime's threads do not survive a fork; a child that used them would hang.
        pthread_atfork(nullptr, nullptr, [] {
            forked = true;
            unlocked_regions = 0;
        });
    }
    return thread_count;
}

void set_num_threads(int count) {
    num_threads();
    thread_count = std::max(count, 1);
}

void wait_for_regions() {
    while (unlocked_regions > 0) usleep(100);
}

void set_blocking_hooks(BlockingHooks hooks) { blocking_hooks = hooks; }

KeepLock::KeepLock() { ++keep_lock_depth; }
KeepLock::~KeepLock() { --keep_lock_depth; }

bool next_direction() noexcept {
    thread_local bool down __attribute__((tls_model("initial-exec"))) = true;
    return down = !down;
}

namespace {

using Clock = std::chrono::steady_clock;

// On a machine that is busy with other programs, a thread that is woken may wait for a processor longer than the
// whole region takes on one. So what regions gain and lose by their threads is added up, and when the balance is
// bad they run on their caller alone for a while.
class Crowd {
public:
    bool keeps_out(Clock::time_point now) const {
        return now.time_since_epoch().count() < alone_until_.load(std::memory_order_relaxed);
    }
    // own: when the caller's share was done.
    void note(Clock::time_point begin, Clock::time_point own, Clock::time_point end, int threads) {
        const Clock::duration gain = threads * (own - begin) - (end - begin);
        const Clock::duration balance = std::min(balance_.load() + gain, kMostCredit);
        if (balance >= -kLoss) {
            balance_ = balance;
            if (balance == kMostCredit) pause_ = kLeast;
            return;
        }
        balance_ = Clock::duration::zero();
        alone_until_.store((end + pause_.load()).time_since_epoch().count(),
                           std::memory_order_relaxed);
        pause_ = std::min(2 * pause_.load(), kMost);
    }

private:
    static constexpr Clock::duration kLoss = std::chrono::microseconds(100),
                                     kMostCredit = std::chrono::microseconds(200);
    static constexpr Clock::duration kLeast = std::chrono::milliseconds(5),
                                     kMost = std::chrono::milliseconds(160);
    std::atomic<Clock::rep> alone_until_{0};
    std::atomic<Clock::duration> balance_{Clock::duration::zero()}, pause_{kLeast};
};
Crowd crowd;

// Calls work(rank, threads) on as many threads as have `enough` of n each.
template <class Work> void run_region(int64_t n, int64_t enough, Work work) {
    if (inside_region) {
        work(0, 1);
        return;
    }
    const int64_t portions = n / std::max<int64_t>(enough, 1);
    const int threads = static_cast<int>(std::min<int64_t>(num_threads(), portions));
    Release release(portions >= kReleaseFactor);
    if (threads <= 1 || forked) {
        work(0, 1);
        return;
    }
#ifdef _OPENMP
    const Clock::time_point begin = Clock::now();
    if (crowd.keeps_out(begin)) {
        work(0, 1);
        return;
    }
    // No exception may leave the region; such as that there is no memory for a thread's scratch space.
    std::exception_ptr failure;
    Clock::time_point own;
    int team = 1;
#pragma omp parallel num_threads(threads)
    {
        const int rank = omp_get_thread_num();
        // The runtime may give fewer threads than asked for.
        if (rank == 0) team = omp_get_num_threads();
        inside_region = true;
        try {
            work(rank, omp_get_num_threads());
        } catch (...) {
            const std::lock_guard lock(failure_mutex);
            failure = std::current_exception();
        }
        inside_region = false;
        if (rank == 0) own = Clock::now();
    }
    crowd.note(begin, own, Clock::now(), team);
    if (failure) std::rethrow_exception(failure);
#else
    work(0, 1);
#endif
}

}  // namespace

void detail::parallel_run(int64_t n, int64_t unit, int64_t enough, ParallelBody body,
                          void* context) {
    unit = std::max<int64_t>(unit, 1);
    const int64_t units = (n + unit - 1) / unit;
    run_region(n, enough, [=](int64_t rank, int64_t team) {
        const int64_t begin = units * rank / team * unit;
        const int64_t end = std::min(n, units * (rank + 1) / team * unit);
        if (begin < end) body(context, begin, end);
    });
}

void yield_thread() { sched_yield(); }

OpenMP openmp() {
#ifdef _OPENMP
    return {library_of(reinterpret_cast<const void*>(&omp_get_thread_num)), _OPENMP};
#else
    return {};
#endif
}

int64_t TaskQueue::take() {
    for (; exhausted_ < count_; ++exhausted_, at_ = at_ + 1 < count_ ? at_ + 1 : 0) {
        Range& range = ranges_[at_];
        if (range.next.load(std::memory_order_relaxed) >= range.end) continue;
        const int64_t task = range.next.fetch_add(1, std::memory_order_relaxed);
        if (task < range.end) return task;
    }
    return -1;
}

void detail::parallel_run_tasks(int64_t n, int64_t enough, QueueBody body, void* context) {
    constexpr int kMaxRanges = 64;  // of more threads, several share one
    TaskQueue::Range ranges[kMaxRanges];
    const int64_t portions = n / std::max<int64_t>(enough, 1);
    const int64_t wanted = std::min<int64_t>({num_threads(), portions, kMaxRanges});
    const int count = static_cast<int>(std::max<int64_t>(wanted, 1));
    for (int i = 0; i < count; ++i) {
        ranges[i].next.store(n * i / count, std::memory_order_relaxed);
        ranges[i].end = n * (i + 1) / count;
    }
    run_region(n, enough, [&](int64_t rank, int64_t) {
        TaskQueue queue(ranges, count, static_cast<int>(rank % count));
        body(context, queue);
    });
}

}  // namespace tapegrad
