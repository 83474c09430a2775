#include "ops/axis_map.h"

#include <cstring>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/extents.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {

void check_memory(const Dims& sizes, DType dtype) { empty(sizes, dtype); }

bool SparseMatrix::is_identity() const {
    if (rows() != n || static_cast<int64_t>(index.size()) != n) return false;
    for (size_t j = 0; j < index.size(); ++j)
        if (begin[j + 1] != begin[j] + 1 || index[j] != static_cast<int64_t>(j) || weight[j] != 1)
            return false;
    return true;
}

SparseMatrix SparseMatrix::transposed() const {
    SparseMatrix result(rows());
    std::vector<int64_t> at(static_cast<size_t>(n + 1), 0);
    for (const int64_t i : index) ++at[static_cast<size_t>(i + 1)];
    for (size_t i = 1; i < at.size(); ++i) at[i] += at[i - 1];
    result.begin = at;
    result.index.resize(index.size());
    result.weight.resize(weight.size());
    for (int64_t j = 0; j < rows(); ++j)
        for (int64_t e = begin[static_cast<size_t>(j)]; e < begin[static_cast<size_t>(j + 1)];
             ++e) {
            const auto entry = static_cast<size_t>(e);
            const auto to = static_cast<size_t>(at[static_cast<size_t>(index[entry])]++);
            result.index[to] = j;
            result.weight[to] = weight[entry];
        }
    return result;
}

namespace {

// Rows that are copied, for types that nothing is computed in.
void copy_rows(const char* x, char* out, const Extents& e, size_t item,
               const SparseMatrix& matrix) {
    const auto bytes = static_cast<size_t>(e.inner) * item;
    for (int64_t o = 0; o < e.outer; ++o, x += static_cast<size_t>(e.n) * bytes)
        for (const int64_t i : matrix.index) {
            std::memcpy(out, x + static_cast<size_t>(i) * bytes, bytes);
            out += bytes;
        }
}

Tensor mapped(const Tensor& x_given, const AxisMatrices& matrices, bool transposed) {
    const DType dtype = x_given.dtype(), wide = is_half(dtype) ? DType::Float32 : dtype;
    const auto kernel = kernel_table().convolution.axis_map[wide];
    Tensor x = cast_values(contiguous_values(x_given), wide);
    const int count = static_cast<int>(matrices->size()), first = x.dim() - count;
    const auto apply = [&](int i) {
        const SparseMatrix& given = (*matrices)[static_cast<size_t>(i)];
        if (given.is_identity()) return;
        SparseMatrix turned = transposed ? given.transposed() : SparseMatrix(0);
        Dims sizes = x.sizes();
        const Extents e = extents_at(sizes, first + i);
        sizes[first + i] = (transposed ? turned : given).rows();
        const Tensor out = empty(sizes, wide);
        if (out.numel() > 0)
            launch(
                [kernel, e, matrices, i, transposed, item = x.item_size(),
                 turned = std::move(turned)](const char* from, char* to) {
                    const SparseMatrix& matrix =
                        transposed ? turned : (*matrices)[static_cast<size_t>(i)];
                    if (kernel)
                        kernel(from, to, e.outer, e.inner,
                               {matrix.n, matrix.rows(), matrix.begin.data(), matrix.index.data(),
                                matrix.weight.data()});
                    else copy_rows(from, to, e, item, matrix);
                },
                x.data<char>(), out.data<char>());
        x = out;
    };
    // What makes less goes from the first axis on, where rows are long; what makes more the other way.
    int64_t before = 1, after = 1;
    for (const SparseMatrix& matrix : *matrices) {
        before = saturating_mul(before, transposed ? matrix.rows() : matrix.n);
        after = saturating_mul(after, transposed ? matrix.n : matrix.rows());
    }
    for (int i = 0; i < count; ++i) apply(after <= before ? i : count - 1 - i);
    if (x.storage().get() == x_given.storage().get()) {
        const Tensor copy = empty(x.sizes(), dtype);
        copy_values(copy, x_given);
        return copy;
    }
    return cast_values(x, dtype);
}

Tensor axes(const Tensor& x, const AxisMatrices& matrices, const char* node, bool transposed);
rules::Text axes(const rules::Text& x, const AxisMatrices&, const char*, bool transposed) {
    return formulas::call(transposed ? "transposed_map" : "map", {x.s});
}
constexpr rules::Uses axes(rules::Uses x, const AxisMatrices&, const char*, bool) {
    return x | rules::Uses();
}

struct AxisMap {
    const char* name;
    AxisMatrices matrices;
    bool transposed;
    const char* node() const { return name; }
    auto backward(auto g, auto, auto) const { return axes(g, matrices, name, !transposed); }
    auto forward(auto t, auto, auto) const { return axes(t, matrices, name, transposed); }
};

Tensor axes(const Tensor& x, const AxisMatrices& matrices, const char* node, bool transposed) {
    return recorded(mapped(x, matrices, transposed), AxisMap{node, matrices, transposed}, x);
}

}  // namespace

Tensor map_axes(const Tensor& x, const AxisMatrices& matrices, const char* node) {
    return axes(x, matrices, node, false);
}

}  // namespace tapegrad
