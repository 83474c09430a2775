#include "ops/gather.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/index_access.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

TAPEGRAD_WORD(zeros_scatter_add)

struct Gather : AlongDim {
    static constexpr auto node = "GatherBackward0";
    static constexpr std::array arguments{"self", "index"};
    auto backward(auto g, auto x, auto index, auto) const {
        return zeros_scatter_add(x.sizes(), dim, index, g);
    }
    auto forward(auto t, auto, auto index, auto) const { return gather(t, dim, index); }
};

template <class T>
void gather_values(T* out, const T* x, const int64_t* index, const Access& a, int dim) {
    const int64_t count = a.count();
    std::atomic<bool> bad = false;
    const auto range = [&](int64_t begin, int64_t end) {
        // Copies that stay in registers: what is written may be anything to the compiler.
        T* const to = out;
        const int64_t *const at = index, *const inner = a.inner_offsets.data();
        const int64_t columns = a.inner, stride = a.stride;
        const auto size = static_cast<uint64_t>(a.size);
        // Row by row: the places of a row lie in one window.
        for (int64_t i = begin; i < end;) {
            const int64_t first = i % columns, row = i - first;
            const int64_t last = std::min(columns, end - row);
            const T* window = x + a.outer_offsets[static_cast<size_t>(i / columns / a.length)];
            for (int64_t k = first; k < last; ++k) {
                const int64_t j = at[row + k];
                if (static_cast<uint64_t>(j) >= size) [[unlikely]] {
                    bad = true;
                    return;
                }
                to[row + k] = window[j * stride + inner[k]];
            }
            i = row + last;
        }
    };
    parallel_for(count, kIndexGrain, range);
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
        Access access(x, dim, index.sizes());
        const Tensor places = int64_values(index);
        visit_item(x.item_size(), [&]<class T>() {
            launch(checking(
                       [access = std::move(access), dim](T* to, const T* from, const int64_t* at) {
                           gather_values(to, from, at, access, dim);
                       }),
                   out.data<T>(), x.data<T>(), places.data<int64_t>());
        });
    }
    return recorded(std::move(out), Gather{dim}, x, index);
}

}  // namespace tapegrad
