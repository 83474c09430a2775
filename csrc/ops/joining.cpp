#include "ops/joining.h"

#include "core/checked.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/extents.h"
#include "ops/list_rule.h"
#include "ops/offsets.h"
#include "ops/reshape.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- cat and stack

namespace {

// A 1-d tensor without elements joins with anything, as it always did in PyTorch.
bool is_skipped(const Tensor& x) { return x.dim() == 1 && x.numel() == 0; }

// Writes the parts one after the other into out, seen as [outer, row]: part i fills lengths[i] elements of
// each row.
void join_values(const Tensor& out, const std::vector<Tensor>& parts,
                 const std::vector<int64_t>& lengths, int64_t outer) {
    if (out.numel() == 0) return;
    int64_t row = 0, start = 0;
    for (int64_t length : lengths) row += length;
    for (size_t i = 0; i < parts.size(); start += lengths[i++]) {
        const int64_t length = lengths[i];
        if (length == 0) continue;
        const Tensor& part = parts[i];
        if (part.dtype() != out.dtype()) {
            const Tensor flat = alias(contiguous_values(part), {outer, length}, {length, 1}, 0);
            copy_values(alias(out, {outer, length}, {row, 1}, start), flat);
            continue;
        }
        const Tensor source = contiguous_values(part);
        visit_item(out.item_size(), [&]<class T>() {
            launch(
                [outer, row, length](T* to, const T* from) {
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
                },
                out.data<T>() + start, source.data<T>());
        });
    }
}

struct Cat : AlongDim {
    static constexpr auto node = "CatBackward0";
    struct Part {
        int64_t start, size;
        bool skipped;
    };
    std::vector<Part> parts;
    auto backward(auto g, size_t i) const {
        auto part = narrow(g, dim, parts[i].start, parts[i].size);
        return parts[i].skipped ? reshape(part, Dims{0}) : part;
    }
    Tensor forward(const TensorList& tangents, const ResultInfo& result) const {
        std::vector<Tensor> all;
        for (size_t i = 0; i < parts.size(); ++i) {
            Dims sizes = result.sizes();
            sizes[static_cast<int>(dim)] = parts[i].size;
            all.push_back(tangents[i].defined() ? tangents[i] : zeros(sizes, result.dtype));
        }
        return cat(all, dim);
    }
};

struct Stack : AlongDim {
    static constexpr auto node = "StackBackward0";
    auto backward(auto g, size_t i) const { return select(g, dim, static_cast<int64_t>(i)); }
    Tensor forward(const TensorList& tangents, const ResultInfo& result) const {
        Dims sizes = result.sizes();
        sizes.erase(static_cast<int>(dim));
        std::vector<Tensor> all;
        for (const Tensor& t : tangents)
            all.push_back(t.defined() ? t : zeros(sizes, result.dtype));
        return stack(all, dim);
    }
};

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
        sizes[dim] = checked_add(sizes[dim], tensors[i].sizes()[dim]);
    }
    Tensor out = empty(sizes, dtype);
    const Extents e = extents_at(sizes, dim);
    std::vector<int64_t> lengths;
    Cat rule{{dim}, {}};
    int64_t start = 0;
    for (const Tensor& x : tensors) {
        const int64_t size = is_skipped(x) ? 0 : x.sizes()[dim];
        lengths.push_back(saturating_mul(size, e.inner));
        rule.parts.push_back({start, size, is_skipped(x)});
        start += size;
    }
    join_values(out, tensors, lengths, e.outer);
    return recorded_list(std::move(out), std::move(rule), tensors);
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
    sizes.insert(dim, static_cast<int64_t>(tensors.size()));
    Tensor out = empty(sizes, dtype);
    const Extents e = extents_at(sizes, dim);
    join_values(out, tensors, std::vector<int64_t>(tensors.size(), e.inner), e.outer);
    return recorded_list(std::move(out), Stack{dim}, tensors);
}

}  // namespace tapegrad
