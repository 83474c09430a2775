// Rules of operators whose results are elements of their input: extremes, medians.
#pragma once

#include "kernels/table.h"
#include "ops/elementwise.h"
#include "ops/reduced.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {

// The gradient is shared evenly among the elements that are extreme.
template <kernels::Ties ties> struct Evenly : Reduced, Named {
    auto backward(auto g, auto x, auto y) const {
        if constexpr (ties == kernels::Ties::Masked) {
            auto hits = (x == y) | (isnan(x) & isnan(y));
            return where(hits, g / sum(cast_like(hits, x), dim, true), 0);
        } else {
            auto hits = cast_like(x == y, x);
            return g * hits / sum(hits, dim, true);
        }
    }
    Tensor fused(const Tensor& grad, const Tensor& x, const Tensor& result) const {
        bool rows = true;
        for (int d = 1; d < x.dim(); ++d) rows &= dim.contains(d) || !dim.contains(d - 1);
        if (!rows || !x.is_contiguous() || grad.dtype() != x.dtype()) return {};
        Tensor out = empty_row_major_like(x);
        const Tensor g = contiguous_values(grad), y = contiguous_values(result);
        launch(kernel_table().reduce.extreme_backward[x.dtype()], g.data(), x.data(), y.data(),
               out.data(), g.numel(), g.numel() ? x.numel() / g.numel() : 0, ties);
        return out;
    }
};

// Zeros but for g, a gradient of what was taken at the indices along a dimension.
Tensor zeros_at_indices(const Dims& sizes, int64_t dim, const Tensor& indices, const Tensor& g,
                        bool keepdim);
TAPEGRAD_WORD(zeros_at_indices)
// What lies there.
Tensor at_indices(const Tensor& x, int64_t dim, const Tensor& indices, bool keepdim);

// Of results that were taken at indices along a dimension.
struct AtIndices : Named {
    static constexpr std::array arguments{"self", "indices"};
    int64_t dim;
    bool keepdim;
    auto backward(auto g, auto x, auto indices, auto) const {
        return zeros_at_indices(x.sizes(), dim, indices, g, keepdim);
    }
    Tensor forward(const Tensor& t, const Tensor&, const Tensor& indices, const Tensor&) const {
        return at_indices(t, dim, indices, keepdim);
    }
    void parameters(auto show) const { show("dim", dim, "keepdim", keepdim); }
};

}  // namespace tapegrad
