#include "ops/views.h"

#include <algorithm>
#include <vector>

#include "core/checked.h"
#include "ops/copy.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"

namespace tapegrad {

Tensor swap_dims(const Tensor& x, int a, int b) {
    if (x.dim() == 0) return alias(x);
    Dims sizes = x.sizes(), strides = x.strides();
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
    return alias(x, sizes, strides, 0);
}

namespace {

Tensor permuted_alias(const Tensor& x, const Dims& dims) {
    Dims sizes(x.dim()), strides(x.dim());
    for (int i = 0; i < x.dim(); ++i) {
        sizes[i] = x.sizes()[static_cast<int>(dims[i])];
        strides[i] = x.strides()[static_cast<int>(dims[i])];
    }
    return alias(x, sizes, strides, 0);
}

Dims inverse(const Dims& permutation) {
    Dims result(permutation.size());
    for (int i = 0; i < permutation.size(); ++i) result[static_cast<int>(permutation[i])] = i;
    return result;
}

struct Transpose {
    static constexpr auto node = "TransposeBackward0";
    int64_t dim0, dim1;
    auto backward(auto g, auto, auto) const { return transpose(g, dim0, dim1); }
    auto forward(auto t, auto, auto) const { return transpose(t, dim0, dim1); }
    void parameters(auto show) const { show("dim0", dim0, "dim1", dim1); }
};

struct T {
    static constexpr auto node = "TBackward0";
    auto backward(auto g, auto, auto) const { return t(g); }
    auto forward(auto t, auto, auto) const { return tapegrad::t(t); }
};

struct TransposeInPlace : Transpose {
    static constexpr auto node = "TransposeBackward1";
};
struct TInPlace : T {
    static constexpr auto node = "TBackward1";
};

Tensor t_window(const Tensor& x, const char* name) {
    if (x.dim() > 2)
        fail(name, "() expects a tensor with <= 2 dimensions, but self is ", x.dim(), "D");
    return x.dim() < 2 ? alias(x) : swap_dims(x, 0, 1);
}

struct Permute {
    static constexpr auto node = "PermuteBackward0";
    Dims dims;
    auto backward(auto g, auto, auto) const { return permute(g, inverse(dims)); }
    auto forward(auto t, auto, auto) const { return permute(t, dims); }
    void parameters(auto show) const { show("dims", dims); }
};

}  // namespace

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
    const int a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
    return recorded_view(swap_dims(x, a, b), Transpose{a, b}, x);
}

const Tensor& transpose_(const Tensor& x, int64_t dim0, int64_t dim1) {
    const InPlace change(x);
    const int a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
    return change.show(swap_dims(x, a, b), TransposeInPlace{{a, b}});
}

Tensor t(const Tensor& x) { return recorded_view(t_window(x, "t"), T{}, x); }
const Tensor& t_(const Tensor& x) { return InPlace(x).show(t_window(x, "t_"), TInPlace{}); }

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
    Dims order;
    for (int64_t dim : dims) {
        const int wrapped = wrap_dim(dim, x.dim());
        if (std::find(order.begin(), order.end(), wrapped) != order.end())
            fail("permute(): duplicate dims are not allowed.");
        order.push_back(wrapped);
    }
    return recorded_view(permuted_alias(x, order), Permute{order}, x);
}

Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
    if (source.size() != destination.size())
        fail("movedim: Invalid source or destination dims: source (", to_string(source),
             " dims) should contain the same number of dims as destination (",
             to_string(destination), " dims)");
    const int places = std::max(x.dim(), 1);  // a 0-d tensor has the dimensions 0 and -1
    Dims order(places, -1);
    std::vector<bool> taken(static_cast<size_t>(places));
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
    order.resize(x.dim());
    return permute(x, order);
}

namespace {
struct Expand {
    static constexpr auto node = "ExpandBackward0";
    auto backward(auto g, auto x, auto) const { return sum_to(g, x.sizes()); }
    auto forward(auto t, auto, auto y) const { return expand(t, y.sizes()); }
};
}  // namespace

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
    return recorded_view(alias(x, result, strides, 0), Expand{}, x);
}

namespace {

// Without those dimensions of size 1 that are chosen.
template <class F> Tensor squeezed(const Tensor& x, F chosen) {
    Dims sizes, strides;
    for (int i = 0; i < x.dim(); ++i) {
        if (x.sizes()[i] == 1 && chosen(i)) continue;
        sizes.push_back(x.sizes()[i]);
        strides.push_back(x.strides()[i]);
    }
    return alias(x, sizes, strides, 0);
}

struct SqueezeOne : Reshaped, AlongDim {};

struct Unsqueeze : AlongDim {
    static constexpr auto node = "UnsqueezeBackward0";
    auto backward(auto g, auto, auto) const { return squeeze(g, Dims{dim}); }
    auto forward(auto t, auto, auto) const { return unsqueeze(t, dim); }
};
struct UnsqueezeInPlace : Unsqueeze {
    static constexpr auto node = "UnsqueezeBackward1";
};

Tensor squeezed(const Tensor& x) {
    return squeezed(x, [](int) { return true; });
}
Tensor squeezed(const Tensor& x, const Dims& dims) {
    const DimSet set = wrap_dims(dims, x.dim());
    return squeezed(x, [set](int i) { return set.contains(i); });
}
Tensor unsqueezed(const Tensor& x, int at) {
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t stride = at < x.dim() ? saturating_mul(sizes[at], strides[at]) : 1;
    sizes.insert(at, 1);
    strides.insert(at, stride);
    return alias(x, sizes, strides, 0);
}

}  // namespace

Tensor squeeze(const Tensor& x) {
    return recorded_view(squeezed(x), Reshaped{"SqueezeBackward0"}, x);
}
Tensor squeeze(const Tensor& x, const Dims& dims) {
    Tensor view = squeezed(x, dims);
    if (dims.size() != 1) return recorded_view(std::move(view), Reshaped{"SqueezeBackward2"}, x);
    return recorded_view(std::move(view),
                         SqueezeOne{{"SqueezeBackward1"}, {wrap_dim(dims[0], x.dim())}}, x);
}

const Tensor& squeeze_(const Tensor& x) {
    return InPlace(x).show(squeezed(x), Reshaped{"SqueezeBackward3"});
}
const Tensor& squeeze_(const Tensor& x, const Dims& dims) {
    const InPlace change(x);
    const Tensor window = squeezed(x, dims);
    if (dims.size() != 1) return change.show(window, Reshaped{"SqueezeBackward5"});
    return change.show(window, SqueezeOne{{"SqueezeBackward4"}, {wrap_dim(dims[0], x.dim())}});
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
    const int at = wrap_dim(dim, x.dim() + 1);
    return recorded_view(unsqueezed(x, at), Unsqueeze{at}, x);
}
const Tensor& unsqueeze_(const Tensor& x, int64_t dim) {
    const InPlace change(x);
    const int at = wrap_dim(dim, x.dim() + 1);
    return change.show(unsqueezed(x, at), UnsqueezeInPlace{{at}});
}

namespace {

// Zeros, but for a window with the gradient of that window.
template <class Window> Tensor zeros_around(const Dims& sizes, const Tensor& grad, Window window) {
    Tensor result = zeros(sizes, grad.dtype());
    copy_(window(result), grad);
    return result;
}
Tensor zeros_select(const Dims& sizes, int64_t dim, int64_t index, const Tensor& g) {
    return zeros_around(sizes, g, [&](const Tensor& x) { return select(x, dim, index); });
}
Tensor zeros_slice(const Dims& sizes, int64_t dim, int64_t start, int64_t end, int64_t step,
                   const Tensor& g) {
    return zeros_around(sizes, g, [&](const Tensor& x) { return slice(x, dim, start, end, step); });
}

TAPEGRAD_WORD(zeros_select)
TAPEGRAD_WORD(zeros_slice)

struct Select {
    static constexpr auto node = "SelectBackward0";
    int64_t dim, index;
    auto backward(auto g, auto x, auto) const { return zeros_select(x.sizes(), dim, index, g); }
    auto forward(auto t, auto, auto) const { return select(t, dim, index); }
    void parameters(auto show) const { show("dim", dim, "index", index); }
};

struct Slice {
    static constexpr auto node = "SliceBackward0";
    int64_t dim, start, end, step;
    auto backward(auto g, auto x, auto) const {
        return zeros_slice(x.sizes(), dim, start, end, step, g);
    }
    auto forward(auto t, auto, auto) const { return slice(t, dim, start, end, step); }
    void parameters(auto show) const { show("dim", dim, "start", start, "end", end, "step", step); }
};

struct Diagonal {
    static constexpr auto node = "DiagonalBackward0";
    int64_t offset, dim1, dim2;
    auto backward(auto g, auto x, auto) const {
        return zeros_diagonal(x.sizes(), offset, dim1, dim2, g);
    }
    auto forward(auto t, auto, auto) const { return diagonal(t, offset, dim1, dim2); }
    void parameters(auto show) const { show("offset", offset, "dim1", dim1, "dim2", dim2); }
};

}  // namespace

Tensor zeros_diagonal(const Dims& sizes, int64_t offset, int64_t dim1, int64_t dim2,
                      const Tensor& g) {
    return zeros_around(sizes, g, [&](const Tensor& x) { return diagonal(x, offset, dim1, dim2); });
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
    if (x.dim() == 0) fail<IndexError>("select() cannot be applied to a 0-dim tensor.");
    const int at = wrap_dim(dim, x.dim());
    const int64_t size = x.sizes()[at];
    if (index < -size || index >= size)
        fail<IndexError>("index ", index, " is out of bounds for dimension ", at, " with size ",
                         size);
    if (index < 0) index += size;
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t offset = saturating_mul(index, strides[at]);
    sizes.erase(at);
    strides.erase(at);
    return recorded_view(alias(x, sizes, strides, offset), Select{at, index}, x);
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
    const int64_t offset = saturating_mul(start, strides[at]);
    sizes[at] = end > start ? (end - start - 1) / step + 1 : 0;
    strides[at] = saturating_mul(strides[at], step);
    return recorded_view(alias(x, sizes, strides, offset), Slice{at, start, end, step}, x);
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
    const int64_t rows = x.sizes()[a] + std::min<int64_t>(offset, 0),
                  columns = x.sizes()[b] - std::max<int64_t>(offset, 0);
    const int64_t count = std::max<int64_t>(std::min(rows, columns), 0);
    const int64_t first = count == 0    ? 0
                          : offset >= 0 ? saturating_mul(offset, x.strides()[b])
                                        : saturating_mul(-offset, x.strides()[a]);
    Dims sizes = x.sizes(), strides = x.strides();
    const int64_t stride = saturating_add(strides[a], strides[b]);
    sizes.erase(std::max(a, b));
    strides.erase(std::max(a, b));
    sizes.erase(std::min(a, b));
    strides.erase(std::min(a, b));
    sizes.push_back(count);
    strides.push_back(stride);
    return recorded_view(alias(x, sizes, strides, first), Diagonal{offset, a, b}, x);
}

namespace {
struct Alias {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "AliasBackward0";
    auto backward(auto g, auto, auto) const { return g; }
};
}  // namespace

Tensor view_alias(const Tensor& x) { return recorded_view(alias(x), Alias{}, x); }

Tensor detach(const Tensor& x) {
    Tensor result = alias(x);
    result->inference = x->inference;
    return result;
}

Tensor sum_to(const Tensor& x, const Dims& sizes) {
    if (x.sizes() == sizes) return x;
    const int lead = x.dim() - sizes.size();
    Dims dims;
    for (int i = 0; i < lead; ++i) dims.push_back(i);
    for (int i = lead; i < x.dim(); ++i)
        if (sizes[i - lead] == 1 && x.sizes()[i] != 1) dims.push_back(i);
    const bool only_leading = dims.size() == lead;
    const Tensor result = sum(x, dims, !only_leading);
    return lead > 0 && !only_leading ? reshape(result, sizes) : result;
}

Tensor sum_to_size(const Tensor& x, const Dims& size) {
    if (!is_expandable_to(size, x.sizes()))
        fail("size {", to_string(size), "} is not expandable to size {", to_string(x.sizes()),
             "}.");
    return size.empty() ? sum(x, {}) : sum_to(x, size);
}

Dims broadcast_shapes(const std::vector<Dims>& shapes) {
    Dims result;
    for (const Dims& shape : shapes)
        for (const int64_t size : shape)
            if (size < 0)
                fail<ValueError>("Attempting to broadcast a dimension with negative length!");
    for (const Dims& shape : shapes) result = broadcast(result, shape);
    return result;
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
    Dims shape;
    for (const Tensor& tensor : tensors) shape = broadcast(shape, tensor.sizes());
    std::vector<Tensor> result;
    for (const Tensor& tensor : tensors) result.push_back(expand(tensor, shape));
    return result;
}

}  // namespace tapegrad
