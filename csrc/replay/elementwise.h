// Element-wise steps, sums over all elements, and groups of them that run block by block in the cache.
#pragma once

#include <vector>

#include "replay/step.h"

namespace tapegrad::replay {

inline constexpr int kMostOperands = 4, kMostParameters = 3;

// out[i] = kernel(in[i]...) over contiguous memory; an operand may be one element for all i.
class ElementwiseStep final : public Step {
public:
    using Kernel = void (*)(const void* const* in, void* out, int64_t n, const double* parameters);
    enum class Source : uint8_t { Memory, RepeatedElement, Number };
    struct Operand {
        Source source;
        size_t bytes;  // of an element
        alignas(8) char value[8];
    };

    Kernel kernel;
    int count;
    int64_t n;
    int64_t enough, enough_in_cache;  // so many elements are worth a thread
    Operand operands[kMostOperands];
    const void* in[kMostOperands];  // of a number: where it is repeated, once that is done
    void* out;
    size_t out_bytes;
    double parameters[kMostParameters];

    void run() override;
    std::unique_ptr<Step> clone() const override {
        return std::make_unique<ElementwiseStep>(*this);
    }
    void visit_pointers(PointerVisitor& visitor) override;
    const ElementwiseStep* as_elementwise() const override { return this; }

    // The element that an operand is everywhere.
    const void* element(int k) const {
        return operands[k].source == Source::Number ? operands[k].value : in[k];
    }

private:
    // What single elements are repeated in, where that is not too long.
    class Repeated {
    public:
        Repeated() = default;
        Repeated(const Repeated&) {}  // a copy of a step points to its own
        Repeated& operator=(const Repeated&) = delete;
        bool done = false;
        std::vector<char> of[kMostOperands];
    };
    void repeat_elements();
    void run_blocks();

    Repeated repeated_;
    bool any_element_ = false;  // of memory, which changes from run to run
};

// *out = a sum over all n elements of contiguous memory, by blocks if need be.
class TotalStep final : public Step {
public:
    static constexpr int64_t kBlock = 4096;  // elements
    struct Kernel {
        void (*whole)(const void* in, void* out, int64_t outer, int64_t n, int64_t inner);
        void (*block)(const void* in, int64_t n, double* partial);
        void (*finish)(double* partials, int64_t n, void* out);
    };

    Kernel kernel;
    int64_t n;
    size_t bytes;  // of an element
    const void* in;
    void* out;

    void run() override { kernel.whole(in, out, 1, n, 1); }
    std::unique_ptr<Step> clone() const override { return std::make_unique<TotalStep>(*this); }
    void visit_pointers(PointerVisitor& visitor) override {
        visitor.reads(&in);
        visitor.writes(&out);
    }
    const TotalStep* as_total() const override { return this; }
};

// Several element-wise steps of one length, and sums of what they compute: what only they use stays in buffers
// of a block, and what is added up in buffers of a block of sums.
class ElementwiseGroup final : public Step {
public:
    // Where an operand or a result is: in a pointer of the member itself, or in a buffer.
    struct Place {
        enum { Memory, Buffer, SumBuffer } kind = Memory;
        int buffer = 0;
    };
    struct Member {
        ElementwiseStep step;
        Place in[kMostOperands], out;
        bool is_last_use = false;  // nothing reads the result in this group
    };
    struct Total {
        TotalStep step;
        Place in;
    };
    struct Buffers {
        int count, sum_count;
    };

    ElementwiseGroup(std::vector<Member> members, std::vector<Total> totals, Buffers buffers);

    void run() override;
    std::unique_ptr<Step> clone() const override {
        return std::make_unique<ElementwiseGroup>(*this);
    }
    void visit_pointers(PointerVisitor& visitor) override;

private:
    void run_range(int64_t begin, int64_t end, bool down);

    std::vector<Member> members_;
    std::vector<Total> totals_;
    Buffers buffers_;
    int repeated_ = 0;  // elements that are operands
    bool streams_;      // past the caches, which do not hold what it reads and writes
    int64_t n_, enough_;
    std::vector<double> partials_;  // of each total one for each of its blocks
};

}  // namespace tapegrad::replay
