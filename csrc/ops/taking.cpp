#include "ops/taking.h"

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/index_access.h"
#include "ops/index_select.h"
#include "ops/indexing.h"
#include "ops/overlap.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- take and put

namespace {

void check_places(const char* name, const Tensor& x, const Tensor& index, const char* of_nothing) {
    if (index.dtype() != DType::Int64)
        fail(name, "(): Expected a long tensor for index, but got ",
             scalar_type_name(index.dtype()));
    if (index.numel() == 0) return;
    const int64_t n = x.numel();
    if (n == 0) fail<IndexError>(name, "(): ", of_nothing);
    const Tensor values = contiguous_values(index);
    launch(checking([n, count = values.numel()](const int64_t* places) {
               for (int64_t i = 0; i < count; ++i)
                   if (const int64_t at = places[i]; at < -n || at >= n)
                       fail<IndexError>("out of range: tried to access index ", at,
                                        " on a tensor of ", n, " elements.");
           }),
           values.data<int64_t>());
}

// A tensor of int64 values for each dimension, of these sizes.
struct Coordinates {
    Coordinates(int dims, const Dims& sizes) : tensors(static_cast<size_t>(dims)) {
        for (Tensor& one : tensors) one = empty(sizes, DType::Int64);
    }
    // f(place, to) writes the coordinates of each place to to[0][i], to[1][i] and so on.
    template <class F> void fill(const Tensor& places, F f) {
        Columns columns;
        for (const Tensor& one : tensors) columns.to.push_back(one.data<int64_t>());
        launch(
            [f, n = places.numel()](const int64_t* from, const Columns& all) {
                for (int64_t i = 0; i < n; ++i) f(from[i], all.to.data(), i);
            },
            places.data<int64_t>(), columns);
    }

    std::vector<Tensor> tensors;

private:
    struct Columns {
        std::vector<int64_t*> to;
        void visit_pointers(auto& visitor) {
            for (int64_t*& column : to) visitor.writes(reinterpret_cast<void**>(&column));
        }
    };
};

// The index of each dimension of x that leads to places in row-major order.
std::vector<Tensor> coordinates_of(const Tensor& x, const Tensor& index) {
    Coordinates result(x.dim(), index.sizes());
    result.fill(contiguous_values(index),
                [sizes = x.sizes(), n = x.numel()](int64_t rest, int64_t* const* to, int64_t i) {
                    if (rest < 0) rest += n;
                    for (int d = sizes.size() - 1; d >= 0; --d) {
                        to[d][i] = rest % sizes[d];
                        rest /= sizes[d];
                    }
                });
    return result.tensors;
}

Tensor zeros_put(const Dims& sizes, const Tensor& index, const Tensor& g) {
    return put(zeros(sizes, g.dtype()), index, g, true);
}
// g without what was overwritten.
Tensor cleared_places(const Tensor& g, const Tensor& index) {
    return put(g, index, zeros(index.sizes(), g.dtype()), false);
}

TAPEGRAD_WORD(zeros_put)
TAPEGRAD_WORD(cleared_places)
TAPEGRAD_WORD(take)

struct Take {
    static constexpr auto node = "TakeBackward0";
    static constexpr std::array arguments{"self", "index"};
    auto backward(auto g, auto x, auto index, auto) const { return zeros_put(x.sizes(), index, g); }
    auto forward(auto t, auto, auto index, auto) const { return take(t, index); }
};

struct Put {
    static constexpr auto node = "PutBackward0";
    static constexpr std::array arguments{"self", "source", "index"};
    bool accumulate;
    auto backward(auto g, auto, auto source, auto index, auto) const {
        return gradients([=, this] { return accumulate ? g : cleared_places(g, index); },
                         [=] { return reshape(take(g, index), source.sizes()); });
    }
    auto forward(auto, auto, auto index, auto y) const {
        return tangents(
            [=, this](auto t) { return accumulate ? t : cleared_places(t, index); },
            [=, this](auto t) { return put(zeros(y.sizes(), t.dtype()), index, t, accumulate); });
    }
    void parameters(auto show) const { show("accumulate", accumulate); }
};

void check_put(const Tensor& x, const Tensor& index, const Tensor& source) {
    check_places("put_", x, index, "Tried to put elements into an empty tensor");
    if (x.dtype() != source.dtype())
        fail("put_(): self and source expected to have the same dtype, but got self.dtype = ",
             scalar_type_name(x.dtype()), " and source.dtype = ", scalar_type_name(source.dtype()));
    if (source.numel() != index.numel())
        fail<IndexError>(
            "put_(): Expected source and index to have the same number of elements, but got "
            "source.numel() = ",
            source.numel(), ", index.numel() = ", index.numel());
}

void write_places(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
    if (index.numel() == 0) return write_nothing(x);
    const GradMode off(false);
    const Tensor target = alias(at_least_1d(x));
    put_values(target, coordinates_of(target, index), reshape(source, index.sizes()), accumulate);
}

}  // namespace

Tensor take(const Tensor& x, const Tensor& index) {
    check_places("take", x, index, "tried to take from an empty tensor");
    Tensor out = empty(index.sizes(), x.dtype());
    const Tensor data = contiguous_values(x), places = contiguous_values(index);
    const int64_t n = x.numel();
    visit_item(x.item_size(), [&]<class T>() {
        launch(
            [n, count = out.numel()](T* to, const T* from, const int64_t* at) {
                parallel_for(count, kIndexGrain, [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i)
                        to[i] = from[at[i] < 0 ? at[i] + n : at[i]];
                });
            },
            out.data<T>(), data.data<T>(), places.data<int64_t>());
    });
    return recorded(std::move(out), Take{}, x, index);
}

const Tensor& put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
    check_put(x, index, source);
    const InPlace change(x, source);
    refuse_internal_overlap(x);
    refuse_overlap(x, index);
    refuse_overlap(x, source);
    return change.apply(
        Put{accumulate}, [&] { write_places(x, index, source, accumulate); }, source, index);
}

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
    check_put(x, index, source);
    Tensor out;
    {
        const GradMode off(false);
        out = clone(x);
    }
    write_places(out, index, source, accumulate);
    return recorded(std::move(out), Put{accumulate}, x, source, index);
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
    if (!dim) return gather(reshape(x, {-1}), 0, reshape(index, {-1}));
    if (index.dtype() != DType::Int64)
        fail("tapegrad.take_along_dim(): dtype of indices should be Long but got ",
             scalar_type_name(index.dtype()));
    if (x.dim() != index.dim())
        fail(
            "tapegrad.take_along_dim(): input and indices should have the same number of "
            "dimensions, but got ",
            x.dim(), " dimensions for input, and ", index.dim(), " dimensions for indices");
    const int at = wrap_dim(*dim, x.dim());
    if (x.dim() == 0) return gather(x, 0, index);
    // Every dimension but this one broadcasts.
    Dims one = x.sizes(), other = index.sizes();
    one[at] = other[at] = 1;
    Dims x_sizes = broadcast_shapes({one, other}), index_sizes = x_sizes;
    x_sizes[at] = x.sizes()[at];
    index_sizes[at] = index.sizes()[at];
    // Places count from the end if they are negative, which gather refuses.
    const Tensor places = where(index < 0, index + x_sizes[at], index);
    return gather(expand(x, x_sizes), at, expand(places, index_sizes));
}

// ------------------------------------------------------------------------------- repeat_interleave

namespace {

int64_t total_of(const int64_t* counts, int64_t n, std::optional<int64_t> expected) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (counts[i] < 0) fail("repeats can not be negative");
        total = checked_add(total, counts[i]);
    }
    if (expected && *expected != total) fail("allocated size does not match required size");
    return total;
}

}  // namespace

Tensor repeated_places(const Tensor& repeats, std::optional<int64_t> output_size) {
    if (repeats.dim() != 1) fail("repeat_interleave only accept 1D vector as repeat");
    if (repeats.dtype() != DType::Int64 && repeats.dtype() != DType::Int32)
        fail<NotImplementedError>("\"repeat_interleave_cpu\" not implemented for '",
                                  scalar_type_name(repeats.dtype()), "'");
    if (!output_size) refuse_replay(kShapeOfValues);
    const Tensor counts = int64_values(repeats);
    const int64_t n = counts.numel(), size = total_of(counts.data<int64_t>(), n, output_size);
    const Tensor places = empty({size}, DType::Int64);
    launch(checking([n, size](const int64_t* times, int64_t* to) {
               total_of(times, n, size);
               for (int64_t i = 0; i < n; ++i) to = std::fill_n(to, times[i], i);
           }),
           counts.data<int64_t>(), places.data<int64_t>());
    return places;
}

Tensor repeat_interleave(const Tensor& x_given, const Tensor& repeats_given,
                         std::optional<int64_t> dim, std::optional<int64_t> output_size) {
    const Tensor x = dim ? x_given : reshape(x_given, {-1});
    const int at = wrap_dim(dim.value_or(0), x.dim());
    const int64_t length = x.dim() ? x.sizes()[at] : 1;
    if (repeats_given.dim() > 1) fail("repeats must be 0-dim or 1-dim tensor");
    Tensor repeats = repeats_given;
    if (repeats.dim() == 0 || repeats.numel() == 1) repeats = alias(repeats, {length}, {0}, 0);
    else if (repeats.numel() != length)
        fail("repeats must have the same size as input along dim, but got repeats.size(0) = ",
             repeats.numel(), " and input.size(", at, ") = ", length);
    return index_select(x, at, repeated_places(repeats, output_size));
}

Tensor repeat_interleave(const Tensor& x_given, int64_t repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
    Tensor x = dim ? x_given : flatten(x_given, 0, -1);
    if (repeats < 0) fail("Repeats must be non-negative");
    const int at = wrap_dim(dim.value_or(0), x.dim());
    if (x.dim() == 0) x = reshape(x, {1});
    const int64_t size = checked_mul(x.sizes()[at], repeats);
    if (output_size && *output_size != size)
        fail("repeat_interleave: Invalid output_size, expected ", size, " but got ", *output_size);
    Dims sizes = x.sizes();
    sizes.insert(at + 1, repeats);
    const Tensor copies = contiguous_clone(expand(unsqueeze(x, at + 1), sizes));
    return flatten(copies, at, at + 1);
}

// ------------------------------------------------------------------------------- coordinates

std::vector<Tensor> unravel_index(const Tensor& index, const Dims& shape) {
    if (index.is_floating() || index.dtype() == DType::Bool)
        fail<TypeError>("expected 'indices' to be integer dtype, but got tapegrad.",
                        dtype_name(index.dtype()));
    for (int64_t size : shape)
        if (size < 0)
            fail<ValueError>("'shape' cannot have negative values, but got ", to_string(shape));
    for (int64_t size : shape)
        if (size == 0 && index.numel() > 0) fail("ZeroDivisionError");
    Coordinates result(shape.size(), index.sizes());
    result.fill(int64_values(index), [shape](int64_t rest, int64_t* const* to, int64_t i) {
        for (int d = shape.size() - 1; d >= 0; --d) {
            // Rounded down, so that negative places count from the end.
            int64_t place = rest % shape[d];
            rest /= shape[d];
            if (place < 0) {
                place += shape[d];
                --rest;
            }
            to[d][i] = place;
        }
    });
    return result.tensors;
}

namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

// How many elements are on the diagonal and below it.
int64_t count_below(int64_t rows, int64_t columns, int64_t offset) {
    const int64_t none = offset >= 0 ? 0 : offset == kLeast ? rows : std::min(rows, -offset);
    const int64_t first = offset < 0 ? 1 : saturating_add(offset, 1);  // of the first row with any
    const int64_t growing = std::clamp<int64_t>(columns - first, 0, rows - none);
    // The rows that are whole may be many, and those that grow long.
    const int64_t steps = growing ? checked_mul(growing, growing - 1) / 2 : 0;
    return checked_add(checked_add(checked_mul(growing, first), steps),
                       checked_mul(rows - none - growing, columns));
}

Tensor triangle_indices(const char* name, int64_t rows, int64_t columns, int64_t offset, bool lower,
                        const TensorOptions& options) {
    const DType dtype = options.resolve(DType::Int64);
    if (rows < 0) fail("row must be non-negative, got", rows);
    if (columns < 0) fail("col must be non-negative, got", columns);
    if (dtype != DType::Int64 && dtype != DType::Int32) refuse_dtype(name, dtype);
    // What is above a diagonal is below it in the transpose.
    const int64_t opposite = offset == kLeast ? std::numeric_limits<int64_t>::max() : -offset;
    const int64_t count =
        lower ? count_below(rows, columns, offset) : count_below(columns, rows, opposite);
    Tensor out = empty({2, count}, DType::Int64);
    launch(
        [=](int64_t* row_to) {
            int64_t* column_to = row_to + count;
            int64_t row = lower && offset < 0 && count > 0 ? -(offset + 1) : 0;
            for (int64_t left = count; left > 0; ++row) {
                const int64_t on = row + (lower ? 1 : 0);
                const int64_t cut = offset < 0 ? std::clamp<int64_t>(on + offset, 0, columns)
                                               : std::min(saturating_add(on, offset), columns);
                for (int64_t column = lower ? 0 : cut; column < (lower ? cut : columns);
                     ++column, --left) {
                    *row_to++ = row;
                    *column_to++ = column;
                }
            }
        },
        out.data<int64_t>());
    return options.finish(cast_values(out, dtype));
}

}  // namespace

Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options) {
    return triangle_indices("tril_indices", rows, columns, offset, true, options);
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options) {
    return triangle_indices("triu_indices", rows, columns, offset, false, options);
}

}  // namespace tapegrad
