#include "kernels/elementwise_driver.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/repeat.h"
#include "replay/elementwise.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kBlock = 512;  // elements of a buffered block: at most 4 KB an operand

template <class T> void gather(char* buffer, const char* data, int64_t stride, int64_t n) {
    const T* from = reinterpret_cast<const T*>(data);
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<T*>(buffer)[i] = from[i * stride];
}
template <class T> void scatter(const char* buffer, char* data, int64_t stride, int64_t n) {
    T* to = reinterpret_cast<T*>(data);
    for (int64_t i = 0; i < n; ++i) to[i * stride] = reinterpret_cast<const T*>(buffer)[i];
}
void gather_block(char* buffer, const char* data, int64_t stride, size_t bytes, int64_t n) {
    if (bytes == 4) gather<uint32_t>(buffer, data, stride, n);
    else if (bytes == 8) gather<uint64_t>(buffer, data, stride, n);
    else if (bytes == 2) gather<uint16_t>(buffer, data, stride, n);
    else gather<uint8_t>(buffer, data, stride, n);
}
void scatter_block(const char* buffer, char* data, int64_t stride, size_t bytes, int64_t n) {
    if (bytes == 4) scatter<uint32_t>(buffer, data, stride, n);
    else if (bytes == 8) scatter<uint64_t>(buffer, data, stride, n);
    else if (bytes == 2) scatter<uint16_t>(buffer, data, stride, n);
    else scatter<uint8_t>(buffer, data, stride, n);
}

struct Buffers {
    alignas(64) char bytes[kMaxOperands + 1][kBlock * 8];
};

// The iteration space: dimensions of the output with size 1 dropped and neighbours merged wherever all
// operands allow it; operand 0 is the output.
struct Space {
    int dims = 0;
    int operands = 0;
    int64_t sizes[64];
    int64_t strides[kMaxOperands + 1][64];  // in elements
    char* data[kMaxOperands + 1];
    size_t bytes[kMaxOperands + 1];

    bool mergeable(int outer, int inner) const {
        for (int k = 0; k < operands; ++k)
            if (strides[k][outer] != strides[k][inner] * sizes[inner]) return false;
        return true;
    }
};

void build(Space& space, const Tensor& out, const Operand* operands, int count,
           const size_t* bytes) {
    const int dims = out.dim();
    if (dims > 64) fail("element-wise operations support at most 64 dimensions, got ", dims);
    space.operands = count + 1;
    space.data[0] = out.data<char>();
    space.bytes[0] = out.item_size();
    for (int k = 0; k < count; ++k) {
        space.bytes[k + 1] = bytes[k];
        space.data[k + 1] = operands[k].tensor ? operands[k].tensor->data<char>()
                                               : const_cast<char*>(operands[k].value);
    }
    // The output's dimensions from the outermost in memory to the innermost, so that operands in its
    // own order are read in one go.
    int order[64];
    for (int i = 0; i < dims; ++i) {
        int at = i;
        for (; at > 0 && out.strides()[order[at - 1]] < out.strides()[i]; --at)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < dims; ++i) {
        const int d = order[i];
        if (out.sizes()[d] == 1) continue;
        const int at = space.dims++;
        space.sizes[at] = out.sizes()[d];
        space.strides[0][at] = out.strides()[d];
        for (int k = 0; k < count; ++k) {
            const Tensor* t = operands[k].tensor;
            const int own = t ? d - (dims - t->dim()) : -1;
            space.strides[k + 1][at] = own < 0 || t->sizes()[own] == 1 ? 0 : t->strides()[own];
        }
        if (at > 0 && space.mergeable(at - 1, at)) {
            space.sizes[at - 1] *= space.sizes[at];
            for (int k = 0; k < space.operands; ++k)
                space.strides[k][at - 1] = space.strides[k][at];
            --space.dims;
        }
    }
    if (space.dims == 0) {
        space.dims = 1;
        space.sizes[0] = 1;
        for (int k = 0; k < space.operands; ++k) space.strides[k][0] = 1;
    }
}

// Elements [begin, end) of the space in its own order.
void run_range(const Space& space, BlockFn kernel, const double* parameters, int64_t begin,
               int64_t end) {
    Buffers buffers;
    const int last = space.dims - 1;
    const int64_t inner = space.sizes[last];
    int64_t index[64];
    int64_t rest = begin;
    for (int d = last; d >= 0; --d) {
        index[d] = rest % space.sizes[d];
        rest /= space.sizes[d];
    }
    char* at[kMaxOperands + 1];
    for (int k = 0; k < space.operands; ++k) {
        int64_t offset = 0;
        for (int d = 0; d < last; ++d) offset += index[d] * space.strides[k][d];
        at[k] = space.data[k] + offset * static_cast<int64_t>(space.bytes[k]);
    }
    bool direct = true;
    for (int k = 0; k < space.operands; ++k) direct &= space.strides[k][last] == 1;
    // A constant fills its buffer once; it stays the same in every block.
    bool filled[kMaxOperands + 1] = {};
    const int64_t widest = std::min(inner, kBlock);
    for (int k = 1; k < space.operands; ++k) {
        bool constant = true;
        for (int d = 0; d <= last; ++d) constant &= space.strides[k][d] == 0 || space.sizes[d] == 1;
        if (constant && !(direct)) {
            repeat_element(buffers.bytes[k], space.data[k], space.bytes[k], widest);
            filled[k] = true;
        }
    }

    while (begin < end) {
        const int64_t row = std::min(inner - index[last], end - begin);
        for (int64_t done = 0; done < row;) {
            const int64_t n = direct ? row : std::min(row - done, kBlock);
            const int64_t first = index[last] + done;
            const void* in[kMaxOperands];
            for (int k = 1; k < space.operands; ++k) {
                const int64_t stride = space.strides[k][last];
                char* source = at[k] + first * stride * static_cast<int64_t>(space.bytes[k]);
                in[k - 1] = source;
                if (stride == 1) continue;
                char* buffer = buffers.bytes[k];
                in[k - 1] = buffer;
                if (filled[k]) continue;
                if (stride == 0) repeat_element(buffer, source, space.bytes[k], n);
                else gather_block(buffer, source, stride, space.bytes[k], n);
            }
            char* target =
                at[0] + first * space.strides[0][last] * static_cast<int64_t>(space.bytes[0]);
            if (space.strides[0][last] == 1) {
                kernel(in, target, n, parameters);
            } else {
                kernel(in, buffers.bytes[0], n, parameters);
                scatter_block(buffers.bytes[0], target, space.strides[0][last], space.bytes[0], n);
            }
            done += n;
        }
        begin += row;
        index[last] = 0;
        for (int d = last - 1; d >= 0 && begin < end; --d) {
            ++index[d];
            for (int k = 0; k < space.operands; ++k)
                at[k] += space.strides[k][d] * static_cast<int64_t>(space.bytes[k]);
            if (index[d] < space.sizes[d]) break;
            for (int k = 0; k < space.operands; ++k)
                at[k] -= index[d] * space.strides[k][d] * static_cast<int64_t>(space.bytes[k]);
            index[d] = 0;
        }
    }
}

constexpr int64_t kSweepBlock = 16 * 1024;
constexpr int64_t kPatternBytes = 16 * 1024;  // of the copies that fill memory

template <class F> void sweep(int64_t n, int64_t enough, const F& f) {
    const bool down = next_direction();
    parallel_for(n, kUnit, enough,
                 [&](int64_t begin, int64_t end) { for_blocks(begin, end, kSweepBlock, down, f); });
}

}  // namespace

void run_contiguous_parallel(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                             size_t item_bytes, const double* parameters, Cost cost) {
    sweep(n, enough_of(cost), [&](int64_t begin, int64_t end) {
        const int64_t offset = begin * static_cast<int64_t>(item_bytes);
        const void* part[kMaxOperands];
        for (int k = 0; k < count; ++k) part[k] = static_cast<const char*>(in[k]) + offset;
        kernel(part, static_cast<char*>(out) + offset, end - begin, parameters);
    });
}

namespace {

// Long copies write whole lines without reading them first, which a loop of stores does not.
void fill_long(char* out, const char* value, int64_t n, size_t item_bytes) {
    alignas(64) char pattern[kPatternBytes];
    const int64_t bytes = static_cast<int64_t>(item_bytes), length = kPatternBytes / bytes;
    repeat_element(pattern, value, item_bytes, length);
    for_blocks(0, n, length, false, [&](int64_t first, int64_t last) {
        std::memcpy(out + first * bytes, pattern, static_cast<size_t>((last - first) * bytes));
    });
}

}  // namespace

void fill(char* out, const char* value, int64_t n, size_t item_bytes) {
    if (n == 0) return;  // the value may be an element of a tensor that has none
    const int64_t bytes = static_cast<int64_t>(item_bytes);
    if (n * bytes <= kPatternBytes) {
        repeat_element(out, value, item_bytes, n);
        return;
    }
    parallel_for(n, kUnit, enough_of(Cost::Light), [&](int64_t begin, int64_t end) {
        fill_long(out + begin * bytes, value, end - begin, item_bytes);
    });
}

void fill_rows(char* out, const char* values, int64_t rows, int64_t length, size_t item_bytes) {
    const int64_t row_bytes = length * static_cast<int64_t>(item_bytes);
    parallel_for(rows, 1, enough_of(Cost::Light) / length + 1, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
            repeat_element(out + r * row_bytes, values + r * static_cast<int64_t>(item_bytes),
                           item_bytes, length);
    });
}

namespace {

// Operands of any strides.
struct Windows {
    mutable Space space;
    BlockFn kernel;
    int64_t n, enough;
    unsigned numbers;  // a bit for each operand that is one
    char values[kMaxOperands][8];
    double parameters[kMaxParameters];

    void visit_pointers(replay::PointerVisitor& visitor) {
        for (int k = 0; k + 1 < space.operands; ++k)
            if (!(numbers >> k & 1))
                visitor.reads(
                    const_cast<const void**>(reinterpret_cast<void**>(&space.data[k + 1])));
        visitor.writes(reinterpret_cast<void**>(&space.data[0]));
    }
    void operator()() const {
        for (int k = 0; k + 1 < space.operands; ++k)
            if (numbers >> k & 1) space.data[k + 1] = const_cast<char*>(values[k]);
        parallel_for(n, kUnit, enough, [&](int64_t begin, int64_t end) {
            run_range(space, kernel, parameters, begin, end);
        });
    }
};

using replay::ElementwiseStep;

ElementwiseStep elementwise_step(BlockFn kernel, int count, void* out, size_t out_bytes, int64_t n,
                                 const Parameters& parameters, Cost cost) {
    ElementwiseStep step;
    step.kernel = kernel;
    step.count = count;
    step.n = n;
    step.enough = enough_of(cost);
    step.enough_in_cache = enough_in_cache_of(cost);
    step.out = out;
    step.out_bytes = out_bytes;
    std::copy_n(parameters.values, parameters.count, step.parameters);
    return step;
}

void set_operand(ElementwiseStep& step, int k, ElementwiseStep::Source source, const void* data,
                 size_t bytes) {
    step.operands[k].source = source;
    step.operands[k].bytes = bytes;
    step.in[k] = data;
    if (source == ElementwiseStep::Source::Number) std::memcpy(step.operands[k].value, data, bytes);
}

// What every element of the result is computed from alike: as many contiguous elements, or one for all.
bool record_alike(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                  const size_t* bytes, const Parameters& parameters, Cost cost) {
    if (!out.is_contiguous()) return false;
    ElementwiseStep step =
        elementwise_step(kernel, count, out.data(), out.item_size(), out.numel(), parameters, cost);
    for (int k = 0; k < count; ++k) {
        const Tensor* x = operands[k].tensor;
        using Source = ElementwiseStep::Source;
        if (!x) set_operand(step, k, Source::Number, operands[k].value, bytes[k]);
        else if (x->is_contiguous() && x->numel() == out.numel())
            set_operand(step, k, Source::Memory, x->data(), bytes[k]);
        else if (x->numel() && repeats_one_element(*x))
            set_operand(step, k, Source::RepeatedElement, x->data(), bytes[k]);
        else return false;
    }
    replay::recorder()->run_and_add(step);
    return true;
}

}  // namespace

void record_contiguous(BlockFn kernel, const void* const* in, int count, void* out, int64_t n,
                       size_t item_bytes, const Parameters& parameters, Cost cost,
                       unsigned numbers) {
    if (n == 0) return;
    ElementwiseStep step = elementwise_step(kernel, count, out, item_bytes, n, parameters, cost);
    for (int k = 0; k < count; ++k)
        set_operand(
            step, k,
            numbers >> k & 1 ? ElementwiseStep::Source::Number : ElementwiseStep::Source::Memory,
            in[k], item_bytes);
    replay::recorder()->run_and_add(step);
}

void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     const size_t* operand_bytes, const Parameters& parameters, Cost cost) {
    const int64_t n = out.numel();
    if (n == 0) return;
    if (is_replay_recorded() &&
        record_alike(kernel, out, operands, count, operand_bytes, parameters, cost)) [[unlikely]]
        return;
    bool plain = out.is_contiguous();
    for (int k = 0; k < count && plain; ++k) {
        const Tensor* t = operands[k].tensor;
        plain = t ? t->is_contiguous() && t->numel() == n : n == 1;
    }
    if (plain) {
        sweep(n, enough_of(cost), [&](int64_t begin, int64_t end) {
            const void* in[kMaxOperands];
            for (int k = 0; k < count; ++k)
                in[k] =
                    (operands[k].tensor ? operands[k].tensor->data<char>() : operands[k].value) +
                    begin * static_cast<int64_t>(operand_bytes[k]);
            kernel(in, out.data<char>() + begin * static_cast<int64_t>(out.item_size()),
                   end - begin, parameters.values);
        });
        return;
    }
    Space space;
    build(space, out, operands, count, operand_bytes);
    // What is written to an element several times must not depend on who comes last.
    const int64_t enough =
        n >= 2 * enough_of(cost) && has_internal_overlap(out) ? n : enough_of(cost);
    if (!is_replay_recorded()) {
        parallel_for(n, kUnit, enough, [&](int64_t begin, int64_t end) {
            run_range(space, kernel, parameters.values, begin, end);
        });
        return;
    }
    Windows windows{space, kernel, n, enough, 0, {}, {}};
    for (int k = 0; k < count; ++k) {
        if (operands[k].tensor) continue;
        windows.numbers |= 1u << k;
        std::memcpy(windows.values[k], operands[k].value, sizeof operands[k].value);
    }
    std::copy_n(parameters.values, parameters.count, windows.parameters);
    launch(windows);
}

void run_elementwise(BlockFn kernel, const Tensor& out, const Operand* operands, int count,
                     size_t operand_bytes, const Parameters& parameters, Cost cost) {
    const size_t bytes[kMaxOperands] = {operand_bytes, operand_bytes, operand_bytes, operand_bytes};
    run_elementwise(kernel, out, operands, count, bytes, parameters, cost);
}

}  // namespace tapegrad::kernels
