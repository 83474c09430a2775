#include "ops/linalg.h"

#include <vector>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/record.h"
#include "ops/reductions.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

using kernels::GemmArgs;

// "float", "double": as PyTorch spells element types in messages about products.
const char* c_type_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"bool", "unsigned char", "int",
                                                "long", "float",         "double"};
    return names[static_cast<int>(dtype)];
}

void require_same_type(const Tensor& a, const Tensor& b) {
    if (a.dtype() != b.dtype())
        fail("expected m1 and m2 to have the same dtype, but got: ", c_type_name(a.dtype()),
             " != ", c_type_name(b.dtype()));
    if (a.dtype() == DType::Bool)
        fail<NotImplementedError>("\"addmm_impl_cpu_\" not implemented for 'Bool'");
}

// The last two dimensions swapped; recorded only where that matters.
Tensor swapped(const Tensor& x) {
    if (grad_enabled() && x.requires_grad()) return transpose(x, -2, -1);
    Dims sizes = x.sizes(), strides = x.strides();
    const int last = x.dim() - 1;
    std::swap(sizes[last - 1], sizes[last]);
    std::swap(strides[last - 1], strides[last]);
    return alias(x, sizes, strides, 0);
}

GemmArgs gemm_args(const Tensor& a, const Tensor& b, const Tensor& c) {
    const int da = a.dim() - 2, db = b.dim() - 2, dc = c.dim() - 2;
    return GemmArgs{a.sizes()[da], b.sizes()[db + 1], a.sizes()[da + 1],
                    a.data(),      a.strides()[da],   a.strides()[da + 1],
                    b.data(),      b.strides()[db],   b.strides()[db + 1],
                    c.data(),      c.strides()[dc],   nullptr,
                    false};
}

enum class Side { Left, Right };

// g @ x.mT (Right) or x.mT @ g (Left): the products of derivatives. What is not recorded needs no
// transposed tensor.
Tensor with_transposed(Side side, const Tensor& x, const Tensor& g) {
    if (grad_enabled()) return side == Side::Left ? mm(swapped(x), g) : mm(g, swapped(x));
    const Tensor &a = side == Side::Left ? x : g, &b = side == Side::Left ? g : x;
    const int rows = side == Side::Left ? 1 : 0, columns = side == Side::Left ? 1 : 0;
    Tensor out = empty({a.sizes()[rows], b.sizes()[columns]}, g.dtype());
    kernel_table().gemm.gemm[int(g.dtype())](
        GemmArgs{out.sizes()[0], out.sizes()[1], a.sizes()[1 - rows], a.data(), a.strides()[rows],
                 a.strides()[1 - rows], b.data(), b.strides()[1 - columns], b.strides()[columns],
                 out.data(), out.strides()[0], nullptr, false});
    return out;
}

// A product of two saved values. Derivatives are products again: that is all of matmul's calculus.
class ProductNode final : public Node {
public:
    ProductNode(const char* name, Tensor (*lhs)(const Tensor&, const Tensor&, const Tensor&),
                Tensor (*rhs)(const Tensor&, const Tensor&, const Tensor&), const char* formula,
                const Tensor& a, const Tensor& b)
        : Node(gradient_edge(a), gradient_edge(b)),
          name_(name),
          lhs_(lhs),
          rhs_(rhs),
          formula_(formula) {
        if (has_edge(0)) b_ = SavedTensor(b, false);
        if (has_edge(1)) a_ = SavedTensor(a, false);
    }
    const char* name() const noexcept override { return name_; }
    std::string formula() const override { return formula_; }
    void release_saved() override {
        a_.release();
        b_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        if (a_.defined()) visitor.tensor("self", a_);
        if (b_.defined()) visitor.tensor("mat2", b_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor& g = grads[0];
        const Tensor a = a_.unpack(*this), b = b_.unpack(*this);
        if (wants(0)) inputs[0] = lhs_(g, a, b);
        if (wants(1)) inputs[1] = rhs_(g, a, b);
    }

private:
    const char* name_;
    Tensor (*lhs_)(const Tensor&, const Tensor&, const Tensor&);
    Tensor (*rhs_)(const Tensor&, const Tensor&, const Tensor&);
    const char* formula_;
    SavedTensor a_, b_;
};

constexpr const char* kMatrixFormula = "self: grad @ other.mT, other: self.mT @ grad";

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
    if (a.dim() != 2) fail("self must be a matrix");
    if (b.dim() != 2) fail("mat2 must be a matrix");
    if (a.sizes()[1] != b.sizes()[0])
        fail("mat1 and mat2 shapes cannot be multiplied (", a.sizes()[0], "x", a.sizes()[1],
             " and ", b.sizes()[0], "x", b.sizes()[1], ")");
    require_same_type(a, b);
    Tensor out = empty({a.sizes()[0], b.sizes()[1]}, a.dtype());
    kernel_table().gemm.gemm[int(a.dtype())](gemm_args(a, b, out));
    if (recording(a, b))
        set_history(out, Ref<Node>(new ProductNode(
                             "MmBackward0",
                             [](const Tensor& g, const Tensor&, const Tensor& y) {
                                 return with_transposed(Side::Right, y, g);
                             },
                             [](const Tensor& g, const Tensor& x, const Tensor&) {
                                 return with_transposed(Side::Left, x, g);
                             },
                             kMatrixFormula, a, b)));
    return out;
}

Tensor bmm(const Tensor& a, const Tensor& b) {
    if (a.dim() != 3) fail("batch1 must be a 3D tensor");
    if (b.dim() != 3) fail("batch2 must be a 3D tensor");
    if (a.sizes()[0] != b.sizes()[0] || a.sizes()[2] != b.sizes()[1])
        fail("Expected size for first two dimensions of batch2 tensor to be: [", a.sizes()[0], ", ",
             a.sizes()[2], "] but got: [", b.sizes()[0], ", ", b.sizes()[1], "].");
    require_same_type(a, b);
    const int64_t batch = a.sizes()[0];
    Tensor out = empty({batch, a.sizes()[1], b.sizes()[2]}, a.dtype());
    std::vector<int64_t> offsets(static_cast<size_t>(3 * batch));
    for (int64_t i = 0; i < batch; ++i) {
        offsets[static_cast<size_t>(i)] = i * a.strides()[0];
        offsets[static_cast<size_t>(batch + i)] = i * b.strides()[0];
        offsets[static_cast<size_t>(2 * batch + i)] = i * out.strides()[0];
    }
    kernel_table().gemm.batched[int(a.dtype())](gemm_args(a, b, out), batch, offsets.data(),
                                                offsets.data() + batch, offsets.data() + 2 * batch);
    if (recording(a, b))
        set_history(
            out,
            Ref<Node>(new ProductNode(
                "BmmBackward0",
                [](const Tensor& g, const Tensor&, const Tensor& y) { return bmm(g, swapped(y)); },
                [](const Tensor& g, const Tensor& x, const Tensor&) { return bmm(swapped(x), g); },
                kMatrixFormula, a, b)));
    return out;
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
    require_same_type(a, x);
    Tensor out = empty({a.sizes()[0]}, a.dtype());
    kernel_table().gemm.gemm[int(a.dtype())](gemm_args(a, as_column(x), as_column(out)));
    if (recording(a, x))
        set_history(
            out,
            Ref<Node>(new ProductNode(
                "MvBackward0",
                [](const Tensor& g, const Tensor&, const Tensor& v) { return outer(g, v); },
                [](const Tensor& g, const Tensor& m, const Tensor&) { return mv(swapped(m), g); },
                "self: outer(grad, vec), vec: self.mT @ grad", a, x)));
    return out;
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
    kernel_table().gemm.gemm[int(a.dtype())](
        gemm_args(as_row(a), as_column(b), alias(out, {1, 1}, {1, 1}, 0)));
    if (recording(a, b))
        set_history(out, Ref<Node>(new ProductNode(
                             "DotBackward0",
                             [](const Tensor& g, const Tensor&, const Tensor& y) { return g * y; },
                             [](const Tensor& g, const Tensor& x, const Tensor&) { return g * x; },
                             "self: grad * tensor, tensor: grad * self", a, b)));
    return out;
}

Tensor outer(const Tensor& a, const Tensor& b) {
    if (a.dim() != 1) fail("outer: Expected 1-D argument self, but got ", a.dim(), "-D");
    if (b.dim() != 1) fail("outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
    return unsqueeze(a, 1) * b;
}

namespace {

// A product in the shape that was asked for. Nobody has the product itself, so this is no view of it.
class ReshapedProductNode final : public Node {
public:
    ReshapedProductNode(const char* name, const Dims& sizes) : name_(name), sizes_(sizes) {}
    const char* name() const noexcept override { return name_; }
    std::string formula() const override { return "grad.reshape(sizes)"; }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.dims("self_sym_sizes", sizes_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (wants(0)) inputs[0] = reshape(grads[0], sizes_);
    }

private:
    const char* name_;
    const Dims sizes_;
};

Tensor reshaped_product(const Tensor& product, const Dims& sizes,
                        const char* name = "UnsafeViewBackward0") {
    Tensor out = alias(product, sizes, contiguous_strides(sizes), 0);
    out->inference = product->inference;
    if (recording(product)) {
        Ref<Node> node(new ReshapedProductNode(name, product.sizes()));
        node->add_edge(gradient_edge(product));
        set_history(out, node);
    }
    return out;
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
        Tensor rows = reshape(a, {a.numel() / std::max<int64_t>(s.back(), 1), s.back()});
        if (s.back() == 0) {
            int64_t count = 1;
            for (int i = 0; i < da - 1; ++i) count *= s[i];
            rows = reshape(a, {count, 0});
        }
        Dims shape(s.data(), da - 1);
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
    int64_t count = 1;
    for (int64_t size : batch) count *= size;
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

int64_t rows_of(const Tensor& x) {
    int64_t rows = 1;
    for (int i = 0; i < x.dim() - 1; ++i) rows *= x.sizes()[i];
    return rows;
}

// All leading dimensions as one.
Tensor as_matrix(const Tensor& x) {
    return x.dim() == 2 ? x : reshape(x, {rows_of(x), x.sizes().back()});
}

class LinearNode final : public Node {
public:
    LinearNode(const Tensor& x, const Tensor& weight, const Tensor& bias)
        : has_bias_(bias.defined()) {
        if (has_bias_) add_edge(gradient_edge(bias));
        add_edge(gradient_edge(x));
        add_edge(gradient_edge(weight));
        if (has_edge(input())) weight_ = SavedTensor(weight, false);
        if (has_edge(input() + 1)) x_ = SavedTensor(x, false);
        input_sizes_ = x.sizes();
    }
    const char* name() const noexcept override {
        return has_bias_ ? "AddmmBackward0" : "MmBackward0";
    }
    std::string formula() const override {
        return "input: grad @ weight, weight: grad.mT @ input, bias: sum(grad, 0)";
    }
    void release_saved() override {
        x_.release();
        weight_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        if (x_.defined()) visitor.tensor("mat1", x_);
        if (weight_.defined()) visitor.tensor("mat2", weight_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor g = as_matrix(grads[0].dim() == 1 ? reshape(grads[0], {1, -1}) : grads[0]);
        if (has_bias_ && wants(0)) inputs[0] = sum(g, {0}, false, std::nullopt);
        if (wants(input()))
            inputs[input()] = reshape_if(mm(g, weight_.unpack(*this)), input_sizes_);
        if (wants(input() + 1)) {
            const Tensor x = x_.unpack(*this);
            inputs[input() + 1] =
                with_transposed(Side::Left, g, as_matrix(x.dim() == 1 ? reshape(x, {1, -1}) : x));
        }
    }

private:
    size_t input() const { return has_bias_ ? 1 : 0; }
    static Tensor reshape_if(const Tensor& x, const Dims& sizes) {
        return x.sizes() == sizes ? x : reshape(x, sizes);
    }

    const bool has_bias_;
    Dims input_sizes_;
    SavedTensor x_, weight_;
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
    require_same_type(x, weight);
    if (bias.defined()) {
        if (bias.dtype() != x.dtype())
            fail("self and mat2 must have the same dtype, but got ", scalar_type_name(bias.dtype()),
                 " and ", scalar_type_name(x.dtype()));
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
    const Tensor bias_values = bias.defined() ? contiguous_values(bias) : Tensor();
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
                        bias_values.defined() ? bias_values.data() : nullptr,
                        false};
    kernel_table().gemm.gemm[int(x.dtype())](args);
    if (recording(x, weight) || (bias.defined() && recording(bias)))
        set_history(out, Ref<Node>(new LinearNode(x, weight, bias)));
    return out;
}

Tensor addmm(const Tensor& bias, const Tensor& a, const Tensor& b, double beta, double alpha) {
    const Tensor product = alpha == 1 ? mm(a, b) : mm(a, b) * alpha;
    return beta == 1 ? bias + product : bias * beta + product;
}

Tensor inner(const Tensor& a, const Tensor& b) {
    return a.dim() && b.dim() ? matmul(a, b.dim() > 1 ? transpose(b, -2, -1) : b) : a * b;
}

}  // namespace tapegrad
