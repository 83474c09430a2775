#include "ops/embedding.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/index_access.h"
#include "ops/offsets.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

struct Padding {
    int64_t index;
    bool scaled;  // by one over the number of times that a row was taken
};

// The rows without that of the padding, scaled: what the gradient of `given_back` is; and where each goes.
Tensor taken(const Tensor& table, const Tensor& indices, const Padding& padding);
Tensor given_back(const Tensor& g, const Tensor& indices, const Dims& sizes,
                  const Padding& padding);
TAPEGRAD_WORD(taken)
TAPEGRAD_WORD(given_back)
using rules::Text;
Text given_back(const Text& g, const Text& indices, const Text& sizes, const Padding&) {
    return formulas::call("embedding_backward", {g.s, indices.s, sizes.s});
}
Text taken(const Text& g, const Text& indices, const Padding&) {
    return formulas::call("embedding", {g.s, indices.s});
}

struct Embedding {
    static constexpr auto node = "EmbeddingBackward0";
    static constexpr std::array arguments{"weight", "indices"};
    Padding padding;
    auto backward(auto g, auto weight, auto indices, auto) const {
        return given_back(g, indices, weight.sizes(), padding);
    }
    auto forward(auto t, auto, auto indices, auto) const { return taken(t, indices, padding); }
    void parameters(auto show) const {
        show("padding_idx", padding.index, "scale_grad_by_freq", padding.scaled);
    }
};
struct EmbeddingDense {
    static constexpr auto node = "EmbeddingDenseBackwardBackward0";
    static constexpr std::array arguments{"grad_output", "indices"};
    Padding padding;
    auto backward(auto g, auto, auto indices, auto) const { return taken(g, indices, padding); }
    auto forward(auto t, auto, auto indices, auto y) const {
        return given_back(t, indices, y.sizes(), padding);
    }
    void parameters(auto show) const { show("padding_idx", padding.index); }
};

Tensor rows_of(const Tensor& table, const Tensor& index, const Dims& index_sizes) {
    Dims sizes = index_sizes;
    sizes.push_back(table.sizes()[1]);
    Tensor out = empty(sizes, table.dtype());
    const int64_t width = table.sizes()[1], count = table.sizes()[0];
    const Tensor values = table.strides()[1] == 1 ? table : contiguous_values(table);
    const int64_t stride = values.strides()[0];
    visit_item(table.item_size(), [&]<class T>() {
        launch(checking([width, count, stride, n = index.numel()](T* to, const T* from,
                                                                  const int64_t* at) {
                   std::atomic<bool> bad = false;
                   parallel_for(n, grain_for(width), [&](int64_t begin, int64_t end) {
                       for (int64_t j = begin; j < end; ++j) {
                           if (static_cast<uint64_t>(at[j]) >= static_cast<uint64_t>(count))
                               [[unlikely]] {
                               bad = true;
                               return;
                           }
                           copy_items(to + j * width, from + at[j] * stride, width);
                       }
                   });
                   if (bad) fail<IndexError>("index out of range in self");
               }),
               out.data<T>(), values.data<T>(), index.data<int64_t>());
    });
    return out;
}

std::vector<int64_t> frequencies(const int64_t* at, int64_t count, int64_t rows) {
    std::vector<int64_t> result(static_cast<size_t>(rows));
    for (int64_t j = 0; j < count; ++j) ++result[static_cast<size_t>(at[j])];
    return result;
}

// A loop of its own, of two arrays that are known to lie apart.
template <class T>
void add_row(T* __restrict to, const T* __restrict from, int64_t width, T factor) {
    for (int64_t k = 0; k < width; ++k) to[k] = static_cast<T>(to[k] + from[k] * factor);
}

template <class T>
void give_back(T* to, const T* from, const int64_t* at, int64_t count, int64_t rows, int64_t width,
               const Padding& padding) {
    const std::vector<int64_t> times =
        padding.scaled ? frequencies(at, count, rows) : std::vector<int64_t>();
    // Each range of the table takes what belongs to it, in order.
    const int64_t work = count * width / (rows + 1) + width + 1;
    parallel_for(rows, kIndexGrain / work + 1, [&](int64_t begin, int64_t end) {
        std::fill(to + begin * width, to + end * width, T(0));
        for (int64_t j = 0; j < count; ++j) {
            if (at[j] < begin || at[j] >= end || at[j] == padding.index) continue;
            const T factor =
                padding.scaled
                    ? static_cast<T>(1.0 / static_cast<double>(times[static_cast<size_t>(at[j])]))
                    : T(1);
            add_row(to + at[j] * width, from + j * width, width, factor);
        }
    });
}

Tensor given_back(const Tensor& g, const Tensor& indices, const Dims& sizes,
                  const Padding& padding) {
    const Tensor grad = contiguous_values(g), index = int64_values(indices);
    const int64_t count = index.numel(), rows = sizes[0], width = sizes[1];
    if (grad.numel() != count * width) fail<IndexError>("index out of range in self");
    Tensor out = empty(sizes, g.dtype());
    visit_dtype(g.dtype(), [&]<class T>() {
        launch(checking([=](T* to, const T* from, const int64_t* at) {
                   if (!in_bounds(at, count, rows)) fail<IndexError>("index out of range in self");
                   give_back(to, from, at, count, rows, width, padding);
               }),
               out.data<T>(), grad.data<T>(), index.data<int64_t>());
    });
    return recorded(std::move(out), EmbeddingDense{padding}, g, indices);
}

Tensor taken(const Tensor& table, const Tensor& indices, const Padding& padding) {
    const Tensor index = int64_values(indices);
    Tensor out = rows_of(table, index, indices.sizes());
    const int64_t count = index.numel(), rows = table.sizes()[0], width = table.sizes()[1];
    visit_dtype(table.dtype(), [&]<class T>() {
        launch(
            [=](T* to, const int64_t* at) {
                const std::vector<int64_t> times =
                    padding.scaled ? frequencies(at, count, rows) : std::vector<int64_t>();
                for (int64_t j = 0; j < count; ++j) {
                    T* row = to + j * width;
                    if (at[j] == padding.index) std::fill(row, row + width, T(0));
                    else if (padding.scaled) {
                        const T factor = static_cast<T>(
                            1.0 / static_cast<double>(times[static_cast<size_t>(at[j])]));
                        for (int64_t k = 0; k < width; ++k)
                            row[k] = static_cast<T>(row[k] * factor);
                    }
                }
            },
            out.data<T>(), index.data<int64_t>());
    });
    return recorded(std::move(out), Embedding{padding}, table, indices);
}

void check(const char* name, const Tensor& weight, const Tensor& indices) {
    if (weight.dim() != 2) fail("'weight' must be 2-D");
    if (indices.dtype() != DType::Int64 && indices.dtype() != DType::Int32)
        fail(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            "Long, Int; but got tapegrad.",
            scalar_type_name(indices.dtype()), "Tensor instead (while checking arguments for ",
            name, ")");
}

// Scales a row of the table down to the norm.
template <class T>
void renormalise(T* x, int64_t width, int64_t step, double max_norm, double norm_type) {
    double norm = 0;
    for (int64_t k = 0; k < width; ++k) {
        const double size = std::abs(static_cast<double>(x[k * step]));
        if (norm_type == 2) norm += size * size;
        else if (norm_type == 1) norm += size;
        else if (norm_type == 0) norm += size != 0;
        else if (std::isinf(norm_type)) {
            if (k == 0) norm = size;
            norm = std::isnan(size) || std::isnan(norm) ? std::nan("")
                   : norm_type > 0                      ? std::max(norm, size)
                                                        : std::min(norm, size);
        } else norm += std::pow(size, norm_type);
    }
    if (norm_type == 2) norm = std::sqrt(norm);
    else if (norm_type != 1 && norm_type != 0 && !std::isinf(norm_type))
        norm = std::pow(norm, 1 / norm_type);
    if (!(norm > max_norm)) return;
    const double factor = max_norm / (norm + 1e-7);
    for (int64_t k = 0; k < width; ++k)
        x[k * step] = static_cast<T>(static_cast<double>(x[k * step]) * factor);
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx,
                 bool scale_grad_by_freq, bool sparse) {
    check("embedding", weight, indices);
    if (sparse)
        fail<NotImplementedError>(
            "embedding(): sparse gradients are not supported; use sparse=False");
    return recorded(rows_of(weight, int64_values(indices), indices.sizes()),
                    Embedding{{padding_idx, scale_grad_by_freq}}, weight, indices);
}

const Tensor& embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm,
                                double norm_type) {
    const InPlace change(weight);
    check("embedding_renorm_", weight, indices);
    if (change.recorded())
        fail(
            "embedding_renorm_(): is not differentiable; call it on weight.detach() or under "
            "no_grad()");
    if (!weight.is_floating()) fail("embedding_renorm_(): expected a table of floats");
    const Tensor index = int64_values(indices);
    const int64_t count = index.numel(), rows = weight.sizes()[0];
    launch(checking([=](const int64_t* at) {
               if (!in_bounds(at, count, rows)) fail<IndexError>("index out of range in self");
           }),
           index.data<int64_t>());
    return change.apply(Ref<Node>(), [&] {
        visit_dtype(weight.dtype(), [&]<class T>() {
            launch(
                [=, width = weight.sizes()[1], stride = weight.strides()[0],
                 step = weight.strides()[1]](T* table, const int64_t* at) {
                    std::vector<int64_t> order(at, at + count);
                    std::sort(order.begin(), order.end());
                    order.erase(std::unique(order.begin(), order.end()), order.end());
                    for (const int64_t row : order)
                        renormalise(table + row * stride, width, step, max_norm, norm_type);
                },
                weight.data<T>(), index.data<int64_t>());
        });
    });
}

}  // namespace tapegrad
