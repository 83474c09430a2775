#include "ops/scaled_products.h"

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

using formulas::matmul_mT;
using formulas::mT_matmul;

// For each product: its node and arguments, its value, and the gradients of both factors.
struct MatrixProduct {
    static constexpr auto node = "AddmmBackward0";
    static constexpr std::array arguments{"self", "mat1", "mat2"};
    static Tensor value(const Tensor& a, const Tensor& b) { return mm(a, b); }
    static auto of_a(auto g, auto, auto b) { return matmul_mT(g, b); }
    static auto of_b(auto g, auto a, auto) { return mT_matmul(a, g); }
};

Tensor turned(const Tensor& x) { return transpose(x, -2, -1); }
TAPEGRAD_WORD(turned)
rules::Text turned(const rules::Text& x) { return mT(x); }

struct VectorProduct {
    static constexpr auto node = "AddmvBackward0";
    static constexpr std::array arguments{"self", "mat", "vec"};
    static Tensor value(const Tensor& a, const Tensor& b) { return mv(a, b); }
    static auto of_a(auto g, auto, auto b) { return outer(g, b); }
    static auto of_b(auto g, auto a, auto) { return mv(turned(a), g); }
};
struct OuterProduct {
    static constexpr auto node = "AddrBackward0";
    static constexpr std::array arguments{"self", "vec1", "vec2"};
    static Tensor value(const Tensor& a, const Tensor& b) { return outer(a, b); }
    static auto of_a(auto g, auto, auto b) { return mv(g, b); }
    static auto of_b(auto g, auto a, auto) { return mv(turned(g), a); }
};
struct BatchProduct {
    static constexpr auto node = "BaddbmmBackward0";
    static constexpr std::array arguments{"self", "batch1", "batch2"};
    static Tensor value(const Tensor& a, const Tensor& b) { return bmm(a, b); }
    static auto of_a(auto g, auto, auto b) { return bmm(g, turned(b)); }
    static auto of_b(auto g, auto a, auto) { return bmm(turned(a), g); }
};

// The gradient of a sum of matrices: the same for each of the batch.
Tensor for_each(const Tensor& g, const Tensor& batch) {
    return expand(unsqueeze(g, 0), {batch.sizes()[0], g.sizes()[0], g.sizes()[1]});
}
TAPEGRAD_WORD(for_each)
rules::Text for_each(const rules::Text& g, const rules::Text&) { return g; }
constexpr rules::Uses for_each(rules::Uses g, rules::Uses batch) { return g | batch.sizes(); }

struct BatchSum {
    static constexpr auto node = "AddbmmBackward0";
    static constexpr std::array arguments{"self", "batch1", "batch2"};
    static Tensor value(const Tensor& a, const Tensor& b) {
        return sum(bmm(a, b), Dims{0}, false, a.dtype());
    }
    static auto of_a(auto g, auto a, auto b) { return bmm(for_each(g, a), turned(b)); }
    static auto of_b(auto g, auto a, auto) { return bmm(turned(a), for_each(g, a)); }
};

template <class Product> struct Scaled {
    static constexpr auto node = Product::node;
    static constexpr auto arguments = Product::arguments;
    static constexpr bool reads_all = true;  // also where a factor is zero
    double beta, alpha;
    auto backward(auto g, auto x, auto a, auto b, auto) const {
        const auto scaled = [](const auto& t, double factor) {
            return factor == 1 ? t : t * factor;
        };
        return gradients(
            [=, this] { return beta == 0 ? zeros_like(x) : scaled(sum_to(g, x.sizes()), beta); },
            [=, this] {
                return alpha == 0 ? zeros_like(a) : scaled(Product::of_a(g, a, b), alpha);
            },
            [=, this] {
                return alpha == 0 ? zeros_like(b) : scaled(Product::of_b(g, a, b), alpha);
            });
    }
    auto forward(auto, auto a, auto b, auto) const {
        const auto scaled = [](const Tensor& t, double factor) {
            return factor == 1 ? t : t * factor;
        };
        return tangents([=, this](auto t) { return beta == 0 ? Tensor() : scaled(t, beta); },
                        [=, this](auto t) {
                            return alpha == 0 ? Tensor() : scaled(Product::value(t, b), alpha);
                        },
                        [=, this](auto t) {
                            return alpha == 0 ? Tensor() : scaled(Product::value(a, t), alpha);
                        });
    }
    void parameters(auto show) const { show("alpha", alpha, "beta", beta); }
};

// A factor as a number of the type that it is for.
Scalar factor_for(DType dtype, const Scalar& factor) {
    check_convertible(factor, dtype);
    if (dtype == DType::Bool) return Scalar(factor.to_double() != 0);
    return is_floating(dtype) ? factor : Scalar(factor.to_int());
}

// The tensors have been checked.
template <class Product>
Tensor scaled(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta_given,
              const Scalar& alpha_given) {
    const Scalar beta = factor_for(x.dtype(), beta_given),
                 alpha = factor_for(x.dtype(), alpha_given);
    const double by = beta.to_double(), times = alpha.to_double();
    Tensor out;
    {
        GradMode off(false);
        out = Product::value(a, b);
        if (!is_expandable_to(x.sizes(), out.sizes())) expand(x, out.sizes());  // which raises
        if (times == 0) zero_(out);
        else if (times != 1) binary_in_place(Binary::Mul, out, alpha);
        if (by == 1) binary_in_place(Binary::Add, out, x);
        else if (by != 0) binary_in_place(Binary::Add, out, x * beta);
    }
    return recorded(std::move(out), Scaled<Product>{by, times}, x, a, b);
}

using Form = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Scalar&, const Scalar&);
const Tensor& in_place(Form form, const Tensor& x, const Tensor& a, const Tensor& b,
                       const Scalar& beta, const Scalar& alpha) {
    const InPlace change(x, a, b);
    refuse_internal_overlap(x);
    const auto require_size = [&x](const Dims& sizes) {
        if (!(sizes == x.sizes()))
            fail("Bad in-place call: input tensor size ", to_string(x.sizes()),
                 " and output tensor size ", to_string(sizes), " should match");
    };
    // Before the product of matrices finds out that x does not fit.
    if (a.dim() == 2 && b.dim() == 2 && a.sizes()[1] == b.sizes()[0])
        require_size({a.sizes()[0], b.sizes()[1]});
    const Tensor result = form(clone(x), a, b, beta, alpha);
    require_size(result.sizes());
    return copy_(x, result);
}

// The type that all three must have.
void require_same(const char* self, const Tensor& x, const char* first, const Tensor& a,
                  const Tensor& b) {
    for (const auto& [name, other] : {std::pair(self, &x), std::pair(first, &a)})
        if (other->dtype() != b.dtype())
            fail(name, " and mat2 must have the same dtype, but got ",
                 scalar_type_name(other->dtype()), " and ", scalar_type_name(b.dtype()));
}

}  // namespace

Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
             const Scalar& alpha) {
    require_same("self", x, "mat1", a, b);
    if (a.dim() != 2) fail("mat1 must be a matrix, got ", a.dim(), "-D tensor");
    if (b.dim() != 2) fail("mat2 must be a matrix, got ", b.dim(), "-D tensor");
    return scaled<MatrixProduct>(x, a, b, beta, alpha);
}
const Tensor& addmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                     const Scalar& alpha) {
    return in_place(addmm, x, a, b, beta, alpha);
}

Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
             const Scalar& alpha) {
    if (a.dim() != 2 || b.dim() != 1 || x.dim() > 1)
        fail("vector + matrix @ vector expected, got ", x.dim(), ", ", a.dim(), ", ", b.dim());
    if (a.sizes()[1] != b.sizes()[0] || (x.numel() != 1 && x.sizes()[0] != a.sizes()[0]))
        fail("size mismatch, got input (", x.dim() ? x.sizes()[0] : 1, "), mat (", a.sizes()[0],
             "x", a.sizes()[1], "), vec (", b.sizes()[0], ")");
    if (x.dtype() != a.dtype() || a.dtype() != b.dtype())
        fail("addmv input tensors must have the same dtype, but got ", scalar_type_name(x.dtype()),
             ", ", scalar_type_name(a.dtype()), ", and ", scalar_type_name(b.dtype()));
    return scaled<VectorProduct>(x, a, b, beta, alpha);
}
const Tensor& addmv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                     const Scalar& alpha) {
    return in_place(addmv, x, a, b, beta, alpha);
}

Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
            const Scalar& alpha) {
    if (a.dim() != 1) fail("addr: Expected 1-D argument vec1, but got ", a.dim(), "-D");
    if (b.dim() != 1) fail("addr: Expected 1-D argument vec2, but got ", b.dim(), "-D");
    const DType dtype = promote(x.dtype(), promote(a.dtype(), b.dtype()));
    for (const auto& [name, factor] : {std::pair("beta", &beta), std::pair("alpha", &alpha)}) {
        if (!is_floating(dtype) && factor->is_floating())
            fail("For integral input tensors, argument ", name,
                 " must not be a floating point number.");
        if (factor->kind() == DType::Bool && dtype != DType::Bool)
            fail("Boolean ", name, " only supported for Boolean results.");
    }
    return scaled<OuterProduct>(to_dtype(x, dtype), to_dtype(a, dtype), to_dtype(b, dtype), beta,
                                alpha);
}
const Tensor& addr_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                    const Scalar& alpha) {
    return in_place(addr, x, a, b, beta, alpha);
}

Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
               const Scalar& alpha) {
    a.size(1);
    b.size(2);
    for (const Tensor* other : {&x, &b})
        if (other->dtype() != a.dtype())
            fail("expected scalar type ", scalar_type_name(a.dtype()), " but found ",
                 scalar_type_name(other->dtype()));
    return scaled<BatchProduct>(x, a, b, beta, alpha);
}
const Tensor& baddbmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                       const Scalar& alpha) {
    return in_place(baddbmm, x, a, b, beta, alpha);
}

Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
              const Scalar& alpha) {
    a.size(1);
    b.size(2);
    if (a.dim() != 3) fail("batch1 must be a 3D tensor");
    if (b.dim() != 3) fail("batch2 must be a 3D tensor");
    if (a.sizes()[0] != b.sizes()[0])
        fail("batch1 and batch2 must have same number of batches, got ", a.sizes()[0], " and ",
             b.sizes()[0]);
    if (a.sizes()[2] != b.sizes()[1])
        fail("Incompatible matrix sizes for bmm (", a.sizes()[1], "x", a.sizes()[2], " and ",
             b.sizes()[1], "x", b.sizes()[2], ")");
    require_same("self", x, "batch1", a, b);
    return scaled<BatchSum>(x, a, b, beta, alpha);
}
const Tensor& addbmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                      const Scalar& alpha) {
    return in_place(addbmm, x, a, b, beta, alpha);
}

}  // namespace tapegrad
