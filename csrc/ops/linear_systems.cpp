#include "ops/linear_systems.h"

#include <cmath>

#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/factorizations.h"
#include "ops/linalg.h"
#include "ops/lu_values.h"
#include "ops/matrices.h"
#include "ops/one_step.h"
#include "ops/reductions.h"
#include "ops/results_rule.h"
#include "ops/spectra.h"
#include "ops/triangles.h"
#include "replay/recorder.h"

// Derivatives after Giles, "An extended collection of matrix derivative results" (2008).

namespace tapegrad {
namespace {

using rules::Text;

TAPEGRAD_WORD(matmul)
Text matmul(const Text& a, const Text& b) { return mm(a, b); }

void check_equation(const char* function, const Matrices& a, const Matrices& b, bool left) {
    if ((left ? b.rows : b.columns) != a.rows)
        fail(function, ": Incompatible shapes of A and B for the equation ", left ? "AX" : "XA",
             " = B (", a.rows, "x", a.columns, " and ", b.rows, "x", b.columns, ")");
}
void require_same(const char* function, const char* name_a, const Tensor& a, const char* name_b,
                  const Tensor& b) {
    if (a.dtype() != b.dtype())
        fail(function, ": Expected ", name_a, " and ", name_b,
             " to have the same dtype, but found ", name_a, " of type ",
             scalar_type_name(a.dtype()), " and ", name_b, " of type ", scalar_type_name(b.dtype()),
             " instead");
}

}  // namespace

// ------------------------------------------------------------------------------------- triangles

namespace {

// The upper or lower part of the gradient of a triangular matrix.
Tensor triangle_of(const Tensor& g, bool upper, bool unit) {
    return upper ? triu(g, unit) : tril(g, unit ? -1 : 0);
}
TAPEGRAD_WORD(triangle_of)
TAPEGRAD_WORD(solve_triangular)

struct SolveTriangular {
    static constexpr auto node = "LinalgSolveTriangularBackward0";
    static constexpr std::array arguments{"self", "B"};
    bool upper, left, unitriangular;
    auto backward(auto g, auto a, auto, auto x) const {
        const auto b_gradient = [*this](const auto& g_, const auto& a_) {
            return solve_triangular(mT(a_), g_, !upper, left, unitriangular);
        };
        return gradients(
            [=, this] {
                auto gb = b_gradient(g, a);
                return triangle_of(-(left ? matmul(gb, mT(x)) : matmul(mT(x), gb)), upper,
                                   unitriangular);
            },
            [=] { return b_gradient(g, a); });
    }
    auto forward(auto a, auto, auto x) const {
        const auto solved = [=, *this](const Tensor& b) {
            return solve_triangular(a, b, upper, left, unitriangular);
        };
        return tangents(
            [=, this](auto t) {
                const Tensor part = triangle_of(t, upper, unitriangular);
                return -solved(left ? matmul(part, x) : matmul(x, part));
            },
            solved);
    }
    void parameters(auto show) const {
        show("upper", upper, "left", left, "unitriangular", unitriangular);
    }
};

}  // namespace

Tensor solve_triangular(const Tensor& a_given, const Tensor& b_given, bool upper, bool left,
                        bool unitriangular) {
    constexpr auto name = "linalg.solve_triangular";
    require_same(name, "A", a_given, "B", b_given);
    require_square(name, a_given);
    require_matrices(name, b_given, "B");
    check_equation(name, Matrices(a_given), Matrices(b_given), left);
    const auto [a, b] = with_same_batch(a_given, b_given);
    return recorded(triangular_values(a, b, upper, left, unitriangular),
                    SolveTriangular{upper, left, unitriangular}, a, b);
}

namespace {

// Of the solution and of the copy of A.
struct TriangularSolve {
    static constexpr auto node = "TriangularSolveBackward0";
    static constexpr std::array arguments{"self", "A"};
    static constexpr std::array results{"solution", "cloned_coefficient"};
    static constexpr unsigned uses_arguments = 2;
    bool upper, transposed, unitriangular;
    std::array<Tensor, 2> backward(const std::array<Tensor, 2>& g,
                                   const std::array<Tensor, 2>& given,
                                   const std::array<Tensor, 2>& y) const {
        const Tensor &a = given[1], &x = y[0];
        if (!g[0].defined()) return {Tensor(), g[1]};
        const Tensor gb = solve_triangular(transposed ? a : mT(a), g[0], upper == transposed, true,
                                           unitriangular);
        const Tensor ga = triangle_of(-(transposed ? matmul(x, mT(gb)) : matmul(gb, mT(x))), upper,
                                      unitriangular);
        return {gb, sum_of_gradients(ga, g[1])};
    }
};

}  // namespace

std::pair<Tensor, Tensor> triangular_solve(const Tensor& b, const Tensor& a, bool upper,
                                           bool transposed, bool unitriangular) {
    for (const auto& [x, name] : {std::pair(&b, "b"), std::pair(&a, "A")})
        if (x->dim() < 2)
            fail("tapegrad.triangular_solve: Expected ", name,
                 " to have at least 2 dimensions, but it has ", x->dim(), " dimensions instead");
    const Matrices ma(a), mb(b);
    if (ma.rows != ma.columns)
        fail("A must be batches of square matrices, but they are ", ma.rows, " by ", ma.columns,
             " matrices");
    if (ma.rows != mb.rows)
        fail("Incompatible matrix sizes for triangular_solve: each A matrix is ", ma.rows, " by ",
             ma.columns, " but each b matrix is ", mb.rows, " by ", mb.columns);
    const auto [left, right] = with_same_batch(a, b);
    if (a.dtype() != b.dtype())
        fail("Expected b and A to have the same dtype, but found b of type ",
             scalar_type_name(b.dtype()), " and A of type ", scalar_type_name(a.dtype()),
             " instead.");
    Tensor x, copy;
    {
        GradMode off(false);
        x = triangular_values(transposed ? mT_window(left) : left, right, upper != transposed, true,
                              unitriangular);
        copy = clone(left);
    }
    const auto results =
        recorded_results({x, copy}, TriangularSolve{upper, transposed, unitriangular}, right, left);
    return {results[0], results[1]};
}

// ------------------------------------------------------------------------------------- solve

namespace {

// solve() with the transposed matrix, where it is known that there is an inverse.
Tensor solve_transposed(const Tensor& a, const Tensor& b, bool left, bool vector) {
    if (vector) return squeeze(solve(mT(a), unsqueeze(b, -1), true), Dims{-1});
    return solve(mT(a), b, left);
}
TAPEGRAD_WORD(solve_transposed)

struct Solve {
    static constexpr auto node = "LinalgSolveExBackward0";
    static constexpr std::array arguments{"A", "B", "LU", "pivots"};
    bool left, vector;
    auto of_a(auto gb, auto x) const {
        if (vector) return -matmul(unsqueeze(gb, -1), unsqueeze(x, -2));
        return -(left ? matmul(gb, mT(x)) : matmul(mT(x), gb));
    }
    auto backward(auto g, auto a, auto, auto, auto, auto x) const {
        return gradients([=, this] { return of_a(solve_transposed(a, g, left, vector), x); },
                         [=, this] { return solve_transposed(a, g, left, vector); });
    }
    auto forward(auto a, auto, auto lu, auto pivots, auto x) const {
        const auto solved = [=, *this](const Tensor& given) {
            const Tensor b = expand(given, x.sizes()), columns = vector ? unsqueeze(b, -1) : b;
            Tensor found;
            if (grad_enabled()) found = solve(a, columns, left);
            else if (left) found = lu_solve_values(lu, pivots, columns, false);
            else found = mT_window(lu_solve_values(lu, pivots, mT_window(columns), false));
            return vector ? squeeze(found, Dims{-1}) : found;
        };
        return tangents(
            [=, this](auto t) {
                if (vector) return -solved(squeeze(matmul(t, unsqueeze(x, -1)), Dims{-1}));
                return -solved(left ? matmul(t, x) : matmul(x, t));
            },
            solved);
    }
    std::array<Tensor, 2> fused(const Tensor& g, const Tensor&, const Tensor&, const Tensor& lu,
                                const Tensor& pivots, const Tensor& x,
                                const std::array<bool, 2>& wanted) const {
        Tensor gb = vector ? unsqueeze(g, -1) : left ? g : mT_window(g);
        gb = lu_solve_values(lu, pivots, gb, true);
        if (vector) gb = squeeze(gb, Dims{-1});
        else if (!left) gb = mT_window(gb);
        return {wanted[0] ? of_a(gb, x) : Tensor(), gb};
    }
    static constexpr rules::Uses fused_needs() {
        return rules::Uses::argument(2) | rules::Uses::argument(3) | rules::Uses::result();
    }
    void parameters(auto show) const { show("left", left); }
};

struct SolveResult {
    Tensor x, info;
};
SolveResult solve_with_flags(const Tensor& a_given, const Tensor& b_given, bool left) {
    constexpr auto name = "linalg.solve";
    require_square_float(name, a_given);
    require_same(name, "A", a_given, "B", b_given);
    // A tensor B of vectors, one for each matrix, or one for all.
    const bool vector =
        b_given.dim() == 1 || (a_given.dim() - 1 == b_given.dim() &&
                               b_given.sizes() == Dims(a_given.sizes().data(), a_given.dim() - 1));
    if (vector && !left)
        fail(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for "
            "left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)");
    if (!vector) require_matrices(name, b_given, "B");
    const Matrices ma(a_given);
    check_equation(name, ma, Matrices(vector ? unsqueeze(b_given, -1) : b_given), left);
    Tensor a = a_given, b = b_given;
    if (vector) {
        if (a.dim() - 1 != b.dim()) b = expand(b, ma.of(ma.rows));
    } else {
        std::tie(a, b) = with_same_batch(a, b);
    }
    const bool keep = is_recorded<Solve>(a, b, Tensor(), Tensor());
    Tensor columns = b;
    {
        GradMode off(false);
        if (vector) columns = unsqueeze(b, -1);
    }
    // X A = B is A^T X^T = B^T.
    const auto side = [left](const Tensor& t) { return left ? t : mT_window(t); };
    Solved found;
    if (a.sizes() == a_given.sizes()) {
        found = solve_values(side(a), side(columns), keep);
    } else {  // each matrix once
        GradMode off(false);
        found.factors = lu_values(side(a_given));
        const Matrices all(a);
        found.factors.lu = expand(found.factors.lu, a.sizes());
        found.factors.pivots = expand(found.factors.pivots, all.of(all.rows));
        found.x = lu_solve_values(found.factors.lu, found.factors.pivots, side(columns), false);
    }
    Tensor x = left ? found.x : mT_window(found.x);
    if (vector) x = alias(x, b.sizes(), contiguous_strides(b.sizes()), 0);
    return {
        recorded(std::move(x), Solve{left, vector}, a, b, found.factors.lu, found.factors.pivots),
        found.factors.info};
}

void check_solved(const char* function, const Tensor& info) {
    check_flags(info, [function](const Failure& failure) {
        fail<LinAlgError>(function, ": ", failure.element,
                          "The solver failed because the input matrix is singular.");
    });
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, bool left) {
    const SolveResult result = solve_with_flags(a, b, left);
    check_solved("tapegrad.linalg.solve", result.info);
    return result.x;
}

std::pair<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
    const SolveResult result = solve_with_flags(a, b, left);
    if (check_errors) check_solved("tapegrad.linalg.solve_ex", result.info);
    return {result.x, result.info};
}

// ------------------------------------------------------------------------------------- inverse

namespace {

struct Inverse {
    static constexpr auto node = "LinalgInvExBackward0";
    static constexpr std::array arguments{"A"};
    auto backward(auto g, auto, auto y) const { return -matmul(mT(y), matmul(g, mT(y))); }
    auto forward(auto t, auto, auto y) const { return -matmul(y, matmul(t, y)); }
};

std::pair<Tensor, Tensor> inverse_with_flags(const char* function, const Tensor& a) {
    require_square(function, a);
    require_precision(function, a);
    auto [y, info] = inverse_values(a);
    return {recorded(std::move(y), Inverse{}, a), info};
}

void check_inverted(const char* function, const Tensor& info) {
    check_flags(info, [function](const Failure& failure) {
        fail<LinAlgError>(function, ": ", failure.element, "The diagonal element ", failure.flag,
                          " is zero, the inversion could not be completed because the input matrix "
                          "is singular.");
    });
}

}  // namespace

Tensor inv(const Tensor& a) {
    const auto [y, info] = inverse_with_flags("linalg.inv", a);
    check_inverted("linalg.inv", info);
    return y;
}

std::pair<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors) {
    auto result = inverse_with_flags("linalg.inv", a);
    if (check_errors) check_inverted("linalg.inv_ex", result.second);
    return result;
}

// ------------------------------------------------------------------------------------- lu_solve

namespace {

Tensor unit_lower(const Tensor& lu) {
    const int64_t n = lu.sizes().back();
    return tril(lu, -1) + eye(n, n, lu.dtype());
}

TAPEGRAD_WORD(lu_solve)

struct LuSolve {
    static constexpr auto node = "LinalgLuSolveBackward0";
    static constexpr std::array arguments{"LU", "B", "pivots"};
    bool left, adjoint;
    // By the triangular equations one after the other: L z = P^T b, U x = z, or U^T w = b, L^T y = w, x = P y.
    static Tensor of_lu(const Tensor& g_given, const Tensor& lu, const Tensor& pivots,
                        const Tensor& x_given, bool left, bool adjoint_given) {
        // X A = B is A^T X^T = B^T.
        const Tensor g = left ? g_given : mT(g_given), x = left ? x_given : mT(x_given);
        const bool adjoint = adjoint_given == left;
        const Tensor p = permutation(pivots, lu.sizes().back(), lu.dtype());
        const Tensor lower = unit_lower(lu), upper = triu(lu, 0);
        if (!adjoint) {
            const Tensor gz = solve_triangular(mT(upper), g, false, true, false);
            const Tensor gb = solve_triangular(mT(lower), gz, true, true, true);
            return -(triu(matmul(gz, mT(x)), 0) + tril(matmul(gb, mT(matmul(upper, x))), -1));
        }
        const Tensor y = matmul(mT(p), x), w = matmul(mT(lower), y);
        const Tensor gw = solve_triangular(lower, matmul(mT(p), g), false, true, true);
        const Tensor gb = solve_triangular(upper, gw, true, true, false);
        return -(tril(matmul(y, mT(gw)), -1) + triu(matmul(w, mT(gb)), 0));
    }
    auto backward(auto g, auto lu, auto, auto pivots, auto x) const {
        return gradients([=, this] { return of_lu(g, lu, pivots, x, left, adjoint); },
                         [=, this] { return lu_solve(lu, pivots, g, left, !adjoint); });
    }
    static Text of_lu(const Text& g, const Text& lu, const Text& pivots, const Text& x, bool,
                      bool) {
        return formulas::call("lu_solve_backward", {g.s, lu.s, pivots.s, x.s});
    }
    static constexpr rules::Uses of_lu(rules::Uses g, rules::Uses lu, rules::Uses pivots,
                                       rules::Uses x, bool, bool) {
        return g | lu | pivots | x;
    }
    void parameters(auto show) const { show("left", left, "adjoint", adjoint); }
};

}  // namespace

Tensor lu_solve(const Tensor& lu_given, const Tensor& pivots_given, const Tensor& b_given,
                bool left, bool adjoint) {
    constexpr auto name = "linalg.lu_solve";
    require_float("tapegrad.linalg.lu_solve", lu_given);
    require_square("tapegrad.linalg.lu_solve", lu_given);
    require_matrices(name, b_given, "B");
    require_same(name, "LU", lu_given, "B", b_given);
    if (pivots_given.dtype() != DType::Int32)
        fail(name, ": pivots should be a Tensor of scalar type tapegrad.int32");
    const Matrices m(lu_given);
    check_equation(name, m, Matrices(b_given), left);
    if (pivots_given.dim() == 0 || pivots_given.sizes().back() != m.rows)
        fail(name, ": Number of pivots per batch should be same as the dimension of the matrix");
    if (!(pivots_given.sizes() == m.of(m.rows)))
        fail(name,
             ": Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with "
             "shape ",
             to_string(pivots_given.sizes()), " instead");
    check_pivots(name, pivots_given, m.rows);
    const auto [lu, b] = with_same_batch(lu_given, b_given);
    Tensor pivots = pivots_given;
    if (!(lu.sizes() == lu_given.sizes())) pivots = expand(pivots, Matrices(lu).of(m.rows));
    Tensor x = left ? lu_solve_values(lu, pivots, b, adjoint)
                    : mT_window(lu_solve_values(lu, pivots, mT_window(b), !adjoint));
    return recorded(std::move(x), LuSolve{left, adjoint}, lu, b, pivots);
}

Tensor lu_solve_old(const Tensor& b, const Tensor& lu, const Tensor& pivots) {
    return lu_solve(lu, pivots, b, true, false);
}

// ------------------------------------------------------------------------------------- determinants

namespace {

// The cofactors det(A) A^-T of a matrix without an inverse, which has cofactors all the same.
//
// Where they are to be differentiated: by the recursion of Faddeev and LeVerrier, a polynomial in the elements
// of A; the matrix is scaled, so that its powers stay in range.
Tensor polynomial_cofactors(const Tensor& a_given) {
    const int64_t n = a_given.sizes().back();
    const Tensor identity = eye(n, n, a_given.dtype());
    if (n == 1) return expand(identity, a_given.sizes()) + a_given * 0.0;
    Tensor scale;
    {
        GradMode off(false);
        scale = norm(a_given, 2, Dims{-2, -1}, true);
        scale = where(scale > 0, scale, 1);
    }
    const Tensor a = a_given / scale;
    Tensor m = identity;
    for (int64_t k = 1; k < n; ++k) {
        const Tensor product = matmul(a, m);
        const Tensor trace = sum(diagonal(product, 0, -2, -1), Dims{-1});
        m = product - identity * unsqueeze(unsqueeze(trace / double(k), -1), -1);
    }
    if (n % 2 == 0) m = -m;
    return mT(m) * pow(scale, Scalar(n - 1));
}

// Otherwise from the singular value decomposition: det(U V) U diag(products of the other values) V^T.
Tensor cofactors_by_svd(const Tensor& a) {
    const auto [u, s, vh] = svd(a, false);
    const int64_t n = s.sizes().back();
    // [.., i, j]: s_j, and 1 for j = i.
    const Tensor others = where(eye(n, n, DType::Bool), 1, unsqueeze(s, -2));
    const Tensor products = prod(others, -1, false, {});
    const Tensor sign = det(u) * det(vh);
    return matmul(u * unsqueeze(products, -2), vh) * unsqueeze(unsqueeze(sign, -1), -1);
}

Tensor cofactors(const Tensor& a, const Tensor& det) {
    if (is_replay_recorded() && !grad_enabled())
        return in_one_step([](const Tensor& x, const Tensor& y) { return cofactors(x, y); }, a,
                           det);
    const bool singular = any_values(det == 0);
    if (singular && grad_enabled() && a.requires_grad()) return polynomial_cofactors(a);
    if (singular) return cofactors_by_svd(a);
    return mT(inv_ex(a, false).first) * unsqueeze(unsqueeze(det, -1), -1);
}
TAPEGRAD_WORD(cofactors)

struct Det {
    static constexpr auto node = "LinalgDetBackward0";
    static constexpr std::array arguments{"A"};
    auto backward(auto g, auto a, auto y) const {
        return unsqueeze(unsqueeze(g, -1), -1) * cofactors(a, y);
    }
    auto forward(auto t, auto a, auto y) const { return sum(cofactors(a, y) * t, Dims{-2, -1}); }
};

Tensor inverse_mT(const Tensor& a) { return mT(inv_ex(a, false).first); }
TAPEGRAD_WORD(inverse_mT)

struct LogAbsDet {
    static constexpr auto node = "LinalgSlogdetBackward0";
    static constexpr std::array arguments{"A"};
    auto backward(auto g, auto a, auto) const {
        return unsqueeze(unsqueeze(g, -1), -1) * inverse_mT(a);
    }
    auto forward(auto t, auto a, auto) const { return sum(inverse_mT(a) * t, Dims{-2, -1}); }
};
struct DetSign {
    static constexpr auto node = "LinalgSlogdetBackward0";
    static constexpr std::array arguments{"A"};
    static constexpr bool reads_all = true;
    auto backward(auto, auto a, auto) const { return zeros_like(a); }
    Tensor forward(const Tensor&, const Tensor&, const Tensor&) const { return {}; }
};

}  // namespace

Tensor det(const Tensor& a) {
    require_square_float("linalg.det", a);
    const Matrices m(a);
    const Tensor diagonals = lu_diagonals(a);
    Tensor out = empty(m.batch, a.dtype());
    visit_float("lu_cpu", a.dtype(), [&]<class T>() {
        launch(
            [m](const T* d, T* to) {
                for (int64_t i = 0; i < m.count; ++i) {
                    T product = 1;
                    for (int64_t k = 0; k < m.rows; ++k) product *= *d++;
                    to[i] = product;
                }
            },
            diagonals.data<T>(), out.data<T>());
    });
    return recorded(std::move(out), Det{}, a);
}

namespace {

std::pair<Tensor, Tensor> signed_log(const char* function, const Tensor& a) {
    require_square(function, a);
    require_precision(function, a);
    const Matrices m(a);
    Tensor sign = empty(m.batch, a.dtype()), log = empty(m.batch, a.dtype());
    const Tensor diagonals = lu_diagonals(a);
    visit_float("linalg.slogdet", a.dtype(), [&]<class T>() {
        launch(
            [m](const T* next, T* signs, T* logs) {
                for (int64_t i = 0; i < m.count; ++i) {
                    T side = 1, total = 0;
                    for (int64_t k = 0; k < m.rows; ++k) {
                        const T d = *next++;
                        side *= d > 0 ? T(1) : d < 0 ? T(-1) : d;  // NaN stays
                        total += std::log(std::fabs(d));
                    }
                    signs[i] = side;
                    logs[i] = total;
                }
            },
            diagonals.data<T>(), sign.data<T>(), log.data<T>());
    });
    return {recorded(std::move(sign), DetSign{}, a), recorded(std::move(log), LogAbsDet{}, a)};
}

}  // namespace

std::pair<Tensor, Tensor> slogdet(const Tensor& a) { return signed_log("linalg.slogdet", a); }

Tensor logdet(const Tensor& a) {
    const auto [sign, log] = signed_log("logdet", a);
    return where(sign == -1, std::nan(""), log);
}

}  // namespace tapegrad
