// Element-wise operations on gradients that are collected first and then done together, block by block,
// so that what one leaves for the next is still in the cache.
#pragma once

#include <span>

#include "core/scalar.h"
#include "core/small_vector.h"
#include "core/tensor.h"

namespace tapegrad {

// Whether the tensor is a result that a BlockProgram has yet to compute: it has no memory so far.
inline bool is_pending(const Tensor& tensor) noexcept { return !tensor->storage; }

class BlockProgram {
public:
    // out[i] = f(in[0][i], in[1][i], ...; parameters) for n elements; out may be one of the operands.
    using Kernel = void (*)(const void* const* in, void* out, int64_t n, const double* parameters);
    using Value = int;

    // Up to this many elements, a gradient stays in the first-level cache anyhow.
    static constexpr int64_t kFewElements = 8 * 1024;

    bool empty() const noexcept { return operations_.empty(); }
    // Whether the derivatives of one more node can be added.
    bool full() const noexcept;
    // Whether the tensor can be an operand together with what there is already: floats of one type and
    // shape that are contiguous, all the same element, or pending here.
    bool fits(const Tensor& tensor) const;

    Value operand(Tensor tensor);
    Value number(const Scalar& value);
    // The pending result of a kernel; parameters: none or two.
    Tensor append(Kernel kernel, std::span<const Value> operands,
                  const double* parameters = nullptr);
    // Computes everything that somebody holds.
    void finish();

private:
    static constexpr int kMaxOperands = 4, kMaxParameters = 2;
    static constexpr size_t kMaxOperations = 48;
    static constexpr int kMaxNumbers = 8, kMaxSlots = kMaxNumbers + 10;
    static constexpr int64_t kBlock = 1024;

    struct Entry {
        Tensor tensor;
        char* data = nullptr;  // unless it is in a slot
        int slot = -1;         // of the memory that each thread has for its blocks
        int last_use = -1;     // the last operation that reads it
        bool number = false;   // all elements are `value`
        alignas(8) char value[8] = {};
    };
    struct Operation {
        Kernel kernel;
        Value in[kMaxOperands];
        int count;
        Value out;
        double parameters[kMaxParameters];
    };

    Value add(Entry entry);
    void place_results();
    void place(Entry& result, int operation);
    void run(int64_t begin, int64_t end, bool down) const;

    // Of all tensors.
    Ref<Shape> shape_;
    DType dtype_ = DType::Float32;

    SmallVector<Entry, 1> entries_;
    SmallVector<Operation, 1> operations_;
    int numbers_ = 0;
};

}  // namespace tapegrad
