// gather, scatter and their relatives: one integer index along a dimension.
#include <atomic>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/offsets.h"
#include "ops/record.h"
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
    void backward(TensorList& grads, TensorList& inputs) override {
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

// Writes or adds in the order of the index; chunks are parts of the destination. source: the index's
// shape, or a single value.
template <class T, bool kAdd>
void scatter_values(T* x, const T* source, bool single, const Access& a) {
    const int64_t* index = a.index.data<int64_t>();
    auto part = [&](int64_t o, int64_t begin, int64_t end) {
        T* window = x + a.outer_offsets[static_cast<size_t>(o)];
        for (int64_t l = 0; l < a.length; ++l) {
            const int64_t row = (o * a.length + l) * a.inner;
            for (int64_t k = begin; k < end; ++k) {
                T& place =
                    window[index[row + k] * a.stride + a.inner_offsets[static_cast<size_t>(k)]];
                const T value = source[single ? 0 : row + k];
                if constexpr (!kAdd) place = value;
                else if constexpr (std::is_same_v<T, bool>) place = place || value;
                else place = static_cast<T>(place + value);
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
                       bool accumulate, Target target) {
    check_scatter(x, dim, index, source.is_tensor() ? &source.tensor() : nullptr);
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
        values = values.storage()->data() == x.storage()->data() ? clone(values)
                                                                 : contiguous_values(values);
    } else {
        values = full({}, source.scalar(), x.dtype());
    }
    const Tensor out = target();
    if (!(out.strides() == x.strides())) access = Access(out, dim, access.index);
    const bool single = !source.is_tensor();
    if (accumulate)
        visit_dtype(out.dtype(), [&]<class T>() {
            scatter_values<T, true>(out.data<T>(), values.data<T>(), single, access);
        });
    else
        visit_item(out.item_size(), [&]<class T>() {
            scatter_values<T, false>(out.data<T>(), values.data<T>(), single, access);
        });
    return out;
}

Tensor copy_of(const Tensor& x) {
    GradMode off(false);
    return clone(x);
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
    void backward(TensorList& grads, TensorList& inputs) override {
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
    void backward(TensorList& grads, TensorList& inputs) override {
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
    const Tensor out = write_scattered(x, dim, index, source, false, [&] { return copy_of(x); });
    if (recording_args(Arg(x), source))
        set_history(out, Ref<Node>(new ScatterNode(x, dim, index, source)));
    return out;
}

const Tensor& scatter_(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const bool recorded = recording_args(Arg(x), source);
    check_inplace(x, recorded);
    const Ref<Node> node(recorded ? new ScatterNode(x, dim, index, source) : nullptr);
    write_scattered(x, dim, index, source, false, [&] { return x; });
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

Tensor scatter_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const Tensor out = write_scattered(x, dim, index, source, true, [&] { return copy_of(x); });
    if (recording(x, source))
        set_history(out, Ref<Node>(new ScatterAddNode(x, dim, index, source)));
    return out;
}

const Tensor& scatter_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                           const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const Ref<Node> node(recorded ? new ScatterAddNode(x, dim, index, source) : nullptr);
    write_scattered(x, dim, index, source, true, [&] { return x; });
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
    void backward(TensorList& grads, TensorList& inputs) override {
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
    IndexAddNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source)
        : dim_(dim),
          source_sizes_(source.sizes()) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
        if (has_edge(1)) index_ = SavedTensor(index, false);
    }
    const char* name() const noexcept override { return "IndexAddBackward0"; }
    std::string formula() const override {
        return "self: grad, source: grad.index_select(dim, index)";
    }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        if (index_.defined()) visitor.tensor("index", index_);
        visitor.integer("dim", dim_);
    }
    void backward(TensorList& grads, TensorList& inputs) override {
        if (wants(1))
            inputs[1] = reshape(index_select(grads[0], dim_, index_.unpack(*this)), source_sizes_);
        if (wants(0)) inputs[0] = std::move(grads[0]);
    }

private:
    const int dim_;
    const Dims source_sizes_;
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

// x += source at index; x is contiguous.
void add_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    const Tensor at = int64_values(index), values = contiguous_values(source);
    const Slices s(x.sizes(), dim);
    const int64_t* positions = at.data<int64_t>();
    const int64_t count = at.numel();
    if (count == 0) return;
    visit_dtype(x.dtype(), [&]<class T>() {
        T* to = x.data<T>();
        const T* from = values.data<T>();
        auto part = [&](int64_t o, int64_t begin, int64_t end) {
            for (int64_t j = 0; j < count; ++j) {
                T* place = to + (o * s.size + positions[j]) * s.inner;
                const T* value = from + (o * count + j) * s.inner;
                for (int64_t k = begin; k < end; ++k) {
                    if constexpr (std::is_same_v<T, bool>) place[k] = place[k] || value[k];
                    else place[k] = static_cast<T>(place[k] + value[k]);
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

Tensor index_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    Tensor out;
    {
        GradMode off(false);
        KeepLock keep;
        check_index_add(x, dim, index, source);
        out = clone(x);
        add_slices(out, dim, index, source);
    }
    if (recording(x, source)) set_history(out, Ref<Node>(new IndexAddNode(x, dim, index, source)));
    return out;
}

const Tensor& index_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                         const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const Ref<Node> node(recorded ? new IndexAddNode(x, dim, index, source) : nullptr);
    {
        GradMode off(false);
        KeepLock keep;
        check_index_add(x, dim, index, source);
        const bool direct = x.is_contiguous() && source.storage()->data() != x.storage()->data() &&
                            index.storage()->data() != x.storage()->data();
        Tensor target = direct ? x : clone(x);
        add_slices(target, dim, index, source);
        if (!direct) copy_values(x, target);
    }
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

}  // namespace tapegrad
