#include "ops/joining.h"

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/offsets.h"
#include "ops/record.h"
#include "ops/reductions.h"
#include "ops/views.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- cat and stack

namespace {

// A 1-d tensor without elements joins with anything, as it always did in PyTorch.
bool is_skipped(const Tensor& x) { return x.dim() == 1 && x.numel() == 0; }

// Writes the parts one after the other into out, seen as [outer, row]: part i fills lengths[i] elements of
// each row.
void join_values(const Tensor& out, const std::vector<Tensor>& parts,
                 const std::vector<int64_t>& lengths, int64_t outer) {
    int64_t row = 0, start = 0;
    for (int64_t length : lengths) row += length;
    for (size_t i = 0; i < parts.size(); start += lengths[i++]) {
        const int64_t length = lengths[i];
        if (length == 0 || outer == 0) continue;
        const Tensor& part = parts[i];
        if (part.dtype() != out.dtype()) {
            const Tensor flat = alias(contiguous_values(part), {outer, length}, {length, 1}, 0);
            copy_values(alias(out, {outer, length}, {row, 1}, start), flat);
            continue;
        }
        const Tensor source = contiguous_values(part);
        visit_item(out.item_size(), [&]<class T>() {
            T* to = out.data<T>() + start;
            const T* from = source.data<T>();
            if (outer == 1) {
                parallel_for(length, 4 * kIndexGrain, [&](int64_t begin, int64_t end) {
                    copy_items(to + begin, from + begin, end - begin);
                });
                return;
            }
            parallel_for(outer, grain_for(length), [&](int64_t begin, int64_t end) {
                for (int64_t o = begin; o < end; ++o)
                    copy_items(to + o * row, from + o * length, length);
            });
        });
    }
}

class CatNode final : public Node {
public:
    CatNode(const std::vector<Tensor>& tensors, int dim) : dim_(dim) {
        for (const Tensor& x : tensors) {
            add_edge(x.is_floating() ? gradient_edge(x) : Edge{});
            parts_.push_back({is_skipped(x) ? 0 : x.sizes()[dim], x.dtype(), is_skipped(x)});
        }
    }
    const char* name() const noexcept override { return "CatBackward0"; }
    std::string formula() const override { return "grad.narrow(dim, start, length) for each"; }
    void visit_saved(SavedVisitor& visitor) const override { visitor.integer("dim", dim_); }
    void backward(GradList& grads, TensorList& inputs) override {
        int64_t start = 0;
        for (size_t i = 0; i < parts_.size(); ++i) {
            const Part& part = parts_[i];
            if (wants(i))
                inputs[i] = part.skipped
                                ? zeros({0}, part.dtype)
                                : to_dtype(narrow(grads[0], dim_, start, part.size), part.dtype);
            start += part.size;
        }
    }

private:
    struct Part {
        int64_t size;
        DType dtype;
        bool skipped;
    };
    const int dim_;
    std::vector<Part> parts_;
};

class StackNode final : public Node {
public:
    StackNode(const std::vector<Tensor>& tensors, int dim) : dim_(dim) {
        for (const Tensor& x : tensors) {
            add_edge(x.is_floating() ? gradient_edge(x) : Edge{});
            dtypes_.push_back(x.dtype());
        }
    }
    const char* name() const noexcept override { return "StackBackward0"; }
    std::string formula() const override { return "grad.select(dim, i) for each"; }
    void visit_saved(SavedVisitor& visitor) const override { visitor.integer("dim", dim_); }
    void backward(GradList& grads, TensorList& inputs) override {
        for (size_t i = 0; i < dtypes_.size(); ++i)
            if (wants(i))
                inputs[i] = to_dtype(select(grads[0], dim_, static_cast<int64_t>(i)), dtypes_[i]);
    }

private:
    const int dim_;
    std::vector<DType> dtypes_;
};

bool recording_any(const std::vector<Tensor>& tensors) {
    if (!grad_enabled()) return false;
    for (const Tensor& x : tensors)
        if (x.requires_grad()) return true;
    return false;
}

void check_same_shape_apart(const Tensor& reference, const Tensor& x, int dim, size_t number) {
    if (reference.dim() != x.dim())
        fail("Tensors must have same number of dimensions: got ", reference.dim(), " and ",
             x.dim());
    for (int d = 0; d < x.dim(); ++d)
        if (d != dim && x.sizes()[d] != reference.sizes()[d])
            fail("Sizes of tensors must match except in dimension ", dim, ". Expected size ",
                 reference.sizes()[d], " but got size ", x.sizes()[d], " for tensor number ",
                 number, " in the list.");
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim_given) {
    if (tensors.empty()) fail<ValueError>("tapegrad.cat(): expected a non-empty list of Tensors");
    DType dtype = tensors[0].dtype();
    const Tensor* reference = nullptr;
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (tensors[i].dim() == 0)
            fail("zero-dimensional tensor (at position ", i, ") cannot be concatenated");
        dtype = promote(dtype, tensors[i].dtype());
        if (!reference && !is_skipped(tensors[i])) reference = &tensors[i];
    }
    const int dim = wrap_dim(dim_given, reference ? reference->dim() : 1);
    Dims sizes{0};
    if (reference) {
        sizes = reference->sizes();
        sizes[dim] = 0;
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (is_skipped(tensors[i])) continue;
        check_same_shape_apart(*reference, tensors[i], dim, i);
        sizes[dim] += tensors[i].sizes()[dim];
    }
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < sizes.size(); ++d)
        if (d != dim) (d < dim ? outer : inner) *= sizes[d];
    std::vector<int64_t> lengths;
    for (const Tensor& x : tensors) lengths.push_back(is_skipped(x) ? 0 : x.sizes()[dim] * inner);
    Tensor out = empty(sizes, dtype);
    join_values(out, tensors, lengths, outer);
    if (recording_any(tensors)) set_history(out, Ref<Node>(new CatNode(tensors, dim)));
    return out;
}

Tensor concat2(const Tensor& a, const Tensor& b, int64_t dim) { return cat({a, b}, dim); }

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim_given) {
    if (tensors.empty()) fail("stack expects a non-empty TensorList");
    const int dim = wrap_dim(dim_given, tensors[0].dim() + 1);
    DType dtype = tensors[0].dtype();
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (!(tensors[i].sizes() == tensors[0].sizes()))
            fail("stack expects each tensor to be equal size, but got ",
                 to_string(tensors[0].sizes()), " at entry 0 and ", to_string(tensors[i].sizes()),
                 " at entry ", i);
        dtype = promote(dtype, tensors[i].dtype());
    }
    Dims sizes = tensors[0].sizes();
    int64_t outer = 1, length = 1;
    for (int d = 0; d < sizes.size(); ++d) (d < dim ? outer : length) *= sizes[d];
    sizes.insert(dim, static_cast<int64_t>(tensors.size()));
    Tensor out = empty(sizes, dtype);
    join_values(out, tensors, std::vector<int64_t>(tensors.size(), length), outer);
    if (recording_any(tensors)) set_history(out, Ref<Node>(new StackNode(tensors, dim)));
    return out;
}

// -------------------------------------------------------------------------- flip, roll, repeat

namespace {

// out[i0, i1, ...] = x at the sum of offsets[0][i0], offsets[1][i1], ...
using Offsets = std::vector<std::vector<int64_t>>;

void take_by_offsets(const Tensor& out, const Tensor& x, const Offsets& offsets) {
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
        parallel_for(out.numel() / row, grain_for(row), [&](int64_t begin, int64_t end) {
            Dims at(dim, 0);
            for (int64_t rest = begin, d = dim - 2; d >= 0; --d) {
                at[static_cast<int>(d)] = rest % sizes[static_cast<int>(d)];
                rest /= sizes[static_cast<int>(d)];
            }
            T* to = out.data<T>() + begin * row;
            for (int64_t i = begin; i < end; ++i) {
                const T* from = x.data<T>();
                for (int d = 0; d < dim - 1; ++d)
                    from += offsets[static_cast<size_t>(d)][static_cast<size_t>(at[d])];
                for (const Run& run : runs) {
                    copy_items(to, from + run.offset, run.length);
                    to += run.length;
                }
                for (int d = dim - 2; d >= 0 && ++at[d] == sizes[d]; --d) at[d] = 0;
            }
        });
    });
}

// The offsets of dimension d, count of them, of the elements at(i).
template <class F> std::vector<int64_t> offsets_of(int64_t count, int64_t stride, F at) {
    std::vector<int64_t> table(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) table[static_cast<size_t>(i)] = at(i) * stride;
    return table;
}

class FlipNode final : public Node {
public:
    explicit FlipNode(const Dims& dims) : dims_(dims) {}
    const char* name() const noexcept override { return "FlipBackward0"; }
    std::string formula() const override { return "grad.flip(dims)"; }
    void visit_saved(SavedVisitor& visitor) const override { visitor.dims("dims", dims_); }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = flip(grads[0], dims_);
    }

private:
    const Dims dims_;
};

class RollNode final : public Node {
public:
    RollNode(const Dims& shifts, const Dims& dims) : shifts_(shifts), dims_(dims) {}
    const char* name() const noexcept override { return "RollBackward0"; }
    std::string formula() const override { return "grad.roll(-shifts, dims)"; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.dims("shifts", shifts_);
        visitor.dims("dims", dims_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Dims back = shifts_;
        for (int64_t& shift : back) shift = -shift;
        inputs[0] = roll(grads[0], back, dims_);
    }

private:
    const Dims shifts_, dims_;
};

class RepeatNode final : public Node {
public:
    RepeatNode(const Dims& sizes, const Dims& repeats) : sizes_(sizes), repeats_(repeats) {}
    const char* name() const noexcept override { return "RepeatBackward0"; }
    std::string formula() const override { return "sum of the copies of grad"; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.dims("repeats", repeats_);
        visitor.dims("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        // Each dimension becomes (repeat, size); the repeats are summed.
        const int lead = repeats_.size() - sizes_.size();
        Dims split, summed;
        for (int d = 0; d < repeats_.size(); ++d) {
            if (repeats_[d] != 1 || d < lead) {
                summed.push_back(split.size());
                split.push_back(repeats_[d]);
            }
            if (d >= lead) split.push_back(sizes_[d - lead]);
        }
        const Tensor copies = reshape(grads[0], split);
        inputs[0] = summed.empty() ? copies : sum(copies, summed, false, std::nullopt);
    }

private:
    const Dims sizes_, repeats_;
};

template <class N, class... Args> Tensor recorded(Tensor out, const Tensor& x, Args&&... args) {
    if (!recording(x)) return out;
    Ref<Node> node(new N(std::forward<Args>(args)...));
    node->add_edge(gradient_edge(x));
    set_history(out, node);
    return out;
}

}  // namespace

Tensor flip(const Tensor& x, const Dims& dims) {
    const uint64_t flipped = wrap_dims(dims, x.dim());
    Offsets offsets;
    for (int d = 0; d < x.dim(); ++d) {
        const int64_t size = x.sizes()[d];
        const bool reverse = flipped >> d & 1;
        offsets.push_back(offsets_of(size, x.strides()[d],
                                     [&](int64_t i) { return reverse ? size - 1 - i : i; }));
    }
    Tensor out = empty(x.sizes(), x.dtype());
    take_by_offsets(out, x, offsets);
    if (!x.is_contiguous()) {  // what reads by offsets writes in rows
        const Tensor rows = out;
        out = empty_result(x.sizes(), x.dtype(), x);
        copy_values(out, rows);
    }
    return recorded<FlipNode>(std::move(out), x, dims);
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
    if (shifts.empty()) fail("`shifts` required");
    const bool flat = dims.empty() && shifts.size() == 1;
    if (!flat && shifts.size() != dims.size())
        fail("shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
    Tensor out = empty(x.sizes(), x.dtype());
    auto rolled = [](int64_t size, int64_t stride, int64_t shift) {
        const int64_t start = size ? ((-shift % size) + size) % size : 0;
        return offsets_of(size, stride, [&](int64_t i) {
            return i + start < size ? i + start : i + start - size;
        });
    };
    if (flat) {
        const Tensor source = contiguous_values(x);
        take_by_offsets(out, source, {rolled(x.numel(), 1, shifts[0])});
        return recorded<RollNode>(std::move(out), x, shifts, dims);
    }
    Dims total(x.dim(), 0);
    for (int i = 0; i < dims.size(); ++i) {
        const int dim = wrap_dim(dims[i], x.dim(), false);
        if (x.sizes()[dim] > 0)
            total[dim] = (total[dim] + shifts[i] % x.sizes()[dim]) % x.sizes()[dim];
    }
    Offsets offsets;
    for (int d = 0; d < x.dim(); ++d)
        offsets.push_back(rolled(x.sizes()[d], x.strides()[d], total[d]));
    take_by_offsets(out, x, offsets);
    return recorded<RollNode>(std::move(out), x, shifts, dims);
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
    take_by_offsets(out, x, offsets);
    return recorded<RepeatNode>(std::move(out), x, x.sizes(), repeats);
}

// ------------------------------------------------------------------------- triangles, diagonals

namespace {

// The part on and below the diagonal (lower), or on and above it; the rest is zero.
Tensor triangle_values(const Tensor& x_given, int64_t diagonal, bool lower) {
    const Tensor x = contiguous_values(x_given);
    Tensor out = empty(x.sizes(), x.dtype());
    if (out.numel() == 0) return out;
    const int64_t rows = x.sizes()[x.dim() - 2], columns = x.sizes()[x.dim() - 1];
    const size_t item = x.item_size();
    parallel_for(x.numel() / columns, grain_for(columns), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            // Columns before the cut are below the diagonal.
            const int64_t i = row % rows;
            const int64_t last = lower ? i + 1 : i;
            const int64_t cut =
                diagonal >= columns - last ? columns : std::max<int64_t>(last + diagonal, 0);
            const size_t left = static_cast<size_t>(cut) * item,
                         right = static_cast<size_t>(columns - cut) * item;
            char* to = out.data<char>() + static_cast<size_t>(row * columns) * item;
            const char* from = x.data<char>() + static_cast<size_t>(row * columns) * item;
            if (lower) {
                std::memcpy(to, from, left);
                std::memset(to + left, 0, right);
            } else {
                std::memset(to, 0, left);
                std::memcpy(to + left, from + left, right);
            }
        }
    });
    return out;
}

class TriangleNode final : public Node {
public:
    TriangleNode(int64_t diagonal, bool lower) : diagonal_(diagonal), lower_(lower) {}
    const char* name() const noexcept override {
        return lower_ ? "TrilBackward0" : "TriuBackward0";
    }
    std::string formula() const override {
        return lower_ ? "grad.tril(diagonal)" : "grad.triu(diagonal)";
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.integer("diagonal", diagonal_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = lower_ ? tril(grads[0], diagonal_) : triu(grads[0], diagonal_);
    }

private:
    const int64_t diagonal_;
    const bool lower_;
};

void check_triangle(const Tensor& x, bool lower) {
    if (x.dim() < 2)
        fail(lower ? "tril" : "triu", ": input tensor must have at least 2 dimensions");
}

Tensor triangle(const Tensor& x, int64_t diagonal, bool lower) {
    check_triangle(x, lower);
    return recorded<TriangleNode>(triangle_values(x, diagonal, lower), x, diagonal, lower);
}

const Tensor& triangle_in_place(const Tensor& x, int64_t diagonal, bool lower) {
    check_triangle(x, lower);
    const bool record = recording(x);
    check_inplace(x, record);
    Ref<Node> node;
    if (record) {
        node = Ref<Node>(new TriangleNode(diagonal, lower));
        node->add_edge(gradient_edge(x));
    }
    copy_values(x, triangle_values(x, diagonal, lower));
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

class DiagEmbedNode final : public Node {
public:
    explicit DiagEmbedNode(int64_t offset) : offset_(offset) {}
    const char* name() const noexcept override { return "DiagEmbedBackward0"; }
    std::string formula() const override { return "grad.diagonal(offset)"; }
    void visit_saved(SavedVisitor& visitor) const override { visitor.integer("offset", offset_); }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = diagonal(grads[0], offset_, 0, 1);
    }

private:
    const int64_t offset_;
};

class DiagonalCopyNode final : public Node {
public:
    DiagonalCopyNode(const Dims& sizes, int64_t offset) : sizes_(sizes), offset_(offset) {}
    const char* name() const noexcept override { return "DiagonalBackward0_copy"; }
    std::string formula() const override { return "zeros with grad on the diagonal"; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.integer("offset", offset_);
        visitor.dims("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, grads[0].dtype());
        copy_(diagonal(result, offset_, 0, 1), grads[0]);
        inputs[0] = std::move(result);
    }

private:
    const Dims sizes_;
    const int64_t offset_;
};

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, false); }
const Tensor& tril_(const Tensor& x, int64_t diagonal) {
    return triangle_in_place(x, diagonal, true);
}
const Tensor& triu_(const Tensor& x, int64_t diagonal) {
    return triangle_in_place(x, diagonal, false);
}

Tensor diag(const Tensor& x, int64_t offset) {
    if (x.dim() != 1 && x.dim() != 2) fail("diag(): Supports 1D or 2D tensors. Got ", x.dim(), "D");
    Tensor out;
    if (x.dim() == 1) {
        const int64_t size = x.numel() + std::abs(offset);
        out = zeros({size, size}, x.dtype());
        {
            GradMode off(false);
            copy_values(diagonal(out, offset, 0, 1), x);
        }
        return recorded<DiagEmbedNode>(std::move(out), x, offset);
    }
    {
        GradMode off(false);
        out = clone(diagonal(x, offset, 0, 1));
    }
    return recorded<DiagonalCopyNode>(std::move(out), x, x.sizes(), offset);
}

Tensor tile(const Tensor& x, const Dims& dims) {
    Dims repeats = dims;
    while (repeats.size() < x.dim()) repeats.insert(0, 1);
    return repeat(x, repeats);
}

}  // namespace tapegrad
