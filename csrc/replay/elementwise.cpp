#include "replay/elementwise.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/repeat.h"
#include "core/stream.h"

namespace tapegrad::replay {
namespace {

constexpr int64_t kBlock = 512;  // elements of a buffer: some ten stay in the first-level cache
constexpr int64_t kSingleBlock = 16 * 1024;  // of a step all of whose operands are in memory
constexpr int64_t kUnit = 1024;              // at multiples of this, threads divide the elements
constexpr size_t kBeyondCaches = size_t{64} << 20;  // bytes that a group reads and writes

const char* at(const void* data, int64_t index, size_t bytes) {
    return static_cast<const char*>(data) + index * static_cast<int64_t>(bytes);
}

int64_t blocks_of(int64_t n) { return (n + TotalStep::kBlock - 1) / TotalStep::kBlock; }

}  // namespace

void ElementwiseStep::visit_pointers(PointerVisitor& visitor) {
    for (int k = 0; k < count; ++k)
        if (operands[k].source != Source::Number) visitor.reads(&in[k]);
    visitor.writes(&out);
}

void ElementwiseStep::repeat_elements() {
    const int64_t length = std::min(n, kBlock);
    for (int k = 0; k < count; ++k) {
        const Operand& operand = operands[k];
        if (operand.source == Source::Memory) continue;
        std::vector<char>& to = repeated_.of[k];
        to.resize(static_cast<size_t>(length) * operand.bytes);
        if (operand.source == Source::Number) {
            repeat_element(to.data(), operand.value, operand.bytes, length);
            in[k] = to.data();
        } else {
            any_element_ = true;
        }
    }
    repeated_.done = true;
}

void ElementwiseStep::run() {
    if (!repeated_.done) [[unlikely]]
        repeat_elements();
    if (n <= kBlock && !any_element_) kernel(in, out, n, parameters);
    else run_blocks();
}

void ElementwiseStep::run_blocks() {
    const int64_t length = std::min(n, kBlock);
    const void* from[kMostOperands];
    bool repeats = false;
    for (int k = 0; k < count; ++k) {
        from[k] = in[k];
        repeats |= operands[k].source != Source::Memory;
        if (operands[k].source != Source::RepeatedElement) continue;
        std::vector<char>& to = repeated_.of[k];
        repeat_element(to.data(), in[k], operands[k].bytes, length);
        from[k] = to.data();
    }
    if (n <= kBlock) return kernel(from, out, n, parameters);
    const bool down = next_direction();
    parallel_for(n, kUnit, enough, [&](int64_t begin, int64_t end) {
        for_blocks(begin, end, repeats ? kBlock : kSingleBlock, down,
                   [&](int64_t first, int64_t last) {
                       const void* part[kMostOperands];
                       for (int k = 0; k < count; ++k)
                           part[k] = operands[k].source == Source::Memory
                                         ? at(from[k], first, operands[k].bytes)
                                         : from[k];
                       kernel(part, const_cast<char*>(at(out, first, out_bytes)), last - first,
                              parameters);
                   });
    });
}

// --------------------------------------------------------------------------------------- groups

ElementwiseGroup::ElementwiseGroup(std::vector<Member> members, std::vector<Total> totals,
                                   Buffers buffers)
    : members_(std::move(members)),
      totals_(std::move(totals)),
      buffers_(buffers),
      n_(members_[0].step.n) {
    double work = 0;       // of an element, in threads that it is worth
    size_t in_memory = 0;  // bytes of an element's operands and results
    for (const Member& member : members_) {
        work += 1.0 / static_cast<double>(member.step.enough_in_cache);
        for (int k = 0; k < member.step.count; ++k) {
            const ElementwiseStep::Operand& operand = member.step.operands[k];
            if (operand.source != ElementwiseStep::Source::Memory) ++repeated_;
            else if (member.in[k].kind == Place::Memory) in_memory += operand.bytes;
        }
        if (member.out.kind == Place::Memory) in_memory += member.step.out_bytes;
    }
    streams_ = in_memory * static_cast<size_t>(n_) > kBeyondCaches;
    enough_ = std::max(kUnit, static_cast<int64_t>(1.0 / work));
    partials_.resize(totals_.size() * static_cast<size_t>(blocks_of(n_)));
}

void ElementwiseGroup::visit_pointers(PointerVisitor& visitor) {
    for (Member& member : members_) {
        for (int k = 0; k < member.step.count; ++k)
            if (member.in[k].kind == Place::Memory &&
                member.step.operands[k].source != ElementwiseStep::Source::Number)
                visitor.reads(&member.step.in[k]);
        if (member.out.kind == Place::Memory) visitor.writes(&member.step.out);
    }
    for (Total& total : totals_) {
        if (total.in.kind == Place::Memory) visitor.reads(&total.step.in);
        visitor.writes(&total.step.out);
    }
}

void ElementwiseGroup::run() {
    const bool down = next_direction();
    parallel_for(n_, totals_.empty() ? kUnit : TotalStep::kBlock, enough_,
                 [&](int64_t begin, int64_t end) { run_range(begin, end, down); });
    for (size_t t = 0; t < totals_.size(); ++t)
        totals_[t].step.kernel.finish(&partials_[t * static_cast<size_t>(blocks_of(n_))], n_,
                                      totals_[t].step.out);
}

void ElementwiseGroup::run_range(int64_t begin, int64_t end, bool down) {
    using Source = ElementwiseStep::Source;
    constexpr int64_t kSums = TotalStep::kBlock;
    constexpr size_t kBufferBytes = kBlock * 8, kSumBufferBytes = kSums * 8;
    // One buffer for each value that is kept, and one for each element that is repeated.
    static thread_local std::vector<std::max_align_t> memory;
    const int spare = buffers_.count + repeated_;
    const size_t bytes = static_cast<size_t>(spare + 1) * kBufferBytes +
                         static_cast<size_t>(buffers_.sum_count) * kSumBufferBytes + 64;
    if (memory.size() * sizeof(std::max_align_t) < bytes)
        memory.resize(bytes / sizeof(std::max_align_t) + 1);
    char* buffers = reinterpret_cast<char*>(memory.data());
    buffers += (64 - reinterpret_cast<uintptr_t>(buffers) % 64) % 64;
    char* const sum_buffers = buffers;
    buffers += static_cast<size_t>(buffers_.sum_count) * kSumBufferBytes;
    const auto buffer = [&](int i) { return buffers + static_cast<size_t>(i) * kBufferBytes; };
    const auto sum_buffer = [&](int i) {
        return sum_buffers + static_cast<size_t>(i) * kSumBufferBytes;
    };
    const auto place = [&](Place where, const void* data, int64_t first, size_t item) {
        if (where.kind == Place::Buffer) return static_cast<const char*>(buffer(where.buffer));
        if (where.kind == Place::Memory) return at(data, first, item);
        return at(sum_buffer(where.buffer), first % kSums, item);
    };
    int next = buffers_.count;
    const int64_t length = std::min(kBlock, end - begin);
    for (const Member& member : members_)
        for (int k = 0; k < member.step.count; ++k) {
            const ElementwiseStep::Operand& operand = member.step.operands[k];
            if (operand.source != Source::Memory)
                repeat_element(buffer(next++), member.step.element(k), operand.bytes, length);
        }
    for_blocks(begin, end, kBlock, down, [&](int64_t first, int64_t last) {
        int repeated_at = buffers_.count;
        for (const Member& member : members_) {
            const ElementwiseStep& step = member.step;
            const void* in[kMostOperands];
            for (int k = 0; k < step.count; ++k) {
                const ElementwiseStep::Operand& operand = step.operands[k];
                in[k] = operand.source == Source::Memory
                            ? place(member.in[k], step.in[k], first, operand.bytes)
                            : buffer(repeated_at++);
            }
            char* const out = const_cast<char*>(place(member.out, step.out, first, step.out_bytes));
            const bool streams = streams_ && member.is_last_use &&
                                 reinterpret_cast<uintptr_t>(out) % kStreamAlignment == 0;
            step.kernel(in, streams ? buffer(spare) : out, last - first, step.parameters);
            if (streams)
                stream_copy(out, buffer(spare), static_cast<size_t>(last - first) * step.out_bytes);
        }
        // A block of sums is complete with its last element, or on the way down with its first.
        const bool complete = down ? first % kSums == 0 : last % kSums == 0 || last == n_;
        if (!complete) return;
        const int64_t block = first / kSums;
        for (size_t t = 0; t < totals_.size(); ++t) {
            const TotalStep& step = totals_[t].step;
            step.kernel.block(
                place(totals_[t].in, step.in, block * kSums, step.bytes),
                std::min(kSums, n_ - block * kSums),
                &partials_[t * static_cast<size_t>(blocks_of(n_)) + static_cast<size_t>(block)]);
        }
    });
}

}  // namespace tapegrad::replay
