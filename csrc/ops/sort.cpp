#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/indexing.h"
#include "ops/offsets.h"
#include "ops/record.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

class SortNode final : public Node {
public:
    SortNode(const Dims& sizes, int dim, const Tensor& indices)
        : sizes_(sizes),
          dim_(dim),
          indices_(indices, false) {}
    const char* name() const noexcept override { return "SortBackward0"; }
    std::string formula() const override { return "zeros.scatter(dim, indices, grad)"; }
    void release_saved() override { indices_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("indices", indices_);
        visitor.integer("dim", dim_);
        visitor.dims("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, grads[0].dtype());
        scatter_(result, dim_, indices_.unpack(*this), grads[0]);
        inputs[0] = std::move(result);
    }

private:
    const Dims sizes_;
    const int dim_;
    SavedTensor indices_;
};

template <class T> bool is_nan(T value) {
    if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
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
    auto swapped = [&](const Tensor& t) {
        Dims sizes = t.sizes(), strides = t.strides();
        std::swap(sizes[dim], sizes[t.dim() - 1]);
        std::swap(strides[dim], strides[t.dim() - 1]);
        return alias(t, sizes, strides, 0);
    };
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
    if (recording(x)) {
        Ref<Node> node(new SortNode(x.sizes(), dim, indices));
        node->add_edge(gradient_edge(x));
        set_history(values, node);
    }
    return {values, indices};
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
    GradMode off(false);
    return sort(x, dim, descending).second;
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
    if (x.dim() && (k < 0 || k > x.size(dim))) fail("selected index k out of range");
    auto [values, indices] = sort(x, dim, largest);
    if (x.dim() == 0) return {values, indices};
    return {narrow(values, dim, 0, k), narrow(indices, dim, 0, k)};
}

}  // namespace tapegrad
