#include "autograd/block_program.h"

#include <algorithm>
#include <cstring>

#include "autograd/engine.h"
#include "core/parallel.h"

namespace tapegrad {
namespace {

constexpr int64_t kSingleBlock =
    16 * 1024;                              // of one operation, all of whose operands are in memory
constexpr int64_t kUnit = 1024;             // at multiples of this, threads divide the elements
constexpr int64_t kThreadWork = 64 * 1024;  // elements of one operation that are worth a thread

// Memory that is the entry's alone and just as large as a result.
bool can_be_taken(const Tensor& tensor, size_t bytes) {
    return tensor.defined() && tensor->storage && is_sole_owner(tensor) &&
           tensor->data == tensor.storage()->data() && tensor.storage()->bytes() == bytes;
}

}  // namespace

bool BlockProgram::full() const noexcept {
    // A node has up to two derivatives, each of which may be added to another gradient; its gradient, one
    // operand and those other gradients may be numbers.
    return operations_.size() + 4 > kMaxOperations || numbers_ + 4 > kMaxNumbers;
}

bool BlockProgram::fits(const Tensor& tensor) const {
    if (!tensor.is_floating() || is_half(tensor.dtype())) return false;
    if (!entries_.empty() && !(tensor.dtype() == dtype_ && same_sizes(tensor.shape(), shape_)))
        return false;
    return is_pending(tensor) || tensor.is_contiguous() || repeats_one_element(tensor);
}

BlockProgram::Value BlockProgram::add(Entry entry) {
    if (entry.number) entry.slot = numbers_++;
    entries_.push_back(std::move(entry));
    return static_cast<Value>(entries_.size() - 1);
}

BlockProgram::Value BlockProgram::operand(Tensor tensor) {
    if (entries_.empty()) {
        shape_ = Shape::row_major(tensor.sizes());
        dtype_ = tensor.dtype();
    }
    const bool number = !tensor.is_contiguous();
    for (size_t i = 0; i < entries_.size(); ++i) {
        const Entry& entry = entries_[i];
        if (entry.tensor.defined() && entry.number == number &&
            (is_pending(tensor) ? entry.tensor.is_same(tensor)
                                : entry.tensor->data == tensor->data))
            return static_cast<Value>(i);
    }
    Entry entry;
    entry.data = tensor->data;
    entry.number = number;
    if (number) std::memcpy(entry.value, tensor->data, tensor.item_size());
    entry.tensor = std::move(tensor);
    return add(std::move(entry));
}

BlockProgram::Value BlockProgram::number(const Scalar& value) {
    Entry entry;
    entry.number = true;
    visit_dtype(dtype_, [&]<class T>() {
        const T v = value.wrapped<T>();
        std::memcpy(entry.value, &v, sizeof v);
    });
    return add(std::move(entry));
}

Tensor BlockProgram::append(Kernel kernel, std::span<const Value> operands,
                            const double* parameters) {
    Operation operation{kernel, {}, 0, 0, {}};
    for (Value in : operands) {
        operation.in[operation.count++] = in;
        entries_[static_cast<size_t>(in)].last_use = static_cast<int>(operations_.size());
    }
    if (parameters) std::copy_n(parameters, kMaxParameters, operation.parameters);
    Entry entry;
    Tensor result = entry.tensor = Tensor(new TensorImpl(shape_, dtype_, nullptr, nullptr));
    operation.out = add(std::move(entry));
    operations_.push_back(operation);
    return result;
}

// Memory for a result that somebody holds: that of an operand which is of no more use, if there is one.
void BlockProgram::place(Entry& result, int operation) {
    const size_t bytes = static_cast<size_t>(shape_->numel) * item_size(dtype_);
    TensorImpl& impl = *result.tensor.impl();
    for (Entry& entry : entries_) {
        if (entry.last_use > operation || !can_be_taken(entry.tensor, bytes)) continue;
        impl.storage = std::move(entry.tensor->storage);
        entry.tensor.reset();
        break;
    }
    if (!impl.storage) impl.storage = Storage::allocate(bytes);
    impl.data = result.data = impl.storage->data();
}

// Results that nobody holds stay in slots.
void BlockProgram::place_results() {
    bool taken[kMaxSlots] = {};
    for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
        const Operation& operation = operations_[static_cast<size_t>(i)];
        for (int k = 0; k < operation.count; ++k) {
            const Entry& in = entries_[static_cast<size_t>(operation.in[k])];
            if (in.slot >= kMaxNumbers && in.last_use == i) taken[in.slot] = false;
        }
        Entry& out = entries_[static_cast<size_t>(operation.out)];
        int slot = kMaxNumbers;
        while (slot < kMaxSlots && taken[slot]) ++slot;
        if (out.tensor->references > 1 || slot == kMaxSlots) {
            place(out, i);
        } else {
            taken[slot] = true;
            out.slot = slot;
        }
    }
}

void BlockProgram::run(int64_t begin, int64_t end, bool down) const {
    alignas(64) char slots[kMaxSlots][kBlock * sizeof(double)];
    const bool no_slots = std::all_of(entries_.begin(), entries_.end(),
                                      [](const Entry& entry) { return entry.slot < 0; });
    const int64_t block = operations_.size() == 1 && no_slots ? kSingleBlock : kBlock;
    for (const Entry& entry : entries_) {
        if (!entry.number) continue;
        visit_dtype(dtype_, [&]<class T>() {
            T v;
            std::memcpy(&v, entry.value, sizeof v);
            std::fill_n(reinterpret_cast<T*>(slots[entry.slot]), kBlock, v);
        });
    }
    const int64_t bytes = static_cast<int64_t>(item_size(dtype_));
    for_blocks(begin, end, block, down, [&](int64_t first, int64_t last) {
        const auto at = [&](Value value) {
            const Entry& entry = entries_[static_cast<size_t>(value)];
            return entry.slot < 0 ? entry.data + first * bytes : slots[entry.slot];
        };
        for (const Operation& operation : operations_) {
            const void* in[kMaxOperands];
            for (int k = 0; k < operation.count; ++k) in[k] = at(operation.in[k]);
            operation.kernel(in, at(operation.out), last - first, operation.parameters);
        }
    });
}

void BlockProgram::finish() {
    if (!empty()) {
        place_results();
        const int64_t enough =
            std::max(4 * kUnit, kThreadWork / static_cast<int64_t>(operations_.size()));
        const bool down = next_direction();
        parallel_for(shape_->numel, kUnit, enough,
                     [&](int64_t begin, int64_t end) { run(begin, end, down); });
    }
    operations_.clear();
    entries_.clear();
    numbers_ = 0;
}

}  // namespace tapegrad
