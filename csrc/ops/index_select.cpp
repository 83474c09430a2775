#include "ops/index_select.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/index_access.h"
#include "ops/overlap.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

Tensor zeros_index_add(const Dims& sizes, int64_t dim, const Tensor& index, const Tensor& g) {
    Tensor out = zeros(sizes, g.dtype());
    index_add_(out, dim, index, g);
    return out;
}

TAPEGRAD_WORD(zeros_index_add)

struct IndexSelect : AlongDim {
    static constexpr auto node = "IndexSelectBackward0";
    static constexpr std::array arguments{"self", "index"};
    auto backward(auto g, auto x, auto index, auto) const {
        return zeros_index_add(x.sizes(), dim, index, g);
    }
    auto forward(auto t, auto, auto index, auto) const { return index_select(t, dim, index); }
};

struct IndexAdd {
    static constexpr auto node = "IndexAddBackward0";
    static constexpr std::array arguments{"self", "source", "index"};
    int64_t dim;
    Scalar alpha;
    int64_t source_dim;
    auto backward(auto g, auto, auto source, auto index, auto) const {
        return gradients([=] { return g; },
                         [=, this] {
                             auto taken = reshape(index_select(g, dim, index), source.sizes());
                             const double factor = alpha.to_double();
                             return factor == 1 ? taken : taken * factor;
                         });
    }
    auto forward(auto, auto, auto index, auto y) const {
        return tangents([](auto t) { return t; },
                        [=, this](auto t) {
                            Tensor sum = zeros(y.sizes(), t.dtype());
                            return index_add(sum, dim, index, t, alpha);
                        });
    }
    void parameters(auto show) const { show("alpha", alpha, "dim", dim, "source_dim", source_dim); }
};

template <class T>
void select_values(T* out, const T* x, const int64_t* at, int64_t count, int64_t stride,
                   int64_t outer_stride, const Extents& s) {
    if (count == 0 || s.inner == 0 || s.outer == 0) return;
    std::atomic<bool> bad = false;
    parallel_for(s.outer * count, grain_for(s.inner), [&](int64_t begin, int64_t end) {
        int64_t o = begin / count, j = begin % count;
        for (int64_t row = begin; row < end; ++row) {
            const int64_t i = at[j];
            if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(s.n)) [[unlikely]] {
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
    const Extents slices = extents_at(x.sizes(), dim);
    Dims sizes = x.sizes();
    if (x.dim() > 0) sizes[dim] = index.numel();
    Tensor out = empty(sizes, x.dtype());
    const int64_t stride = rows ? x.strides()[0] : slices.inner;
    visit_item(x.item_size(), [&]<class T>() {
        launch(checking([slices, stride, count = index.numel()](T* to, const T* from,
                                                                const int64_t* at) {
                   select_values(to, from, at, count, stride, slices.n * slices.inner, slices);
               }),
               out.data<T>(), x.data<T>(), index.data<int64_t>());
    });
    return recorded(std::move(out), IndexSelect{dim}, x_given, index_given);
}

void check_slices(const char* name, const Tensor& x, int dim, const Tensor& index,
                  const Tensor& source) {
    if (index.dim() > 1)
        fail<IndexError>(name, "(): Index is supposed to be a vector, but got dim: ", index.dim(),
                         " with type: ", scalar_type_name(index.dtype()),
                         " and size: ", to_string(index.sizes()));
    if (index.dtype() != DType::Int64 && index.dtype() != DType::Int32)
        fail(name,
             "(): Expected dtype int32/int64 for index but got: ", scalar_type_name(index.dtype()));
    if (x.dtype() != source.dtype())
        fail(name, "(): self (", scalar_type_name(x.dtype()), ") and source (",
             scalar_type_name(source.dtype()), ") must have the same scalar type");
    if (source.dim() > 0 && dim >= source.dim())
        fail(name, "(): Indexing dim ", dim, " is out of bounds of the source tensor with dim ",
             source.dim());
    const int64_t length = source.dim() ? source.sizes()[dim] : 1;
    if (index.numel() != length)
        fail(name, "(): Number of indices (", index.numel(),
             ") should be equal to source.size(dim): (", length, "), for dim: ", dim);
    bool match = x.dim() == source.dim();
    for (int d = 0; match && d < x.dim(); ++d)
        match = d == dim || x.sizes()[d] == source.sizes()[d];
    if (!match)
        fail(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            "Got self.shape = ",
            to_string(x.sizes()), " source.shape = ", to_string(source.sizes()));
    check_bounds(int64_values(index), x.dim() ? x.sizes()[dim] : 1, dim);
}

namespace {

// x += alpha * source at index; x is contiguous.
void add_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                const Scalar& alpha) {
    const Tensor at = int64_values(index), values = contiguous_values(source);
    const Extents s = extents_at(x.sizes(), dim);
    const int64_t count = at.numel();
    if (values.numel() == 0) return write_nothing(x);
    visit_dtype(x.dtype(), [&]<class T>() {
        launch(
            [s, count, factor = alpha.to<T>()](T* to, const T* from, const int64_t* positions) {
                auto part = [&](int64_t o, int64_t begin, int64_t end) {
                    for (int64_t j = 0; j < count; ++j) {
                        T* place = to + (o * s.n + positions[j]) * s.inner;
                        const T* value = from + (o * count + j) * s.inner;
                        for (int64_t k = begin; k < end; ++k) {
                            if constexpr (std::is_same_v<T, bool>)
                                place[k] = place[k] || (value[k] && factor);
                            else place[k] = static_cast<T>(place[k] + value[k] * factor);
                        }
                    }
                };
                for_windows(s.outer, count, s.inner, part);
            },
            x.data<T>(), values.data<T>(), at.data<int64_t>());
    });
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
    const int dim = wrap_dim(dim_given, x.dim());
    check_convertible(alpha, x.dtype());
    Tensor out;
    {
        GradMode off(false);
        KeepLock keep;
        check_slices("index_add_", x, dim, index, source);
        out = contiguous_clone(x);
        add_slices(out, dim, index, source, alpha);
    }
    return recorded(std::move(out), IndexAdd{dim, alpha, source.dim()}, x, source, index);
}

const Tensor& index_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                         const Tensor& source, const Scalar& alpha) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    check_convertible(alpha, x.dtype());
    const auto write = [&] {
        GradMode off(false);
        KeepLock keep;
        check_slices("index_add_", x, dim, index, source);
        refuse_internal_overlap(x);
        refuse_overlap(x, index);
        refuse_overlap(x, source);
        const bool direct =
            x.is_contiguous() && !shares_memory(source, x) && !shares_memory(index, x);
        const Tensor target = direct ? x : contiguous_clone(x);
        add_slices(target, dim, index, source, alpha);
        if (!direct) copy_values(x, target);
    };
    return change.apply(IndexAdd{dim, alpha, source.dim()}, write, source, index);
}

}  // namespace tapegrad
