#include "ops/sort.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "ops/views.h"

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
};

template <class T> bool is_nan(T value) {
    if constexpr (is_floating_type<T>) return value != value;
    else return false;
}

// Sorts each row of contiguous values in place and fills in where its elements were.
template <class T>
void sort_rows(T* values, int64_t* indices, int64_t rows, int64_t length, bool descending) {
    struct Entry {
        T value;
        int64_t index;
    };
    parallel_for(rows, grain_for(8 * length), [&](int64_t begin, int64_t end) {
        std::vector<Entry> entries(static_cast<size_t>(length));
        for (int64_t row = begin; row < end; ++row) {
            T* to = values + row * length;
            int64_t* at = indices + row * length;
            for (int64_t i = 0; i < length; ++i) entries[static_cast<size_t>(i)] = {to[i], i};
            // NaN counts as larger than everything.
            if (descending)
                std::stable_sort(
                    entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
                        return a.value > b.value || (is_nan(a.value) && !is_nan(b.value));
                    });
            else
                std::stable_sort(
                    entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
                        return a.value < b.value || (!is_nan(a.value) && is_nan(b.value));
                    });
            for (int64_t i = 0; i < length; ++i) {
                to[i] = entries[static_cast<size_t>(i)].value;
                at[i] = entries[static_cast<size_t>(i)].index;
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
    Tensor values;
    {
        GradMode off(false);
        values = contiguous_clone(move ? swapped(x) : x);
    }
    Tensor indices = empty(values.sizes(), DType::Int64);
    const int64_t length = x.dim() ? x.sizes()[dim] : 1;
    if (x.numel() > 0)
        visit_dtype(x.dtype(), [&]<class T>() {
            sort_rows(values.data<T>(), indices.data<int64_t>(), x.numel() / length, length,
                      descending);
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
