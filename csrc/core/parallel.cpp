#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace tapegrad {
namespace {

// A region with this many times the grain is worth letting other threads of the program run.
constexpr int64_t kReleaseFactor = 8;

BlockingHooks blocking_hooks{nullptr, nullptr};
// In the initial TLS block: one instruction to reach.
thread_local int keep_lock_depth __attribute__((tls_model("initial-exec"))) = 0;
thread_local bool inside_region __attribute__((tls_model("initial-exec"))) = false;
bool forked = false;
int thread_count = 0;

int positive_from_environment(const char* name) {
    const char* text = std::getenv(name);
    int value = text ? std::atoi(text) : 0;
    return value > 0 ? value : 0;
}

// CPU time that the control group grants, in whole CPUs rounded up; 0 when it sets no limit.
int cgroup_cpus() {
    double quota = -1, period = 0;
    if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
        if (std::fscanf(file, "%lf %lf", &quota, &period) != 2) quota = -1;
        std::fclose(file);
    }
    return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
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
        if (released) state = blocking_hooks.enter();
    }
    ~Release() {
        if (released) blocking_hooks.leave(state);
    }
};

}  // namespace

int num_threads() {
    if (thread_count == 0) {
        thread_count = default_thread_count();
        // The OpenMP runtime's threads do not survive a fork; a child that used them would hang.
        pthread_atfork(nullptr, nullptr, [] { forked = true; });
    }
    return thread_count;
}

void set_num_threads(int count) {
    num_threads();
    thread_count = std::max(count, 1);
}

void set_blocking_hooks(BlockingHooks hooks) { blocking_hooks = hooks; }

KeepLock::KeepLock() { ++keep_lock_depth; }
KeepLock::~KeepLock() { --keep_lock_depth; }

void detail::parallel_run(int64_t n, int64_t unit, int64_t enough, ParallelBody body,
                          void* context) {
    if (inside_region) {
        body(context, 0, n);
        return;
    }
    unit = std::max<int64_t>(unit, 1);
    const int64_t portions = n / std::max<int64_t>(enough, 1);
    const int threads = static_cast<int>(std::min<int64_t>(num_threads(), portions));
    Release release(portions >= kReleaseFactor);
    if (threads == 1 || forked) {
        body(context, 0, n);
        return;
    }
#ifdef _OPENMP
    const int64_t units = (n + unit - 1) / unit;
#pragma omp parallel num_threads(threads)
    {
        inside_region = true;
        // The runtime may give fewer threads than asked for.
        const int64_t team = omp_get_num_threads(), rank = omp_get_thread_num();
        const int64_t begin = units * rank / team * unit;
        const int64_t end = std::min(n, units * (rank + 1) / team * unit);
        if (begin < end) body(context, begin, end);
        inside_region = false;
    }
#else
    body(context, 0, n);
#endif
}

}  // namespace tapegrad
