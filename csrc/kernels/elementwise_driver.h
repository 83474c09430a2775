// Brings an element-wise kernel over operands of any strides: contiguous operands are passed through;
// others are gathered, block by block, into buffers that stay in the first-level cache.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/elementwise.h"
#include "replay/recorder.h"

namespace tapegrad::kernels {

// An operand is a tensor that broadcasts to the shape of the output, or a single value of the dtype that
// the kernel reads.
struct Operand {
    const Tensor* tensor = nullptr;
    alignas(8) char value[8] = {};

    Operand(const Tensor& t) : tensor(&t) {}
    template <class T> static Operand constant(T v) {
        Operand result;
        *reinterpret_cast<T*>(result.value) = v;
        return result;
    }

private:
    Operand() = default;
};

using formulas::Cost;

// Elements that are worth a thread (some 10 us, measured), and the multiple at which they are cut.
constexpr int64_t enough_of(Cost cost) { return cost == Cost::Light ? 64 * 1024 : 32 * 1024; }
// The same for operands that a group of steps has in its cache.
constexpr int64_t enough_in_cache_of(Cost cost) {
    return cost == Cost::Light ? 160 * 1024 : enough_of(cost);
}
inline constexpr int64_t kUnit = 1024;

inline constexpr int kMaxOperands = 4, kMaxParameters = 3;

// The numbers beside the operands that a kernel takes, or none.
struct Parameters {
    Parameters(std::nullptr_t) {}
    template <size_t N> Parameters(const double (&given)[N]) : values(given), count(N) {
        static_assert(N <= kMaxParameters);
    }
    Parameters(const double* given, size_t n) : values(given), count(static_cast<int>(n)) {}

    const double* values = nullptr;
    int count = 0;
};

// Operands that are contiguous and as long as the output, all of one item size. numbers: a bit for each of
// them that is no tensor but a number, written out.
void run_contiguous_parallel(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                             size_t item_bytes, const double* parameters, Cost cost);
void record_contiguous(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                       size_t item_bytes, const Parameters& parameters, Cost cost,
                       unsigned numbers);
inline void run_contiguous(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                           size_t item_bytes, const Parameters& parameters, Cost cost,
                           unsigned numbers = 0) {
    if (is_replay_recorded()) [[unlikely]]
        record_contiguous(kernel, in, count, out, n, item_bytes, parameters, cost, numbers);
    else if (n < 2 * enough_of(cost)) kernel(in, out, n, parameters.values);
    else run_contiguous_parallel(kernel, in, count, out, n, item_bytes, parameters.values, cost);
}

// Writes the same value n times: a number, or the element of a tensor.
void fill(char* out, const char* value, int64_t n, size_t item_bytes);
template <class T> void fill_number(T* out, T value, int64_t n) {
    launch(
        [](T* to, T number, int64_t count) {
            fill(reinterpret_cast<char*>(to), reinterpret_cast<const char*>(&number), count,
                 sizeof number);
        },
        out, value, n);
}
// Copies row by row: out[r][i] = values[r], both contiguous, of the same item size.
void fill_rows(char* out, const char* values, int64_t rows, int64_t length, size_t item_bytes);

// out may be one of the operands (same window), and must not overlap another.
void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     size_t operand_bytes, const Parameters& parameters = nullptr,
                     Cost cost = Cost::Light);

// The same with an item size per operand (where, cast).
void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     const size_t* operand_bytes, const Parameters& parameters = nullptr,
                     Cost cost = Cost::Light);

}  // namespace tapegrad::kernels
