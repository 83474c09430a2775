#include "ops/sort.h"

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/offsets.h"
#include "ops/radix.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

Tensor zeros_scatter(const Dims& sizes, int64_t dim, const Tensor& index, const Tensor& g) {
    Tensor out = zeros(sizes, g.dtype());
    scatter_(out, dim, index, g);
    return out;
}

TAPEGRAD_WORD(zeros_scatter)

struct Sort : AlongDim {
    static constexpr auto node = "SortBackward0";
    static constexpr std::array arguments{"self", "indices"};
    auto backward(auto g, auto x, auto indices, auto) const {
        return zeros_scatter(x.sizes(), dim, indices, g);
    }
    auto forward(auto t, auto, auto index, auto) const { return gather(t, dim, index); }
};

// Sorts each row and fills in where its elements were. NaN counts as larger than everything.
template <class T>
void sort_rows(const T* x, T* values, int64_t* indices, int64_t rows, int64_t length,
               bool descending) {
    parallel_for(rows, grain_for(8 * length), [&](int64_t begin, int64_t end) {
        RowSorter<T> sorter(length);
        for (int64_t row = begin; row < end; ++row) {
            const T* from = x + row * length;
            const auto& order = sorter.sort(from, descending);
            for (int64_t i = 0; i < length; ++i) {
                const uint32_t place = order[static_cast<size_t>(i)].place;
                values[row * length + i] = from[place];
                indices[row * length + i] = place;
            }
        }
    });
}

}  // namespace

std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim_given, bool descending) {
    const int dim = wrap_dim(dim_given, x.dim());
    // The dimension goes last for sorting.
    const bool move = x.dim() > 1 && dim != x.dim() - 1;
    auto swapped = [&](const Tensor& t) { return swap_dims(t, dim, t.dim() - 1); };
    const Tensor data = contiguous_values(move ? swapped(x) : x);
    Tensor values = empty(data.sizes(), x.dtype()), indices = empty(data.sizes(), DType::Int64);
    const int64_t length = x.dim() ? x.sizes()[dim] : 1;
    if (x.numel() > 0)
        visit_dtype(x.dtype(), [&]<class T>() {
            launch(&sort_rows<T>, data.data<T>(), values.data<T>(), indices.data<int64_t>(),
                   x.numel() / length, length, descending);
        });
    if (move) {
        values = contiguous_values(swapped(values));
        indices = contiguous_values(swapped(indices));
    }
    values = recorded(std::move(values), Sort{dim}, x, indices);
    return {values, indices};
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
    GradMode off(false);
    return sort(x, dim, descending).second;
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
    if (x.dtype() == DType::Bool) fail("topk does not support bool dtypes on CPU");
    if (k < 0 || k > (x.dim() ? x.size(dim) : 1)) fail("selected index k out of range");
    auto [values, indices] = sort(x, dim, largest);
    if (x.dim() == 0) return {values, indices};
    return {narrow(values, dim, 0, k), narrow(indices, dim, 0, k)};
}

}  // namespace tapegrad
