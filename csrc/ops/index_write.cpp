#include "ops/index_write.h"

#include <string>
#include <vector>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/index_access.h"
#include "ops/index_select.h"
#include "ops/indexing.h"
#include "ops/offsets.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// Puts values, in the shape of the slices, into the slices of out; nothing is recorded.
void write_slices(const Tensor& out, int dim, const Tensor& index, const Tensor& values) {
    std::vector<Tensor> indices(static_cast<size_t>(dim));
    indices.push_back(at_least_1d(index));
    put_values(at_least_1d(out), indices, values);
}

void check_range(const Tensor& index, const Tensor& x, int dim, const char* function,
                 bool from_the_end) {
    const int64_t size = x.dim() ? x.sizes()[dim] : 1;
    const Tensor values = contiguous_values(index);
    launch(checking([=, count = values.numel()](const int64_t* places) {
               for (int64_t i = 0; i < count; ++i)
                   if (const int64_t at = places[i]; at < (from_the_end ? -size : 0) || at >= size)
                       fail<IndexError>(function, "index ", at, " is out of bounds for dimension ",
                                        dim, " with size ", size);
           }),
           values.data<int64_t>());
}

// ------------------------------------------------------------------------------- index_copy

struct IndexCopy {
    static constexpr auto node = "IndexCopyBackward0";
    static constexpr std::array arguments{"self", "source", "index"};
    int64_t dim, source_dim;
    auto backward(auto g, auto, auto source, auto index, auto) const {
        return gradients(
            [=, this] { return index_fill(g, dim, index, 0); },
            [=, this] { return reshape(index_select(g, dim, index), source.sizes()); });
    }
    auto forward(auto, auto, auto index, auto y) const {
        return tangents(
            [=, this](auto t) { return index_fill(t, dim, index, 0); },
            [=, this](auto t) { return index_copy(zeros(y.sizes(), t.dtype()), dim, index, t); });
    }
    void parameters(auto show) const { show("dim", dim, "source_dim", source_dim); }
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
    return recorded(out, IndexCopy{dim, source.dim()}, x, source, index);
}

const Tensor& index_copy_(const Tensor& x, int64_t dim_given, const Tensor& index,
                          const Tensor& source) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    refuse_internal_overlap(x);
    refuse_overlap(x, index);
    refuse_overlap(x, source);
    check_index_copy(x, dim, index, source);
    return change.apply(
        IndexCopy{dim, source.dim()}, [&] { write_copies(x, dim, index, source); }, source, index);
}

// ------------------------------------------------------------------------------- index_fill

namespace {

struct IndexFill : AlongDim {
    static constexpr auto node = "IndexFillBackward1";
    static constexpr std::array arguments{"self", "value", "index"};
    auto backward(auto g, auto, auto, auto index, auto) const {
        auto kept = index_fill(g, dim, index, 0);
        // What was filled once or several times counts once.
        return gradients([=] { return kept; }, [=] { return sum(g - kept, Dims{}); });
    }
};

struct IndexFillNumber : AlongDim {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "IndexFillBackward0";
    static constexpr std::array arguments{"self", "index"};
    auto backward(auto g, auto, auto index, auto) const { return index_fill(g, dim, index, 0); }
};

void check_index_fill(const Tensor& x, int dim, const Tensor& index, const Arg& value) {
    if (value.is_tensor() && value.tensor().dim() != 0)
        fail("index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
             value.tensor().dim(), " dimension(s).");
    if (index.dtype() != DType::Int64)
        fail<IndexError>("index_fill_(): Expected dtype int64 for index.");
    if (index.dim() > 1) fail("Index has to be a vector/scalar");
    check_value(value, x.dtype());
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
    if (!value.is_tensor()) return recorded(out, IndexFillNumber{dim}, x, index);
    return recorded(out, IndexFill{dim}, x, value, index);
}

const Tensor& index_fill_(const Tensor& x, int64_t dim_given, const Tensor& index,
                          const Arg& value) {
    const InPlace change(x, value);
    const int dim = wrap_dim(dim_given, x.dim());
    refuse_overlap(x, index);
    check_index_fill(x, dim, index, value);
    warn_of_internal_overlap(x, "index_fill_");
    const auto write = [&] { write_fill(x, dim, index, value); };
    if (!value.is_tensor()) return change.apply(IndexFillNumber{dim}, write, index);
    return change.apply(IndexFill{dim}, write, value, index);
}

}  // namespace tapegrad
