#include "ops/unique.h"

#include <algorithm>
#include <vector>

#include "autograd/grad_mode.h"
#include "core/checked.h"
#include "ops/copy.h"
#include "ops/index_select.h"
#include "ops/radix.h"
#include "ops/reshape.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// NaN comes last, in the order of places.
template <class T> bool comes_before(T a, T b) {
    if constexpr (is_floating_type<T>) return a < b || (a == a && b != b);
    else return a < b;
}

// Where groups of equal elements begin in an order of places, and what is known of them.
struct Groups {
    explicit Groups(int64_t count_) : count(count_) {}
    // Calls same(i) for i > 0: whether the element i of the order is equal to the one before it.
    template <class Same> void find(Same same) {
        for (int64_t i = 0; i < count; ++i)
            if (i == 0 || !same(i)) starts.push_back(i);
    }
    Tensor counts() const {
        Tensor out = empty({static_cast<int64_t>(starts.size())}, DType::Int64);
        for (size_t k = 0; k < starts.size(); ++k)
            out.data<int64_t>()[k] = (k + 1 < starts.size() ? starts[k + 1] : count) - starts[k];
        return out;
    }
    // place(i): where the element i of the order is.
    template <class Place> Tensor inverse(const Dims& sizes, Place place) const {
        Tensor out = empty(sizes, DType::Int64);
        for (size_t k = 0; k < starts.size(); ++k)
            for (int64_t i = starts[k]; i < (k + 1 < starts.size() ? starts[k + 1] : count); ++i)
                out.data<int64_t>()[place(i)] = static_cast<int64_t>(k);
        return out;
    }

    int64_t count;
    std::vector<int64_t> starts;
};

// Integers of a narrow range are counted.
template <class T> bool count_integers(const Tensor& x, bool inverse, bool counts, Distinct& out) {
    const int64_t n = x.numel();
    if (n == 0) return false;
    const T* from = x.data<T>();
    const auto [low, high] = std::minmax_element(from, from + n);
    int64_t range;
    if (__builtin_sub_overflow(static_cast<int64_t>(*high), static_cast<int64_t>(*low), &range) ||
        range >= std::max<int64_t>(2 * n, 1024))
        return false;
    const auto least = static_cast<int64_t>(*low);
    const auto number = [&](int64_t i) {
        return static_cast<size_t>(static_cast<int64_t>(from[i]) - least);
    };
    std::vector<int64_t> found(static_cast<size_t>(range) + 1);
    for (int64_t i = 0; i < n; ++i) ++found[number(i)];
    int64_t distinct = 0;
    for (int64_t count : found) distinct += count != 0;
    out.values = empty({distinct}, x.dtype());
    if (counts) out.counts = empty({distinct}, DType::Int64);
    int64_t next = 0;
    for (size_t v = 0; v < found.size(); ++v) {
        if (found[v] == 0) continue;
        out.values.data<T>()[next] = static_cast<T>(least + static_cast<int64_t>(v));
        if (counts) out.counts.data<int64_t>()[next] = found[v];
        found[v] = next++;
    }
    if (inverse) {
        out.inverse = empty(x.sizes(), DType::Int64);
        for (int64_t i = 0; i < n; ++i) out.inverse.data<int64_t>()[i] = found[number(i)];
    }
    return true;
}

template <class T> void unique_values(const Tensor& x, bool inverse, bool counts, Distinct& out) {
    const int64_t n = x.numel();
    const T* from = x.data<T>();
    if constexpr (!is_floating_type<T>)
        if (count_integers<T>(x, inverse, counts, out)) return;
    RowSorter<T> sorter(n);
    const auto& order = sorter.sort(from, false);
    const auto at = [&](int64_t i) { return order[static_cast<size_t>(i)]; };
    Groups groups(n);
    groups.find([&](int64_t i) { return from[at(i).place] == from[at(i - 1).place]; });
    out.values = empty({static_cast<int64_t>(groups.starts.size())}, x.dtype());
    for (size_t k = 0; k < groups.starts.size(); ++k)
        out.values.data<T>()[k] = from[at(groups.starts[k]).place];
    if (counts) out.counts = groups.counts();
    if (inverse) out.inverse = groups.inverse(x.sizes(), [&](int64_t i) { return at(i).place; });
}

// The slices of x along a dimension as rows.
Tensor slices_of(const Tensor& x, int64_t dim, int at) {
    if (x.dim() == 0)
        fail<IndexError>("Dimension specified as ", dim, " but tensor has no dimensions");
    const int64_t n = x.sizes()[at];
    if (x.numel() == 0) {
        for (int d = 0; d < x.dim(); ++d)
            if (d != at && x.sizes()[d] == 0)
                fail(
                    "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
                    "applied");
        return empty({n, 0}, x.dtype());
    }
    return reshape(contiguous_clone(movedim(x, {at}, {0})), {n, x.numel() / n});
}

// sorted: in the order of the slices, else in that of their places.
Distinct unique_slices(const Tensor& x, bool inverse, bool counts, int64_t dim, bool sorted) {
    const int at = wrap_dim(dim, x.dim());
    const Tensor rows = slices_of(x, dim, at);
    const int64_t n = rows.sizes()[0], length = rows.sizes()[1];
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
    Groups groups(n);
    visit_dtype(x.dtype(), [&]<class T>() {
        const T* values = rows.data<T>();
        if (sorted)
            std::sort(order.begin(), order.end(), [=](int64_t a, int64_t b) {
                const T *first = values + a * length, *second = values + b * length;
                for (int64_t i = 0; i < length; ++i) {
                    if (comes_before(first[i], second[i])) return true;
                    if (comes_before(second[i], first[i])) return false;
                }
                return a < b;
            });
        groups.find([&](int64_t i) {
            const T* row = values + order[static_cast<size_t>(i)] * length;
            return std::equal(row, row + length,
                              values + order[static_cast<size_t>(i) - 1] * length,
                              [](T a, T b) { return a == b; });
        });
    });
    const auto count = static_cast<int64_t>(groups.starts.size());
    const Tensor chosen = empty({count}, DType::Int64);
    for (int64_t k = 0; k < count; ++k)
        chosen.data<int64_t>()[k] =
            order[static_cast<size_t>(groups.starts[static_cast<size_t>(k)])];
    Distinct out;
    out.values = index_select(x, at, chosen);
    if (counts) out.counts = groups.counts();
    if (inverse)
        out.inverse = groups.inverse({n}, [&](int64_t i) { return order[static_cast<size_t>(i)]; });
    return out;
}

}  // namespace

Distinct unique(const Tensor& x, bool inverse, bool counts, std::optional<int64_t> dim) {
    refuse_replay(kShapeOfValues);
    const GradMode off(false);
    if (dim) return unique_slices(x, inverse, counts, *dim, true);
    Distinct out;
    const Tensor data = contiguous_values(x);
    visit_dtype(x.dtype(), [&]<class T>() { unique_values<T>(data, inverse, counts, out); });
    return out;
}

Distinct unique_consecutive(const Tensor& x, bool inverse, bool counts,
                            std::optional<int64_t> dim) {
    refuse_replay(kShapeOfValues);
    const GradMode off(false);
    if (dim) return unique_slices(x, inverse, counts, *dim, false);
    const Tensor data = contiguous_values(x);
    Groups groups(x.numel());
    Distinct out;
    visit_dtype(x.dtype(), [&]<class T>() {
        const T* from = data.data<T>();
        groups.find([&](int64_t i) { return from[i] == from[i - 1]; });
        out.values = empty({static_cast<int64_t>(groups.starts.size())}, x.dtype());
        for (size_t k = 0; k < groups.starts.size(); ++k)
            out.values.data<T>()[k] = from[groups.starts[k]];
    });
    if (counts) out.counts = groups.counts();
    if (inverse) out.inverse = groups.inverse(x.sizes(), [](int64_t i) { return i; });
    return out;
}

}  // namespace tapegrad
