#include "ops/views.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/record.h"
#include "ops/reductions.h"

namespace tapegrad {
namespace {

// What a node shows under its _saved_* names, where that is not just the sizes of its input.
struct SavedNames {
    const char* node;
    bool sizes;
    const char* numbers[4];
};
constexpr SavedNames kSavedNames[] = {
    {"AliasBackward0", false, {}},
    {"DiagonalBackward0", true, {"offset", "dim1", "dim2"}},
    {"PermuteBackward0", false, {}},
    {"SelectBackward0", true, {"dim", "index"}},
    {"SliceBackward0", true, {"dim", "start", "end", "step"}},
    {"SqueezeBackward1", true, {"dim"}},
    {"TBackward0", false, {}},
    {"TransposeBackward0", false, {"dim0", "dim1"}},
    {"UnsqueezeBackward0", false, {"dim"}},
};

// The derivative of most views is another operator on the gradient.
class ViewNode final : public Node {
public:
    using Rule = Tensor (*)(const Tensor& grad, const ViewNode& node);
    ViewNode(const char* name, Rule rule, Dims sizes, Dims dims = {}, int64_t a = 0, int64_t b = 0,
             int64_t c = 0, int64_t d = 0)
        : input_sizes(std::move(sizes)),
          dims(std::move(dims)),
          numbers{a, b, c, d},
          name_(name),
          rule_(rule) {}

    const char* name() const noexcept override { return name_; }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = rule_(grads[0], *this);
    }
    void visit_saved(SavedVisitor& visitor) const override {
        const auto* names =
            std::find_if(std::begin(kSavedNames), std::end(kSavedNames),
                         [&](const SavedNames& entry) { return !std::strcmp(entry.node, name_); });
        const bool known = names != std::end(kSavedNames);
        if (!known || names->sizes) visitor.dims("self_sym_sizes", input_sizes);
        for (int i = 0; known && i < 4 && names->numbers[i]; ++i)
            visitor.integer(names->numbers[i], numbers[i]);
        if (!dims.empty()) visitor.dims("dims", inverse(dims));
    }

    const Dims input_sizes;
    const Dims dims;  // of a permutation: the inverse one
    const int64_t numbers[4];

private:
    static Dims inverse(const Dims& permutation) {
        Dims result(permutation.size());
        for (int i = 0; i < permutation.size(); ++i) result[static_cast<int>(permutation[i])] = i;
        return result;
    }

    const char* name_;
    Rule rule_;
};

template <class... Args>
Tensor record_view(const Tensor& base, Tensor view, const char* name, ViewNode::Rule rule,
                   Args&&... args) {
    if (recording(base)) {
        Ref<Node> node(new ViewNode(name, rule, base.sizes(), std::forward<Args>(args)...));
        node->add_edge(gradient_edge(base));
        set_history(view, node);
    }
    mark_view(view, base);
    return view;
}

// A gradient that is zero outside of a window of it.
Tensor window_gradient(const Tensor& grad, const Dims& sizes,
                       Tensor (*window)(const Tensor&, const ViewNode&), const ViewNode& node) {
    Tensor result = zeros(sizes, grad.dtype());
    copy_(window(result, node), grad);
    return result;
}

}  // namespace

// ---------------------------------------------------------------------------- as_strided

namespace {

// Where sizes, strides and offset put a window. For gradients with respect to a base that is not
// contiguous the same addresses are used in memory of the base's own layout.
struct Geometry {
    Dims sizes, strides;
    int64_t offset;
};

// A zero tensor with the layout of a tensor of the given geometry.
Tensor zeros_with_layout(const Dims& sizes, const Dims& strides, DType dtype) {
    Tensor result = empty_strided(sizes, strides, dtype);
    fill_values(result, 0);
    return result;
}

class AsStridedNode final : public Node {
public:
    AsStridedNode(const Tensor& base, const Tensor& view)
        : base_{base.sizes(), base.strides(), base.storage_offset()},
          view_{view.sizes(), view.strides(), view.storage_offset()} {}

    const char* name() const noexcept override { return "AsStridedBackward0"; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.dims("size", view_.sizes);
        visitor.dims("stride", view_.strides);
        visitor.integer("storage_offset", view_.offset);
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor& grad = grads[0];
        // The base's extent in memory, flat; both windows are laid on it.
        int64_t extent = 1, view_extent = 1;
        for (int i = 0; i < base_.sizes.size(); ++i)
            extent += std::max<int64_t>(base_.sizes[i] - 1, 0) * base_.strides[i];
        for (int i = 0; i < view_.sizes.size(); ++i)
            view_extent += std::max<int64_t>(view_.sizes[i] - 1, 0) * view_.strides[i];
        const int64_t first = std::min(base_.offset, view_.offset);
        extent = std::max(extent + base_.offset, view_extent + view_.offset) - first;
        Tensor memory = zeros({extent}, grad.dtype());
        if (overlaps_itself(view_, memory, first))
            memory = collect(memory, view_, first, grad);  // elements that it shows several times
        else copy_(as_strided(memory, view_.sizes, view_.strides, view_.offset - first), grad);
        // An element that the base shows several times divides its gradient among the places.
        if (overlaps_itself(base_, memory, first)) {
            const Tensor nothing = zeros_like(memory);
            memory = binary(Binary::Div, memory,
                            collect(nothing, base_, first, full(base_.sizes, 1, grad.dtype())));
        }
        inputs[0] = as_strided(memory, base_.sizes, base_.strides, base_.offset - first);
    }

private:
    static bool overlaps_itself(const Geometry& window, const Tensor& memory, int64_t first) {
        return has_internal_overlap(
            alias(memory, window.sizes, window.strides, window.offset - first));
    }
    // memory plus what a window on it shows.
    static Tensor collect(const Tensor& memory, const Geometry& window, int64_t first,
                          const Tensor& shown) {
        Tensor positions = empty({memory.numel()}, DType::Int64);
        for (int64_t i = 0; i < memory.numel(); ++i) positions.data<int64_t>()[i] = i;
        const Tensor indices = contiguous_values(
            alias(positions, window.sizes, window.strides, window.offset - first));
        return index_add(memory, reshape(indices, {-1}), reshape(shown, {-1}));
    }
    static Tensor index_add(const Tensor& memory, const Tensor& indices, const Tensor& values);

    const Geometry base_, view_;
};

}  // namespace

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides,
                  std::optional<int64_t> storage_offset) {
    if (sizes.size() != strides.size()) fail("mismatch in length of strides and shape");
    const int64_t offset = storage_offset.value_or(x.storage_offset());
    int64_t extent = offset + 1;
    bool is_empty = false;
    for (int i = 0; i < sizes.size(); ++i) {
        if (strides[i] < 0)
            fail("as_strided: Negative strides are not supported at the moment, got strides: ",
                 to_string(strides));
        if (sizes[i] < 0)
            fail("Trying to create tensor with negative dimension ", sizes[i], ": ",
                 to_string(sizes));
        is_empty |= sizes[i] == 0;
        extent += (sizes[i] - 1) * strides[i];
    }
    if (offset < 0) fail("Tensor: invalid storage offset ", offset);
    if (!is_empty &&
        extent * static_cast<int64_t>(x.item_size()) > static_cast<int64_t>(x.storage()->bytes()))
        fail("setStorage: sizes ", to_string(sizes), ", strides ", to_string(strides),
             ", storage offset ", offset, ", and itemsize ", x.item_size(),
             " requiring a storage size of ", extent * static_cast<int64_t>(x.item_size()),
             " are out of bounds for storage of size ", x.storage()->bytes());
    Tensor view = alias(x, sizes, strides, offset - x.storage_offset());
    if (recording(x)) {
        Ref<Node> node(new AsStridedNode(x, view));
        node->add_edge(gradient_edge(x));
        set_history(view, node);
    }
    mark_view(view, x);
    return view;
}

// -------------------------------------------------------------------------------- simple views

namespace {

Tensor permuted_alias(const Tensor& x, const Dims& dims) {
    Dims sizes(x.dim()), strides(x.dim());
    for (int i = 0; i < x.dim(); ++i) {
        sizes[i] = x.sizes()[static_cast<int>(dims[i])];
        strides[i] = x.strides()[static_cast<int>(dims[i])];
    }
    return alias(x, sizes, strides, 0);
}

Tensor transposed(const Tensor& x, int a, int b, const char* name) {
    Dims sizes = x.sizes(), strides = x.strides();
    if (x.dim() > 0) {
        std::swap(sizes[a], sizes[b]);
        std::swap(strides[a], strides[b]);
    }
    return record_view(
        x, alias(x, sizes, strides, 0), name,
        [](const Tensor& grad, const ViewNode& node) {
            return grad.dim() ? transpose(grad, node.numbers[0], node.numbers[1]) : grad;
        },
        Dims(), a, b);
}

}  // namespace

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
    return transposed(x, wrap_dim(dim0, x.dim()), wrap_dim(dim1, x.dim()), "TransposeBackward0");
}

Tensor t(const Tensor& x) {
    if (x.dim() > 2) fail("t() expects a tensor with <= 2 dimensions, but self is ", x.dim(), "D");
    return x.dim() < 2 ? transposed(x, 0, 0, "TBackward0") : transposed(x, 0, 1, "TBackward0");
}

Tensor matrix_transpose(const Tensor& x) {
    if (x.dim() < 2)
        fail("tensor.mT is only supported on matrices or batches of matrices. Got ", x.dim(),
             "-D tensor.");
    return transpose(x, -2, -1);
}

Tensor reversed(const Tensor& x) {
    Dims dims(x.dim());
    for (int i = 0; i < x.dim(); ++i) dims[i] = x.dim() - 1 - i;
    return permute(x, dims);
}

Tensor permute(const Tensor& x, const Dims& dims) {
    if (dims.size() != x.dim())
        fail(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the desired ordering of dimensions i.e. input.dim() = ",
            x.dim(), " is not equal to len(dims) = ", dims.size());
    Dims order(x.dim()), inverse(x.dim());
    uint64_t seen = 0;
    for (int i = 0; i < x.dim(); ++i) {
        order[i] = wrap_dim(dims[i], x.dim());
        if (seen >> order[i] & 1) fail("permute(): duplicate dims are not allowed.");
        seen |= uint64_t{1} << order[i];
        inverse[static_cast<int>(order[i])] = i;
    }
    return record_view(
        x, permuted_alias(x, order), "PermuteBackward0",
        [](const Tensor& grad, const ViewNode& node) { return permute(grad, node.dims); }, inverse);
}

Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
    if (source.size() != destination.size())
        fail("movedim: Invalid source or destination dims: source (", to_string(source),
             " dims) should contain the same number of dims as destination (",
             to_string(destination), " dims)");
    Dims order(x.dim(), -1);
    std::vector<bool> taken(static_cast<size_t>(x.dim()));
    for (int i = 0; i < source.size(); ++i) {
        const int from = wrap_dim(source[i], x.dim()), to = wrap_dim(destination[i], x.dim());
        if (taken[static_cast<size_t>(from)])
            fail("movedim: repeated dim in `source` (", to_string(source), ")");
        if (order[to] >= 0)
            fail("movedim: repeated dim in `destination` (", to_string(destination), ")");
        order[to] = from;
        taken[static_cast<size_t>(from)] = true;
    }
    int next = 0;
    for (int i = 0; i < x.dim(); ++i) {
        if (order[i] >= 0) continue;
        while (taken[static_cast<size_t>(next)]) ++next;
        order[i] = next++;
    }
    return permute(x, order);
}

namespace {

// sizes with -1 replaced by what remains.
Dims infer_sizes(const Dims& sizes, int64_t numel) {
    int64_t known = 1;
    int unknown = -1;
    for (int i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == -1) {
            if (unknown >= 0) fail("only one dimension can be inferred");
            unknown = i;
        } else if (sizes[i] < 0) {
            fail("invalid shape dimension ", sizes[i], " at index ", i, " of shape ",
                 to_string(sizes));
        } else if (__builtin_mul_overflow(known, sizes[i], &known)) {
            fail("shape '", to_string(sizes), "' is invalid for input of size ", numel);
        }
    }
    Dims result = sizes;
    if (unknown >= 0) {
        if (known == 0 && numel == 0)
            fail("cannot reshape tensor of 0 elements into shape ", to_string(sizes),
                 " because the unspecified dimension size -1 can be any value and is ambiguous");
        if (known == 0 || numel % known)
            fail("shape '", to_string(sizes), "' is invalid for input of size ", numel);
        result[unknown] = numel / known;
    } else if (known != numel) {
        fail("shape '", to_string(sizes), "' is invalid for input of size ", numel);
    }
    return result;
}

// Strides that give x's elements the new shape without moving them; false where there are none.
bool view_strides(const Tensor& x, const Dims& sizes, Dims& strides) {
    if (x.is_contiguous() || x.numel() == 0) {
        strides = contiguous_strides(sizes);
        return true;
    }
    strides.resize(sizes.size());
    int at = sizes.size() - 1;
    int64_t chunk_stride = x.strides()[x.dim() - 1], old_count = 1, new_count = 1;
    for (int i = x.dim() - 1; i >= 0; --i) {
        old_count *= x.sizes()[i];
        // A run of dimensions that lie evenly in memory ends where the next stride does not continue it.
        if (i == 0 || (x.sizes()[i - 1] != 1 && x.strides()[i - 1] != old_count * chunk_stride)) {
            while (at >= 0 && (new_count < old_count || sizes[at] == 1)) {
                strides[at] = new_count * chunk_stride;
                new_count *= sizes[at--];
            }
            if (new_count != old_count) return false;
            if (i > 0) {
                chunk_stride = x.strides()[i - 1];
                old_count = new_count = 1;
            }
        }
    }
    return at < 0;
}

Tensor reshape_gradient(const Tensor& grad, const ViewNode& node) {
    return reshape(grad, node.input_sizes);
}

Tensor make_view(const Tensor& x, const Dims& sizes, const Dims& strides,
                 const char* name = "ViewBackward0") {
    return record_view(x, alias(x, sizes, strides, 0), name, reshape_gradient);
}

}  // namespace

Tensor view(const Tensor& x, const Dims& sizes) {
    const Dims inferred = infer_sizes(sizes, x.numel());
    Dims strides;
    if (!view_strides(x, inferred, strides))
        fail(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead.");
    return make_view(x, inferred, strides);
}

namespace {

class UnsafeViewNode final : public Node {
public:
    explicit UnsafeViewNode(Dims sizes) : sizes_(std::move(sizes)) {}
    const char* name() const noexcept override { return "UnsafeViewBackward0"; }
    void backward(GradList& grads, TensorList& inputs) override {
        inputs[0] = reshape(grads[0], sizes_);
    }

private:
    Dims sizes_;
};

}  // namespace

Tensor reshape(const Tensor& x, const Dims& sizes) {
    const Dims inferred = infer_sizes(sizes, x.numel());
    Dims strides;
    if (view_strides(x, inferred, strides))
        return make_view(x, inferred, strides,
                         x.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0");
    // The copy belongs to nobody else, so its reshaping is no view that a user could write through.
    const Tensor copy = contiguous_clone(x);
    Tensor result = alias(copy, inferred, contiguous_strides(inferred), 0);
    if (recording(copy)) {
        Ref<Node> node(new UnsafeViewNode(x.sizes()));
        node->add_edge(gradient_edge(copy));
        set_history(result, node);
    }
    return result;
}

Tensor flatten(const Tensor& x, int64_t start, int64_t end) {
    const int first = wrap_dim(start, x.dim()), last = wrap_dim(end, x.dim());
    if (first > last) fail("flatten() has invalid args: start_dim cannot come after end_dim");
    if (x.dim() == 0) return reshape(x, {1});
    if (first == last) return x;
    Dims sizes;
    int64_t merged = 1;
    for (int i = first; i <= last; ++i) merged *= x.sizes()[i];
    for (int i = 0; i < first; ++i) sizes.push_back(x.sizes()[i]);
    sizes.push_back(merged);
    for (int i = last + 1; i < x.dim(); ++i) sizes.push_back(x.sizes()[i]);
    return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes) {
    const int at = wrap_dim(dim, x.dim());
    if (sizes.empty()) fail("unflatten: sizes must be non-empty");
    int64_t known = 1;
    for (int64_t size : sizes) known *= size == -1 ? 1 : size;
    Dims shape;
    for (int i = 0; i < x.dim(); ++i) {
        if (i != at) {
            shape.push_back(x.sizes()[i]);
            continue;
        }
        bool inferred = false;
        for (int64_t size : sizes) inferred |= size == -1;
        if (inferred ? known == 0 || x.sizes()[i] % known : known != x.sizes()[i])
            fail("unflatten: Provided sizes ", to_string(sizes),
                 " don't multiply up to the size of dim ", at, " (", x.sizes()[i],
                 ") in the input tensor");
        for (int64_t size : sizes) shape.push_back(size == -1 ? x.sizes()[i] / known : size);
    }
    return view(x, shape);
}

Tensor expand(const Tensor& x, const Dims& sizes) {
    if (sizes.size() < x.dim())
        fail("expand(tapegrad.", scalar_type_name(x.dtype()), "Tensor{", to_string(x.sizes()),
             "}, size=", to_string(sizes), "): the number of sizes provided (", sizes.size(),
             ") must be greater or equal to the number of dimensions in the tensor (", x.dim(),
             ")");
    const int lead = sizes.size() - x.dim();
    Dims result = sizes, strides(sizes.size(), 0);
    for (int i = 0; i < sizes.size(); ++i) {
        if (i < lead) {
            if (sizes[i] < 0)
                fail("The expanded size of the tensor (", sizes[i],
                     ") isn't allowed in a leading, non-existing dimension ", i);
            continue;
        }
        const int64_t own = x.sizes()[i - lead];
        if (sizes[i] == -1) result[i] = own;
        if (result[i] != own && own != 1)
            fail("The expanded size of the tensor (", sizes[i], ") must match the existing size (",
                 own, ") at non-singleton dimension ", i, ".  Target sizes: ", to_string(sizes),
                 ".  Tensor sizes: ", to_string(x.sizes()));
        if (result[i] < 0) fail("invalid size ", result[i], " in expand at dimension ", i);
        strides[i] = own == result[i] ? x.strides()[i - lead] : 0;
    }
    return record_view(
        x, alias(x, result, strides, 0), "ExpandBackward0",
        [](const Tensor& grad, const ViewNode& node) { return sum_to(grad, node.input_sizes); });
}

namespace {

Tensor squeezed(const Tensor& x, uint64_t mask, const char* name, int64_t dim = 0) {
    Dims sizes, strides;
    for (int i = 0; i < x.dim(); ++i) {
        if ((mask >> i & 1) && x.sizes()[i] == 1) continue;
        sizes.push_back(x.sizes()[i]);
        strides.push_back(x.strides()[i]);
    }
    return record_view(x, alias(x, sizes, strides, 0), name, reshape_gradient, Dims(), dim);
}

}  // namespace

Tensor squeeze(const Tensor& x) { return squeezed(x, ~uint64_t{0}, "SqueezeBackward0"); }
Tensor squeeze(const Tensor& x, const Dims& dims) {
    const uint64_t mask = wrap_dims(dims, x.dim());
    if (dims.size() == 1) return squeezed(x, mask, "SqueezeBackward1", wrap_dim(dims[0], x.dim()));
    return squeezed(x, mask, "SqueezeBackward2");
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
    const int at = wrap_dim(dim, x.dim() + 1);
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t stride = at < x.dim() ? sizes[at] * strides[at] : 1;
    sizes.insert(at, 1);
    strides.insert(at, stride);
    return record_view(
        x, alias(x, sizes, strides, 0), "UnsqueezeBackward0",
        [](const Tensor& grad, const ViewNode& node) { return squeeze(grad, {node.numbers[0]}); },
        Dims(), at);
}

namespace {
Tensor select_window(const Tensor& x, const ViewNode& node) {
    return select(x, node.numbers[0], node.numbers[1]);
}
Tensor slice_window(const Tensor& x, const ViewNode& node) {
    return slice(x, node.numbers[0], node.numbers[1], node.numbers[2], node.numbers[3]);
}
Tensor diagonal_window(const Tensor& x, const ViewNode& node) {
    return diagonal(x, node.numbers[0], node.numbers[1], node.numbers[2]);
}
template <Tensor (*Window)(const Tensor&, const ViewNode&)>
Tensor pad_gradient(const Tensor& grad, const ViewNode& node) {
    return window_gradient(grad, node.input_sizes, Window, node);
}
}  // namespace

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
    if (x.dim() == 0) fail<IndexError>("select() cannot be applied to a 0-dim tensor.");
    const int at = wrap_dim(dim, x.dim());
    const int64_t size = x.sizes()[at];
    if (index < -size || index >= size)
        fail<IndexError>("index ", index, " is out of bounds for dimension ", at, " with size ",
                         size);
    if (index < 0) index += size;
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t offset = index * strides[at];
    sizes.erase(at);
    strides.erase(at);
    return record_view(x, alias(x, sizes, strides, offset), "SelectBackward0",
                       pad_gradient<select_window>, Dims(), at, index);
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
    if (x.dim() == 0) fail<IndexError>("slice() cannot be applied to a 0-dim tensor.");
    const int at = wrap_dim(dim, x.dim());
    if (step <= 0) fail<ValueError>("step must be greater than zero");
    const int64_t size = x.sizes()[at];
    auto clip = [&](int64_t value) {
        return std::clamp<int64_t>(value < 0 ? value + size : value, 0, size);
    };
    start = clip(start);
    end = std::max(clip(end), start);
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t offset = start * strides[at];
    sizes[at] = (end - start + step - 1) / step;
    strides[at] *= step;
    return record_view(x, alias(x, sizes, strides, offset), "SliceBackward0",
                       pad_gradient<slice_window>, Dims(), at, start, end, step);
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
    if (x.dim() == 0) fail("narrow() cannot be applied to a 0-dim tensor.");
    if (length < 0) fail("narrow(): length must be non-negative.");
    const int64_t size = x.size(dim);
    if (start < -size || start > size)
        fail<IndexError>("start out of range (expected to be in range of [", -size, ", ", size,
                         "], but got ", start, ")");
    if (start < 0) start += size;
    if (start > size - length)
        fail("start (", start, ") + length (", length, ") exceeds dimension size (", size, ").");
    return slice(x, dim, start, start + length, 1);
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
    const int a = wrap_dim(dim1, x.dim(), false), b = wrap_dim(dim2, x.dim(), false);
    if (a == b) fail("diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const int64_t rows = x.sizes()[a] - std::max<int64_t>(-offset, 0),
                  columns = x.sizes()[b] - std::max<int64_t>(offset, 0);
    const int64_t count = std::max<int64_t>(std::min(rows, columns), 0);
    const int64_t first = count == 0    ? 0
                          : offset >= 0 ? offset * x.strides()[b]
                                        : -offset * x.strides()[a];
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t stride = strides[a] + strides[b];
    sizes.erase(std::max(a, b));
    strides.erase(std::max(a, b));
    sizes.erase(std::min(a, b));
    strides.erase(std::min(a, b));
    sizes.push_back(count);
    strides.push_back(stride);
    return record_view(x, alias(x, sizes, strides, first), "DiagonalBackward0",
                       pad_gradient<diagonal_window>, Dims(), offset, a, b);
}

Tensor view_alias(const Tensor& x) {
    return record_view(x, alias(x), "AliasBackward0",
                       [](const Tensor& grad, const ViewNode&) { return grad; });
}

Tensor detach(const Tensor& x) {
    Tensor result = alias(x);
    result->inference = x->inference;
    return result;
}

// --------------------------------------------------------------------------------- many at once

namespace {

// One node for all parts; parts that got no gradient count as zero.
class PartsNode final : public Node {
public:
    PartsNode(const char* name, Dims sizes, DType dtype, int dim, bool keeps_dim)
        : name_(name),
          sizes_(std::move(sizes)),
          dtype_(dtype),
          dim_(dim),
          keeps_dim_(keeps_dim) {}
    const char* name() const noexcept override { return name_; }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, dtype_);
        int64_t start = 0;
        for (size_t i = 0; i < grads.size(); ++i) {
            const int64_t size = keeps_dim_ ? results[i].sizes()[dim_] : 1;
            if (grads[i].defined())
                copy_(keeps_dim_ ? slice(result, dim_, start, start + size, 1)
                                 : select(result, dim_, start),
                      grads[i]);
            start += size;
        }
        inputs[0] = std::move(result);
    }

private:
    const char* name_;
    const Dims sizes_;
    const DType dtype_;
    const int dim_;
    const bool keeps_dim_;
};

void record_parts(const Tensor& x, const std::vector<Tensor>& parts, const char* name, int dim,
                  bool keeps_dim) {
    Ref<Node> node;
    if (recording(x)) {
        node = Ref<Node>(new PartsNode(name, x.sizes(), x.dtype(), dim, keeps_dim));
        node->add_edge(gradient_edge(x));
    }
    for (const Tensor& part : parts) {
        if (node) set_history(part, node);
        mark_view(part, x);
        if (AutogradExtra* extra = extra_of(part);
            extra && grad_enabled() && extra->origin != ViewOrigin::Inference)
            extra->origin = ViewOrigin::MultiOutput;
    }
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, const Dims& sizes, int64_t dim, bool equal) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    const int at = wrap_dim(dim, x.dim());
    int64_t total = 0;
    for (int64_t size : sizes) {
        if (size < 0)
            fail(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                "split_sizes=",
                to_string(sizes));
        total += size;
    }
    if (total != x.sizes()[at])
        fail("split_with_sizes expects split_sizes to sum exactly to ", x.sizes()[at],
             " (input tensor's size at dimension ", at,
             "), but got split_sizes=", to_string(sizes));
    std::vector<Tensor> parts;
    int64_t start = 0;
    for (int64_t size : sizes) {
        Dims part_sizes = x.sizes();
        part_sizes[at] = size;
        parts.push_back(alias(x, part_sizes, x.strides(), start * x.strides()[at]));
        start += size;
    }
    record_parts(x, parts, equal ? "SplitBackward0" : "SplitWithSizesBackward0", at, true);
    return parts;
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
    if (x.dim() == 0)
        fail<IndexError>("Dimension specified as ", dim, " but tensor has no dimensions");
    const int at = wrap_dim(dim, x.dim());
    Dims sizes = x.sizes(), strides = x.strides();
    sizes.erase(at);
    strides.erase(at);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < x.sizes()[at]; ++i)
        parts.push_back(alias(x, sizes, strides, i * x.strides()[at]));
    record_parts(x, parts, "UnbindBackward0", at, false);
    return parts;
}

Tensor sum_to(const Tensor& x, const Dims& sizes) {
    if (x.sizes() == sizes) return x;
    const int lead = x.dim() - sizes.size();
    Dims dims;
    for (int i = 0; i < lead; ++i) dims.push_back(i);
    for (int i = lead; i < x.dim(); ++i)
        if (sizes[i - lead] == 1 && x.sizes()[i] != 1) dims.push_back(i);
    const bool only_leading = dims.size() == lead;
    const Tensor result = sum(x, dims, !only_leading, std::nullopt);
    return lead > 0 && !only_leading ? reshape(result, sizes) : result;
}

// ------------------------------------------------------------------- what the tape needs of views

Tensor AsStridedNode::index_add(const Tensor& memory, const Tensor& indices, const Tensor& values) {
    return ::tapegrad::index_add(memory, 0, indices, values);
}

namespace {

// Stands in the base's history for a change that was made through a view: what was written there gets its
// gradient through the node of the writing, the rest passes.
class CopySlices final : public Node {
public:
    CopySlices(const Tensor& base, const Tensor& view, const Ref<Node>& node)
        : base_{base.sizes(), base.strides(), base.storage_offset()},
          view_{view.sizes(), view.strides(), view.storage_offset()},
          node_(node) {
        add_edge(gradient_edge(base));
        // The first input of an in-place operation is the tensor itself: its gradient goes into the base.
        for (size_t i = 1; i < node->edges.size(); ++i) add_edge(node->edges[i]);
    }
    const char* name() const noexcept override { return "CopySlices"; }
    bool accepts_undefined() const noexcept override { return false; }
    void release_saved() override {
        if (node_) node_->release_saved();
        released_ = true;
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (released_) refuse_released();
        Tensor result = zeros_with_layout(base_.sizes, base_.strides, grads[0].dtype());
        copy_(result, grads[0]);
        const Tensor window =
            as_strided(result, view_.sizes, view_.strides, view_.offset - base_.offset);
        GradList slice_grads{contiguous_clone(window)};
        TensorList slice_inputs(node_->edges.size());
        // Whether the overwritten values matter is asked of this node's edges, not of the inner one's.
        node_->backward(slice_grads, slice_inputs);
        if (slice_inputs[0].defined()) copy_(window, slice_inputs[0]);
        else zero_(window);
        if (wants(0)) inputs[0] = std::move(result);
        for (size_t i = 1; i < slice_inputs.size(); ++i) inputs[i] = std::move(slice_inputs[i]);
    }

private:
    const Geometry base_, view_;
    Ref<Node> node_;
    bool released_ = false;
};

}  // namespace

Ref<Node> copy_slices_node(const Tensor& base, const Tensor& view, const Ref<Node>& node) {
    return make_ref<CopySlices>(base, view, node);
}

Ref<Node> as_strided_node(const Tensor& base, const Tensor& view) {
    Ref<Node> node(new AsStridedNode(base, view));
    node->add_edge(gradient_edge(base));
    return node;
}

Tensor sum_to_size(const Tensor& x, const Dims& size) {
    if (!is_expandable_to(size, x.sizes()))
        fail("size {", to_string(size), "} is not expandable to size {", to_string(x.sizes()),
             "}.");
    return sum_to(x, size);
}

}  // namespace tapegrad
