#include "ops/ranks.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "ops/reshape.h"
#include "ops/selected.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

void require_numbers(const Tensor& x, const char* name) {
    if (x.dtype() == DType::Bool)
        fail<NotImplementedError>("\"", name, "_cpu\" not implemented for 'Bool'");
}

// Which of n elements is asked for, m of them being no NaN; from m on it is the first NaN.
struct Rank {
    enum Kind { Middle, MiddleOfNumbers, Given } kind;
    int64_t given = 0;
    int64_t of(int64_t n, int64_t m) const {
        switch (kind) {
            case Middle: return m < n ? m : (n - 1) / 2;
            case MiddleOfNumbers: return m ? (m - 1) / 2 : 0;
            default: return given;
        }
    }
};

// Where the element of a rank is among n that lie step apart. Of equal elements it is one that does not
// depend on anything else.
template <class T> int64_t place_of_rank(const T* x, int64_t n, int64_t step, Rank asked) {
    struct Entry {
        T value;
        int64_t index;
    };
    std::vector<Entry> entries;
    entries.reserve(static_cast<size_t>(n));
    int64_t first_nan = n;
    for (int64_t i = 0; i < n; ++i) {
        const T value = x[i * step];
        if (value != value) first_nan = std::min(first_nan, i);
        else entries.push_back({value, i});
    }
    const auto m = static_cast<int64_t>(entries.size());
    const int64_t rank = asked.of(n, m);
    if (rank >= m) return first_nan;
    const auto chosen = entries.begin() + rank;
    std::nth_element(entries.begin(), chosen, entries.end(), [](const Entry& a, const Entry& b) {
        return a.value < b.value || (a.value == b.value && a.index < b.index);
    });
    return chosen->index;
}

std::pair<Tensor, Tensor> at_rank(const Tensor& x, int64_t dim, bool keepdim, const char* name,
                                  const char* node, Rank rank) {
    require_numbers(x, name);
    const ReductionPlan plan(x, {dim}, keepdim);
    const auto& [outer, n, inner] = plan.extents;
    if (n == 0 && outer > 0 && inner > 0)
        fail<IndexError>(name, "(): Expected reduction dim ", dim, " to have non-zero size.");
    Tensor values = empty(plan.result_sizes, x.dtype());
    const Tensor indices = empty(plan.result_sizes, DType::Int64);
    visit_dtype(x.dtype(), [&]<class T>() {
        launch(
            [length = n, step = inner, rows = values.numel(), rank](const T* data, T* chosen,
                                                                    int64_t* places) {
                parallel_for(rows, grain_for(8 * length), [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                        const T* from = data + row / step * length * step + row % step;
                        const int64_t place = place_of_rank(from, length, step, rank);
                        chosen[row] = from[place * step];
                        places[row] = place;
                    }
                });
            },
            plan.data.data<T>(), values.data<T>(), indices.data<int64_t>());
    });
    return {recorded(std::move(values), AtIndices{{node}, dim, keepdim}, x, indices), indices};
}

Tensor of_all(const Tensor& x, const char* name, const char* node, Rank rank) {
    require_numbers(x, name);
    const ReductionPlan plan(x, {}, false);
    Tensor value = empty({}, x.dtype());
    visit_dtype(x.dtype(), [&]<class T>() {
        launch(
            [n = x.numel(), rank](const T* from, T* to) {
                if (n > 0) *to = from[place_of_rank(from, n, 1, rank)];
                else if constexpr (is_floating_type<T>) *to = std::numeric_limits<T>::quiet_NaN();
                else  // what NaN becomes
                    *to = sizeof(T) < sizeof(int) ? T{0} : std::numeric_limits<T>::lowest();
            },
            plan.data.data<T>(), value.data<T>());
    });
    return recorded(std::move(value), Evenly<kernels::Ties::Masked>{{plan, false}, {node}}, x);
}

}  // namespace

Tensor median(const Tensor& x) { return of_all(x, "median", "MedianBackward0", {Rank::Middle}); }

std::pair<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
    return at_rank(x, wrap_dim(dim, x.dim()), keepdim, "median", "MedianBackward1", {Rank::Middle});
}

Tensor nanmedian(const Tensor& x) {
    return of_all(x, "nanmedian", "NanmedianBackward0", {Rank::MiddleOfNumbers});
}

std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
    return at_rank(x, wrap_dim(dim, x.dim()), keepdim, "nanmedian", "NanmedianBackward1",
                   {Rank::MiddleOfNumbers});
}

std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim_given, bool keepdim) {
    const int dim = wrap_dim(dim_given, x.dim());
    if (const int64_t n = x.dim() ? x.sizes()[dim] : 1; k < 1 || k > n)
        fail("kthvalue(): selected number k out of range for dimension ", dim);
    return at_rank(x, dim, keepdim, "kthvalue", "KthvalueBackward0", {Rank::Given, k - 1});
}

}  // namespace tapegrad
