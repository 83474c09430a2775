// Whole slices written by a vector of indices, and places of a mask filled in order.
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

// A tensor without dimensions seen as a vector of one element.
Tensor at_least_1d(const Tensor& x) { return x.dim() ? x : alias(x, {1}, {1}, 0); }

// Puts values, in the shape of the slices, into the slices of out; nothing is recorded.
void write_slices(const Tensor& out, int dim, const Tensor& index, const Tensor& values) {
    std::vector<Tensor> indices(static_cast<size_t>(dim));
    indices.push_back(at_least_1d(index));
    put_values(at_least_1d(out), indices, values);
}

Tensor copy_of(const Tensor& x) {
    GradMode off(false);
    return contiguous_clone(x);
}

void check_range(const Tensor& index, const Tensor& x, int dim, const char* function,
                 bool from_the_end) {
    const int64_t size = x.dim() ? x.sizes()[dim] : 1;
    const Tensor values = contiguous_values(index);
    for (int64_t i = 0; i < values.numel(); ++i) {
        const int64_t at = values.data<int64_t>()[i];
        if (at < (from_the_end ? -size : 0) || at >= size)
            fail<IndexError>(function, "index ", at, " is out of bounds for dimension ", dim,
                             " with size ", size);
    }
}

// ------------------------------------------------------------------------------- index_copy

class IndexCopyNode final : public Node {
public:
    IndexCopyNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source)
        : dim_(dim),
          source_sizes_(source.sizes()),
          index_(index, false) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
    }
    const char* name() const noexcept override { return "IndexCopyBackward0"; }
    std::string formula() const override {
        return "self: grad.index_fill(dim, index, 0), source: grad.index_select(dim, index)";
    }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.integer("dim", dim_);
        visitor.tensor("index", index_);
        visitor.integer("source_dim", source_sizes_.size());
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor index = index_.unpack(*this);
        if (wants(0)) inputs[0] = index_fill(grads[0], dim_, index, 0);
        if (wants(1)) inputs[1] = reshape(index_select(grads[0], dim_, index), source_sizes_);
    }

private:
    const int dim_;
    const Dims source_sizes_;
    SavedTensor index_;
};

Dims without(Dims sizes, int dim) {
    if (!sizes.empty()) sizes.erase(dim);
    return sizes;
}

std::string plain_list(const Dims& sizes) {
    const std::string text = to_string(sizes);
    return text.substr(1, text.size() - 2);
}

void check_index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    if (index.dim() >= 2)
        fail<IndexError>("index_copy_(): Index should have dimension 1 or 0 (got ", index.dim(),
                         ")");
    const int64_t count = index.numel();
    if (source.dim() == 0 && count != 1)
        fail<IndexError>(
            "index_copy_(): When source is scalar, index should have one element (got ", count,
            ")");
    if (source.dim() != x.dim() && source.dim() != 0 && x.dim() != 0)
        fail<IndexError>(
            "index_copy_(): When source and destination are not scalars, their dimensionality must "
            "match. Source dimensionality (",
            source.dim(), "), destination dimensionality (", x.dim(), ")");
    if (index.dtype() != DType::Int64)
        fail("index_copy_(): Expected a long tensor for index, but got ",
             scalar_type_name(index.dtype()));
    if (source.dtype() != x.dtype())
        fail("index_copy_(): self and source expected to have the same dtype, but got (self) ",
             scalar_type_name(x.dtype()), " and (source) ", scalar_type_name(source.dtype()));
    const Dims slice = without(x.sizes(), dim), source_slice = without(source.sizes(), dim);
    if (!(slice == source_slice))
        fail(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            "slice shape: ",
            plain_list(slice), " at dimension ", dim,
            " and source slice shape: ", plain_list(source_slice), " at dimension 0.");
    if (source.dim() > 0 && count != source.sizes()[dim])
        fail<IndexError>("index_copy_(): Number of indices (", count,
                         ") should be equal to source.size(dim) (", source.sizes()[dim], ")");
    check_range(index, x, dim, "index_copy_(): ", false);
}

void write_copies(const Tensor& out, int dim, const Tensor& index, const Tensor& source) {
    GradMode off(false);
    write_slices(out, dim, index, at_least_1d(source));
}

}  // namespace

Tensor index_copy(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    check_index_copy(x, dim, index, source);
    const Tensor out = copy_of(x);
    write_copies(out, dim, index, source);
    if (recording(x, source)) set_history(out, Ref<Node>(new IndexCopyNode(x, dim, index, source)));
    return out;
}

const Tensor& index_copy_(const Tensor& x, int64_t dim_given, const Tensor& index,
                          const Tensor& source) {
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    refuse_internal_overlap(x);
    refuse_overlap(x, index);
    refuse_overlap(x, source);
    check_index_copy(x, dim, index, source);
    const Ref<Node> node(recorded ? new IndexCopyNode(x, dim, index, source) : nullptr);
    write_copies(x, dim, index, source);
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

// ------------------------------------------------------------------------------- index_fill

namespace {

class IndexFillNode final : public Node {
public:
    IndexFillNode(const Tensor& x, int dim, const Tensor& index, const Arg& value)
        : dim_(dim),
          tensor_value_(value.is_tensor()),
          index_(index, false) {
        add_edge(gradient_edge(x));
        if (!tensor_value_) return;
        add_edge(gradient_edge(value));
        value_type_ = value.tensor().dtype();
    }
    const char* name() const noexcept override {
        return tensor_value_ ? "IndexFillBackward1" : "IndexFillBackward0";
    }
    std::string formula() const override {
        return tensor_value_ ? "self: grad.index_fill(dim, index, 0), value: "
                               "grad.index_select(dim, unique(index)).sum()"
                             : "grad.index_fill(dim, index, 0)";
    }
    void release_saved() override { index_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.integer("dim", dim_);
        visitor.tensor("index", index_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor index = index_.unpack(*this);
        const Tensor kept = index_fill(grads[0], dim_, index, 0);
        // What was filled once or several times counts once.
        if (tensor_value_ && wants(1))
            inputs[1] = to_dtype(sum(grads[0] - kept, {}, false, std::nullopt), value_type_);
        if (wants(0)) inputs[0] = kept;
    }

private:
    const int dim_;
    const bool tensor_value_;
    DType value_type_ = DType::Float32;
    SavedTensor index_;
};

void check_index_fill(const Tensor& x, int dim, const Tensor& index, const Arg& value) {
    if (value.is_tensor() && value.tensor().dim() != 0)
        fail("index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
             value.tensor().dim(), " dimension(s).");
    if (index.dtype() != DType::Int64)
        fail<IndexError>("index_fill_(): Expected dtype int64 for index.");
    if (index.dim() > 1) fail("Index has to be a vector/scalar");
    if (!value.is_tensor()) check_convertible(value.scalar(), x.dtype());
    check_range(index, x, dim, "", true);
}

void write_fill(const Tensor& out, int dim, const Tensor& index, const Arg& value) {
    GradMode off(false);
    const Tensor number =
        value.is_tensor() ? empty({}, out.dtype()) : scalar_tensor(value.scalar(), out.dtype());
    if (value.is_tensor()) copy_values(number, value.tensor());
    write_slices(out, dim, index, number);
}

}  // namespace

Tensor index_fill(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& value) {
    const int dim = wrap_dim(dim_given, x.dim());
    check_index_fill(x, dim, index, value);
    const Tensor out = empty_result(x.sizes(), x.dtype(), x);
    copy_values(out, x);
    write_fill(out, dim, index, value);
    if (recording_args(Arg(x), value))
        set_history(out, Ref<Node>(new IndexFillNode(x, dim, index, value)));
    return out;
}

const Tensor& index_fill_(const Tensor& x, int64_t dim_given, const Tensor& index,
                          const Arg& value) {
    const bool recorded = recording_args(Arg(x), value);
    check_inplace(x, recorded);
    const int dim = wrap_dim(dim_given, x.dim());
    refuse_overlap(x, index);
    check_index_fill(x, dim, index, value);
    warn_of_internal_overlap(x, "index_fill_");
    const Ref<Node> node(recorded ? new IndexFillNode(x, dim, index, value) : nullptr);
    write_fill(x, dim, index, value);
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

// --------------------------------------------------------------------------- masked_scatter

namespace {

class MaskedScatterNode final : public Node {
public:
    MaskedScatterNode(const Tensor& x, const Tensor& mask, const Tensor& source)
        : mask_(mask, false),
          sizes_(x.sizes()),
          source_sizes_(source.sizes()) {
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(source));
    }
    const char* name() const noexcept override { return "MaskedScatterBackward0"; }
    std::string formula() const override {
        return "self: grad.masked_fill(mask, 0), source: grad.masked_select(mask)";
    }
    void release_saved() override { mask_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("mask", mask_);
        visitor.dims("source_sym_sizes", source_sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor mask = mask_.unpack(*this);
        if (wants(0)) inputs[0] = sum_to(masked_fill(grads[0], mask, 0), sizes_);
        if (!wants(1)) return;
        Tensor used = masked_select(grads[0], mask);
        const int64_t rest = element_count(source_sizes_) - used.numel();
        if (rest > 0) used = cat({used, zeros({rest}, used.dtype())}, 0);
        inputs[1] = reshape(used, source_sizes_);
    }

private:
    SavedTensor mask_;
    const Dims sizes_, source_sizes_;
};

void check_masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
    if (x.dtype() != source.dtype())
        fail("masked_scatter: expected self and source to have same dtypes but got",
             scalar_type_name(x.dtype()), " and ", scalar_type_name(source.dtype()));
    if (mask.dtype() != DType::Bool)
        fail("masked_scatter_ only supports boolean masks, but got mask with dtype ",
             scalar_type_name(mask.dtype()));
}

// The elements of source one after the other into the places of the mask, which has the sizes of x.
template <class Target>
Tensor write_masked(const Tensor& mask, const Tensor& source, Target target) {
    GradMode off(false);
    const Tensor places = at_least_1d(mask);
    const int64_t count = *count_nonzero(places, {}).data<int64_t>();
    if (source.numel() < count) fail("Number of elements of source < number of ones in mask");
    const Tensor values = slice(reshape(source, {-1}), 0, 0, count, 1);
    const Tensor out = target();
    put_values(at_least_1d(out), {places}, values);
    return out;
}

}  // namespace

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
    const Dims sizes = broadcast(mask.sizes(), x.sizes());
    check_masked_scatter(x, mask, source);
    const Tensor out = write_masked(expand(mask, sizes), source, [&] {
        return copy_of(x.sizes() == sizes ? x : expand(x, sizes));
    });
    if (recording(x, source)) set_history(out, Ref<Node>(new MaskedScatterNode(x, mask, source)));
    return out;
}

const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
    const bool recorded = recording(x, source);
    check_inplace(x, recorded);
    refuse_internal_overlap(x);
    check_masked_scatter(x, mask, source);
    const Ref<Node> node(recorded ? new MaskedScatterNode(x, mask, source) : nullptr);
    write_masked(expand(mask, x.sizes()), shares_memory(source, x) ? copy_of(source) : source,
                 [&] { return x; });
    x.bump_version();
    if (node) rebase_history(x, node);
    return x;
}

}  // namespace tapegrad
