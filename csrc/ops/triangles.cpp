#include "ops/triangles.h"

#include <cstring>

#include "core/checked.h"
#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "ops/windows.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

void copy_triangles(char* out, const char* x, int64_t count, int64_t rows, int64_t columns,
                    size_t item, int64_t diagonal, bool lower) {
    parallel_for(count * rows, grain_for(columns), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            // Columns before the cut are below the diagonal.
            const int64_t i = row % rows;
            const int64_t last = lower ? i + 1 : i;
            const int64_t cut =
                diagonal >= columns - last ? columns : std::max<int64_t>(last + diagonal, 0);
            const size_t left = static_cast<size_t>(cut) * item,
                         right = static_cast<size_t>(columns - cut) * item;
            char* to = out + static_cast<size_t>(row * columns) * item;
            const char* from = x + static_cast<size_t>(row * columns) * item;
            if (lower) {
                std::memcpy(to, from, left);
                std::memset(to + left, 0, right);
            } else {
                std::memset(to, 0, left);
                std::memcpy(to + left, from + left, right);
            }
        }
    });
}

// The part on and below the diagonal (lower), or on and above it; the rest is zero.
Tensor triangle_values(const Tensor& x_given, int64_t diagonal, bool lower) {
    const Tensor x = contiguous_values(x_given);
    Tensor out = empty(x.sizes(), x.dtype());
    if (out.numel() == 0) return out;
    const int64_t rows = x.sizes()[x.dim() - 2], columns = x.sizes()[x.dim() - 1];
    launch(&copy_triangles, out.data<char>(), x.data<char>(), x.numel() / (rows * columns), rows,
           columns, x.item_size(), diagonal, lower);
    return out;
}

struct Triangle {
    static constexpr bool is_symmetric = true;
    bool lower;
    int64_t diagonal;
    const char* node() const { return lower ? "TrilBackward0" : "TriuBackward0"; }
    auto backward(auto g, auto, auto) const {
        return lower ? tril(g, diagonal) : triu(g, diagonal);
    }
    void parameters(auto show) const { show("diagonal", diagonal); }
};

void check_triangle(const Tensor& x, bool lower) {
    if (x.dim() < 2)
        fail(lower ? "tril" : "triu", ": input tensor must have at least 2 dimensions");
}

Tensor triangle(const Tensor& x, int64_t diagonal, bool lower) {
    check_triangle(x, lower);
    return recorded(triangle_values(x, diagonal, lower), Triangle{lower, diagonal}, x);
}

const Tensor& triangle_in_place(const Tensor& x, int64_t diagonal, bool lower) {
    check_triangle(x, lower);
    return InPlace(x).apply(Triangle{lower, diagonal},
                            [&] { copy_values(x, triangle_values(x, diagonal, lower)); });
}

struct DiagonalCopy {
    static constexpr auto node = "DiagonalBackward0_copy";
    int64_t offset;
    auto backward(auto g, auto x, auto) const { return zeros_diagonal(x.sizes(), offset, 0, 1, g); }
    auto forward(auto t, auto, auto) const { return diagonal(t, offset, 0, 1); }
    void parameters(auto show) const { show("offset", offset); }
};

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, false); }
const Tensor& tril_(const Tensor& x, int64_t diagonal) {
    return triangle_in_place(x, diagonal, true);
}
const Tensor& triu_(const Tensor& x, int64_t diagonal) {
    return triangle_in_place(x, diagonal, false);
}

Tensor diag(const Tensor& x, int64_t offset) {
    if (x.dim() != 1 && x.dim() != 2) fail("diag(): Supports 1D or 2D tensors. Got ", x.dim(), "D");
    if (x.dim() == 1) return diag_embed(x, offset, 0, 1);
    Tensor out;
    {
        GradMode off(false);
        out = clone(diagonal(x, offset, 0, 1));
    }
    return recorded(std::move(out), DiagonalCopy{offset}, x);
}

}  // namespace tapegrad
