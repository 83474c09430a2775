#include "ops/copy.h"

#include <cstring>

#include "autograd/cuts.h"
#include "kernels/elementwise_driver.h"
#include "kernels/table.h"
#include "ops/elementwise.h"
#include "ops/overlap.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {

using kernels::Operand;

Tensor empty_in_order(const Dims& sizes, DType dtype,
                      std::initializer_list<const Tensor*> operands) {
    const int count = sizes.size();
    constexpr int kMost = 64;
    if (count < 2 || count > kMost) return empty(sizes, dtype);
    for (int64_t size : sizes)
        if (size == 0) return empty(sizes, dtype);
    if (operands.size() == 1) {
        const Tensor& only = **operands.begin();
        if (only.sizes() == sizes && is_non_overlapping_and_dense(only))
            return empty_strided(sizes, only.strides(), dtype);
    }
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
        if (out.numel())
            launch(&kernels::fill, out.data<char>(), x.data<char>(), out.numel(), out.item_size());
        return;
    }
    if (repeats_last(out, x)) {
        const int64_t length = out.sizes().back();
        launch(&kernels::fill_rows, out.data<char>(), x.data<char>(), out.numel() / length, length,
               out.item_size());
        return;
    }
    const Operand operand(x);
    const auto& casts = kernel_table().elementwise.cast;
    kernels::run_elementwise(casts[x.dtype()][out.dtype()], out, &operand, 1, x.item_size());
}

Tensor contiguous_values(const Tensor& x) {
    if (x.is_contiguous()) return x;
    Tensor out = empty(x.sizes(), x.dtype());
    copy_values(out, x);
    return out;
}
Tensor contiguous_values(const Arg& arg, DType dtype) {
    if (arg.is_tensor()) return contiguous_values(cast_values(arg.tensor(), dtype));
    const Scalar& number = arg.scalar();
    return cast_values(scalar_tensor(number, number.is_large() ? DType::Float64 : number.kind()),
                       dtype);
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
        if (out.numel() == 1 && !is_replay_recorded()) {
            *out.data<T>() = v;
            return;
        }
        if (out.is_contiguous()) {
            kernels::fill_number(out.data<T>(), v, out.numel());
            return;
        }
        const Operand operand = Operand::constant<T>(v);
        kernels::run_elementwise(kernel_table().elementwise.cast[out.dtype()][out.dtype()], out,
                                 &operand, 1, out.item_size());
    });
}

namespace {

// A copy, also to another type: the tape brings the gradient back to that of x.
struct Copied : Named {
    static constexpr bool is_symmetric = true;
    auto backward(auto g, auto, auto) const { return g; }
};

// Values written over a tensor: its own past has no influence any more.
struct OverwrittenBy : Named {
    static constexpr bool is_symmetric = true;
    static constexpr std::array arguments{"self", "src"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return zero_like(g); }, [=] { return g; });
    }
};

}  // namespace

Tensor copy_into(const Tensor& out, const Tensor& x, const char* node) {
    if (!out.is_floating()) note_cut("a conversion to integers or bools", x, Reader::Anyone);
    copy_values(out, x);
    return is_floating(out.dtype()) ? recorded(out, Copied{node}, x) : out;
}

Tensor clone(const Tensor& x) {
    return copy_into(empty_result(x.sizes(), x.dtype(), x), x, "CloneBackward0");
}
Tensor contiguous_clone(const Tensor& x) {
    return copy_into(empty(x.sizes(), x.dtype()), x, "CloneBackward0");
}
Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : contiguous_clone(x); }

Tensor to_dtype(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    return copy_into(empty_result(x.sizes(), dtype, x), x, "ToCopyBackward0");
}

const Tensor& copy_(const Tensor& self, const Tensor& source) {
    const InPlace change(self, source);
    if (!self.is_same(source)) {
        refuse_internal_overlap(self);
        refuse_partial_overlap(self, source);
    }
    if (!is_expandable_to(source.sizes(), self.sizes()))
        fail("output with shape ", to_string(self.sizes()), " doesn't match the broadcast shape ",
             to_string(broadcast(self.sizes(), source.sizes())));
    const auto write = [&] {
        Tensor from = source;
        if (needs_copy(self, source)) {
            GradMode off(false);
            from = clone(source);
        }
        copy_values(self, from);
    };
    if (!self.is_floating()) return change.apply(Ref<Node>(), write);
    return change.apply(OverwrittenBy{"tapegrad::autograd::CopyBackwards"}, write,
                        source.is_floating() ? source : Tensor());
}

const Tensor& fill_(const Tensor& self, const Arg& value) {
    const InPlace change(self, value);
    if (!value.is_tensor()) {
        check_convertible(value.scalar(), self.dtype());
        return change.apply(Overwritten{"FillBackward2"},
                            [&] { fill_values(self, value.scalar()); });
    }
    if (value.tensor().dim() != 0)
        fail("fill_ only supports 0-dimension value tensor but got tensor with ",
             value.tensor().dim(), " dimensions.");
    refuse_internal_overlap(self);
    return change.apply(
        OverwrittenBy{"FillBackward3"}, [&] { copy_values(self, value.tensor()); }, value);
}

const Tensor& zero_(const Tensor& self) {
    return InPlace(self).apply(Overwritten{"ZeroBackward0"}, [&] { fill_values(self, 0); });
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
