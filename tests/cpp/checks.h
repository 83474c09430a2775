// What tests of kernels share: random inputs, arrays with guards, and comparisons that are counted.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/parallel.h"

namespace tapegrad {

inline int failures = 0;
inline int64_t checks = 0;
inline std::string context;  // what is being checked

inline std::map<std::string, int> kinds;

inline void report(const std::string& what) {
    ++failures;
    if (++kinds[what.substr(0, what.find('['))] <= 5)
        std::printf("FAIL %s: %s\n", context.c_str(), what.c_str());
}

inline uint64_t random_state = 88172645463325252u;
inline uint64_t random_bits() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}
inline double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_bits() >> 11) * 0x1p-53;
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// An array with guards behind it.
template <class T> struct Guarded {
    int64_t count;
    std::vector<T> memory;
    explicit Guarded(int64_t n) : count(n), memory(static_cast<size_t>(n + 64)) {
        std::memset(static_cast<void*>(memory.data()), 0xAB, memory.size() * sizeof(T));
    }
    T* data() { return memory.data(); }
    T operator[](int64_t i) const { return memory[static_cast<size_t>(i)]; }
    bool intact() const {
        const auto* bytes = reinterpret_cast<const unsigned char*>(memory.data() + count);
        return std::all_of(bytes, bytes + 64 * sizeof(T),
                           [](unsigned char b) { return b == 0xAB; });
    }
};

// Runs f(out) at several numbers of threads and compares bits.
template <class T, class F> Guarded<T> run(const char* name, int64_t count, int64_t work, F&& f) {
    Guarded<T> first(count);
    set_num_threads(1);
    f(first.data());
    if (!first.intact()) report(std::string(name) + " wrote behind its result");
    if (work > 2000) {
        for (int threads : {2, 3, 8}) {
            Guarded<T> again(count);
            set_num_threads(threads);
            f(again.data());
            if (std::memcmp(first.data(), again.data(), first.memory.size() * sizeof(T)) != 0)
                report(std::string(name) + " differs at " + std::to_string(threads) + " threads");
        }
        set_num_threads(1);
    }
    return first;
}

inline void expect_close(const char* name, int64_t i, double got, double want, double tolerance) {
    ++checks;
    if (std::isnan(want) ? std::isnan(got) : (got == want || std::fabs(got - want) <= tolerance))
        return;
    char text[200];
    std::snprintf(text, sizeof text, "%s[%lld] = %.17g, expected %.17g +- %.2g", name,
                  static_cast<long long>(i), got, want, tolerance);
    report(text);
}

template <class T>
constexpr double kEps = std::is_floating_point_v<T> ? std::numeric_limits<T>::epsilon() : 0;
// Rounding of a result of type T, and of sums in double over terms of this total size.
template <class T> double rounding(double result, double magnitude) {
    return std::fabs(result) * kEps<T> * 0.51 + magnitude * 4e-15 +
           std::numeric_limits<T>::denorm_min();
}

enum class Values { Plain, Special };

template <class T> std::vector<T> make(int64_t count, Values values, bool is_bool = false) {
    std::vector<T> x(static_cast<size_t>(count));
    for (auto& v : x) {
        if constexpr (std::is_floating_point_v<T>) {
            v = static_cast<T>(uniform(-3, 3));
            if (random_bits() % 5 == 0) v = std::round(v);  // ties and zeros
            if (values == Values::Special && random_bits() % 37 == 0) {
                const double special[] = {kNan, kInf, -kInf, -0.0, 1e-42, 3e38};
                v = static_cast<T>(special[random_bits() % 6]);
            }
        } else if (is_bool) {
            v = random_bits() % 3 != 0;
        } else {
            v = static_cast<T>(static_cast<int64_t>(random_bits() % 9) - (sizeof(T) == 1 ? 0 : 4));
        }
    }
    return x;
}

// Says what failed; the result of main.
inline int summary() {
    for (const auto& [what, count] : kinds) std::printf("%d failures of %s\n", count, what.c_str());
    std::printf("%lld checks, %d failures\n", static_cast<long long>(checks), failures);
    return failures != 0;
}

}  // namespace tapegrad
