#include "ops/spectra.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/extremes.h"
#include "ops/linalg.h"
#include "ops/matrices.h"
#include "ops/one_step.h"
#include "ops/reductions.h"
#include "ops/results_rule.h"

// Derivatives after Giles, "An extended collection of matrix derivative results" (2008), and of the pseudoinverse
// after Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems" (1973).

namespace tapegrad {
namespace {

template <class T> bool any_nan(const T* x, int64_t count) {
    bool found = false;
    for (int64_t i = 0; i < count; ++i) found |= std::isnan(x[i]);
    return found;
}
template <class T> bool all_finite(const T* x, int64_t count) {
    bool finite = true;
    for (int64_t i = 0; i < count; ++i) finite &= std::isfinite(x[i]);
    return finite;
}

// 1 / (x_j - x_i) of values that are squared first or not, and 0 in the diagonal. Where values are equal, their
// vectors have no derivative of their own, and there are infinities and NaN.
Tensor inverse_gaps(const Tensor& x, bool squared) {
    const Tensor row = unsqueeze(x, -2), column = unsqueeze(x, -1);
    const Tensor diagonal = eye(x.sizes().back(), x.sizes().back(), DType::Bool);
    const Tensor gaps = squared ? (row - column) * (row + column) : row - column;
    return where(diagonal, 0, 1 / where(diagonal, 1, gaps));
}
// A matrix with these values on its diagonal.
Tensor diagonal_matrix(const Tensor& values) {
    const int64_t n = values.sizes().back();
    return unsqueeze(values, -2) * eye(n, n, values.dtype());
}

}  // namespace

// ------------------------------------------------------------------------------------- svd

namespace {

enum class Vectors : char { None = 'N', Thin = 'S', All = 'A' };

struct Decomposition {
    Tensor u, s, vh, info;
};

// Memory that lies row by row is the transpose for LAPACK, whose U is V here.
template <class T>
void svd_values(const Tensor& x, const Decomposition& out, const Matrices& m, Vectors vectors) {
    const auto& lapack = require_lapack<T>();
    const int64_t k = std::min(m.rows, m.columns), size = m.rows * m.columns;
    const int rows = lapack_int(m.columns), columns = lapack_int(m.rows), ask = -1;
    const char job[] = {static_cast<char>(vectors), 0};
    const bool some = vectors != Vectors::None;
    const int vh_row = std::max(rows, 1), u_row = some ? lapack_int(out.u.sizes().back()) : 1;
    T optimum[2];
    int ignored;
    lapack.gesdd(job, &rows, &columns, nullptr, &rows, nullptr, nullptr, &vh_row, nullptr, &u_row,
                 &optimum[0], &ask, nullptr, &ignored, 1);
    lapack.gesvd(job, job, &rows, &columns, nullptr, &rows, nullptr, nullptr, &vh_row, nullptr,
                 &u_row, &optimum[1], &ask, &ignored, 1, 1);
    const int work_size = std::max(lapack_size(optimum[0]), lapack_size(optimum[1]));
    const int64_t u_size = some ? m.rows * u_row : 0, vh_size = some ? out.vh.numel() / m.count : 0;
    for_matrices(m.count, 20 * cube(k) + 5000, [&](int64_t begin, int64_t end) {
        Scratch<T> matrix(size), work(work_size);
        Scratch<int> numbers(8 * k);
        for (int64_t i = begin; i < end; ++i) {
            const T* from = x.data<T>() + i * size;
            T* s = out.s.data<T>() + i * k;
            T* u = some ? out.u.data<T>() + i * u_size : nullptr;
            T* vh = some ? out.vh.data<T>() + i * vh_size : nullptr;
            int* info = out.info.data<int32_t>() + i;
            *info = 0;
            if (!all_finite(from, size)) {  // which LAPACK may loop over
                if (any_nan(from, size)) *info = -4;
                constexpr T nan = std::numeric_limits<T>::quiet_NaN();
                std::fill_n(s, k, nan);
                std::fill_n(u, u_size, nan);
                std::fill_n(vh, vh_size, nan);
                continue;
            }
            copy_rows(matrix.data(), size, from, size, 1, size);
            lapack.gesdd(job, &rows, &columns, matrix.data(), &rows, s, vh, &vh_row, u, &u_row,
                         work.data(), &work_size, numbers.data(), info, 1);
            if (*info <= 0) continue;
            copy_rows(matrix.data(), size, from, size, 1, size);
            lapack.gesvd(job, job, &rows, &columns, matrix.data(), &rows, s, vh, &vh_row, u, &u_row,
                         work.data(), &work_size, info, 1, 1);
        }
    });
}

void set_identities(const Tensor& x) {
    fill_values(x, 0);
    fill_values(diagonal(x, 0, -2, -1), 1);
}

Decomposition decompose(const Tensor& a, Vectors vectors) {
    require_matrices("linalg.svd", a);
    require_float("linalg.svd", a);
    if (is_replay_recorded()) {
        const auto found = list_in_one_step(
            [vectors](const std::vector<Tensor>& x) {
                const Decomposition d = decompose(x[0], vectors);
                return std::vector<Tensor>{d.u, d.s, d.vh, d.info};
            },
            {a});
        return {found[0], found[1], found[2], found[3]};
    }
    GradMode off(false);
    const Matrices m(a);
    const int64_t k = std::min(m.rows, m.columns);
    const bool all = vectors == Vectors::All;
    Decomposition out{Tensor(), empty(m.of(k), a.dtype()), Tensor(), empty(m.batch, DType::Int32)};
    if (vectors != Vectors::None) {
        out.u = empty(m.of(m.rows, all ? m.rows : k), a.dtype());
        out.vh = empty(m.of(all ? m.columns : k, m.columns), a.dtype());
    }
    if (a.numel() == 0) {
        if (all) {
            set_identities(out.u);
            set_identities(out.vh);
        }
        return out;
    }
    const Tensor values = contiguous_values(a);
    visit_float("linalg_svd_cpu", a.dtype(),
                [&]<class T>() { svd_values<T>(values, out, m, vectors); });
    if (const Failure failure = first_failure(out.info); failure.flag != 0) {
        if (failure.flag < 0)
            fail<LinAlgError>("linalg.svd: ", failure.element,
                              "The algorithm failed to converge because the input matrix contained "
                              "non-finite values.");
        fail<LinAlgError>("linalg.svd: ", failure.element,
                          "The algorithm failed to converge because the input matrix is "
                          "ill-conditioned or has too many repeated singular values (error code: ",
                          failure.flag, ").");
    }
    return out;
}

struct Svd {
    static constexpr auto node = "LinalgSvdBackward0";
    static constexpr std::array arguments{"A"};
    static constexpr std::array results{"U", "S", "Vh"};

    std::array<Tensor, 1> backward(const std::array<Tensor, 3>& g, const std::array<Tensor, 1>&,
                                   const std::array<Tensor, 3>& y) const {
        const Tensor& s = y[1];
        const int64_t k = s.sizes().back(), m = y[0].size(-2), n = y[2].size(-1);
        const Tensor u = narrow(y[0], -1, 0, k), vh = narrow(y[2], -2, 0, k);
        // A value of zero has no slope: the smallest of its subgradients is zero.
        const Tensor gs = g[1].defined() ? where(s == 0, 0, g[1]) : Tensor();
        if (!g[0].defined() && !g[2].defined())
            return {m >= n ? matmul(u, unsqueeze(gs, -1) * vh) : matmul(u * unsqueeze(gs, -2), vh)};
        const Tensor row = unsqueeze(s, -2), column = unsqueeze(s, -1);
        const Tensor gaps = inverse_gaps(s, true);
        const auto skew = [](const Tensor& x) { return x - mT(x); };
        Tensor middle = gs.defined() ? diagonal_matrix(gs) : Tensor();
        Tensor gu, gvh, ku, kv;
        if (g[0].defined()) {
            gu = narrow(g[0], -1, 0, k);
            ku = matmul(mT(u), gu);
            middle = sum_of_gradients(middle, skew(ku) * gaps * row);
        }
        if (g[2].defined()) {
            gvh = narrow(g[2], -2, 0, k);
            kv = matmul(vh, mT(gvh));
            middle = sum_of_gradients(middle, column * (skew(kv) * gaps));
        }
        Tensor left = matmul(u, middle);
        if (gu.defined() && m > k) left = left + (gu - matmul(u, ku)) / row;
        Tensor result = matmul(left, vh);
        if (gvh.defined() && n > k)
            result = result + matmul(u, (gvh - matmul(mT(kv), vh)) / column);
        return {result};
    }
};

}  // namespace

std::array<Tensor, 3> svd(const Tensor& a, bool full_matrices) {
    const Decomposition found = decompose(a, full_matrices ? Vectors::All : Vectors::Thin);
    return recorded_results({found.u, found.s, found.vh}, Svd{}, a);
}

std::array<Tensor, 3> svd_old(const Tensor& a, bool some, bool compute_uv) {
    if (a.dim() < 2)
        fail("linalg.svd: input should have at least 2 dimensions, but has ", a.dim(),
             " dimensions instead");
    if (!compute_uv) {
        const Matrices m(a);
        return {zeros(m.of(m.rows, m.rows), a.dtype()), svdvals(a),
                zeros(m.of(m.columns, m.columns), a.dtype())};
    }
    const auto [u, s, vh] = svd(a, !some);
    return {u, s, mT(vh)};
}

Tensor svdvals(const Tensor& a) {
    if (!recording(a)) return decompose(a, Vectors::None).s;
    return svd(a, false)[1];
}

// ------------------------------------------------------------------------------------- eigh

void from_text(std::string_view text, Uplo& uplo) {
    if (text == "L" || text == "l") uplo = Uplo::Lower;
    else if (text == "U" || text == "u") uplo = Uplo::Upper;
    else fail("Expected UPLO argument to be 'L' or 'U', but got ", text);
}

namespace {

// The vectors lie row by row. Memory that lies row by row is the transpose for LAPACK.
template <class T>
void eigh_values(const Tensor& vectors, const Tensor& values, const Tensor& info, const Matrices& m,
                 Uplo uplo, bool wants_vectors) {
    const auto& lapack = require_lapack<T>();
    const int n = lapack_int(m.rows), ask = -1;
    const int64_t size = m.rows * m.rows;
    const char *job = wants_vectors ? "V" : "N", *part = uplo == Uplo::Lower ? "U" : "L";
    T optimum;
    int optimal_numbers, ignored;
    lapack.syevd(job, part, &n, nullptr, &n, nullptr, &optimum, &ask, &optimal_numbers, &ask,
                 &ignored, 1, 1);
    const int work_size = lapack_size(optimum), number_count = optimal_numbers;
    for_matrices(m.count, 20 * cube(m.rows) + 5000, [&](int64_t begin, int64_t end) {
        Scratch<T> work(work_size);
        Scratch<int> numbers(number_count);
        for (int64_t i = begin; i < end; ++i) {
            T* matrix = vectors.data<T>() + i * size;
            int* flag = info.data<int32_t>() + i;
            *flag = n - 1;
            bool finite = true;  // in the triangle that is read; LAPACK may loop over what is not
            for (int64_t r = 0; r < n; ++r)
                finite &= uplo == Uplo::Lower ? all_finite(matrix + r * n, r + 1)
                                              : all_finite(matrix + r * n + r, n - r);
            if (finite)
                lapack.syevd(job, part, &n, matrix, &n, values.data<T>() + i * n, work.data(),
                             &work_size, numbers.data(), &number_count, flag, 1, 1);
            else if (n == 1) *flag = 1;
        }
    });
}

// Values and vectors; without these the second one holds nothing of use.
std::pair<Tensor, Tensor> eigen_values(const Tensor& a, Uplo uplo, bool wants_vectors) {
    require_square("linalg.eigh", a);
    if (!a.is_floating()) refuse_dtype("linalg_eigh_cpu", a.dtype());
    if (is_replay_recorded()) {
        const auto found = list_in_one_step(
            [=](const std::vector<Tensor>& x) {
                const auto [values, vectors] = eigen_values(x[0], uplo, wants_vectors);
                return std::vector<Tensor>{values, vectors};
            },
            {a});
        return {found[0], found[1]};
    }
    GradMode off(false);
    const Matrices m(a);
    const Tensor vectors = contiguous_clone(a), values = empty(m.of(m.rows), a.dtype());
    if (a.numel() == 0) return {values, vectors};
    const Tensor info = empty(m.batch, DType::Int32);
    visit_float("linalg_eigh_cpu", a.dtype(),
                [&]<class T>() { eigh_values<T>(vectors, values, info, m, uplo, wants_vectors); });
    if (const Failure failure = first_failure(info); failure.flag != 0)
        fail<LinAlgError>("linalg.eigh: ", failure.element,
                          "The algorithm failed to converge because the input matrix is "
                          "ill-conditioned or has too many repeated eigenvalues (error code: ",
                          failure.flag, ").");
    return {values, mT_window(vectors)};
}

struct Eigh {
    static constexpr auto node = "LinalgEighBackward0";
    static constexpr std::array arguments{"A"};
    static constexpr std::array results{"eigenvalues", "eigenvectors"};
    std::array<Tensor, 1> backward(const std::array<Tensor, 2>& g, const std::array<Tensor, 1>&,
                                   const std::array<Tensor, 2>& y) const {
        const auto& [values, v] = y;
        if (!g[1].defined()) return {matmul(v * unsqueeze(g[0], -2), mT(v))};
        // Of the symmetric directions, in which alone A may go.
        const Tensor k = matmul(mT(v), g[1]);
        const Tensor turned = (k - mT(k)) * inverse_gaps(values, false) * 0.5;
        const Tensor middle =
            sum_of_gradients(g[0].defined() ? diagonal_matrix(g[0]) : Tensor(), turned);
        return {matmul(v, matmul(middle, mT(v)))};
    }
};

}  // namespace

std::pair<Tensor, Tensor> eigh(const Tensor& a, Uplo uplo) {
    const auto [values, vectors] = eigen_values(a, uplo, true);
    const auto results = recorded_results({values, vectors}, Eigh{}, a);
    return {results[0], results[1]};
}

Tensor eigvalsh(const Tensor& a, Uplo uplo) {
    if (!recording(a)) return eigen_values(a, uplo, false).first;
    return eigh(a, uplo).first;
}

// ------------------------------------------------------------------------------------- pinv

namespace {

// What counts as zero, [*, 1].
Tensor tolerance(const Tensor& values, const Arg* atol, const Arg* rtol, int64_t size) {
    const auto as_tensor = [&](const Arg* given, double otherwise) {
        if (given && given->is_tensor()) return given->tensor();
        return scalar_tensor(given ? given->scalar() : Scalar(otherwise), values.dtype());
    };
    const double epsilon = values.dtype() == DType::Float32
                               ? std::numeric_limits<float>::epsilon()
                               : std::numeric_limits<double>::epsilon();
    const Tensor absolute = as_tensor(atol, 0);
    Tensor relative = as_tensor(rtol, epsilon * static_cast<double>(size));
    if (!rtol && atol) relative = where(absolute > 0, 0, relative);
    const Tensor largest = extremes(Extreme::Max, values, Dims{-1}, false);
    return unsqueeze(maximum(absolute, relative * largest), -1);
}
void check_tolerance(const char* function, const char* name, const Arg* given) {
    if (given && given->is_tensor() && !given->tensor().is_floating() &&
        given->tensor().dtype() == DType::Bool)
        fail(function, ": ", name, " tensor of bool type is not supported.");
}

TAPEGRAD_WORD(pinv_gradient)

struct Pinv {
    static constexpr auto node = "LinalgPinvBackward0";
    static constexpr std::array arguments{"self"};
    auto backward(auto g, auto a, auto p) const { return pinv_gradient(g, a, p); }
};

}  // namespace

Tensor pinv_gradient(const Tensor& g_given, const Tensor& a, const Tensor& p) {
    const Tensor g = mT(g_given), pt = mT(p);
    if (a.size(-2) <= a.size(-1)) {
        const Tensor k = matmul(g, p), kpt = matmul(k, pt);
        return -mT(matmul(p, k)) + kpt - matmul(matmul(a, p), kpt) +
               matmul(matmul(pt, p), g - matmul(k, a));
    }
    const Tensor k = matmul(p, g), ptk = matmul(pt, k);
    return -mT(matmul(k, p)) + matmul(matmul(g - matmul(a, k), p), pt) + ptk -
           matmul(matmul(ptk, p), a);
}

Tensor pinv(const Tensor& a, const Arg* atol, const Arg* rtol, bool hermitian) {
    if (a.dim() < 2 || !a.is_floating())
        fail("linalg.pinv(", scalar_type_name(a.dtype()), "{", to_string(a.sizes()),
             "}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble "
             "types");
    if (hermitian) require_square("linalg.eigh", a);
    check_tolerance("linalg.pinv", "atol", atol);
    check_tolerance("linalg.pinv", "rtol", rtol);
    Tensor out;
    {
        GradMode off(false);
        const Matrices m(a);
        if (a.numel() == 0) {
            out = empty(m.of(m.columns, m.rows), a.dtype());
        } else if (hermitian) {
            const auto [values, v] = eigh(a, Uplo::Lower);
            const Tensor sizes = abs(values);
            const Tensor kept = sizes > tolerance(sizes, atol, rtol, m.columns);
            out = matmul(v * unsqueeze(where(kept, 1 / values, 0), -2), mT(v));
        } else {
            const auto [u, s, vh] = svd(a, false);
            const Tensor kept = s > tolerance(s, atol, rtol, std::max(m.rows, m.columns));
            out = matmul(mT(vh) * unsqueeze(where(kept, 1 / s, 0), -2), mT(u));
        }
    }
    return recorded(std::move(out), Pinv{}, a);
}

Tensor pinv_by_rcond(const Tensor& a, const Arg& rcond, bool hermitian) {
    const Arg none(0.0);
    return pinv(a, &none, &rcond, hermitian);
}

Tensor matrix_rank(const Tensor& a, const Arg* atol, const Arg* rtol, bool hermitian) {
    require_matrices("tapegrad.linalg.matrix_rank", a, "input");
    if (!a.is_floating()) fail("This function doesn't handle types other than float and double");
    GradMode off(false);
    const Matrices m(a);
    if (hermitian) require_square("linalg.eigh", a);
    if (a.numel() == 0) return zeros(m.batch, DType::Int64);
    const Tensor s = hermitian ? abs(eigvalsh(a, Uplo::Lower)) : svdvals(a);
    return sum(s > tolerance(s, atol, rtol, std::max(m.rows, m.columns)), Dims{-1});
}

Tensor matrix_rank_by_tol(const Tensor& a, const Arg& tol, bool hermitian) {
    const Arg none(0.0);
    return matrix_rank(a, &tol, &none, hermitian);
}

}  // namespace tapegrad
