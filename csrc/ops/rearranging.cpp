#include "ops/rearranging.h"

#include <limits>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// out[i0, i1, ...] = x at the sum of offsets[0][i0], offsets[1][i1], ...
using Offsets = std::vector<std::vector<int64_t>>;

void take_by_offsets(const Tensor& out, const Tensor& x, Offsets offsets) {
    const int dim = static_cast<int>(offsets.size());
    if (out.numel() == 0) return;
    if (dim == 0) return copy_values(out, x);
    Dims sizes;
    for (const auto& table : offsets) sizes.push_back(static_cast<int64_t>(table.size()));
    // The last dimension as runs of neighbouring elements.
    struct Run {
        int64_t offset, length;
    };
    std::vector<Run> runs;
    for (int64_t offset : offsets.back()) {
        if (!runs.empty() && offset == runs.back().offset + runs.back().length)
            ++runs.back().length;
        else runs.push_back({offset, 1});
    }
    const int64_t row = sizes.back();
    visit_item(x.item_size(), [&]<class T>() {
        launch(
            [dim, row, sizes, rows = out.numel() / row, runs = std::move(runs),
             offsets = std::move(offsets)](T* all, const T* start) {
                parallel_for(rows, grain_for(row), [&](int64_t begin, int64_t end) {
                    Dims at(dim, 0);
                    for (int64_t rest = begin, d = dim - 2; d >= 0; --d) {
                        at[static_cast<int>(d)] = rest % sizes[static_cast<int>(d)];
                        rest /= sizes[static_cast<int>(d)];
                    }
                    T* to = all + begin * row;
                    for (int64_t i = begin; i < end; ++i) {
                        const T* from = start;
                        for (int d = 0; d < dim - 1; ++d)
                            from += offsets[static_cast<size_t>(d)][static_cast<size_t>(at[d])];
                        for (const Run& run : runs) {
                            copy_items(to, from + run.offset, run.length);
                            to += run.length;
                        }
                        for (int d = dim - 2; d >= 0 && ++at[d] == sizes[d]; --d) at[d] = 0;
                    }
                });
            },
            out.data<T>(), x.data<T>());
    });
}

// The offsets of dimension d, count of them, of the elements at(i).
template <class F> std::vector<int64_t> offsets_of(int64_t count, int64_t stride, F at) {
    std::vector<int64_t> table(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) table[static_cast<size_t>(i)] = at(i) * stride;
    return table;
}

Dims negated(Dims shifts) {
    for (int64_t& shift : shifts) shift = -shift;
    return shifts;
}

// The gradients of the copies that repeat makes, added up.
Tensor sum_of_copies(const Tensor& grad, const Dims& sizes, const Dims& repeats) {
    // Each dimension becomes (repeat, size); the repeats are summed.
    const int lead = repeats.size() - sizes.size();
    Dims split, summed;
    for (int d = 0; d < repeats.size(); ++d) {
        if (repeats[d] != 1 || d < lead) {
            summed.push_back(split.size());
            split.push_back(repeats[d]);
        }
        if (d >= lead) split.push_back(sizes[d - lead]);
    }
    const Tensor copies = reshape(grad, split);
    return summed.empty() ? copies : sum(copies, summed);
}

TAPEGRAD_WORD(sum_of_copies)

struct Flip {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "FlipBackward0";
    Dims dims;
    auto backward(auto g, auto, auto) const { return flip(g, dims); }
    void parameters(auto show) const { show("dims", dims); }
};

struct Roll {
    static constexpr auto node = "RollBackward0";
    Dims shifts, dims;
    auto backward(auto g, auto, auto) const { return roll(g, negated(shifts), dims); }
    auto forward(auto t, auto, auto) const { return roll(t, shifts, dims); }
    void parameters(auto show) const { show("shifts", shifts, "dims", dims); }
};

struct Repeat {
    static constexpr auto node = "RepeatBackward0";
    Dims repeats;
    auto backward(auto g, auto x, auto) const { return sum_of_copies(g, x.sizes(), repeats); }
    auto forward(auto t, auto, auto) const { return repeat(t, repeats); }
    void parameters(auto show) const { show("repeats", repeats); }
};

}  // namespace

Tensor flip(const Tensor& x, const Dims& dims) {
    const DimSet flipped = wrap_dims(dims, x.dim());
    Tensor out = empty(x.sizes(), x.dtype());
    Offsets offsets;
    for (int d = 0; d < x.dim() && out.numel() > 0; ++d) {
        const int64_t size = x.sizes()[d];
        const bool reverse = flipped.contains(d);
        offsets.push_back(offsets_of(size, x.strides()[d],
                                     [&](int64_t i) { return reverse ? size - 1 - i : i; }));
    }
    take_by_offsets(out, x, std::move(offsets));
    if (!x.is_contiguous()) {  // what reads by offsets writes in rows
        const Tensor rows = out;
        out = empty_result(x.sizes(), x.dtype(), x);
        copy_values(out, rows);
    }
    return recorded(std::move(out), Flip{dims}, x);
}

Tensor roll(const Tensor& x, const Dims& shifts_given, const Dims& dims) {
    Dims shifts = shifts_given;
    if (shifts.empty()) fail("`shifts` required");
    const bool flat = dims.empty() && shifts.size() == 1;
    if (!flat && shifts.size() != dims.size())
        fail("shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
    // The smallest int64 has no opposite, which the gradient is rolled by.
    for (int i = 0; i < shifts.size(); ++i)
        if (shifts[i] == std::numeric_limits<int64_t>::min())
            shifts[i] %= std::max<int64_t>(flat ? x.numel() : x.size(dims[i]), 1);
    Tensor out = empty(x.sizes(), x.dtype());
    auto rolled = [](int64_t size, int64_t stride, int64_t shift) {
        const int64_t start = size ? (size - shift % size) % size : 0;
        return offsets_of(size, stride, [&](int64_t i) {
            return i + start < size ? i + start : i + start - size;
        });
    };
    if (flat) {
        const Tensor source = contiguous_values(x);
        take_by_offsets(out, source, {rolled(x.numel(), 1, shifts[0])});
        return recorded(std::move(out), Roll{shifts, dims}, x);
    }
    Dims total(x.dim(), 0);
    for (int i = 0; i < dims.size(); ++i) {
        const int dim = wrap_dim(dims[i], x.dim(), false);
        if (x.numel() > 0) total[dim] = (total[dim] + shifts[i] % x.sizes()[dim]) % x.sizes()[dim];
    }
    Offsets offsets;
    for (int d = 0; d < x.dim() && x.numel() > 0; ++d)
        offsets.push_back(rolled(x.sizes()[d], x.strides()[d], total[d]));
    take_by_offsets(out, x, std::move(offsets));
    return recorded(std::move(out), Roll{shifts, dims}, x);
}

Tensor repeat(const Tensor& x, const Dims& repeats) {
    if (repeats.size() < x.dim())
        fail(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor");
    const int lead = repeats.size() - x.dim();
    Dims sizes = repeats;
    for (int d = lead; d < repeats.size(); ++d)
        if (__builtin_mul_overflow(sizes[d], x.sizes()[d - lead], &sizes[d]))
            fail("repeat: sizes are too large");
    for (int64_t size : sizes)
        if (size < 0)
            fail("Trying to create tensor with negative dimension ", size, ": ", to_string(sizes));
    Tensor out = empty(sizes, x.dtype());
    Offsets offsets;
    for (int d = 0; d < repeats.size() && out.numel() > 0; ++d) {
        const int64_t size = d < lead ? 1 : x.sizes()[d - lead];
        offsets.push_back(offsets_of(sizes[d], d < lead ? 0 : x.strides()[d - lead],
                                     [&](int64_t i) { return i % size; }));
    }
    take_by_offsets(out, x, std::move(offsets));
    return recorded(std::move(out), Repeat{repeats}, x);
}

Tensor tile(const Tensor& x, const Dims& dims) {
    Dims repeats = dims;
    while (repeats.size() < x.dim()) repeats.insert(0, 1);
    return repeat(x, repeats);
}

}  // namespace tapegrad
