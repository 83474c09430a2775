// Brings an element-wise kernel over operands of any strides: contiguous operands are passed through;
// others are gathered, block by block, into buffers that stay in the first-level cache.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/elementwise.h"

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
inline constexpr int64_t kUnit = 1024;

// Operands that are contiguous and as long as the output, all of one item size.
void run_contiguous_parallel(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                             size_t item_bytes, const double* parameters, Cost cost);
inline void run_contiguous(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                           size_t item_bytes, const double* parameters, Cost cost) {
    if (n < 2 * enough_of(cost)) kernel(in, out, n, parameters);
    else run_contiguous_parallel(kernel, in, count, out, n, item_bytes, parameters, cost);
}

// Writes the same value n times.
void fill(char* out, const char* value, int64_t n, size_t item_bytes);
// Copies row by row: out[r][i] = values[r], both contiguous, of the same item size.
void fill_rows(char* out, const char* values, int64_t rows, int64_t length, size_t item_bytes);

// out may be one of the operands (same window), and must not overlap another.
void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     size_t operand_bytes, const double* parameters = nullptr,
                     Cost cost = Cost::Light);

// The same with an item size per operand (where, cast).
void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     const size_t* operand_bytes, const double* parameters = nullptr,
                     Cost cost = Cost::Light);

}  // namespace tapegrad::kernels
