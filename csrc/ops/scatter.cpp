// gather, scatter and their relatives: one integer index along a dimension.
#include <atomic>
#include <limits>
#include <optional>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/offsets.h"
#include "ops/overlap.h"
#include "ops/record.h"
#include "ops/reductions.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// A scalar counts as a vector of one element.
Dims at_least_1d(const Dims& sizes) { return sizes.empty() ? Dims{1} : sizes; }

// The elements x[..., index[o, l, k], ...] for an index seen as [outer, length, inner].
struct Access {
    Tensor index;  // contiguous int64
    int64_t outer = 1, length = 1, inner = 1;
    int64_t size = 1, stride = 1;  // of x along the dimension
    std::vector<int64_t> outer_offsets, inner_offsets;

    Access(const Tensor& x, int dim, const Tensor& index_given) : index(int64_values(index_given)) {
        const Dims sizes = at_least_1d(index.sizes());
        const Dims strides = x.dim() ? x.strides() : Dims{1};
        Dims outer_sizes, outer_strides, inner_sizes, inner_strides;
        for (int d = 0; d < sizes.size(); ++d) {
            if (d == dim) continue;
            (d < dim ? outer_sizes : inner_sizes).push_back(sizes[d]);
            (d < dim ? outer_strides : inner_strides).push_back(strides[d]);
        }
        outer = element_count(outer_sizes);
        length = sizes[dim];
        inner = element_count(inner_sizes);
        size = x.dim() ? x.sizes()[dim] : 1;
        stride = strides[dim];
        outer_offsets = offset_table(outer_sizes, outer_strides);
        inner_offsets = offset_table(inner_sizes, inner_strides);
    }
};

[[noreturn]] void refuse_index(const int64_t* index, int64_t count, int64_t size, int dim) {
    int64_t i = 0;
    while (i < count - 1 && index[i] >= 0 && index[i] < size) ++i;
    fail("index ", index[i], " is out of bounds for dimension ", dim, " with size ", size);
}

bool in_bounds(const int64_t* index, int64_t count, int64_t size) {
    std::atomic<bool> bad = false;
    parallel_for(count, kIndexGrain, [&](int64_t begin, int64_t end) {
        bool wrong = false;
        for (int64_t i = begin; i < end; ++i)
            wrong |= static_cast<uint64_t>(index[i]) >= static_cast<uint64_t>(size);
        if (wrong) bad = true;
    });
    return !bad;
}

void check_index_type(const char* function, const Tensor& index) {
    if (index.dtype() != DType::Int64 && index.dtype() != DType::Int32)
        fail(function, "(): Expected dtype int32/int64 for index");
}

// The index is not larger than the sizes, apart from one dimension (-1: none).
bool fits(const Dims& index, const Dims& sizes, int dim) {
    for (int d = 0; d < index.size(); ++d)
        if (d != dim && index[d] > sizes[d]) return false;
    return true;
}

}  // namespace

// ------------------------------------------------------------------------------------ gather

namespace {

class GatherNode final : public Node {
public:
    GatherNode(const Tensor& x, int dim, const Tensor& index)
        : sizes_(x.sizes()),
          dim_(dim),
          index_(index, false) {
        add_edge(gradient_edge(x));
    }
    const char* name() const noexcept override { return "GatherBackward0"; }
    std::string formula() const override { return "zeros.scatter_add(dim, index, grad)"; }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, grads[0].dtype());
        scatter_add_(result, dim_, index_.unpack(*this), grads[0]);
        inputs[0] = std::move(result);
    }

private:
    const Dims sizes_;
    const int dim_;
    SavedTensor index_;
};

template <class T> void gather_values(T* out, const T* x, const Access& a, int dim) {
    const int64_t* index = a.index.data<int64_t>();
    const int64_t count = a.index.numel();
    std::atomic<bool> bad = false;
    parallel_for(count, kIndexGrain, [&](int64_t begin, int64_t end) {
        int64_t k = begin % a.inner, l = begin / a.inner % a.length;
        size_t o = static_cast<size_t>(begin / a.inner / a.length);
        const T* window = x + a.outer_offsets[o];
        for (int64_t i = begin; i < end; ++i) {
            const int64_t j = index[i];
            if (static_cast<uint64_t>(j) >= static_cast<uint64_t>(a.size)) [[unlikely]] {
                bad = true;
                return;
            }
            out[i] = window[j * a.stride + a.inner_offsets[static_cast<size_t>(k)]];
            if (++k < a.inner) continue;
            k = 0;
            if (++l < a.length) continue;
            l = 0;
            window = x + a.outer_offsets[++o];
        }
    });
    if (bad) refuse_index(index, count, a.size, dim);
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim_given, const Tensor& index) {
    const int dim = wrap_dim(dim_given, x.dim());
    check_index_type("gather", index);
    Tensor out = empty(index.sizes(), x.dtype());
    if (index.numel() > 0) {
        if (std::max(index.dim(), 1) != std::max(x.dim(), 1))
            fail("Index tensor must have the same number of dimensions as input tensor");
        for (int d = 0; d < std::min(index.dim(), x.dim()); ++d)
            if (d != dim && index.sizes()[d] > x.sizes()[d])
                fail("Size does not match at dimension ", d, " expected index ",
                     to_string(index.sizes()), " to be no larger than self ", to_string(x.sizes()),
                     " apart from dimension ", dim);
        const Access access(x, dim, index);
        visit_item(x.item_size(),
                   [&]<class T>() { gather_values(out.data<T>(), x.data<T>(), access, dim); });
    }
    if (recording(x)) set_history(out, Ref<Node>(new GatherNode(x, dim, index)));
    return out;
}

// ----------------------------------------------------------------------------------- scatter

namespace {

// Combines (old, new) in the order of the index; chunks are parts of the destination. source: the index's
// shape, or a single value.
template <class T, class Combine>
void scatter_values(T* x, const T* source, bool single, const Access& a, Combine combine) {
    const int64_t* index = a.index.data<int64_t>();
    auto part = [&](int64_t o, int64_t begin, int64_t end) {
        T* window = x + a.outer_offsets[static_cast<size_t>(o)];
        for (int64_t l = 0; l < a.length; ++l) {
            const int64_t row = (o * a.length + l) * a.inner;
            for (int64_t k = begin; k < end; ++k) {
                T& place =
                    window[index[row + k] * a.stride + a.inner_offsets[static_cast<size_t>(k)]];
                place = combine(place, source[single ? 0 : row + k]);
            }
        }
    };
    if (a.outer > 1) {
        parallel_for(a.outer, grain_for(a.length * a.inner), [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o) part(o, 0, a.inner);
        });
    } else {
        parallel_for(a.inner, std::max<int64_t>(64, grain_for(a.length)),
                     [&](int64_t begin, int64_t end) { part(0, begin, end); });
    }
}

template <class T>
void scatter_combined(T* x, const T* source, bool single, const Access& a, Reduce reduce) {
    auto run = [&](auto combine) { scatter_values(x, source, single, a, combine); };
    // NaN wins, as in amax and amin.
    switch (reduce) {
        case Reduce::Prod:
            if constexpr (std::is_same_v<T, bool>) run([](T p, T v) { return p && v; });
            else run([](T p, T v) { return static_cast<T>(p * v); });
            break;
        case Reduce::Amax: run([](T p, T v) { return p != p || p > v ? p : v; }); break;
        case Reduce::Amin: run([](T p, T v) { return p != p || p < v ? p : v; }); break;
        default:
            if constexpr (std::is_same_v<T, bool>) run([](T p, T v) { return p || v; });
            else run([](T p, T v) { return static_cast<T>(p + v); });
    }
}

void check_scatter(const Tensor& x, int dim, const Tensor& index, const Tensor* source) {
    check_index_type("scatter", index);
    if (source && source->dtype() != x.dtype())
        fail("scatter(): Expected self.dtype to be equal to src.dtype");
    if (index.numel() == 0) return;
    if (std::max(index.dim(), 1) != std::max(x.dim(), 1))
        fail("Index tensor must have the same number of dimensions as self tensor");
    if (source && std::max(index.dim(), 1) != std::max(source->dim(), 1))
        fail("Index tensor must have the same number of dimensions as src tensor");
    const Dims sizes = at_least_1d(index.sizes());
    if (fits(sizes, at_least_1d(x.sizes()), dim) &&
        (!source || fits(sizes, at_least_1d(source->sizes()), -1)))
        return;
    fail("Expected index ", to_string(index.sizes()), " to be no larger than self ",
         to_string(x.sizes()), " apart from dimension ", dim,
         source ? " and to be no larger size than src " + to_string(source->sizes())
                : std::string());
}

// x with the values written or added, without the tape. The tensor that is written to is asked for when
// nothing can fail any more; it has the sizes of x.
template <class Target>
Tensor write_scattered(const Tensor& x, int dim, const Tensor& index, const Arg& source,
                       std::optional<Reduce> reduce, bool writes_in_place, Target target) {
    check_scatter(x, dim, index, source.is_tensor() ? &source.tensor() : nullptr);
    if (writes_in_place) {
        refuse_internal_overlap(x);
        refuse_overlap(x, index);
        if (source.is_tensor()) refuse_overlap(x, source.tensor());
    }
    if (!source.is_tensor()) check_convertible(source.scalar(), x.dtype());
    if (index.numel() == 0) return target();
    GradMode off(false);
    KeepLock keep;  // the index must not change between check and use
    Access access(x, dim, index);
    const int64_t count = access.index.numel();
    if (!in_bounds(access.index.data<int64_t>(), count, access.size))
        refuse_index(access.index.data<int64_t>(), count, access.size, dim);
    if (access.index.storage()->data() == x.storage()->data()) access.index = clone(access.index);
    Tensor values;
    if (source.is_tensor()) {
        // The leading part of the source that has the index's shape.
        const Tensor& given = source.tensor();
        values =
            given.dim() == index.dim() ? alias(given, index.sizes(), given.strides(), 0) : given;
        values = values.storage()->data() == x.storage()->data() ? contiguous_clone(values)
                                                                 : contiguous_values(values);
    } else {
        values = full({}, source.scalar(), x.dtype());
    }
    const Tensor out = target();
    if (!(out.strides() == x.strides())) access = Access(out, dim, access.index);
    const bool single = !source.is_tensor();
    if (reduce)
        visit_dtype(out.dtype(), [&]<class T>() {
            scatter_combined(out.data<T>(), values.data<T>(), single, access, *reduce);
        });
    else
        visit_item(out.item_size(), [&]<class T>() {
            scatter_values(out.data<T>(), values.data<T>(), single, access,
                           [](T, T value) { return value; });
        });
    return out;
}

Tensor copy_of(const Tensor& x) {
    GradMode off(false);
    return contiguous_clone(x);
}

// Gives a gradient of the leading part of a tensor the tensor's own shape.
Tensor pad_to(const Tensor& grad, const Dims& sizes) {
    if (grad.sizes() == sizes) return grad;
    if (grad.numel() == 1 && element_count(sizes) == 1) return reshape(grad, sizes);
    Tensor result = zeros(sizes, grad.dtype());
    if (grad.numel() == 0) return result;
    Tensor window = result;
    for (int d = 0; d < sizes.size(); ++d) window = slice(window, d, 0, grad.sizes()[d], 1);
    copy_(window, grad);
    return result;
}

class ScatterNode final : public Node {
public:
    ScatterNode(const Tensor& x, int dim, const Tensor& index, const Arg& source)
        : dim_(dim),
          tensor_source_(source.is_tensor()),
          index_(index, false) {
        add_edge(gradient_edge(x));
        if (tensor_source_) {
            add_edge(gradient_edge(source));
            source_sizes_ = source.tensor().sizes();
        }
    }
    const char* name() const noexcept override {
        return tensor_source_ ? "ScatterBackward0" : "ScatterBackward1";
    }
    std::string formula() const override {
        return tensor_source_ ? "self: grad.scatter(dim, index, 0), src: grad.gather(dim, index)"
                              : "grad.scatter(dim, index, 0)";
    }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor index = index_.unpack(*this);
        if (wants(0)) inputs[0] = scatter(grads[0], dim_, index, 0);
        if (tensor_source_ && wants(1))
            inputs[1] = pad_to(gather(grads[0], dim_, index), source_sizes_);
    }

private:
    const int dim_;
    const bool tensor_source_;
    SavedTensor index_;
    Dims source_sizes_;
};

class ScatterAddNode final : public Node {
public:
    ScatterAddNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source)
        : dim_(dim),
          source_sizes_(source.sizes()) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
        if (has_edge(1)) index_ = SavedTensor(index, false);
    }
    const char* name() const noexcept override { return "ScatterAddBackward0"; }
    std::string formula() const override { return "self: grad, src: grad.gather(dim, index)"; }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        if (index_.defined()) visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(1))
            inputs[1] = pad_to(gather(grads[0], dim_, index_.unpack(*this)), source_sizes_);
        if (wants(0)) inputs[0] = std::move(grads[0]);
    }

private:
    const int dim_;
    const Dims source_sizes_;
    SavedTensor index_;
};

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const Tensor out =
        write_scattered(x, dim, index, source, std::nullopt, false, [&] { return copy_of(x); });
    if (recording_args(Arg(x), source))
        set_history(out, Ref<Node>(new ScatterNode(x, dim, index, source)));
    return out;
}

const Tensor& scatter_(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source) {
    const bool recorded = recording_args(Arg(x), source);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    const Ref<Node> node(recorded ? new ScatterNode(x, dim, index, source) : nullptr);
    write_scattered(x, dim, index, source, std::nullopt, true, [&] { return x; });
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

Tensor scatter_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const Tensor out =
        write_scattered(x, dim, index, source, Reduce::Sum, false, [&] { return copy_of(x); });
    if (recording(x, source))
        set_history(out, Ref<Node>(new ScatterAddNode(x, dim, index, source)));
    return out;
}

const Tensor& scatter_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                           const Tensor& source) {
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    const Ref<Node> node(recorded ? new ScatterAddNode(x, dim, index, source) : nullptr);
    write_scattered(x, dim, index, source, Reduce::Sum, true, [&] { return x; });
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

// ---------------------------------------------------------------------------- scatter_reduce

namespace {

// What a place holds before anything is combined with it.
template <class T> T identity(Reduce reduce) {
    using Limits = std::numeric_limits<T>;
    switch (reduce) {
        case Reduce::Prod: return T(1);
        case Reduce::Amax: return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
        case Reduce::Amin: return Limits::has_infinity ? Limits::infinity() : Limits::max();
        default: return T(0);
    }
}

// How many values meet at each place.
Tensor meeting(const Tensor& x, int dim, const Tensor& index, bool include_self, DType dtype) {
    const Tensor start = full(x.sizes(), include_self, dtype);
    return scatter_add(start, dim, index, full(index.sizes(), 1, dtype));
}

class RefuseSecondDerivative final : public Node {
public:
    const char* name() const noexcept override { return "Error"; }
    void backward(GradList&, TensorList&) override {
        fail(
            "scatter_reduce(): Double backward is unsupported for src when >1 zeros in src are "
            "scattered to the same position in self");
    }
};

class ScatterReduceNode final : public Node {
public:
    ScatterReduceNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                      Reduce reduce, bool include_self)
        : dim_(dim),
          reduce_(reduce),
          include_self_(include_self),
          index_(index, false) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
    }
    // result: whether out is what this node makes, and no copy of it.
    void save_values(const Tensor& x, const Tensor& source, const Tensor& out, bool result) {
        if (!needs_values()) return;
        self_ = SavedTensor(x, false);
        source_ = SavedTensor(source, false);
        result_ = SavedTensor(out, result);
    }
    const char* name() const noexcept override { return "ScatterReduceBackward0"; }
    std::string formula() const override {
        if (reduce_ == Reduce::Sum) return "self: grad, src: grad.gather(dim, index)";
        return reduce_ == Reduce::Mean
                   ? "self: grad / count, src: (grad / count).gather(dim, index)"
                   : std::string();
    }
    void release_saved() override {
        index_.release();
        self_.release();
        source_.release();
        result_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.integer("dim", dim_);
        visitor.boolean("include_self", include_self_);
        visitor.tensor("index", index_);
        if (!needs_values()) return;
        visitor.tensor("result", result_);
        visitor.tensor("self", self_);
        visitor.tensor("src", source_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor index = index_.unpack(*this);
        const Tensor& g = grads[0];
        Tensor to_self = g, per_source;
        if (reduce_ == Reduce::Sum) {
            if (wants(1)) per_source = gather(g, dim_, index);
        } else if (reduce_ == Reduce::Mean) {
            Tensor count;
            {
                GradMode off(false);
                count = meeting(g, dim_, index, include_self_, g.dtype());
                count = masked_fill(count, count == 0, 1);
            }
            to_self = g / count;
            if (wants(1)) per_source = gather(to_self, dim_, index);
        } else if (reduce_ == Reduce::Prod) {
            product(g, index, to_self, per_source);
        } else {
            extreme(g, index, to_self, per_source);
        }
        if (wants(0)) inputs[0] = include_self_ ? to_self : scatter(to_self, dim_, index, 0);
        if (wants(1)) inputs[1] = std::move(per_source);
    }

private:
    bool needs_values() const { return reduce_ != Reduce::Sum && reduce_ != Reduce::Mean; }

    // The product of all the other factors, also where one of the factors is zero.
    void product(const Tensor& g, const Tensor& index, Tensor& to_self, Tensor& per_source) {
        const Tensor x = self_.unpack(*this), source = source_.unpack(*this),
                     result = result_.unpack(*this);
        if (wants(0)) {
            const Tensor factor = masked_fill(x, x == 0, 1);
            to_self = g * scatter_reduce(factor, dim_, index, source, Reduce::Prod, include_self_) /
                      factor;
        }
        if (!wants(1)) return;
        const Tensor zero = source == 0;
        const Tensor zeros_there =
            gather(scatter_add(zeros_like(x), dim_, index, to_dtype(zero, x.dtype())), dim_, index);
        const Tensor single = zero & (zeros_there == 1);
        const Tensor others = scatter_reduce(x, dim_, index, masked_fill(source, single, 1),
                                             Reduce::Prod, include_self_);
        per_source = where(single, gather(g * others, dim_, index),
                           Arg(gather(g * result, dim_, index) / masked_fill(source, zero, 1)));
        // The formula holds with several zeros too, but its own derivative then does not.
        if (recording(per_source) && any_values(zeros_there > 1)) {
            const Tensor values = detach(per_source);
            Ref<Node> refusal(new RefuseSecondDerivative);
            refusal->add_edge(gradient_edge(per_source));
            set_history(values, refusal);
            per_source = values;
        }
    }

    // Places that hold the extreme share the gradient.
    void extreme(const Tensor& g, const Tensor& index, Tensor& to_self, Tensor& per_source) {
        const Tensor x = self_.unpack(*this), source = source_.unpack(*this),
                     result = result_.unpack(*this);
        Tensor of_self, of_source, share;
        {
            GradMode off(false);
            of_self = to_dtype(x == result, g.dtype());
            of_source = to_dtype(source == gather(result, dim_, index), g.dtype());
            const Tensor counted = include_self_ ? of_self : scatter(of_self, dim_, index, 0);
            share = scatter_add(counted, dim_, index, of_source);
            share = masked_fill(share, share == 0, 1);
        }
        const Tensor shared = g / share;
        to_self = shared * of_self;
        if (wants(1)) per_source = gather(shared, dim_, index) * of_source;
    }

    const int dim_;
    const Reduce reduce_;
    const bool include_self_;
    SavedTensor index_, self_, source_, result_;
};

// The leading part of the source that has the sizes of the index.
Tensor fitting(const Tensor& source, const Tensor& index) {
    if (source.dim() != index.dim()) return source;
    Tensor part = source;
    for (int d = 0; d < index.dim(); ++d)
        if (part.sizes()[d] > index.sizes()[d]) part = slice(part, d, 0, index.sizes()[d], 1);
    return part;
}

template <class Target>
Tensor write_reduced(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                     Reduce reduce, bool include_self, bool writes_in_place, Target target) {
    GradMode off(false);
    if (reduce == Reduce::Mean && x.dtype() == DType::Bool)
        fail<NotImplementedError>(
            "\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'");
    const Tensor out = write_scattered(x, dim, index, source, reduce, writes_in_place, [&] {
        const Tensor place = target();
        if (!include_self && index.numel() > 0)
            visit_dtype(place.dtype(), [&]<class T>() {
                Tensor start = empty({}, place.dtype());
                *start.data<T>() = identity<T>(reduce);
                const Access access(place, dim, index);
                scatter_values(place.data<T>(), start.data<T>(), true, access,
                               [](T, T value) { return value; });
            });
        return place;
    });
    if (reduce == Reduce::Mean && index.numel() > 0) {
        Tensor count = meeting(out, dim, index, include_self, out.dtype());
        count = masked_fill(count, count == 0, 1);
        copy_values(out, out.is_floating() ? out / count : floor_divide(out, count));
    }
    return out;
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim_given, const Tensor& index,
                      const Tensor& source_given, Reduce reduce, bool include_self) {
    const int dim = wrap_dim(dim_given, x.dim());
    const Tensor out = write_reduced(x, dim, index, source_given, reduce, include_self, false,
                                     [&] { return copy_of(x); });
    if (recording(x, source_given)) {
        const Tensor source = fitting(source_given, index);
        Ref<ScatterReduceNode> node(
            new ScatterReduceNode(x, dim, index, source, reduce, include_self));
        set_history(out, node);
        node->save_values(x, source, out, true);
    }
    return out;
}

const Tensor& scatter_reduce_(const Tensor& x, int64_t dim_given, const Tensor& index,
                              const Tensor& source, Reduce reduce, bool include_self) {
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    const bool by_values = reduce != Reduce::Sum && reduce != Reduce::Mean;
    const Tensor before = recorded && by_values ? copy_of(x) : x;
    const Ref<ScatterReduceNode> node(
        recorded
            ? new ScatterReduceNode(x, dim, index, fitting(source, index), reduce, include_self)
            : nullptr);
    write_reduced(x, dim, index, source, reduce, include_self, true, [&] { return x; });
    x.bump_version();
    if (node) {
        node->save_values(before, fitting(source, index), copy_of(x), false);
        rebase_history(x, node);
    }
    return x;
}

namespace {

class UnsupportedScatterNode final : public Node {
public:
    const char* name() const noexcept override { return "NotImplemented"; }
    void backward(GradList&, TensorList&) override {
        fail("derivative for aten::scatter is not implemented");
    }
};

Ref<Node> unsupported_scatter(const Tensor& x, const Arg& source) {
    if (!recording_args(Arg(x), source)) return nullptr;
    Ref<Node> node(new UnsupportedScatterNode);
    node->add_edge(gradient_edge(x));
    if (source.is_tensor()) node->add_edge(gradient_edge(source));
    return node;
}

void warn_of_reduce(const Arg& source) {
    if (source.is_tensor())
        warn(
            "The reduce argument of tapegrad.scatter with Tensor src is deprecated and will be "
            "removed in a future PyTorch release. Use tapegrad.scatter_reduce instead for more "
            "reduction options.");
}

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source,
               Reduce reduce) {
    const int dim = wrap_dim(dim_given, x.dim());
    warn_of_reduce(source);
    const Tensor out =
        write_scattered(x, dim, index, source, reduce, false, [&] { return copy_of(x); });
    if (const Ref<Node> node = unsupported_scatter(x, source)) set_history(out, node);
    return out;
}

const Tensor& scatter_(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source,
                       Reduce reduce) {
    check_inplace(x, recording_args(Arg(x), source));
    const int dim = wrap_dim(dim_given, x.dim());
    warn_of_reduce(source);
    const Ref<Node> node = unsupported_scatter(x, source);
    write_scattered(x, dim, index, source, reduce, true, [&] { return x; });
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

// ------------------------------------------------------------------- whole slices by a vector

namespace {

// x as [outer, size, inner]; contiguous memory.
struct Slices {
    int64_t outer = 1, size = 1, inner = 1;
    Slices(const Dims& sizes, int dim) {
        for (int d = 0; d < sizes.size(); ++d)
            (d < dim ? outer : d == dim ? size : inner) *= sizes[d];
    }
};

class IndexSelectNode final : public Node {
public:
    IndexSelectNode(const Tensor& x, int dim, const Tensor& index)
        : sizes_(x.sizes()),
          dim_(dim),
          index_(index, false) {
        add_edge(gradient_edge(x));
    }
    const char* name() const noexcept override { return "IndexSelectBackward0"; }
    std::string formula() const override { return "zeros.index_add(dim, index, grad)"; }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
        visitor.dims("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, grads[0].dtype());
        index_add_(result, dim_, index_.unpack(*this), grads[0]);
        inputs[0] = std::move(result);
    }

private:
    const Dims sizes_;
    const int dim_;
    SavedTensor index_;
};

class IndexAddNode final : public Node {
public:
    IndexAddNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha)
        : dim_(dim),
          source_sizes_(source.sizes()),
          alpha_(alpha) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
        if (has_edge(1)) index_ = SavedTensor(index, false);
    }
    const char* name() const noexcept override { return "IndexAddBackward0"; }
    std::string formula() const override {
        return "self: grad, source: alpha * grad.index_select(dim, index)";
    }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        if (alpha_.is_floating()) visitor.scalar("alpha", alpha_.to_double());
        else visitor.integer("alpha", alpha_.to_int());
        if (index_.defined()) visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
        visitor.integer("source_dim", source_sizes_.size());
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(1)) {
            const Tensor taken = index_select(grads[0], dim_, index_.unpack(*this));
            inputs[1] =
                reshape(alpha_.to_double() == 1 ? taken : binary(Binary::Mul, taken, alpha_),
                        source_sizes_);
        }
        if (wants(0)) inputs[0] = std::move(grads[0]);
    }

private:
    const int dim_;
    const Dims source_sizes_;
    const Scalar alpha_;
    SavedTensor index_;
};

template <class T>
void select_values(T* out, const T* x, const Tensor& index, int64_t stride, int64_t outer_stride,
                   const Slices& s) {
    const int64_t* at = index.data<int64_t>();
    const int64_t count = index.numel();
    if (count == 0 || s.inner == 0 || s.outer == 0) return;
    std::atomic<bool> bad = false;
    parallel_for(s.outer * count, grain_for(s.inner), [&](int64_t begin, int64_t end) {
        int64_t o = begin / count, j = begin % count;
        for (int64_t row = begin; row < end; ++row) {
            const int64_t i = at[j];
            if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(s.size)) [[unlikely]] {
                bad = true;
                return;
            }
            copy_items(out + row * s.inner, x + o * outer_stride + i * stride, s.inner);
            if (++j == count) {
                j = 0;
                ++o;
            }
        }
    });
    if (bad) fail<IndexError>("index out of range in self");
}

}  // namespace

Tensor index_select(const Tensor& x_given, int64_t dim_given, const Tensor& index_given) {
    const int dim = wrap_dim(dim_given, x_given.dim());
    if (index_given.dim() > 1) fail<IndexError>("index_select(): Index is supposed to be a vector");
    if (index_given.dtype() != DType::Int64 && index_given.dtype() != DType::Int32)
        fail("index_select(): Expected dtype int32 or int64 for index");
    if (x_given.dim() == 0 && index_given.numel() != 1)
        fail("index_select(): Index to scalar can have only 1 value, got ", index_given.numel(),
             " value(s)");
    const Tensor index = int64_values(index_given);
    // Rows of a matrix with any row stride need no copy.
    const bool rows = dim == 0 && x_given.dim() == 2 && x_given.strides()[1] == 1;
    const Tensor x = rows ? x_given : contiguous_values(x_given);
    const Slices slices(x.sizes(), dim);
    Dims sizes = x.sizes();
    if (x.dim() > 0) sizes[dim] = index.numel();
    Tensor out = empty(sizes, x.dtype());
    const int64_t stride = rows ? x.strides()[0] : slices.inner;
    visit_item(x.item_size(), [&]<class T>() {
        select_values(out.data<T>(), x.data<T>(), index, stride, slices.size * slices.inner,
                      slices);
    });
    if (recording(x_given))
        set_history(out, Ref<Node>(new IndexSelectNode(x_given, dim, index_given)));
    return out;
}

namespace {

void check_index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    if (index.dim() > 1)
        fail<IndexError>("index_add_(): Index is supposed to be a vector, but got dim: ",
                         index.dim(), " with type: ", scalar_type_name(index.dtype()),
                         " and size: ", to_string(index.sizes()));
    if (index.dtype() != DType::Int64 && index.dtype() != DType::Int32)
        fail("index_add_(): Expected dtype int32/int64 for index but got: ",
             scalar_type_name(index.dtype()));
    if (x.dtype() != source.dtype())
        fail("index_add_(): self (", scalar_type_name(x.dtype()), ") and source (",
             scalar_type_name(source.dtype()), ") must have the same scalar type");
    if (source.dim() > 0 && dim >= source.dim())
        fail("index_add_(): Indexing dim ", dim, " is out of bounds of the source tensor with dim ",
             source.dim());
    const int64_t length = source.dim() ? source.sizes()[dim] : 1;
    if (index.numel() != length)
        fail("index_add_(): Number of indices (", index.numel(),
             ") should be equal to source.size(dim): (", length, "), for dim: ", dim);
    bool match = x.dim() == source.dim();
    for (int d = 0; match && d < x.dim(); ++d)
        match = d == dim || x.sizes()[d] == source.sizes()[d];
    if (!match)
        fail(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            "Got self.shape = ",
            to_string(x.sizes()), " source.shape = ", to_string(source.sizes()));
    const Tensor values = int64_values(index);
    const int64_t size = x.dim() ? x.sizes()[dim] : 1;
    if (!in_bounds(values.data<int64_t>(), values.numel(), size))
        refuse_index(values.data<int64_t>(), values.numel(), size, dim);
}

// x += alpha * source at index; x is contiguous.
void add_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                const Scalar& alpha) {
    const Tensor at = int64_values(index), values = contiguous_values(source);
    const Slices s(x.sizes(), dim);
    const int64_t* positions = at.data<int64_t>();
    const int64_t count = at.numel();
    if (count == 0) return;
    visit_dtype(x.dtype(), [&]<class T>() {
        T* to = x.data<T>();
        const T* from = values.data<T>();
        const T factor = alpha.to<T>();
        auto part = [&](int64_t o, int64_t begin, int64_t end) {
            for (int64_t j = 0; j < count; ++j) {
                T* place = to + (o * s.size + positions[j]) * s.inner;
                const T* value = from + (o * count + j) * s.inner;
                for (int64_t k = begin; k < end; ++k) {
                    if constexpr (std::is_same_v<T, bool>)
                        place[k] = place[k] || (value[k] && factor);
                    else place[k] = static_cast<T>(place[k] + value[k] * factor);
                }
            }
        };
        if (s.outer > 1) {
            parallel_for(s.outer, grain_for(count * s.inner), [&](int64_t begin, int64_t end) {
                for (int64_t o = begin; o < end; ++o) part(o, 0, s.inner);
            });
        } else {
            parallel_for(s.inner, std::max<int64_t>(64, grain_for(count)),
                         [&](int64_t begin, int64_t end) { part(0, begin, end); });
        }
    });
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
    const int dim = wrap_dim(dim_given, x.dim());
    Tensor out;
    {
        GradMode off(false);
        KeepLock keep;
        check_index_add(x, dim, index, source);
        out = contiguous_clone(x);
        add_slices(out, dim, index, source, alpha);
    }
    if (recording(x, source))
        set_history(out, Ref<Node>(new IndexAddNode(x, dim, index, source, alpha)));
    return out;
}

const Tensor& index_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                         const Tensor& source, const Scalar& alpha) {
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    const Ref<Node> node(recorded ? new IndexAddNode(x, dim, index, source, alpha) : nullptr);
    {
        GradMode off(false);
        KeepLock keep;
        check_index_add(x, dim, index, source);
        refuse_internal_overlap(x);
        refuse_overlap(x, index);
        refuse_overlap(x, source);
        const bool direct = x.is_contiguous() && source.storage()->data() != x.storage()->data() &&
                            index.storage()->data() != x.storage()->data();
        Tensor target = direct ? x : contiguous_clone(x);
        add_slices(target, dim, index, source, alpha);
        if (!direct) copy_values(x, target);
    }
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

void from_text(std::string_view text, Reduce& reduce) {
    constexpr std::pair<std::string_view, Reduce> known[] = {
        {"sum", Reduce::Sum},   {"prod", Reduce::Prod}, {"mean", Reduce::Mean},
        {"amax", Reduce::Amax}, {"amin", Reduce::Amin}, {"max", Reduce::Amax},
        {"min", Reduce::Amin}};
    for (const auto& [name, value] : known)
        if (text == name) {
            reduce = value;
            return;
        }
    fail("reduce argument must be either sum, prod, mean, amax or amin, got ", text);
}

void from_text(std::string_view text, Accumulate& accumulate) {
    if (text == "add") accumulate = Accumulate::Add;
    else if (text == "multiply") accumulate = Accumulate::Multiply;
    else fail("reduce argument must be either add or multiply.");
}

}  // namespace tapegrad
