#include "replay/elementwise.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/repeat.h"

namespace tapegrad::replay {
namespace {

constexpr int64_t kBlock = 512;  // elements of a buffer: some ten stay in the first-level cache
constexpr int64_t kSingleBlock = 16 * 1024;  // of a step all of whose operands are in memory
constexpr int64_t kUnit = 1024;              // at multiples of this, threads divide the elements

const void* element_of(const ElementwiseStep::Operand& operand) {
    return operand.source == ElementwiseStep::Source::Number ? operand.value : operand.data;
}
const char* at(const void* data, int64_t index, size_t bytes) {
    return static_cast<const char*>(data) + index * static_cast<int64_t>(bytes);
}

}  // namespace

void ElementwiseStep::visit_pointers(PointerVisitor& visitor) {
    for (int k = 0; k < count; ++k)
        if (operands[k].source != Source::Number) visitor.reads(&operands[k].data);
    visitor.writes(&out);
}

void ElementwiseStep::run() {
    const void* in[kMostOperands];
    const int64_t length = std::min(n, kBlock);
    bool repeats = false;
    for (int k = 0; k < count; ++k) {
        const Operand& operand = operands[k];
        in[k] = operand.data;
        if (operand.source == Source::Memory) continue;
        repeats = true;
        std::vector<char>& filled = filled_[k];
        const bool known = !filled.empty() && operand.source == Source::Number;
        if (filled.empty()) filled.resize(static_cast<size_t>(length) * operand.bytes);
        if (!known) repeat_element(filled.data(), element_of(operand), operand.bytes, length);
        in[k] = filled.data();
    }
    if (n <= kBlock) return kernel(in, out, n, parameters);
    const bool down = next_direction();
    parallel_for(n, kUnit, enough, [&](int64_t begin, int64_t end) {
        for_blocks(begin, end, repeats ? kBlock : kSingleBlock, down,
                   [&](int64_t first, int64_t last) {
                       const void* part[kMostOperands];
                       for (int k = 0; k < count; ++k)
                           part[k] = operands[k].source == Source::Memory
                                         ? at(in[k], first, operands[k].bytes)
                                         : in[k];
                       kernel(part, const_cast<char*>(at(out, first, out_bytes)), last - first,
                              parameters);
                   });
    });
}

// --------------------------------------------------------------------------------------- groups

ElementwiseGroup::ElementwiseGroup(std::vector<Member> members, int buffers)
    : members_(std::move(members)),
      buffers_(buffers),
      n_(members_[0].step.n) {
    double work = 0;  // of an element, in threads that it is worth
    for (const Member& member : members_)
        work += 1.0 / static_cast<double>(member.step.enough_in_cache);
    enough_ = std::max(kUnit, static_cast<int64_t>(1.0 / work));
}

void ElementwiseGroup::visit_pointers(PointerVisitor& visitor) {
    for (Member& member : members_) {
        for (int k = 0; k < member.step.count; ++k)
            if (!member.in[k].in_buffer &&
                member.step.operands[k].source != ElementwiseStep::Source::Number)
                visitor.reads(&member.step.operands[k].data);
        if (!member.out.in_buffer) visitor.writes(&member.step.out);
    }
}

void ElementwiseGroup::run() {
    const bool down = next_direction();
    parallel_for(n_, kUnit, enough_,
                 [&](int64_t begin, int64_t end) { run_range(begin, end, down); });
}

void ElementwiseGroup::run_range(int64_t begin, int64_t end, bool down) const {
    using Source = ElementwiseStep::Source;
    constexpr size_t kBufferBytes = kBlock * 8;
    // One buffer for each value that is kept, and one for each element that is repeated.
    static thread_local std::vector<std::max_align_t> memory;
    size_t repeated = 0;
    for (const Member& member : members_)
        for (int k = 0; k < member.step.count; ++k)
            repeated += member.step.operands[k].source != Source::Memory;
    const size_t bytes = (static_cast<size_t>(buffers_) + repeated) * kBufferBytes + 64;
    if (memory.size() * sizeof(std::max_align_t) < bytes)
        memory.resize(bytes / sizeof(std::max_align_t) + 1);
    char* buffers = reinterpret_cast<char*>(memory.data());
    buffers += (64 - reinterpret_cast<uintptr_t>(buffers) % 64) % 64;
    const auto buffer = [&](int i) { return buffers + static_cast<size_t>(i) * kBufferBytes; };
    int next = buffers_;
    const int64_t length = std::min(kBlock, end - begin);
    for (const Member& member : members_)
        for (int k = 0; k < member.step.count; ++k) {
            const ElementwiseStep::Operand& operand = member.step.operands[k];
            if (operand.source != Source::Memory)
                repeat_element(buffer(next++), element_of(operand), operand.bytes, length);
        }
    for_blocks(begin, end, kBlock, down, [&](int64_t first, int64_t last) {
        int repeated_at = buffers_;
        for (const Member& member : members_) {
            const ElementwiseStep& step = member.step;
            const void* in[kMostOperands];
            for (int k = 0; k < step.count; ++k) {
                const ElementwiseStep::Operand& operand = step.operands[k];
                if (operand.source != Source::Memory) in[k] = buffer(repeated_at++);
                else if (member.in[k].in_buffer) in[k] = buffer(member.in[k].buffer);
                else in[k] = at(operand.data, first, operand.bytes);
            }
            void* out = member.out.in_buffer
                            ? buffer(member.out.buffer)
                            : const_cast<char*>(at(step.out, first, step.out_bytes));
            step.kernel(in, out, last - first, step.parameters);
        }
    });
}

}  // namespace tapegrad::replay
