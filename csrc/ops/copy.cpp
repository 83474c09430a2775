#include "ops/copy.h"

#include <cstring>

#include "kernels/elementwise_driver.h"
#include "kernels/table.h"
#include "ops/overlap.h"
#include "ops/record.h"

namespace tapegrad {

using kernels::Operand;

Tensor empty_in_order(const Dims& sizes, DType dtype,
                      std::initializer_list<const Tensor*> operands) {
    const int count = sizes.size();
    constexpr int kMost = 64;
    if (count < 2 || count > kMost) return empty(sizes, dtype);
    for (int64_t size : sizes)
        if (size == 0) return empty(sizes, dtype);
    if (operands.size() == 1 && is_non_overlapping_and_dense(**operands.begin()))
        return empty_strided(sizes, (*operands.begin())->strides(), dtype);
    auto stride = [&](const Tensor& x, int d) {
        const int own = d - (count - x.dim());
        return own < 0 || (x.sizes()[own] == 1 && sizes[d] != 1) ? 0 : x.strides()[own];
    };
    // Whether dimension a lies outside of b: the first operand that is not repeated along either decides.
    auto outside = [&](int a, int b) {
        for (const Tensor* x : operands) {
            if (!x) continue;
            const int64_t sa = stride(*x, a), sb = stride(*x, b);
            if (sa == 0 || sb == 0) continue;
            if (sa != sb) return sa > sb ? 1 : -1;
            if (sizes[a] > sizes[b]) return 1;
        }
        return 0;
    };
    int order[kMost];  // from the innermost on
    for (int i = 0; i < count; ++i) order[i] = count - 1 - i;
    for (int i = 1; i < count; ++i) {
        int at = i;
        for (int j = i - 1; j >= 0; --j) {
            const int answer = outside(order[j], order[at]);
            if (answer < 0) break;
            if (answer == 0) continue;
            std::swap(order[j], order[at]);
            at = j;
        }
    }
    bool rows = true;
    for (int i = 0; i < count; ++i) rows &= order[i] == count - 1 - i;
    if (rows) return empty(sizes, dtype);
    Dims strides(count);
    int64_t next = 1;
    for (int i = 0; i < count; ++i) {
        strides[order[i]] = next;
        next *= sizes[order[i]];
    }
    return empty_strided(sizes, strides, dtype);
}

namespace {

// Whether x is a contiguous block each of whose elements stands for a row of out, as the gradient of a
// sum over the last dimension is. (The driver's blocks would take half as long again.)
bool repeats_last(const Tensor& out, const Tensor& x) {
    const int last = x.dim() - 1;
    if (last < 0 || x.dtype() != out.dtype() || !out.is_contiguous() || x.strides()[last] != 0 ||
        out.sizes()[last] < 16 || !(x.sizes() == out.sizes()) || x.numel() == 0)
        return false;
    int64_t expected = 1;
    for (int i = last - 1; i >= 0; --i) {
        if (x.sizes()[i] != 1 && x.strides()[i] != expected) return false;
        expected *= x.sizes()[i];
    }
    return true;
}

}  // namespace

void copy_values(const Tensor& out, const Tensor& x) {
    if (x.dtype() == out.dtype() && out.is_contiguous() && repeats_one_element(x)) {
        kernels::fill(out.data<char>(), x.data<char>(), out.numel(), out.item_size());
        return;
    }
    if (repeats_last(out, x)) {
        const int64_t length = out.sizes().back();
        kernels::fill_rows(out.data<char>(), x.data<char>(), out.numel() / length, length,
                           out.item_size());
        return;
    }
    const Operand operand(x);
    const auto& casts = kernel_table().elementwise.cast;
    kernels::run_elementwise(casts[int(x.dtype())][int(out.dtype())], out, &operand, 1,
                             x.item_size());
}

Tensor contiguous_values(const Tensor& x) {
    if (x.is_contiguous()) return x;
    Tensor out = empty(x.sizes(), x.dtype());
    copy_values(out, x);
    return out;
}

Tensor cast_values(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    Tensor out = empty(x.sizes(), dtype);
    copy_values(out, x);
    return out;
}

void fill_values(const Tensor& out, const Scalar& value) {
    visit_dtype(out.dtype(), [&]<class T>() {
        const T v = value.to<T>();
        if (out.numel() == 1) {
            *out.data<T>() = v;
            return;
        }
        if (out.is_contiguous()) {
            kernels::fill(out.data<char>(), reinterpret_cast<const char*>(&v), out.numel(),
                          sizeof v);
            return;
        }
        const Operand operand = Operand::constant<T>(v);
        kernels::run_elementwise(
            kernel_table().elementwise.cast[int(out.dtype())][int(out.dtype())], out, &operand, 1,
            out.item_size());
    });
}

namespace {

class CloneNode final : public Node {
public:
    const char* name() const noexcept override { return "CloneBackward0"; }
    std::string formula() const override { return "grad"; }
    void backward(GradList& grads, TensorList& inputs) override { inputs[0] = std::move(grads[0]); }
};

class ToCopyNode final : public Node {
public:
    explicit ToCopyNode(DType from) : from_(from) {}
    const char* name() const noexcept override { return "ToCopyBackward0"; }
    std::string formula() const override { return "grad"; }
    void backward(GradList& grads, TensorList& inputs) override {
        inputs[0] = to_dtype(grads[0], from_);
    }

private:
    DType from_;
};

// Result of writing source over self: self's own past has no influence any more.
class CopyNode final : public Node {
public:
    const char* name() const noexcept override { return "CopyBackwards"; }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = zeros(grads[0].sizes(), grads[0].dtype());
        if (wants(1)) inputs[1] = std::move(grads[0]);
    }
};

class FillNode final : public Node {
public:
    explicit FillNode(bool by_tensor) : by_tensor_(by_tensor) {}
    const char* name() const noexcept override {
        return by_tensor_ ? "FillBackward3" : "FillBackward2";
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = zeros(grads[0].sizes(), grads[0].dtype());
        if (wants(1)) inputs[1] = std::move(grads[0]);
    }

private:
    const bool by_tensor_;
};

class ZeroNode final : public Node {
public:
    const char* name() const noexcept override { return "ZeroBackward0"; }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = zeros(grads[0].sizes(), grads[0].dtype());
    }
};

template <class N, class... Args>
void record_as(const Tensor& out, const Tensor& input, Args... args) {
    Ref<Node> node(new N(args...));
    node->add_edge(gradient_edge(input));
    set_history(out, node);
}

}  // namespace

namespace {
Tensor copy_into(const Tensor& out, const Tensor& x) {
    copy_values(out, x);
    if (recording(x)) record_as<CloneNode>(out, x);
    return out;
}
}  // namespace

Tensor clone(const Tensor& x) { return copy_into(empty_result(x.sizes(), x.dtype(), x), x); }
Tensor contiguous_clone(const Tensor& x) { return copy_into(empty(x.sizes(), x.dtype()), x); }
Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : contiguous_clone(x); }

Tensor to_dtype(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    Tensor out = empty_result(x.sizes(), dtype, x);
    copy_values(out, x);
    if (recording(x) && is_floating(dtype)) record_as<ToCopyNode>(out, x, x.dtype());
    return out;
}

const Tensor& copy_(const Tensor& self, const Tensor& source) {
    const bool recorded = recording(self, source);
    check_inplace(self, recorded);
    if (!self.is_same(source)) {
        refuse_internal_overlap(self);
        refuse_partial_overlap(self, source);
    }
    if (!is_expandable_to(source.sizes(), self.sizes()))
        fail("output with shape ", to_string(self.sizes()), " doesn't match the broadcast shape ",
             to_string(broadcast(self.sizes(), source.sizes())));
    Tensor from = source;
    if (needs_copy(self, source)) {
        GradMode off(false);
        from = clone(source);
    }
    Ref<Node> node;
    if (recorded && self.is_floating()) {
        node = Ref<Node>(new CopyNode);
        node->add_edge(gradient_edge(self));
        node->add_edge(source.is_floating() ? gradient_edge(source) : Edge{});
    }
    copy_values(self, from);
    self.bump_version();
    if (node) rebase_history(self, node);
    return self;
}

const Tensor& fill_(const Tensor& self, const Arg& value) {
    const bool recorded = grad_enabled() && (self.requires_grad() || value.requires_grad());
    check_inplace(self, recorded);
    if (value.is_tensor() && value.tensor().dim() != 0)
        fail("fill_ only supports 0-dimension value tensor but got tensor with ",
             value.tensor().dim(), " dimensions.");
    if (value.is_tensor()) refuse_internal_overlap(self);
    Ref<Node> node;
    if (recorded) {
        node = Ref<Node>(new FillNode(value.is_tensor()));
        node->add_edge(gradient_edge(self));
        node->add_edge(gradient_edge(value));
    }
    if (value.is_tensor()) copy_values(self, value.tensor());
    else fill_values(self, value.scalar());
    self.bump_version();
    if (node) rebase_history(self, node);
    return self;
}

const Tensor& zero_(const Tensor& self) {
    const bool recorded = recording(self);
    check_inplace(self, recorded);
    Ref<Node> node;
    if (recorded) {
        node = Ref<Node>(new ZeroNode);
        node->add_edge(gradient_edge(self));
    }
    fill_values(self, 0);
    self.bump_version();
    if (node) rebase_history(self, node);
    return self;
}

Tensor zeros(const Dims& sizes, DType dtype) {
    Tensor out = empty(sizes, dtype);
    fill_values(out, 0);
    return out;
}

Tensor zeros_like(const Tensor& x) { return zeros(x.sizes(), x.dtype()); }

Tensor full(const Dims& sizes, const Scalar& value, DType dtype) {
    Tensor out = empty(sizes, dtype);
    fill_values(out, value);
    return out;
}

Tensor scalar_tensor(const Scalar& value, DType dtype) { return full({}, value, dtype); }

}  // namespace tapegrad
