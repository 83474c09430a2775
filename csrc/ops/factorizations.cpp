#include "ops/factorizations.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/joining.h"
#include "ops/linalg.h"
#include "ops/linear_systems.h"
#include "ops/matrices.h"
#include "ops/refusal.h"
#include "ops/results_rule.h"
#include "ops/triangles.h"
#include "replay/recorder.h"

// Derivatives after Seeger, Hetzel, Dai, Meissner and Lawrence, "Auto-differentiating linear algebra" (2017).

namespace tapegrad {
namespace {

// The symmetric matrix whose lower triangle this is.
Tensor mirrored(const Tensor& lower) { return lower + mT(tril(lower, -1)); }

}  // namespace

// ------------------------------------------------------------------------------------- LU

namespace {

// The gradient of A = P L U by those of L and U, either of which may be missing.
Tensor lu_gradient(const Tensor& gl_given, const Tensor& gu_given, const Tensor& p, const Tensor& l,
                   const Tensor& u) {
    const Tensor gl = gl_given.defined() ? gl_given : zeros_like(l);
    const Tensor gu = gu_given.defined() ? gu_given : zeros_like(u);
    const int64_t m = l.size(-2), n = u.size(-1), k = std::min(m, n);
    const auto square = [](const Tensor& gl_, const Tensor& gu_, const Tensor& l_,
                           const Tensor& u_) {
        const Tensor middle = tril(matmul(mT(l_), gl_), -1) + triu(matmul(gu_, mT(u_)), 0);
        const Tensor right = solve_triangular(mT(u_), middle, false, false, false);
        return solve_triangular(mT(l_), right, true, true, true);
    };
    if (m == n) return matmul(p, square(gl, gu, l, u));
    if (m < n) {  // A = P [X Y] with X = L U1, Y = L U2
        const Tensor u2 = narrow(u, -1, k, n - k);
        const Tensor gy = solve_triangular(mT(l), narrow(gu, -1, k, n - k), true, true, true);
        const Tensor gx =
            square(gl - matmul(gy, mT(u2)), narrow(gu, -1, 0, k), l, narrow(u, -1, 0, k));
        return matmul(p, cat({gx, gy}, -1));
    }
    // A = P [X; Y] with X = L1 U, Y = L2 U
    const Tensor l2 = narrow(l, -2, k, m - k);
    const Tensor gy = solve_triangular(mT(u), narrow(gl, -2, k, m - k), false, false, false);
    const Tensor gx = square(narrow(gl, -2, 0, k), gu - matmul(mT(l2), gy), narrow(l, -2, 0, k), u);
    return matmul(p, cat({gx, gy}, -2));
}

// L and U of what holds both.
std::pair<Tensor, Tensor> parts_of(const Tensor& lu) {
    const int64_t m = lu.size(-2), n = lu.size(-1), k = std::min(m, n);
    return {tril(narrow(lu, -1, 0, k), -1) + eye(m, k, lu.dtype()), triu(narrow(lu, -2, 0, k), 0)};
}
// What holds both, as a function of them; either may be missing.
Tensor joined_parts(const Tensor& l, const Tensor& u, int64_t m, int64_t n) {
    const auto padded = [](const Tensor& x, int64_t dim, int64_t size) {
        if (x.size(dim) == size) return x;
        Dims sizes = x.sizes();
        sizes[wrap_dim(dim, x.dim())] = size - x.size(dim);
        return cat({x, zeros(sizes, x.dtype())}, dim);
    };
    return sum_of_gradients(l.defined() ? padded(tril(l, -1), -1, n) : Tensor(),
                            u.defined() ? padded(triu(u, 0), -2, m) : Tensor());
}

Tensor lu_factor_gradient(const Tensor& g, const Tensor& pivots, const Tensor& lu) {
    const auto [l, u] = parts_of(lu);
    const auto [gl, gu] =
        std::pair(tril(narrow(g, -1, 0, l.size(-1)), -1), triu(narrow(g, -2, 0, u.size(-2)), 0));
    return lu_gradient(gl, gu, permutation(pivots, lu.size(-2), lu.dtype()), l, u);
}
TAPEGRAD_WORD(lu_factor_gradient)

struct LuFactor {
    static constexpr auto node = "LinalgLuFactorExBackward0";
    static constexpr std::array arguments{"A", "pivots"};
    bool pivot;
    auto backward(auto g, auto, auto pivots, auto lu) const {
        return lu_factor_gradient(g, pivots, lu);
    }
    void parameters(auto show) const { show("pivot", pivot); }
};

struct Lu {
    static constexpr auto node = "LinalgLuBackward0";
    static constexpr std::array arguments{"A", "P"};
    static constexpr std::array results{"L", "U"};
    static constexpr unsigned uses_arguments = 2;
    std::array<Tensor, 2> backward(const std::array<Tensor, 2>& g, const std::array<Tensor, 2>& x,
                                   const std::array<Tensor, 2>& y) const {
        return {lu_gradient(g[0], g[1], x[1], y[0], y[1]), Tensor()};
    }
};

struct LuUnpack {
    static constexpr auto node = "LuUnpackBackward0";
    static constexpr std::array arguments{"LU_data"};
    static constexpr std::array results{"L", "U"};
    static constexpr bool saves_results = false;
    int64_t rows, columns;
    std::array<Tensor, 1> backward(const std::array<Tensor, 2>& g, const std::array<Tensor, 1>&,
                                   const std::array<Tensor, 2>&) const {
        return {joined_parts(g[0], g[1], rows, columns)};
    }
};

void require_lu(const char* function, const Tensor& a, bool pivot) {
    if (a.dim() < 2)
        fail(function,
             ": Expected tensor with 2 or more dimensions. Got size: ", to_string(a.sizes()),
             " instead");
    if (!pivot) fail("linalg.lu_factor: LU without pivoting is not implemented on the CPU");
    if (!a.is_floating()) refuse_dtype("lu_cpu", a.dtype());
}

void check_no_zero(const char* function, const Tensor& info) {
    check_flags(info, [function](const Failure& failure) {
        fail(function, ": ", failure.element, "U[", failure.flag, ",", failure.flag,
             "] is zero and using it on lu_solve would result in a division by zero. If you still "
             "want to perform the factorization, consider calling linalg.lu(A, pivot) or "
             "linalg.lu_factor_ex(A, pivot)");
    });
}

std::array<Tensor, 3> lu_with_flags(const Tensor& a, bool pivot) {
    LuFactors found = lu_values(a);
    return {recorded(std::move(found.lu), LuFactor{pivot}, a, found.pivots), found.pivots,
            found.info};
}

}  // namespace

std::array<Tensor, 3> lu_factor_ex(const Tensor& a, bool pivot, bool check_errors) {
    require_lu("tapegrad.lu_factor", a, pivot);
    auto result = lu_with_flags(a, pivot);
    if (check_errors) check_no_zero("tapegrad.linalg.lu_factor_ex", result[2]);
    return result;
}

std::pair<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot) {
    require_lu("tapegrad.lu_factor", a, pivot);
    auto [lu, pivots, info] = lu_with_flags(a, pivot);
    check_no_zero("tapegrad.linalg.lu_factor", info);
    return {lu, pivots};
}

std::array<Tensor, 3> lu(const Tensor& a, bool pivot) {
    require_lu("linalg.lu", a, pivot);
    Tensor p, l, u;
    {
        GradMode off(false);
        const LuFactors found = lu_values(a);
        p = permutation(found.pivots, a.size(-2), a.dtype());
        std::tie(l, u) = parts_of(found.lu);
    }
    const auto [left, right] = recorded_results({l, u}, Lu{}, a, p);
    return {p, left, right};
}

void check_pivots(const char* function, const Tensor& pivots_given, int64_t n) {
    const Tensor pivots = contiguous_values(pivots_given);
    launch(checking([function, n, count = pivots.numel()](const int32_t* given) {
               for (int64_t i = 0; i < count; ++i)
                   if (given[i] < 1 || given[i] > n)
                       fail(function, ": pivots must be between 1 and the number of rows, ", n,
                            ", but got ", given[i]);
           }),
           pivots.data<int32_t>());
}

Tensor permutation(const Tensor& pivots_given, int64_t n, DType dtype) {
    GradMode off(false);
    const Tensor pivots = contiguous_values(pivots_given);
    const int64_t k = pivots.sizes().back();
    Dims sizes(pivots.sizes().data(), pivots.dim() - 1);
    const int64_t count = element_count(sizes);
    sizes.push_back(n);
    sizes.push_back(n);
    Tensor p = zeros(sizes, dtype);
    visit_float("lu_unpack", dtype, [&]<class T>() {
        launch(
            [n, k, count](const int32_t* exchanged, T* to) {
                std::vector<int64_t> order(static_cast<size_t>(n));
                for (int64_t b = 0; b < count; ++b) {
                    std::iota(order.begin(), order.end(), int64_t{0});
                    for (int64_t i = 0; i < k; ++i)
                        std::swap(order[static_cast<size_t>(i)],
                                  order[static_cast<size_t>(exchanged[b * k + i] - 1)]);
                    for (int64_t i = 0; i < n; ++i)
                        to[(b * n + order[static_cast<size_t>(i)]) * n + i] = 1;
                }
            },
            pivots.data<int32_t>(), p.data<T>());
    });
    return p;
}

std::array<Tensor, 3> lu_unpack(const Tensor& lu, const Tensor& pivots, bool unpack_data,
                                bool unpack_pivots) {
    constexpr auto name = "tapegrad.lu_unpack";
    if (lu.dim() < 2)
        fail(name, ": Expected tensor with 2 or more dimensions. Got size: ", to_string(lu.sizes()),
             " instead");
    if (unpack_pivots && pivots.dtype() != DType::Int32)
        fail(name,
             ": LU_pivots is expected to be a contiguous tensor of tapegrad.int32 dtype.\n"
             "Note: this function is intended to be used with the output produced by "
             "tapegrad.linalg.lu_factor");
    if (!lu.is_floating()) refuse_dtype("lu_unpack", lu.dtype());
    std::array<Tensor, 3> out;
    const int64_t m = lu.size(-2), n = lu.size(-1);
    for (Tensor& part : out) part = empty({0}, lu.dtype());
    if (unpack_pivots) {
        if (pivots.dim() != lu.dim() - 1 || pivots.sizes().back() > m ||
            !(Dims(pivots.sizes().data(), pivots.dim() - 1) == Matrices(lu).batch))
            fail(name, ": pivots of shape ", to_string(pivots.sizes()),
                 " do not fit matrices of shape ", to_string(lu.sizes()));
        check_pivots(name, pivots, m);
        out[0] = cast_values(permutation(pivots, m, wide_of(lu.dtype())), lu.dtype());
    }
    if (unpack_data) {
        Tensor l, u;
        {
            GradMode off(false);
            std::tie(l, u) = parts_of(lu);
        }
        auto parts = recorded_results({l, u}, LuUnpack{m, n}, lu);
        out[1] = parts[0];
        out[2] = parts[1];
    }
    return out;
}

// ------------------------------------------------------------------------------------- QR

void from_text(std::string_view text, QrMode& mode) {
    if (text == "reduced") mode = QrMode::Reduced;
    else if (text == "r") mode = QrMode::R;
    else if (text == "complete") mode = QrMode::Complete;
    else
        fail("qr received unrecognized mode '", text,
             "' but expected one of 'reduced' (default), 'r', or 'complete'");
}

namespace {

// Memory that lies row by row is the transpose for LAPACK: Q R of a matrix is L Q of that.
template <class T> class QrWork {
public:
    QrWork(int64_t rows, int64_t columns, int64_t row)
        : lapack_(require_lapack<T>()),
          rows_(lapack_int(rows)),
          columns_(lapack_int(columns)),
          row_(lapack_int(std::max<int64_t>(row, 1))) {
        const int ask = -1, k = std::min(rows_, columns_);
        T optimum[2];
        int ignored;
        lapack_.gelqf(&columns_, &rows_, nullptr, &row_, nullptr, &optimum[0], &ask, &ignored);
        const int width = std::min(row_, rows_);
        lapack_.orglq(&width, &rows_, &k, nullptr, &row_, nullptr, &optimum[1], &ask, &ignored);
        size_ = std::max({lapack_size(optimum[0]), lapack_size(optimum[1]), rows_, row_});
    }
    int size() const { return size_; }
    // The matrix becomes R and the vectors of the reflections.
    void factor(T* a, T* tau, T* work) const {
        int info;
        lapack_.gelqf(&columns_, &rows_, a, &row_, tau, work, &size_, &info);
    }
    // The first `count` columns of the product of k reflections.
    void product(T* a, int64_t count, int64_t k_given, const T* tau, T* work) const {
        const int width = lapack_int(count), k = lapack_int(k_given);
        int info;
        lapack_.orglq(&width, &rows_, &k, a, &row_, tau, work, &size_, &info);
    }

private:
    const kernels::Lapack<T>& lapack_;
    int rows_, columns_, row_, size_;
};

template <class T>
void qr_values(const T* a, T* q, T* r, const Matrices& m, int64_t q_columns, int64_t r_rows) {
    const int64_t rows = m.rows, columns = m.columns, k = std::min(rows, columns);
    const int64_t row = std::max(columns, q_columns);
    if (k == 0) {
        if (q)
            for (int64_t i = 0; i < m.count * rows; ++i)
                for (int64_t j = 0; j < q_columns; ++j) q[i * q_columns + j] = i % rows == j;
        std::fill_n(r, m.count * r_rows * columns, T(0));
        return;
    }
    const QrWork<T> qr(rows, columns, row);
    for_matrices(m.count, 4 * cube(k) + 500, [&](int64_t begin, int64_t end) {
        Scratch<T> matrix(rows * row), tau(k), work(qr.size());
        for (int64_t i = begin; i < end; ++i) {
            copy_rows(matrix.data(), row, a + i * rows * columns, columns, rows, columns);
            qr.factor(matrix.data(), tau.data(), work.data());
            T* to = r + i * r_rows * columns;
            for (int64_t x = 0; x < r_rows; ++x)
                for (int64_t y = 0; y < columns; ++y)
                    to[x * columns + y] = y >= x ? matrix[x * row + y] : T(0);
            if (!q) continue;
            qr.product(matrix.data(), q_columns, k, tau.data(), work.data());
            copy_rows(q + i * rows * q_columns, q_columns, matrix.data(), row, rows, q_columns);
        }
    });
}

struct Qr {
    static constexpr auto node = "LinalgQrBackward0";
    static constexpr std::array arguments{"A"};
    static constexpr std::array results{"Q", "R"};
    QrMode mode;

    static Tensor square(const Tensor& gq, const Tensor& gr, const Tensor& q, const Tensor& r) {
        const Tensor middle = mirrored(tril(matmul(r, mT(gr)) - matmul(mT(gq), q), 0));
        return solve_triangular(mT(r), gq + matmul(q, middle), false, false, false);
    }
    std::array<Tensor, 1> backward(const std::array<Tensor, 2>& g, const std::array<Tensor, 1>&,
                                   const std::array<Tensor, 2>& y) const {
        const auto& [q, r] = y;
        if (mode == QrMode::R)
            fail(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
                "Please use linalg.qr(A, mode='reduced') if you are going to require gradients.");
        const int64_t m = q.size(-2), n = r.size(-1);
        if (mode == QrMode::Complete && m > n)
            fail(
                "The QR decomposition is not differentiable when mode='complete' and nrows > "
                "ncols");
        const Tensor gq = g[0].defined() ? g[0] : zeros_like(q);
        const Tensor gr = g[1].defined() ? g[1] : zeros_like(r);
        if (m >= n) return {square(gq, gr, q, r)};
        // A = [X Y] with X = Q R1, Y = Q R2
        const Tensor r2 = narrow(r, -1, m, n - m);
        const Tensor gy = matmul(q, narrow(gr, -1, m, n - m));
        const Tensor gx = square(gq + matmul(matmul(q, r2), mT(narrow(gr, -1, m, n - m))),
                                 narrow(gr, -1, 0, m), q, narrow(r, -1, 0, m));
        return {cat({gx, gy}, -1)};
    }
};

}  // namespace

std::pair<Tensor, Tensor> qr(const Tensor& a, QrMode mode) {
    require_matrices("linalg.qr", a);
    require_float("linalg.qr", a);
    const Matrices m(a);
    const int64_t k = std::min(m.rows, m.columns);
    const bool complete = mode == QrMode::Complete;
    const int64_t q_columns = complete ? m.rows : k, r_rows = complete ? m.rows : k;
    const Tensor values = contiguous_values(a);
    const Tensor q =
        mode == QrMode::R ? empty({0}, a.dtype()) : empty(m.of(m.rows, q_columns), a.dtype());
    const Tensor r = empty(m.of(r_rows, m.columns), a.dtype());
    visit_float("geqrf_cpu", a.dtype(), [&]<class T>() {
        launch(&qr_values<T>, values.data<T>(), mode == QrMode::R ? nullptr : q.data<T>(),
               r.data<T>(), m, q_columns, r_rows);
    });
    const auto [left, right] = recorded_results({q, r}, Qr{mode}, a);
    return {left, right};
}

std::pair<Tensor, Tensor> qr_old(const Tensor& a, bool some) {
    return qr(a, some ? QrMode::Reduced : QrMode::Complete);
}

[[noreturn]] static void refuse_geqrf() {
    fail<NotImplementedError>("the derivative for 'geqrf' is not implemented.");
}

std::pair<Tensor, Tensor> geqrf(const Tensor& a) {
    if (a.dim() < 2) fail("tapegrad.geqrf: input must have at least 2 dimensions.");
    const Matrices m(a);
    const int64_t k = std::min(m.rows, m.columns);
    Tensor out = contiguous_clone(detach(a)), tau = empty(m.of(k), a.dtype());
    visit_float("geqrf_cpu", a.dtype(), [&]<class T>() {
        if (k == 0) return;
        launch(
            [m, k](T* to, T* factors) {
                const QrWork<T> qr(m.rows, m.columns, m.columns);
                for_matrices(m.count, 4 * cube(k) + 500, [&](int64_t begin, int64_t end) {
                    Scratch<T> work(qr.size());
                    for (int64_t i = begin; i < end; ++i)
                        qr.factor(to + i * m.rows * m.columns, factors + i * k, work.data());
                });
            },
            out.data<T>(), tau.data<T>());
    });
    if (const Ref<Node> node = refusing_node("GeqrfBackward0", refuse_geqrf, a)) {
        set_history(out, node);
        set_history(tau, node);
    }
    return {out, tau};
}

namespace {

struct HouseholderProduct {
    static constexpr auto node = "LinalgHouseholderProductBackward0";
    static constexpr std::array arguments{"input", "tau"};
    static constexpr std::array results{"result"};
    static constexpr unsigned uses_arguments = 3;
    std::array<Tensor, 2> backward(const std::array<Tensor, 1>& g, const std::array<Tensor, 2>& x,
                                   const std::array<Tensor, 1>&) const {
        const auto& [a, tau] = x;
        const int64_t m = a.size(-2), n = a.size(-1), k = tau.size(-1);
        const Tensor lower = tril(a, -1);
        // before[i] is the product of the reflections from i on; g goes through those before it.
        std::vector<Tensor> v(static_cast<size_t>(k)), before(static_cast<size_t>(k) + 1);
        before[static_cast<size_t>(k)] = expand(eye(m, n, a.dtype()), a.sizes());
        for (int64_t i = k - 1; i >= 0; --i) {
            const auto at = static_cast<size_t>(i);
            v[at] = narrow(lower, -1, i, 1) + unsqueeze(select(eye(m, m, a.dtype()), 1, i), -1);
            const Tensor scaled = v[at] * unsqueeze(narrow(tau, -1, i, 1), -1);
            before[at] = before[at + 1] - matmul(scaled, matmul(mT(v[at]), before[at + 1]));
        }
        Tensor arriving = g[0];
        std::vector<Tensor> gv, gtau;
        for (int64_t i = 0; i < k; ++i) {
            const auto at = static_cast<size_t>(i);
            const Tensor t = unsqueeze(narrow(tau, -1, i, 1), -1);
            const Tensor left = matmul(mT(arriving), v[at]),
                         right = matmul(mT(before[at + 1]), v[at]);
            gtau.push_back(squeeze(-matmul(mT(left), right), Dims{-1}));
            gv.push_back(-t * (matmul(arriving, right) + matmul(before[at + 1], left)));
            arriving = arriving - matmul(v[at] * t, mT(left));
        }
        if (k < n) gv.push_back(zeros(narrow(a, -1, 0, n - k).sizes(), a.dtype()));
        if (gv.empty()) return {zeros_like(a), zeros_like(tau)};
        return {tril(cat(gv, -1), -1), k ? cat(gtau, -1) : zeros_like(tau)};
    }
};

}  // namespace

Tensor householder_product(const Tensor& a, const Tensor& tau) {
    constexpr auto name = "tapegrad.linalg.householder_product";
    if (a.dim() < 2) fail(name, ": input must have at least 2 dimensions.");
    const Matrices m(a);
    if (m.rows < m.columns)
        fail(name, ": input.shape[-2] must be greater than or equal to input.shape[-1]");
    if (tau.dim() == 0 || tau.sizes().back() > m.columns)
        fail(name, ": input.shape[-1] must be greater than or equal to tau.shape[-1]");
    if (tau.dim() != a.dim() - 1)
        fail(name,
             ": Expected tau to have one dimension less than input, but got tau.ndim equal to ",
             tau.dim(), " and input.ndim is equal to ", a.dim());
    if (!(Dims(tau.sizes().data(), tau.dim() - 1) == m.batch))
        fail(name, ": Expected batch dimensions of tau to be equal to input.shape[:-2], but got ",
             to_string(Dims(tau.sizes().data(), tau.dim() - 1)));
    if (tau.dtype() != a.dtype())
        fail(name, ": tau dtype ", scalar_type_name(tau.dtype()), " does not match input dtype ",
             scalar_type_name(a.dtype()));
    const int64_t k = tau.sizes().back();
    Tensor out;
    {
        GradMode off(false);
        out = contiguous_clone(a);
        const Tensor factors = contiguous_values(tau);
        visit_float("orgqr_cpu", a.dtype(), [&]<class T>() {
            if (m.columns == 0) return;
            launch(
                [m, k](T* to, const T* scales) {
                    const QrWork<T> qr(m.rows, m.columns, m.columns);
                    for_matrices(m.count, 4 * cube(m.columns) + 500,
                                 [&](int64_t begin, int64_t end) {
                                     Scratch<T> work(qr.size());
                                     for (int64_t i = begin; i < end; ++i)
                                         qr.product(to + i * m.rows * m.columns, m.columns, k,
                                                    scales + i * k, work.data());
                                 });
                },
                out.data<T>(), factors.data<T>());
        });
    }
    return recorded_results({out}, HouseholderProduct{}, a, tau)[0];
}

}  // namespace tapegrad
