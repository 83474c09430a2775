#include "ops/indexing.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise_operands.h"
#include "ops/nonzero.h"
#include "ops/offsets.h"
#include "ops/overlap.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

bool is_mask(const Tensor& index) {
    return index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
}

// -------------------------------------------------------------------------- planning an access

namespace {

void check_mask_shape(const Tensor& x, const Tensor& mask, int at) {
    for (int d = 0; d < mask.dim(); ++d)
        if (mask.sizes()[d] != x.sizes()[at + d])
            fail<IndexError>("The shape of the mask ", to_string(mask.sizes()), " at index ", d,
                             " does not match the shape of the indexed tensor ",
                             to_string(x.sizes()), " at index ", at + d);
}

// Checks types and shapes of the indices against x.
void check_indices(const Tensor& x, const std::vector<Tensor>& indices) {
    int used = 0;
    for (const Tensor& index : indices) used += index.defined() && is_mask(index) ? index.dim() : 1;
    if (used > x.dim())
        fail<IndexError>("too many indices for tensor of dimension ", x.dim(), " (got ", used, ")");
    int at = 0;
    for (const Tensor& index : indices) {
        if (!index.defined()) {
            ++at;
        } else if (is_mask(index)) {
            check_mask_shape(x, index, at);
            at += index.dim();
        } else {
            if (index.is_floating() || is_narrow(index.dtype()))
                fail<IndexError>("tensors used as indices must be long, int, byte or bool tensors");
            ++at;
        }
    }
}

// The elements that indices select, as [outer, count, inner]: an element's address is the sum of three
// offsets.
struct Plan {
    Dims result_sizes;
    int64_t outer = 1, count = 1, inner = 1;
    std::vector<int64_t> outer_offsets, inner_offsets;  // no inner ones: the block is contiguous
    bool overlapping = false;                           // one element may have several addresses
    bool nothing = false;                               // is selected: there are no offsets
};
// With the count offsets that the indices give.
struct PlannedAccess {
    Plan plan;
    Tensor selected;
};

bool can_broadcast(const Dims& a, const Dims& b) {
    for (int i = 1; i <= std::min(a.size(), b.size()); ++i) {
        const int64_t x = a[a.size() - i], y = b[b.size() - i];
        if (x != y && x != 1 && y != 1) return false;
    }
    return true;
}

// Adds index * stride to the offsets; raises where an index is out of range.
void add_offsets(int64_t* offsets, const int64_t* index, int64_t count, int64_t size,
                 int64_t stride, bool first, int dim) {
    std::atomic<bool> bad = false;
    parallel_for(count, kIndexGrain, [&](int64_t begin, int64_t end) {
        bool wrong = false;
        for (int64_t i = begin; i < end; ++i) {
            int64_t value = index[i];
            const bool inside = value >= -size && value < size;
            wrong |= !inside;
            value += value < 0 ? size : 0;
            offsets[i] = (first ? 0 : offsets[i]) + (inside ? value : 0) * stride;
        }
        if (wrong) bad = true;
    });
    if (!bad) return;
    if (size == 0) fail<IndexError>("index is out of bounds for dimension with size 0");
    int64_t i = 0;
    while (i < count - 1 && index[i] >= -size && index[i] < size) ++i;
    fail<IndexError>("index ", index[i], " is out of bounds for dimension ", dim, " with size ",
                     size);
}

PlannedAccess make_plan(const Tensor& x, const std::vector<Tensor>& indices) {
    check_indices(x, indices);
    // One integer index, or none, for each dimension.
    std::vector<Tensor> wanted;
    for (const Tensor& index : indices) {
        if (!index.defined()) {
            wanted.emplace_back();
        } else if (is_mask(index)) {
            for (Tensor& coordinate : nonzero_coordinates(index))
                wanted.push_back(std::move(coordinate));
        } else {
            wanted.push_back(cast_values(index, DType::Int64));
        }
    }
    wanted.resize(static_cast<size_t>(x.dim()));

    Dims shape;
    int first = -1, last = -1, indexed = 0;
    std::string shapes;
    bool match = true;
    for (int d = 0; d < x.dim(); ++d) {
        const Tensor& index = wanted[static_cast<size_t>(d)];
        if (!index.defined()) continue;
        if (first < 0) first = d;
        last = d;
        ++indexed;
        match = match && can_broadcast(shape, index.sizes());
        if (match) shape = broadcast(shape, index.sizes());
    }
    if (!match) {
        for (const Tensor& index : wanted)
            if (index.defined()) shapes += (shapes.empty() ? "" : ", ") + to_string(index.sizes());
        fail<IndexError>(
            "shape mismatch: indexing tensors could not be broadcast together with shapes ",
            shapes);
    }
    // The dimensions of the indices stand where the indices are if these are neighbours, else in front.
    const bool adjacent = last - first + 1 == indexed && indexed > 0;
    Plan plan;
    Dims outer_sizes, outer_strides, inner_sizes, inner_strides;
    for (int d = 0; d < x.dim(); ++d) {
        if (wanted[static_cast<size_t>(d)].defined()) continue;
        const bool before = adjacent && d < first;
        (before ? outer_sizes : inner_sizes).push_back(x.sizes()[d]);
        (before ? outer_strides : inner_strides).push_back(x.strides()[d]);
    }
    plan.result_sizes = outer_sizes;
    for (int64_t size : shape) plan.result_sizes.push_back(size);
    for (int64_t size : inner_sizes) plan.result_sizes.push_back(size);
    plan.nothing = element_count(plan.result_sizes) == 0;
    plan.outer = element_count(outer_sizes);
    plan.count = element_count(shape);
    plan.inner = element_count(inner_sizes);
    const Tensor selected = empty({plan.count}, DType::Int64);
    if (indexed == 0) fill_values(selected, 0);
    bool fresh = true;
    for (int d = 0; d < x.dim(); ++d) {
        const Tensor& index = wanted[static_cast<size_t>(d)];
        if (!index.defined()) continue;
        // Where nothing is selected anyway only an index into nothing is an error, as in PyTorch.
        if ((plan.outer == 0 || plan.inner == 0) && x.sizes()[d] != 0) continue;
        const Tensor values = index.sizes() == shape ? contiguous_values(index)
                                                     : contiguous_values(expand(index, shape));
        launch(checking([count = plan.count, size = x.sizes()[d], stride = x.strides()[d], fresh,
                         d](int64_t* offsets, const int64_t* at) {
                   add_offsets(offsets, at, count, size, stride, fresh, d);
               }),
               selected.data<int64_t>(), values.data<int64_t>());
        fresh = false;
    }
    if (plan.nothing) return {plan, selected};
    plan.outer_offsets = offset_table(outer_sizes, outer_strides);
    plan.overlapping = has_internal_overlap(x);
    if (!is_contiguous(inner_sizes, inner_strides))
        plan.inner_offsets = offset_table(inner_sizes, inner_strides);
    return {std::move(plan), selected};
}

template <class T> void take(T* out, const T* x, const int64_t* selected, const Plan& plan) {
    const int64_t inner = plan.inner, count = plan.count;
    const int64_t* inner_offsets = plan.inner_offsets.empty() ? nullptr : plan.inner_offsets.data();
    if (plan.nothing) return;
    parallel_for(plan.outer * count, grain_for(inner), [&](int64_t begin, int64_t end) {
        int64_t o = begin / count, j = begin % count;
        const T* window = x + plan.outer_offsets[static_cast<size_t>(o)];
        for (int64_t row = begin; row < end; ++row) {
            const T* from = window + selected[j];
            T* to = out + row * inner;
            if (inner_offsets)
                for (int64_t k = 0; k < inner; ++k) to[k] = from[inner_offsets[k]];
            else copy_items(to, from, inner);
            if (++j == count) {
                j = 0;
                window = x + plan.outer_offsets[static_cast<size_t>(++o)];
            }
        }
    });
}

// Writes (or adds) in the order of the indices. Chunks are parts of the destination, so that it does not
// matter to what is written several times who runs them.
template <class T, bool kAdd>
void put(T* x, const T* values, const int64_t* selected, bool single, const Plan& plan) {
    if (plan.nothing) return;
    const int64_t* inner_offsets = plan.inner_offsets.empty() ? nullptr : plan.inner_offsets.data();
    auto part = [&](int64_t o, int64_t begin, int64_t end) {
        T* window = x + plan.outer_offsets[static_cast<size_t>(o)];
        for (int64_t j = 0; j < plan.count; ++j) {
            T* to = window + selected[j];
            const T* from = single ? values : values + (o * plan.count + j) * plan.inner;
            for (int64_t k = begin; k < end; ++k) {
                T& place = to[inner_offsets ? inner_offsets[k] : k];
                const T value = from[single ? 0 : k];
                if constexpr (!kAdd) place = value;
                else if constexpr (std::is_same_v<T, bool>) place = place || value;
                else place = static_cast<T>(place + value);
            }
        }
    };
    if (plan.overlapping) {
        for (int64_t o = 0; o < plan.outer; ++o) part(o, 0, plan.inner);
    } else {
        for_windows(plan.outer, plan.count, plan.inner, part);
    }
}

// The one mask among the indices where there is nothing else, and the dimension where it starts.
const Tensor* only_mask(const std::vector<Tensor>& indices, int& at) {
    const Tensor* mask = nullptr;
    at = 0;
    for (const Tensor& index : indices) {
        if (!index.defined()) {
            at += mask == nullptr;
        } else if (mask || !is_mask(index) || index.dim() == 0) {
            return nullptr;
        } else {
            mask = &index;
        }
    }
    return mask;
}

// x[:, mask] = value for a single value: no search for the places that the mask selects.
void put_by_mask(const Tensor& x, const Tensor& mask, int at, const Tensor& value) {
    Tensor bools = cast_values(mask, DType::Bool);
    if (shares_memory(bools, x)) bools = clone(bools);
    Dims sizes = bools.sizes(), strides = bools.strides();
    for (int d = at + mask.dim(); d < x.dim(); ++d) {
        sizes.push_back(1);
        strides.push_back(0);
    }
    fill_where(x, alias(bools, sizes, strides, 0), alias(value, {}, {}, 0), x);
}

void check_index_put(const Tensor& x, const Tensor& values) {
    if (x.dtype() != values.dtype())
        fail("Index put requires the source and destination dtypes match, got ",
             scalar_type_name(x.dtype()), " for the destination and ",
             scalar_type_name(values.dtype()), " for the source.");
}

// What index_put_ does to memory. The tensor that is written to is asked for when nothing can fail any
// more; it has the sizes of x.
template <class Target>
Tensor write_indexed(const Tensor& x, const std::vector<Tensor>& indices,
                     const Tensor& values_given, bool accumulate, bool writes_in_place,
                     Target target) {
    check_index_put(x, values_given);
    check_indices(x, indices);
    if (writes_in_place) warn_of_internal_overlap(x, "index_put_", "tensor[indices] = tensor");
    GradMode off(false);
    KeepLock keep;  // indices must not change between check and use
    Tensor values =
        writes_in_place && shares_memory(values_given, x) ? clone(values_given) : values_given;
    if (!accumulate && values.numel() == 1) {
        int at = 0;
        const Tensor* mask = only_mask(indices, at);
        if (mask && values.dim() <= x.dim() - mask->dim() + 1) {
            if (writes_in_place) refuse_partial_overlap(x, *mask);
            const Tensor out = target();
            put_by_mask(out, *mask, at, values);
            return out;
        }
    }
    if (writes_in_place) {
        refuse_overlap(x, values_given);
        for (const Tensor& index : indices)
            if (index.defined()) refuse_overlap(x, index);
    }
    PlannedAccess access = make_plan(x, indices);
    const Dims& sizes = access.plan.result_sizes;
    if (!is_expandable_to(values.sizes(), sizes))
        fail("shape mismatch: value tensor of shape ", to_string(values.sizes()),
             " cannot be broadcast to indexing result of shape ", to_string(sizes));
    const bool single = values.numel() == 1;
    if (!single) values = contiguous_values(expand(values, sizes));
    const Tensor out = target();
    if (!(out.strides() == x.strides())) access = make_plan(out, indices);
    const auto write = [&]<class T, bool kAdd>() {
        launch(
            [single, plan = std::move(access.plan)](T* to, const T* from, const int64_t* at) {
                put<T, kAdd>(to, from, at, single, plan);
            },
            out.data<T>(), values.data<T>(), access.selected.data<int64_t>());
    };
    if (accumulate)
        visit_dtype(out.dtype(), [&]<class T>() { write.template operator()<T, true>(); });
    else visit_item(out.item_size(), [&]<class T>() { write.template operator()<T, false>(); });
    return out;
}

// ------------------------------------------------------------------------------------- nodes

// Any number of index tensors, some of them missing: what no rule takes.
class SavedIndices {
public:
    explicit SavedIndices(const std::vector<Tensor>& indices) {
        for (const Tensor& index : indices)
            saved_.push_back(index.defined() ? SavedTensor(index, false) : SavedTensor());
    }
    std::vector<Tensor> unpack(const Node& owner) const {
        std::vector<Tensor> indices;
        for (const SavedTensor& saved : saved_)
            indices.push_back(saved.defined() ? saved.unpack(owner) : Tensor());
        return indices;
    }
    void release() {
        for (SavedTensor& saved : saved_) saved.release();
    }
    void visit(SavedVisitor& visitor) const {
        if (saved_.size() == 1 && saved_[0].defined()) visitor.tensor("indices", saved_[0]);
    }

private:
    std::vector<SavedTensor> saved_;
};

class IndexNode final : public Node {
public:
    IndexNode(const Tensor& x, const std::vector<Tensor>& indices)
        : sizes_(x.sizes()),
          indices_(indices) {}
    const char* name() const noexcept override { return "IndexBackward0"; }
    std::string formula() const override {
        return "zeros.index_put(indices, grad, accumulate=True)";
    }
    void release_saved() override { indices_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        indices_.visit(visitor);
        visitor.value("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, grads[0].dtype());
        index_put_(result, indices_.unpack(*this), grads[0], true);
        inputs[0] = std::move(result);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        of_results[0] = index(tangents[0], indices_.unpack(*this));
    }

private:
    const Dims sizes_;
    SavedIndices indices_;
};

class IndexPutNode final : public Node {
public:
    IndexPutNode(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate)
        : indices_(indices),
          accumulate_(accumulate) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(values));
    }
    const char* name() const noexcept override { return "IndexPutBackward0"; }
    std::string formula() const override {
        return accumulate_ ? "self: grad, values: grad.index(indices)"
                           : "self: grad.index_put(indices, 0), values: grad.index(indices)";
    }
    void release_saved() override { indices_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        indices_.visit(visitor);
        visitor.value("accumulate", accumulate_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const std::vector<Tensor> indices = indices_.unpack(*this);
        const Tensor& g = grads[0];
        if (wants(0))
            inputs[0] = accumulate_ ? g : index_put(g, indices, scalar_tensor(0, g.dtype()), false);
        if (wants(1)) inputs[1] = index(g, indices);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        const DType dtype = results[0].dtype;
        Tensor &x = tangents[0], &values = tangents[1];
        if (!x.defined()) x = zeros(results[0].sizes(), dtype);
        if (!values.defined() && accumulate_) of_results[0] = std::move(x);
        else
            of_results[0] =
                index_put(x, indices_.unpack(*this),
                          values.defined() ? values : scalar_tensor(0, dtype), accumulate_);
    }

private:
    SavedIndices indices_;
    const bool accumulate_;
};

}  // namespace

Tensor index(const Tensor& x, const std::vector<Tensor>& indices) {
    Tensor out;
    {
        GradMode off(false);
        PlannedAccess access = make_plan(x, indices);
        out = empty(access.plan.result_sizes, x.dtype());
        visit_item(x.item_size(), [&]<class T>() {
            launch([plan = std::move(access.plan)](T* to, const T* from,
                                                   const int64_t* at) { take(to, from, at, plan); },
                   out.data<T>(), x.data<T>(), access.selected.data<int64_t>());
        });
    }
    if (recording(x)) {
        Ref<Node> node(new IndexNode(x, indices));
        node->add_edge(gradient_edge(x));
        set_history(out, node);
    }
    return out;
}

const Tensor& index_put_(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                         bool accumulate) {
    const InPlace change(x, values);
    const Ref<Node> node(change.recorded() ? new IndexPutNode(x, indices, values, accumulate)
                                           : nullptr);
    return change.apply(
        node, [&] { write_indexed(x, indices, values, accumulate, true, [&] { return x; }); });
}

void put_values(const Tensor& out, const std::vector<Tensor>& indices, const Tensor& values,
                bool accumulate) {
    const Tensor own = shares_memory(values, out) ? clone(values) : values;
    write_indexed(out, indices, own, accumulate, false, [&] { return out; });
}

Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate) {
    Tensor out = write_indexed(x, indices, values, accumulate, false, [&] { return clone(x); });
    if (recording(x, values))
        set_history(out, Ref<Node>(new IndexPutNode(x, indices, values, accumulate)));
    return out;
}

}  // namespace tapegrad
