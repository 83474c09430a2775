#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/factorizations.h"
#include "ops/linalg.h"
#include "ops/linear_systems.h"
#include "ops/matrices.h"
#include "ops/rule.h"
#include "ops/triangles.h"
#include "replay/recorder.h"

// Derivatives after Murray, "Differentiation of the Cholesky decomposition" (2016).

namespace tapegrad {

namespace {

using rules::Text;

// The part of a symmetric matrix that varies with a lower triangle.
Tensor symmetric(const Tensor& lower) { return (lower + mT(tril(lower, -1))) * 0.5; }

template <class T>
void cholesky_values(const T* a, T* out, int32_t* info, const Matrices& m, bool upper) {
    const int64_t n = m.rows, size = n * n;
    const auto& kernels = kernel_table().small_matrix;
    if (kernels::beside_each_other(n, m.count, kernels::kTinyCholesky,
                                   kernels::kTinyCholeskyAlone)) {
        for_matrices(m.count, cube(n) + 10, [&](int64_t begin, int64_t end) {
            kernels.tiny_cholesky[dtype_of<T>](a + begin * size, out + begin * size, info + begin,
                                               n, end - begin, upper);
        });
        return;
    }
    if (n <= kernels::kSmallMatrix) {
        const int64_t row = kernels::small_row(n);
        const auto kernel = kernels.cholesky[dtype_of<T>];
        for_matrices(m.count, cube(n), [&](int64_t begin, int64_t end) {
            Scratch<T> work(n * row);
            T* u = work.data();
            for (int64_t i = begin; i < end; ++i) {
                const T* from = a + i * size;
                for (int64_t r = 0; r < n; ++r)
                    for (int64_t c = r; c < n; ++c)
                        u[r * row + c] = upper ? from[r * n + c] : from[c * n + r];
                info[i] = static_cast<int32_t>(kernel(u, n, row));
                T* to = out + i * size;
                for (int64_t r = 0; r < n; ++r) {
                    const int64_t first = upper ? r : 0, last = upper ? n : r + 1;
                    std::fill_n(to + r * n, n, T(0));
                    for (int64_t c = first; c < last; ++c)
                        to[r * n + c] = upper ? u[r * row + c] : u[c * row + r];
                }
            }
        });
        return;
    }
    const auto& lapack = require_lapack<T>();
    const int order = lapack_int(n);
    for_matrices(m.count, cube(n) / 3, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            T* to = out + i * size;
            for (int64_t r = 0; r < n; ++r)
                for (int64_t c = 0; c < n; ++c)
                    to[r * n + c] = (upper ? c >= r : c <= r) ? a[i * size + r * n + c] : T(0);
            // Memory that lies row by row is the transpose for LAPACK.
            lapack.potrf(upper ? "L" : "U", &order, to, &order, info + i, 1);
            // OpenBLAS says nothing of NaN.
            for (int64_t r = 0; r < n && info[i] == 0; ++r)
                if (!(to[r * n + r] > 0)) info[i] = static_cast<int32_t>(r + 1);
        }
    });
}

struct Cholesky {
    const char* name;
    bool upper;
    static constexpr std::array arguments{"self"};
    const char* node() const { return name; }
    static Tensor of_lower(const Tensor& g, const Tensor& l) {
        const Tensor middle = symmetric(tril(matmul(mT(l), g), 0));
        const Tensor left = solve_triangular(mT(l), middle, true, true, false);
        return solve_triangular(l, left, false, false, false);
    }
    static Text of_lower(const Text& g, const Text& l) {
        return formulas::call("cholesky_backward", {g.s, l.s});
    }
    static constexpr rules::Uses of_lower(rules::Uses g, rules::Uses l) { return g | l; }
    auto backward(auto g, auto, auto l) const {
        return upper ? of_lower(mT(g), mT(l)) : of_lower(g, l);
    }
    auto forward(auto t, auto, auto y) const {
        const Tensor l = upper ? mT(y) : y;
        const Tensor half = solve_triangular(l, t, false, true, false);
        const Tensor m = solve_triangular(mT(l), half, true, false, false);
        const Tensor slope = matmul(l, (tril(m, 0) + tril(mT(m), -1)) * 0.5);
        return upper ? mT(slope) : slope;
    }
    void parameters(auto show) const { show("upper", upper); }
};

std::pair<Tensor, Tensor> cholesky_with_flags(const char* node, const Tensor& a, bool upper) {
    const Matrices m(a);
    const Tensor values = contiguous_values(a), info = empty(m.batch, DType::Int32);
    Tensor out = empty(a.sizes(), a.dtype());
    visit_float("cholesky_cpu", a.dtype(), [&]<class T>() {
        launch([m, upper](const T* from, T* to,
                          int32_t* flags) { cholesky_values<T>(from, to, flags, m, upper); },
               values.data<T>(), out.data<T>(), info.data<int32_t>());
    });
    return {recorded(std::move(out), Cholesky{node, upper}, a), info};
}

void check_positive(const char* function, const Tensor& info) {
    check_flags(info, [function](const Failure& failure) {
        fail<LinAlgError>(function, ": ", failure.element,
                          "The factorization could not be completed because the input is not "
                          "positive-definite (the leading minor of order ",
                          failure.flag, " is not positive-definite).");
    });
}

}  // namespace

Tensor cholesky(const Tensor& a, bool upper) {
    require_square_float("linalg.cholesky", a);
    const auto [l, info] = cholesky_with_flags("LinalgCholeskyExBackward0", a, upper);
    check_positive("linalg.cholesky", info);
    return l;
}

Tensor cholesky_old(const Tensor& a, bool upper) {
    require_square("cholesky", a);
    const auto [l, info] = cholesky_with_flags("CholeskyBackward0", a, upper);
    check_positive("cholesky", info);
    return l;
}

std::pair<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
    require_square_float("linalg.cholesky", a);
    auto result = cholesky_with_flags("LinalgCholeskyExBackward0", a, upper);
    if (check_errors) check_positive("linalg.cholesky_ex", result.second);
    return result;
}

namespace {

TAPEGRAD_WORD(cholesky_solve)

// With x = (L L^T)^-1 b, and s = (L L^T)^-1 g: the gradient of L L^T is -(s x^T), of which both halves reach L.
// How the matrix of a factor moves with it.
Tensor moved_product(const Tensor& t, const Tensor& factor, bool upper) {
    const Tensor half =
        upper ? matmul(mT(triu(t, 0)), triu(factor, 0)) : matmul(tril(t, 0), mT(tril(factor, 0)));
    return half + mT(half);
}

struct CholeskySolve {
    static constexpr auto node = "CholeskySolveBackward0";
    static constexpr std::array arguments{"self", "input2"};
    bool upper;
    static Tensor of_factor(const Tensor& g, const Tensor& factor, const Tensor& x, bool upper) {
        const Tensor s = cholesky_solve(g, factor, upper), product = matmul(s, mT(x));
        const Tensor both = -(product + mT(product));
        return upper ? triu(matmul(triu(factor, 0), both), 0)
                     : tril(matmul(both, tril(factor, 0)), 0);
    }
    static Text of_factor(const Text& g, const Text& factor, const Text& x, bool) {
        return formulas::call("cholesky_solve_backward", {g.s, factor.s, x.s});
    }
    static constexpr rules::Uses of_factor(rules::Uses g, rules::Uses factor, rules::Uses x, bool) {
        return g | factor | x;
    }
    auto backward(auto g, auto, auto factor, auto x) const {
        return gradients([=, this] { return cholesky_solve(g, factor, upper); },
                         [=, this] { return of_factor(g, factor, x, upper); });
    }
    auto forward(auto, auto factor, auto x) const {
        return tangents([=, this](auto t) { return cholesky_solve(t, factor, upper); },
                        [=, this](auto t) {
                            const Tensor moved = moved_product(t, factor, upper);
                            return -cholesky_solve(matmul(moved, x), factor, upper);
                        });
    }
    void parameters(auto show) const { show("upper", upper); }
};
}  // namespace

Tensor cholesky_solve(const Tensor& b_given, const Tensor& factor_given, bool upper) {
    for (const auto& [x, name] : {std::pair(&b_given, "b"), std::pair(&factor_given, "u")})
        if (x->dim() < 2)
            fail(name, " should have at least 2 dimensions, but has ", x->dim(),
                 " dimensions instead");
    const Matrices mf(factor_given), mb(b_given);
    if (b_given.dtype() != factor_given.dtype())
        fail("Expected b and A to have the same dtype, but found b of type ",
             scalar_type_name(b_given.dtype()), " and A of type ",
             scalar_type_name(factor_given.dtype()), " instead.");
    if (mf.rows != mf.columns)
        fail("A must be batches of square matrices, but they are ", mf.rows, " by ", mf.columns,
             " matrices");
    if (mf.rows != mb.rows)
        fail("Incompatible matrix sizes for cholesky_solve: each A matrix is ", mf.rows, " by ",
             mf.columns, " but each b matrix is ", mb.rows, " by ", mb.columns);
    visit_float("cholesky_solve_cpu", b_given.dtype(), []<class T>() {});
    const auto [factor, b] = with_same_batch(factor_given, b_given);
    const Tensor turned = mT_window(factor);
    const Tensor middle = upper ? triangular_values(turned, b, false, true, false)
                                : triangular_values(factor, b, false, true, false);
    Tensor x = upper ? triangular_values(factor, middle, true, true, false)
                     : triangular_values(turned, middle, true, true, false);
    return recorded(std::move(x), CholeskySolve{upper}, b, factor);
}

namespace {

struct CholeskyInverse {
    static constexpr auto node = "CholeskyInverseBackward0";
    static constexpr std::array arguments{"self"};
    bool upper;
    static Tensor of_factor(const Tensor& g, const Tensor& factor, const Tensor& y, bool upper) {
        const Tensor both = -matmul(matmul(y, g + mT(g)), y);
        return upper ? triu(matmul(triu(factor, 0), both), 0)
                     : tril(matmul(both, tril(factor, 0)), 0);
    }
    static Text of_factor(const Text& g, const Text& factor, const Text& y, bool) {
        return formulas::call("cholesky_inverse_backward", {g.s, factor.s, y.s});
    }
    static constexpr rules::Uses of_factor(rules::Uses g, rules::Uses factor, rules::Uses y, bool) {
        return g | factor | y;
    }
    auto backward(auto g, auto factor, auto y) const { return of_factor(g, factor, y, upper); }
    auto forward(auto t, auto factor, auto y) const {
        return -matmul(y, matmul(moved_product(t, factor, upper), y));
    }
    void parameters(auto show) const { show("upper", upper); }
};

}  // namespace

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
    require_square("cholesky_inverse", factor);
    if (!factor.is_floating()) refuse_dtype("cholesky_inverse_out_cpu", factor.dtype());
    Tensor y;
    {
        GradMode off(false);
        const Matrices m(factor);
        const Tensor diagonals = contiguous_values(diagonal(factor, 0, -2, -1));
        const Tensor zero = diagonals == 0;
        launch(checking([rows = m.rows, count = zero.numel(),
                         single = m.batch.empty()](const bool* is_zero) {
                   for (int64_t i = 0; i < count; ++i)
                       if (is_zero[i])
                           fail<LinAlgError>(
                               "cholesky_inverse: ",
                               single ? "" : text("(Batch element ", i / rows, "): "),
                               "The diagonal element ", i % rows + 1,
                               " is zero, the inversion could not be completed because the input "
                               "matrix is singular.");
               }),
               zero.data<bool>());
        y = cholesky_solve(expand(eye(m.rows, m.rows, factor.dtype()), factor.sizes()), factor,
                           upper);
    }
    return recorded(std::move(y), CholeskyInverse{upper}, factor);
}

}  // namespace tapegrad
