#include "ops/arranging.h"

#include <algorithm>
#include <array>

#include "core/checked.h"
#include "core/error.h"
#include "ops/copy.h"
#include "ops/index_select.h"
#include "ops/joining.h"
#include "ops/rearranging.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/split.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

TAPEGRAD_WORD(rot90)

// ------------------------------------------------------------------------------------- stacks

Tensor atleast_2d(const Tensor& x) {
    if (x.dim() == 0) return reshape(x, {1, 1});
    return x.dim() == 1 ? unsqueeze(x, 0) : x;
}

Tensor atleast_3d(const Tensor& x) {
    if (x.dim() == 0) return reshape(x, {1, 1, 1});
    if (x.dim() == 1) return unsqueeze(unsqueeze(x, 0), -1);
    return x.dim() == 2 ? unsqueeze(x, -1) : x;
}

namespace {

std::vector<Tensor> each(const std::vector<Tensor>& tensors, Tensor (*f)(const Tensor&),
                         const char* name) {
    if (tensors.empty()) fail(name, " expects a non-empty TensorList");
    std::vector<Tensor> results;
    for (const Tensor& x : tensors) results.push_back(f(x));
    return results;
}

}  // namespace

Tensor hstack(const std::vector<Tensor>& tensors) {
    const std::vector<Tensor> parts = each(tensors, atleast_1d, "hstack");
    return cat(parts, parts[0].dim() == 1 ? 0 : 1);
}
Tensor vstack(const std::vector<Tensor>& tensors) {
    return cat(each(tensors, atleast_2d, "vstack"), 0);
}
Tensor dstack(const std::vector<Tensor>& tensors) {
    return cat(each(tensors, atleast_3d, "dstack"), 2);
}
Tensor column_stack(const std::vector<Tensor>& tensors) {
    const auto column = [](const Tensor& x) {
        return x.dim() < 2 ? reshape(x, {x.numel(), 1}) : x;
    };
    return hstack(each(tensors, column, "column_stack"));
}

// ------------------------------------------------------------------------------------- splits

// Every part takes memory, of which a number could ask for more than there is.
constexpr int64_t kMostParts = 1 << 24;

std::vector<Tensor> tensor_split_at(const Tensor& x, const Dims& indices, int64_t dim) {
    if (x.dim() == 0)
        fail("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
    const int at = wrap_dim(dim, x.dim());
    std::vector<Tensor> parts;
    int64_t start = 0;
    for (int64_t index : indices) {
        parts.push_back(slice(x, at, start, index, 1));
        start = index;
    }
    parts.push_back(slice(x, at, start, x.sizes()[at], 1));
    return parts;
}

std::vector<Tensor> tensor_split_into(const Tensor& x, int64_t sections, int64_t dim) {
    if (x.dim() == 0)
        fail("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
    const int at = wrap_dim(dim, x.dim());
    if (sections <= 0) fail("number of sections must be larger than 0, got ", sections);
    if (sections > kMostParts) fail("a tensor can't be split into ", sections, " parts");
    const int64_t size = x.sizes()[at], longer = size % sections;
    std::vector<Tensor> parts;
    int64_t start = 0;
    for (int64_t i = 0; i < sections; ++i) {
        const int64_t end = start + size / sections + (i < longer ? 1 : 0);
        parts.push_back(slice(x, at, start, end, 1));
        start = end;
    }
    return parts;
}

std::vector<Tensor> tensor_split_by(const Tensor& x, const Tensor& split, int64_t dim) {
    if (split.dtype() != DType::Int64)
        fail("tensor_split expected tensor_indices_or_sections to have dtype of long, but got ",
             scalar_type_name(split.dtype()));
    if (split.dim() > 1)
        fail(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
            "one-dimensional tensor, but got a tensor with ",
            split.dim(), " dims");
    refuse_replay(kShapeOfValues);
    const Tensor values = contiguous_values(split);
    const auto* numbers = values.data<int64_t>();
    if (split.dim() == 0) return tensor_split_into(x, *numbers, dim);
    check_part_count(split.numel());
    return tensor_split_at(x, Dims(numbers, static_cast<int>(split.numel())), dim);
}

namespace {

// The dimension of the split.
int split_dim(SplitAxis axis, const Tensor& x) {
    static constexpr std::array names{"tapegrad.hsplit", "tapegrad.vsplit", "tapegrad.dsplit"};
    const int least = static_cast<int>(axis) + 1;
    if (x.dim() < least)
        fail(names[static_cast<size_t>(axis)], " requires a tensor with at least ", least,
             " dimension, but got a tensor with ", x.dim(), " dimensions!");
    switch (axis) {
        case SplitAxis::Horizontal: return x.dim() == 1 ? 0 : 1;
        case SplitAxis::Vertical: return 0;
        default: return 2;
    }
}

}  // namespace

std::vector<Tensor> axis_split_into(SplitAxis axis, const Tensor& x, int64_t sections) {
    static constexpr std::array names{"tapegrad.hsplit", "tapegrad.vsplit", "tapegrad.dsplit"};
    const int dim = split_dim(axis, x);
    if (sections == 0 || x.sizes()[dim] % sections != 0)
        fail(names[static_cast<size_t>(axis)], " attempted to split along dimension ", dim,
             ", but the size of the dimension ", x.sizes()[dim],
             " is not divisible by the split_size ", sections, "!");
    return tensor_split_into(x, sections, dim);
}

std::vector<Tensor> axis_split_at(SplitAxis axis, const Tensor& x, const Dims& indices) {
    return tensor_split_at(x, indices, split_dim(axis, x));
}

// ------------------------------------------------------------------------------------- grids

void from_text(std::string_view text, Indexing& indexing) {
    if (text == "ij") indexing = Indexing::Matrix;
    else if (text == "xy") indexing = Indexing::Cartesian;
    else
        fail("tapegrad.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: ",
             std::string(text));
}

namespace {

std::vector<Tensor> grids(std::vector<Tensor> tensors, Indexing indexing) {
    if (tensors.empty()) fail("meshgrid expects a non-empty TensorList");
    const bool swapped = indexing == Indexing::Cartesian && tensors.size() >= 2;
    Dims shape;
    for (const Tensor& x : tensors) {
        if (x.dim() > 1)
            fail("tapegrad.meshgrid: Expected 0D or 1D tensor in the tensor list but got: ",
                 to_string(x.sizes()));
        if (x.dtype() != tensors[0].dtype())
            fail("meshgrid expects all tensors to have the same dtype");
    }
    if (swapped) std::swap(tensors[0], tensors[1]);
    for (const Tensor& x : tensors) shape.push_back(x.numel());
    std::vector<Tensor> results;
    for (int i = 0; i < shape.size(); ++i) {
        Dims one(shape.size(), 1);
        one[i] = shape[i];
        results.push_back(expand(view(tensors[static_cast<size_t>(i)], one), shape));
    }
    if (swapped) std::swap(results[0], results[1]);
    return results;
}

void require_vector(const Tensor& x) {
    if (x.dim() != 1) fail("Expect a 1D vector, but got shape ", to_string(x.sizes()));
}

}  // namespace

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, std::optional<Indexing> indexing) {
    if (!indexing)
        warn(
            "tapegrad.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.");
    return grids(tensors, indexing.value_or(Indexing::Matrix));
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
    for (const Tensor& x : tensors) require_vector(x);
    if (tensors.size() == 1) return tensors[0];
    std::vector<Tensor> columns = grids(tensors, Indexing::Matrix);
    for (Tensor& column : columns) column = flatten(column, 0, -1);
    return stack(columns, 1);
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
    require_vector(x);
    if (r < 0) fail("Expect a non-negative number, but got ", r);
    if (r == 0) return empty({0}, x.dtype());
    const int64_t n = x.numel();
    // One more element for each repetition that is allowed.
    const int64_t pool = with_replacement && n > 0 ? checked_add(n, r - 1) : n;
    // A binomial coefficient, that of what is chosen or of what is left; so is what each step gives.
    int64_t count = r > pool ? 0 : 1;
    const int64_t steps = std::min(r, pool - r);
    for (int64_t i = 1; i <= steps; ++i) {
        const int64_t factor = pool - steps + i;
        count = checked_add(checked_mul(count / i, factor), checked_mul(count % i, factor) / i);
    }
    const Tensor index = empty({r, count}, DType::Int64);
    launch(
        [=](int64_t* to) {
            std::vector<int64_t> at(static_cast<size_t>(count ? r : 0));
            for (size_t i = 0; i < at.size(); ++i)
                at[i] = with_replacement ? 0 : static_cast<int64_t>(i);
            for (int64_t k = 0; k < count; ++k) {
                for (int64_t i = 0; i < r; ++i) to[i * count + k] = at[static_cast<size_t>(i)];
                // The last place that can go on does, and those after it follow as close as they may.
                int64_t i = r - 1;
                while (i >= 0 &&
                       at[static_cast<size_t>(i)] == (with_replacement ? n - 1 : n - r + i))
                    --i;
                if (i < 0) break;
                int64_t value = ++at[static_cast<size_t>(i)];
                while (++i < r) at[static_cast<size_t>(i)] = with_replacement ? value : ++value;
            }
        },
        index.data<int64_t>());
    return transpose(reshape(index_select(x, 0, reshape(index, {-1})), {r, count}), 0, 1);
}

// ------------------------------------------------------------------------------------- turns

namespace {

// The quarter turns, counted from 0.
Tensor turned(const Tensor& x, int64_t k, int64_t from, int64_t to) {
    const GradMode off(false);
    switch (k) {
        case 1: return clone(transpose(flip(x, {to}), from, to));
        case 2: return flip(x, {from, to});
        case 3: return clone(transpose(flip(x, {from}), from, to));
        default: return clone(x);
    }
}

struct Rot90 {
    static constexpr auto node = "Rot90Backward0";
    int64_t k;
    Dims dims;
    auto backward(auto g, auto, auto) const { return rot90(g, -k, dims); }
    auto forward(auto t, auto, auto) const { return rot90(t, k, dims); }
    void parameters(auto show) const { show("k", k, "dims", dims); }
};

}  // namespace

Tensor rot90(const Tensor& x, int64_t k, const Dims& dims) {
    if (dims.size() != 2) fail("expected total rotation dims == 2, but got dims = ", dims.size());
    if (x.dim() < 2) fail("expected total dims >= 2, but got total dims = ", x.dim());
    const int from = wrap_dim(dims[0], x.dim()), to = wrap_dim(dims[1], x.dim());
    if (from == to)
        fail("expected rotation dims to be different, but got dim0 = ", dims[0],
             " and dim1 = ", dims[1]);
    const int64_t turns = (k % 4 + 4) % 4;
    return recorded(turned(x, turns, from, to), Rot90{turns, {from, to}}, x);
}

Tensor fliplr(const Tensor& x) {
    if (x.dim() < 2) fail("Input must be >= 2-d.");
    return flip(x, {1});
}
Tensor flipud(const Tensor& x) {
    if (x.dim() < 1) fail("Input must be >= 1-d.");
    return flip(x, {0});
}

}  // namespace tapegrad
