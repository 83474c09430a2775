#include "ops/linalg.h"

#include <vector>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/offsets.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

using kernels::GemmArgs;

void refuse_bools(const Tensor& x) {
    if (x.dtype() == DType::Bool) refuse_dtype("addmm_impl_cpu_", x.dtype());
}
void require_same_type(const Tensor& a, const Tensor& b) {
    if (a.dtype() != b.dtype())
        fail("expected m1 and m2 to have the same dtype, but got: ", cpp_type_name(a.dtype()),
             " != ", cpp_type_name(b.dtype()));
    refuse_bools(a);
}

// The last two dimensions swapped; recorded only where that matters.
Tensor mT(const Tensor& x) {
    if (grad_enabled() && x.requires_grad()) return transpose(x, -2, -1);
    return swap_dims(x, x.dim() - 2, x.dim() - 1);
}

GemmArgs gemm_args(const Tensor& a, const Tensor& b, const Tensor& c) {
    const int da = a.dim() - 2, db = b.dim() - 2, dc = c.dim() - 2;
    return GemmArgs{a.sizes()[da], b.sizes()[db + 1], a.sizes()[da + 1],
                    a.data(),      a.strides()[da],   a.strides()[da + 1],
                    b.data(),      b.strides()[db],   b.strides()[db + 1],
                    c.data(),      c.strides()[dc],   nullptr,
                    false};
}

// a @ b, each as it is or transposed, without a tensor for that.
Tensor product(const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed) {
    const int64_t rows = a.sizes()[a_transposed], columns = b.sizes()[!b_transposed];
    Tensor out = empty({rows, columns}, a.dtype());
    launch(kernel_table().gemm.gemm[a.dtype()],
           GemmArgs{rows, columns, a.sizes()[!a_transposed], a.data(), a.strides()[a_transposed],
                    a.strides()[!a_transposed], b.data(), b.strides()[b_transposed],
                    b.strides()[!b_transposed], out.data(), columns, nullptr, false});
    return out;
}

// Of matrices, or of batches of them.
Tensor matrices_product(const Tensor& a, const Tensor& b) {
    return a.dim() == 3 ? bmm(a, b) : mm(a, b);
}

struct Mm {
    static constexpr auto node = "MmBackward0";
    static constexpr std::array arguments{"self", "mat2"};
    auto backward(auto g, auto a, auto b, auto) const {
        return gradients([=] { return matmul_mT(g, b); }, [=] { return mT_matmul(a, g); });
    }
    auto forward(auto a, auto b, auto) const {
        return tangents([=](auto t) { return matrices_product(t, b); },
                        [=](auto t) { return matrices_product(a, t); });
    }
};
struct Bmm : Mm {
    static constexpr auto node = "BmmBackward0";
};
struct Mv {
    static constexpr auto node = "MvBackward0";
    static constexpr std::array arguments{"self", "vec"};
    auto backward(auto g, auto a, auto x, auto) const {
        return gradients([=] { return outer(g, x); }, [=] { return mv(mT(a), g); });
    }
    auto forward(auto a, auto x, auto) const {
        return tangents([=](auto t) { return mv(t, x); }, [=](auto t) { return mv(a, t); });
    }
};
struct Dot {
    static constexpr auto node = "DotBackward0";
    static constexpr std::array arguments{"self", "tensor"};
    auto backward(auto g, auto a, auto b, auto) const {
        return gradients([=] { return g * b; }, [=] { return g * a; });
    }
    auto forward(auto a, auto b, auto) const {
        return tangents([=](auto t) { return dot(t, b); }, [=](auto t) { return dot(a, t); });
    }
};

}  // namespace

Tensor matmul_mT(const Tensor& a, const Tensor& b) {
    if (a.dim() == 3) return bmm(a, mT(b));
    return grad_enabled() ? mm(a, mT(b)) : product(a, false, b, true);
}
Tensor mT_matmul(const Tensor& a, const Tensor& b) {
    if (a.dim() == 3) return bmm(mT(a), b);
    return grad_enabled() ? mm(mT(a), b) : product(a, true, b, false);
}

Tensor mm(const Tensor& a, const Tensor& b) {
    if (a.dim() != 2) fail("self must be a matrix");
    if (b.dim() != 2) fail("mat2 must be a matrix");
    if (a.sizes()[1] != b.sizes()[0])
        fail("mat1 and mat2 shapes cannot be multiplied (", a.sizes()[0], "x", a.sizes()[1],
             " and ", b.sizes()[0], "x", b.sizes()[1], ")");
    require_same_type(a, b);
    Tensor out = empty({a.sizes()[0], b.sizes()[1]}, a.dtype());
    launch(kernel_table().gemm.gemm[a.dtype()], gemm_args(a, b, out));
    return recorded(std::move(out), Mm{}, a, b);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
    if (a.dim() != 3) fail("batch1 must be a 3D tensor");
    if (b.dim() != 3) fail("batch2 must be a 3D tensor");
    if (a.sizes()[0] != b.sizes()[0] || a.sizes()[2] != b.sizes()[1])
        fail("Expected size for first two dimensions of batch2 tensor to be: [", a.sizes()[0], ", ",
             a.sizes()[2], "] but got: [", b.sizes()[0], ", ", b.sizes()[1], "].");
    if (a.dtype() != b.dtype())
        fail("expected scalar type ", scalar_type_name(a.dtype()), " but found ",
             scalar_type_name(b.dtype()));
    refuse_bools(a);
    Tensor out = empty({a.sizes()[0], a.sizes()[1], b.sizes()[2]}, a.dtype());
    const int64_t batch = out.numel() ? a.sizes()[0] : 0;
    std::vector<int64_t> offsets(static_cast<size_t>(3 * batch));
    const auto step = [](const Tensor& x) { return x.numel() ? x.strides()[0] : 0; };
    for (int64_t i = 0; i < batch; ++i) {
        offsets[static_cast<size_t>(i)] = i * step(a);
        offsets[static_cast<size_t>(batch + i)] = i * step(b);
        offsets[static_cast<size_t>(2 * batch + i)] = i * step(out);
    }
    launch(
        [kernel = kernel_table().gemm.batched[a.dtype()], batch,
         offsets = std::move(offsets)](const GemmArgs& args) {
            kernel(args, batch, offsets.data(), offsets.data() + batch, offsets.data() + 2 * batch);
        },
        gemm_args(a, b, out));
    return recorded(std::move(out), Bmm{}, a, b);
}

namespace {

// A vector as a matrix of one column or one row, without a place on the tape.
Tensor as_column(const Tensor& x) { return alias(x, {x.sizes()[0], 1}, {x.strides()[0], 1}, 0); }
Tensor as_row(const Tensor& x) { return alias(x, {1, x.sizes()[0]}, {1, x.strides()[0]}, 0); }

}  // namespace

Tensor mv(const Tensor& a, const Tensor& x) {
    if (a.dim() != 2 || x.dim() != 1)
        fail("vector + matrix @ vector expected, got 1, ", a.dim(), ", ", x.dim());
    if (a.sizes()[1] != x.sizes()[0])
        fail("size mismatch, got input (", a.sizes()[0], "), mat (", a.sizes()[0], "x",
             a.sizes()[1], "), vec (", x.sizes()[0], ")");
    if (a.dtype() != x.dtype())
        fail("addmv input tensors must have the same dtype, but got ", scalar_type_name(x.dtype()),
             ", ", scalar_type_name(a.dtype()), ", and ", scalar_type_name(x.dtype()));
    refuse_bools(a);
    Tensor out = empty({a.sizes()[0]}, a.dtype());
    launch(kernel_table().gemm.gemm[a.dtype()], gemm_args(a, as_column(x), as_column(out)));
    return recorded(std::move(out), Mv{}, a, x);
}

Tensor dot(const Tensor& a, const Tensor& b) {
    if (a.dim() != 1 || b.dim() != 1)
        fail("1D tensors expected, but got ", a.dim(), "D and ", b.dim(), "D tensors");
    if (a.dtype() != b.dtype())
        fail("dot : expected both vectors to have same dtype, but found ",
             scalar_type_name(a.dtype()), " and ", scalar_type_name(b.dtype()));
    if (a.sizes()[0] != b.sizes()[0])
        fail("inconsistent tensor size, expected tensor ", to_string(a.sizes()), " and src ",
             to_string(b.sizes()), " to have the same number of elements, but got ", a.sizes()[0],
             " and ", b.sizes()[0], " elements respectively");
    require_same_type(a, b);
    Tensor out = empty({}, a.dtype());
    launch(kernel_table().gemm.gemm[a.dtype()],
           gemm_args(as_row(a), as_column(b), alias(out, {1, 1}, {1, 1}, 0)));
    return recorded(std::move(out), Dot{}, a, b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
    if (a.dim() != 1) fail("outer: Expected 1-D argument self, but got ", a.dim(), "-D");
    if (b.dim() != 1) fail("outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
    return unsqueeze(a, 1) * b;
}

namespace {

// A product in the shape that was asked for. Nobody has the product itself, so this is no view of it.
Tensor reshaped_product(const Tensor& product, const Dims& sizes,
                        const char* node = "UnsafeViewBackward0") {
    Tensor out = alias(product, sizes, contiguous_strides(sizes), 0);
    out->inference = product->inference;
    return recorded(std::move(out), Reshaped{node}, product);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
    const int da = a.dim(), db = b.dim();
    if (da == 0 || db == 0)
        fail("both arguments to matmul need to be at least 1D, but they are ", da, "D and ", db,
             "D");
    if (da == 2 && db == 2) return mm(a, b);
    if (da == 1 && db == 1) return dot(a, b);
    if (da == 2 && db == 1) return mv(a, b);
    if (da == 1 && db == 2) {
        const Tensor out =
            reshaped_product(mm(unsqueeze(a, 0), b), {b.sizes()[1]}, "SqueezeBackward4");
        out.bump_version();  // as PyTorch, which squeezes in place
        return out;
    }
    if (da >= 3 && db <= 2) {  // the batch is more rows
        const Dims& s = a.sizes();
        Dims shape(s.data(), da - 1);
        const Tensor rows = reshape(a, {element_count(shape), s.back()});
        if (db == 1) return reshaped_product(mv(rows, b), shape);
        shape.push_back(b.sizes()[1]);
        return reshaped_product(mm(rows, b), shape);
    }
    // Batches on the right: a vector on the left is a matrix of one row.
    const Tensor left = da == 1 ? unsqueeze(a, 0) : a;
    const Tensor right = db == 1 ? unsqueeze(b, 1) : b;
    const Dims &ls = left.sizes(), &rs = right.sizes();
    const int64_t n = ls[left.dim() - 2], k = ls.back(), k2 = rs[right.dim() - 2], m = rs.back();
    const Dims batch = broadcast(Dims(ls.data(), left.dim() - 2), Dims(rs.data(), right.dim() - 2));
    const int64_t count = element_count(batch);
    Dims left_shape = batch, right_shape = batch, out_shape = batch;
    left_shape.push_back(n);
    left_shape.push_back(k);
    right_shape.push_back(k2);
    right_shape.push_back(m);
    if (da != 1) out_shape.push_back(n);
    if (db != 1) out_shape.push_back(m);
    const Tensor l3 = reshape(expand(left, left_shape), {count, n, k});
    const Tensor r3 = reshape(expand(right, right_shape), {count, k2, m});
    return reshaped_product(bmm(l3, r3), out_shape);
}

// --------------------------------------------------------------------------------------- linear

namespace {

int64_t rows_of(const Tensor& x) { return element_count(Dims(x.sizes().data(), x.dim() - 1)); }

// All leading dimensions as one; a vector is a matrix of one row.
Tensor as_rows(const Tensor& x) {
    return x.dim() == 2 ? x : reshape(x, {rows_of(x), x.sizes().back()});
}
Tensor with_sizes(const Tensor& x, const Dims& sizes) {
    return x.sizes() == sizes ? x : reshape(x, sizes);
}

TAPEGRAD_WORD(as_rows)
TAPEGRAD_WORD(with_sizes)
// The formula is that of matrices.
rules::Text as_rows(const rules::Text& x) { return x; }
rules::Text with_sizes(const rules::Text& x, const rules::Text&) { return x; }

struct Linear {
    static constexpr auto node = "MmBackward0";
    static constexpr std::array arguments{"mat1", "mat2"};
    static auto of_input(auto g, auto x, auto weight) {
        return with_sizes(mm(as_rows(g), weight), x.sizes());
    }
    static auto of_weight(auto g, auto x) { return mT_matmul(as_rows(g), as_rows(x)); }
    auto backward(auto g, auto x, auto weight, auto) const {
        return gradients([=] { return of_input(g, x, weight); }, [=] { return of_weight(g, x); });
    }
    auto forward(auto x, auto weight, auto) const {
        return tangents([=](auto t) { return linear(t, weight, {}); },
                        [=](auto t) { return linear(x, t, {}); });
    }
};
struct LinearWithBias {
    static constexpr auto node = "AddmmBackward0";
    static constexpr std::array arguments{"self", "mat1", "mat2"};
    auto backward(auto g, auto, auto x, auto weight, auto) const {
        return gradients([=] { return sum(as_rows(g), Dims{0}); },
                         [=] { return Linear::of_input(g, x, weight); },
                         [=] { return Linear::of_weight(g, x); });
    }
    auto forward(auto, auto x, auto weight, auto) const {
        return tangents([](auto t) { return t; }, [=](auto t) { return linear(t, weight, {}); },
                        [=](auto t) { return linear(x, t, {}); });
    }
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    if (weight.dim() == 1 && !bias.defined()) return matmul(x, weight);
    if (weight.dim() != 2)
        fail("linear(): weight must be a matrix, got shape ", to_string(weight.sizes()));
    if (x.dim() == 0)
        fail("both arguments to linear need to be at least 1D, but they are 0D and ", weight.dim(),
             "D");
    const int64_t n = weight.sizes()[0], k = weight.sizes()[1];
    if (x.sizes().back() != k)
        fail("mat1 and mat2 shapes cannot be multiplied (", rows_of(x), "x", x.sizes().back(),
             " and ", k, "x", n, ")");
    if (!bias.defined()) require_same_type(x, weight);
    refuse_bools(x);
    if (bias.defined()) {
        if (bias.dtype() != weight.dtype())
            fail("self and mat2 must have the same dtype, but got ", scalar_type_name(bias.dtype()),
                 " and ", scalar_type_name(weight.dtype()));
        if (x.dtype() != weight.dtype())
            fail("mat1 and mat2 must have the same dtype, but got ", scalar_type_name(x.dtype()),
                 " and ", scalar_type_name(weight.dtype()));
        if (bias.dim() != 1 || bias.sizes()[0] != n) {
            // Unusual biases are expanded to the result.
            const Tensor product = linear(x, weight, Tensor());
            return product + expand(bias, product.sizes());
        }
    }
    Dims sizes = x.sizes();
    sizes[x.dim() - 1] = n;
    Tensor out = empty(sizes, x.dtype());
    const int64_t rows = rows_of(x);
    const Tensor rows_in = x.dim() == 2 ? x : alias(contiguous_values(x), {rows, k}, {k, 1}, 0);
    const Tensor bias_values = values_or_none(bias);
    const GemmArgs args{rows,
                        n,
                        k,
                        rows_in.data(),
                        rows_in.strides()[0],
                        rows_in.strides()[1],
                        weight.data(),
                        weight.strides()[1],
                        weight.strides()[0],
                        out.data(),
                        n,
                        data_or_null(bias_values),
                        false};
    launch(kernel_table().gemm.gemm[x.dtype()], args);
    if (!bias.defined()) return recorded(std::move(out), Linear{}, x, weight);
    return recorded(std::move(out), LinearWithBias{}, bias, x, weight);
}

Tensor inner(const Tensor& a, const Tensor& b) {
    if (a.dim() == 0 || b.dim() == 0) return a * b;
    if (a.dtype() != b.dtype()) fail("both inputs should have same dtype");
    if (b.dim() == 1) return matmul(a, b);
    if (b.dim() == 2) return matmul(a, t(b));
    Dims sizes(a.sizes().data(), a.dim() - 1);
    for (int i = 0; i < b.dim() - 1; ++i) sizes.push_back(b.sizes()[i]);
    return reshape(matmul(a, t(as_rows(b))), sizes);
}

}  // namespace tapegrad
