#include "ops/split.h"

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "ops/copy.h"
#include "ops/record.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// One node for all parts; parts that got no gradient count as zero.
class PartsNode final : public Node {
public:
    PartsNode(const char* name, Dims sizes, DType dtype, int dim, bool keeps_dim)
        : name_(name),
          sizes_(std::move(sizes)),
          dtype_(dtype),
          dim_(dim),
          keeps_dim_(keeps_dim) {}
    const char* name() const noexcept override { return name_; }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor result = zeros(sizes_, dtype_);
        int64_t start = 0;
        for (size_t i = 0; i < grads.size(); ++i) {
            const int64_t size = keeps_dim_ ? results[i].sizes()[dim_] : 1;
            if (grads[i].defined())
                copy_(keeps_dim_ ? slice(result, dim_, start, start + size, 1)
                                 : select(result, dim_, start),
                      grads[i]);
            start += size;
        }
        inputs[0] = std::move(result);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        int64_t start = 0;
        for (size_t i = 0; i < results.size(); ++i) {
            const int64_t size = keeps_dim_ ? results[i].sizes()[dim_] : 1;
            of_results[i] = keeps_dim_ ? slice(tangents[0], dim_, start, start + size, 1)
                                       : select(tangents[0], dim_, start);
            start += size;
        }
    }

private:
    const char* name_;
    const Dims sizes_;
    const DType dtype_;
    const int dim_;
    const bool keeps_dim_;
};

void record_parts(const Tensor& x, const std::vector<Tensor>& parts, const char* name, int dim,
                  bool keeps_dim, bool views = true) {
    Ref<Node> node;
    if (recording(x)) {
        node = Ref<Node>(new PartsNode(name, x.sizes(), x.dtype(), dim, keeps_dim));
        node->add_edge(gradient_edge(x));
    }
    for (const Tensor& part : parts) {
        if (node) set_history(part, node);
        if (!views) continue;
        mark_view(part, x);
        if (AutogradExtra* extra = extra_of(part);
            extra && grad_enabled() && extra->origin != ViewOrigin::Inference)
            extra->origin = ViewOrigin::MultiOutput;
    }
}

}  // namespace

void check_part_count(int64_t count) {
    if (count > std::numeric_limits<int>::max())
        fail("a tensor can't be split into ", count, " parts");
}

namespace {

// The parts of x, not yet recorded.
std::vector<Tensor> cut(const Tensor& x, const Dims& sizes, int at) {
    int64_t total = 0;
    bool overflow = false;
    for (int64_t size : sizes) {
        if (size < 0)
            fail(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                "split_sizes=",
                to_string(sizes));
        overflow |= __builtin_add_overflow(total, size, &total);
    }
    if (overflow || total != x.sizes()[at])
        fail("split_with_sizes expects split_sizes to sum exactly to ", x.sizes()[at],
             " (input tensor's size at dimension ", at,
             "), but got split_sizes=", to_string(sizes));
    std::vector<Tensor> parts;
    int64_t start = 0;
    for (int64_t size : sizes) {
        Dims part_sizes = x.sizes();
        part_sizes[at] = size;
        parts.push_back(alias(x, part_sizes, x.strides(), saturating_mul(start, x.strides()[at])));
        start += size;
    }
    return parts;
}

// equal: the sizes came from one size, which shows in the name of the node.
std::vector<Tensor> split(const Tensor& x, const Dims& sizes, int64_t dim, bool equal) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    const int at = wrap_dim(dim, x.dim());
    std::vector<Tensor> parts = cut(x, sizes, at);
    record_parts(x, parts, equal ? "SplitBackward0" : "SplitWithSizesBackward0", at, true);
    return parts;
}

}  // namespace

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
    if (x.dim() == 0)
        fail<IndexError>("Dimension specified as ", dim, " but tensor has no dimensions");
    const int at = wrap_dim(dim, x.dim());
    check_part_count(x.sizes()[at]);
    Dims sizes = x.sizes(), strides = x.strides();
    sizes.erase(at);
    strides.erase(at);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < x.sizes()[at]; ++i)
        parts.push_back(alias(x, sizes, strides, saturating_mul(i, x.strides()[at])));
    record_parts(x, parts, "UnbindBackward0", at, false);
    return parts;
}

namespace {

// How many parts of a size it takes; the last one may be smaller.
int64_t parts(int64_t total, int64_t size) { return total == 0 ? 0 : (total - 1) / size + 1; }

Dims parts_of_size(const Tensor& x, int64_t size, int64_t dim) {
    const int64_t total = x.size(dim);
    if (size == 0 && total > 0)
        fail("split_size can only be 0 if dimension size is 0, but got dimension size of ", total);
    if (total == 0) return {0};
    check_part_count(parts(total, size));
    Dims sizes;
    for (int64_t left = total; left > 0; left -= sizes.back())
        sizes.push_back(std::min(size, left));
    return sizes;
}

Dims parts_checked(const Tensor& x, int64_t size, int64_t dim) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    if (size < 0) fail("split expects split_size be non-negative, but got split_size=", size);
    return parts_of_size(x, size, dim);
}

}  // namespace

std::vector<Tensor> split_by_size(const Tensor& x, int64_t size, int64_t dim) {
    return split(x, parts_checked(x, size, dim), dim, true);
}

namespace {

std::vector<Tensor> cut_apart(const Tensor& x, const Dims& sizes, int64_t dim, const char* node) {
    const int at = wrap_dim(dim, x.dim());
    std::vector<Tensor> parts = cut(x, sizes, at);
    record_parts(x, parts, node, at, true, false);
    return parts;
}

}  // namespace

std::vector<Tensor> unsafe_split(const Tensor& x, int64_t size, int64_t dim) {
    return cut_apart(x, parts_checked(x, size, dim), dim, "UnsafeSplitBackward0");
}

std::vector<Tensor> unsafe_split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    return cut_apart(x, sizes, dim, "UnsafeSplitWithSizesBackward0");
}

std::vector<Tensor> split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim) {
    return split(x, sizes, dim, false);
}

namespace {

Dims chunk_sizes(const Tensor& x, int64_t chunks, int64_t dim) {
    if (x.dim() == 0) fail("chunk expects at least a 1-dimensional tensor");
    if (chunks <= 0) fail("chunk expects `chunks` to be greater than 0, got: ", chunks);
    const int64_t size = parts(x.size(dim), chunks);
    if (size > 0) return parts_of_size(x, size, dim);
    check_part_count(chunks);
    return Dims(static_cast<int>(chunks), 0);
}

}  // namespace

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
    return split(x, chunk_sizes(x, chunks, dim), dim, true);
}
std::vector<Tensor> unsafe_chunk(const Tensor& x, int64_t chunks, int64_t dim) {
    return cut_apart(x, chunk_sizes(x, chunks, dim), dim, "UnsafeSplitBackward0");
}

}  // namespace tapegrad
