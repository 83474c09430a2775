#include "ops/windows.h"

#include <limits>

#include "core/checked.h"
#include "ops/as_strided.h"
#include "ops/index_select.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/triangles.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- scattered windows

namespace {

// A copy of x with source in what window gives of it.
template <class Window> Tensor scattered(const Tensor& x, const Tensor& source, Window window) {
    const GradMode off(false);
    const Tensor target = window(x);
    if (!(target.sizes() == source.sizes()))
        fail("expected src to have a size equal to the slice of self. src size = ",
             to_string(source.sizes()), ", slice size = ", to_string(target.sizes()));
    Tensor out = clone(x);
    copy_values(window(out), source);
    return out;
}

// g with zeros in a window.
Tensor cleared_select(const Tensor& g, int64_t dim, int64_t index) {
    return select_scatter(g, zeros_like(select(g, dim, index)), dim, index);
}
Tensor cleared_slice(const Tensor& g, int64_t dim, int64_t start, int64_t end, int64_t step) {
    return slice_scatter(g, zeros_like(slice(g, dim, start, end, step)), dim, start, end, step);
}
Tensor cleared_diagonal(const Tensor& g, int64_t offset, int64_t dim1, int64_t dim2) {
    return diagonal_scatter(g, zeros_like(diagonal(g, offset, dim1, dim2)), offset, dim1, dim2);
}

TAPEGRAD_WORD(cleared_select)
TAPEGRAD_WORD(cleared_slice)
TAPEGRAD_WORD(cleared_diagonal)
TAPEGRAD_WORD(slice)

struct SelectScatter {
    static constexpr auto node = "SelectScatterBackward0";
    static constexpr std::array arguments{"self", "src"};
    int64_t dim, index;
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=, this] { return cleared_select(g, dim, index); },
                         [=, this] { return select(g, dim, index); });
    }
    auto forward(auto, auto, auto y) const {
        return tangents([=, this](auto t) { return cleared_select(t, dim, index); },
                        [=, this](auto t) {
                            return select_scatter(zeros(y.sizes(), t.dtype()), t, dim, index);
                        });
    }
    void parameters(auto show) const { show("dim", dim, "index", index); }
};

struct SliceScatter {
    static constexpr auto node = "SliceScatterBackward0";
    static constexpr std::array arguments{"self", "src"};
    int64_t dim, start, end, step;
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=, this] { return cleared_slice(g, dim, start, end, step); },
                         [=, this] { return slice(g, dim, start, end, step); });
    }
    auto forward(auto, auto, auto y) const {
        return tangents([=, this](auto t) { return cleared_slice(t, dim, start, end, step); },
                        [=, this](auto t) {
                            return slice_scatter(zeros(y.sizes(), t.dtype()), t, dim, start, end,
                                                 step);
                        });
    }
    void parameters(auto show) const { show("dim", dim, "start", start, "end", end, "step", step); }
};

struct DiagonalScatter {
    static constexpr auto node = "DiagonalScatterBackward0";
    static constexpr std::array arguments{"self", "src"};
    int64_t offset, dim1, dim2;
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=, this] { return cleared_diagonal(g, offset, dim1, dim2); },
                         [=, this] { return diagonal(g, offset, dim1, dim2); });
    }
    auto forward(auto, auto, auto y) const {
        return tangents([=, this](auto t) { return cleared_diagonal(t, offset, dim1, dim2); },
                        [=, this](auto t) {
                            return diagonal_scatter(zeros(y.sizes(), t.dtype()), t, offset, dim1,
                                                    dim2);
                        });
    }
    void parameters(auto show) const { show("offset", offset, "dim1", dim1, "dim2", dim2); }
};

}  // namespace

Tensor select_scatter(const Tensor& x, const Tensor& source, int64_t dim, int64_t index) {
    Tensor out = scattered(x, source, [&](const Tensor& t) { return select(t, dim, index); });
    return recorded(std::move(out), SelectScatter{wrap_dim(dim, x.dim()), index}, x, source);
}

Tensor slice_scatter(const Tensor& x, const Tensor& source, int64_t dim,
                     std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
    if (step <= 0) fail("slice step must be positive");
    const int64_t first = start.value_or(0),
                  last = end.value_or(std::numeric_limits<int64_t>::max());
    Tensor out =
        scattered(x, source, [&](const Tensor& t) { return slice(t, dim, first, last, step); });
    return recorded(std::move(out), SliceScatter{wrap_dim(dim, x.dim()), first, last, step}, x,
                    source);
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int64_t dim1,
                        int64_t dim2) {
    Tensor out =
        scattered(x, source, [&](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
    return recorded(std::move(out), DiagonalScatter{offset, dim1, dim2}, x, source);
}

// Of the storage, not of the elements: the copy has all of it, and its history is that of the two writes.
Tensor as_strided_scatter(const Tensor& x, const Tensor& source, const Dims& sizes,
                          const Dims& strides, std::optional<int64_t> storage_offset) {
    Tensor whole;
    {
        const GradMode off(false);
        const Tensor target = as_strided(x, sizes, strides, storage_offset);
        if (!(target.sizes() == source.sizes()))
            fail("expected src to have a size equal to the slice of self. src size = ",
                 to_string(source.sizes()), ", slice size = ", to_string(target.sizes()));
        refuse_internal_overlap(target);
        const auto length = static_cast<int64_t>(x.storage()->bytes() / x.item_size());
        whole = contiguous_clone(alias(x, {length}, {1}, -x.storage_offset()));
    }
    const Tensor out = as_strided(whole, x.sizes(), x.strides(), x.storage_offset());
    if (recording(x, source)) {
        if (has_internal_overlap(out))  // elements that share memory cannot be written
            return as_strided_scatter(contiguous_clone(x), source, sizes, strides, storage_offset);
        copy_(out, x);
    }
    copy_(as_strided(whole, sizes, strides, storage_offset.value_or(x.storage_offset())), source);
    return out;
}

// ------------------------------------------------------------------------------- unfold

namespace {

// The gradients of all windows, added up.
Tensor sum_of_windows(const Tensor& g, const Dims& sizes, int64_t dim, int64_t size, int64_t step) {
    if (sizes.empty()) return sum(g, {0});
    const int at = static_cast<int>(dim);
    const int64_t count = g.sizes()[at];
    const Tensor places = empty({checked_mul(count, size)}, DType::Int64);
    launch(
        [=](int64_t* to) {
            for (int64_t i = 0; i < count; ++i)
                for (int64_t j = 0; j < size; ++j) to[i * size + j] = i * step + j;
        },
        places.data<int64_t>());
    Dims joined = sizes;
    joined[at] = count * size;
    const Tensor parts = reshape(movedim(g, {-1}, {at + 1}), joined);
    return index_add(zeros(sizes, g.dtype()), at, places, parts);
}

TAPEGRAD_WORD(sum_of_windows)

struct Unfold {
    static constexpr auto node = "UnfoldBackward0";
    int64_t dim, size, step;
    auto backward(auto g, auto x, auto) const {
        return sum_of_windows(g, x.sizes(), dim, size, step);
    }
    auto forward(auto t, auto, auto) const { return unfold(t, dim, size, step); }
    void parameters(auto show) const { show("dimension", dim, "size", size, "step", step); }
};

}  // namespace

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
    const int at = wrap_dim(dim, x.dim());
    const int64_t length = x.dim() ? x.sizes()[at] : 1;
    if (size < 0) fail("size is ", size, " but must be >= 0");
    if (size > length)
        fail("maximum size for tensor at dimension ", at, " is ", length, " but size is ", size);
    if (step <= 0) fail("step is ", step, " but must be > 0");
    Dims sizes = x.sizes(), strides = x.strides();
    if (x.dim() == 0) {
        sizes.push_back(size);
        strides.push_back(1);
    } else {
        sizes.push_back(size);
        strides.push_back(strides[at]);
        sizes[at] = (length - size) / step + 1;
        strides[at] = saturating_mul(strides[at], step);
    }
    return recorded_view(alias(x, sizes, strides, 0), Unfold{at, size, step}, x);
}

// ------------------------------------------------------------------------------- diagonals

namespace {

struct DiagEmbed {
    static constexpr auto node = "DiagEmbedBackward0";
    int64_t offset, dim1, dim2;
    auto backward(auto g, auto, auto) const { return diagonal(g, offset, dim1, dim2); }
    auto forward(auto t, auto, auto) const { return diag_embed(t, offset, dim1, dim2); }
    void parameters(auto show) const { show("offset", offset, "dim1", dim1, "dim2", dim2); }
};

Tensor filled_diagonal(const Tensor& x, double value, bool wrap) {
    const Tensor out = clone(x);
    fill_diagonal_(out, value, wrap);
    return out;
}

TAPEGRAD_WORD(filled_diagonal)

struct FillDiagonal {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "FillDiagonalBackward0";
    double fill_value;
    bool wrap;
    auto backward(auto g, auto, auto) const { return filled_diagonal(g, 0, wrap); }
    void parameters(auto show) const { show("fill_value", fill_value, "wrap", wrap); }
};

}  // namespace

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
    const int dim = x.dim() + 1, row = wrap_dim(dim1, dim), column = wrap_dim(dim2, dim);
    if (row == column) fail("diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const int64_t length = x.sizes()[x.dim() - 1];
    const int64_t size = checked_add(length, offset < 0 ? checked_mul(offset, -1) : offset);
    Dims sizes = x.sizes();
    sizes.resize(dim - 2);
    sizes.insert(std::min(row, column), size);
    sizes.insert(std::max(row, column), size);
    Tensor out = zeros(sizes, x.dtype());
    {
        const GradMode off(false);
        copy_values(diagonal(out, offset, row, column), x);
    }
    return recorded(std::move(out), DiagEmbed{offset, row, column}, x);
}

Tensor diagflat(const Tensor& x, int64_t offset) { return diag(reshape(x, {-1}), offset); }

const Tensor& fill_diagonal_(const Tensor& x, const Scalar& value, bool wrap) {
    if (x.dim() < 2) fail("dimensions must larger than 1");
    for (int d = 1; d < x.dim() && x.dim() > 2; ++d)
        if (x.sizes()[d] != x.sizes()[0]) fail("all dimensions of input must be of equal length");
    const InPlace change(x);
    refuse_internal_overlap(x);
    const int64_t rows = x.sizes()[0], columns = x.sizes()[1];
    int64_t step = 0;
    for (int64_t stride : x.strides()) step = saturating_add(step, stride);
    const auto write = [&] {
        const GradMode off(false);
        const int64_t length = std::min(rows, columns);
        fill_values(alias(x, {length}, {step}, 0), value);
        if (!wrap || x.dim() > 2 || columns == 0) return;
        // Below the square begins another one, after a row of its own.
        for (int64_t first = columns + 1; first < rows; first += columns + 1)
            fill_values(alias(x, {std::min(rows - first, columns)}, {step}, first * x.strides()[0]),
                        value);
    };
    return change.apply(FillDiagonal{value.to_double(), wrap}, write);
}

}  // namespace tapegrad
