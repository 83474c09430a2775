// Element-wise steps, and groups of them that run block by block in the cache.
#pragma once

#include <vector>

#include "replay/step.h"

namespace tapegrad::replay {

inline constexpr int kMostOperands = 4, kMostParameters = 3;

// out[i] = kernel(operands[i]...) over contiguous memory; an operand may be one element for all i.
class ElementwiseStep final : public Step {
public:
    using Kernel = void (*)(const void* const* in, void* out, int64_t n, const double* parameters);
    enum class Source : uint8_t { Memory, RepeatedElement, Number };
    struct Operand {
        Source source;
        size_t bytes;  // of an element
        const void* data;
        alignas(8) char value[8];
    };

    Kernel kernel;
    int count;
    int64_t n;
    int64_t enough, enough_in_cache;  // so many elements are worth a thread
    Operand operands[kMostOperands];
    void* out;
    size_t out_bytes;
    double parameters[kMostParameters];

    void run() override;
    std::unique_ptr<Step> clone() const override {
        return std::make_unique<ElementwiseStep>(*this);
    }
    void visit_pointers(PointerVisitor& visitor) override;
    const ElementwiseStep* as_elementwise() const override { return this; }

private:
    // What one element is repeated in, where that is not too long.
    std::vector<char> filled_[kMostOperands];
};

// Several element-wise steps of one length: what only they use stays in buffers of a block.
class ElementwiseGroup final : public Step {
public:
    // Where a member's operand or result is: in a pointer of the member itself, or in a buffer.
    struct Place {
        bool in_buffer = false;
        int buffer = 0;
    };
    struct Member {
        ElementwiseStep step;
        Place in[kMostOperands], out;
    };

    ElementwiseGroup(std::vector<Member> members, int buffers);

    void run() override;
    std::unique_ptr<Step> clone() const override {
        return std::make_unique<ElementwiseGroup>(*this);
    }
    void visit_pointers(PointerVisitor& visitor) override;
    size_t size() const { return members_.size(); }

private:
    void run_range(int64_t begin, int64_t end, bool down) const;

    std::vector<Member> members_;
    int buffers_;
    int64_t n_, enough_;
};

}  // namespace tapegrad::replay
