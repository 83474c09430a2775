#include "ops/lu_values.h"

#include <algorithm>
#include <numeric>

#include "autograd/grad_mode.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/matrices.h"
#include "ops/one_step.h"

namespace tapegrad {
namespace {

using kernels::kSmallMatrix;
using kernels::kTinyColumns;
using kernels::small_row;
using kernels::SmallTriangle;

template <class T> void swap_row(T* b, int64_t row, int64_t columns, int64_t i, int64_t j) {
    if (i != j) std::swap_ranges(b + i * row, b + i * row + columns, b + j * row);
}
// P B, or with back P^T B.
template <class T>
void exchange(T* b, int64_t row, int64_t n, int64_t columns, const int32_t* pivots, bool back) {
    for (int64_t k = 0; k < n; ++k) {
        const int64_t i = back ? n - 1 - k : k;
        swap_row(b, row, columns, i, int64_t{pivots[i]} - 1);
    }
}

// A triangular matrix in memory: element (i, j) at i * row + j * col, of which one is 1.
template <class T> struct Triangle {
    const T* t;
    int64_t n, row, col;
    bool lower, unit;
    Triangle transposed() const { return {t, n, col, row, !lower, unit}; }
};

// T X = B in place of B [n, columns], whose rows lie `row` apart.
template <class T> void solve_in_place(const Triangle<T>& t, T* b, int64_t row, int64_t columns) {
    if (columns == 0 || t.n == 0) return;
    // Memory that is read column by column holds the transpose.
    const bool transposed = t.col != 1;
    const bool lower = transposed ? !t.lower : t.lower;
    require_lapack<T>().trsm(kernels::kBlasRowMajor, kernels::kBlasLeft,
                             lower ? kernels::kBlasLower : kernels::kBlasUpper,
                             transposed ? kernels::kBlasTrans : kernels::kBlasNoTrans,
                             t.unit ? kernels::kBlasUnit : kernels::kBlasNonUnit, lapack_int(t.n),
                             lapack_int(columns), T(1), t.t, lapack_int(std::max(t.row, t.col)), b,
                             lapack_int(row));
}
template <class T> void solve_small(const Triangle<T>& t, T* b, int64_t row, int64_t columns) {
    kernel_table().small_matrix.solve[dtype_of<T>](
        SmallTriangle{t.t, t.n, t.row, t.col, t.lower, t.unit, b, row, columns});
}

bool is_tiny(int64_t n, int64_t count) {
    return kernels::beside_each_other(n, count, kernels::kTinyLu, kernels::kTinyLuAlone);
}
bool is_small(int64_t n, int64_t columns) {
    return n <= kSmallMatrix && columns <= 8 * kSmallMatrix;
}

// x itself, or a copy, such that each matrix lies row by row or column by column, one after another.
struct Laid {
    Tensor x;
    int64_t row, col;
};
Laid laid_out(const Tensor& x) {
    const int64_t n = x.sizes().back();
    if (x.is_contiguous()) return {x, n, 1};
    const Tensor turned = mT_window(x);
    const int64_t m = turned.sizes().back();
    if (turned.is_contiguous()) return {x, 1, m};
    return {contiguous_values(x), n, 1};
}

// The i-th matrix, row by row.
template <class T> void load_matrix(T* to, int64_t row, const Laid& a, int64_t i, int64_t n) {
    const T* from = a.x.data<T>() + i * n * n;
    if (a.col == 1) copy_rows(to, row, from, n, n, n);
    else copy_transposed(to, row, from, n, n, n);
}

// Factors small matrices in copies of their own; use(i, lu, pivots) takes what became of the i-th. pivots may be
// undefined. work: the multiplications that `use` needs.
template <class T, class Use>
void factor_each(const Laid& a, const Tensor& pivots, const Tensor& info, double work, Use use) {
    const int64_t n = a.x.sizes().back(), row = small_row(n), size = n * row;
    const int64_t together = kernels::lu_together(size * static_cast<int64_t>(sizeof(T)));
    const auto kernel = kernel_table().small_matrix.lu[dtype_of<T>];
    work += cube(n) + 60 * static_cast<double>(n);
    for_matrices(info.numel(), work, [&](int64_t begin, int64_t end) {
        Scratch<T> memory(together * size);
        int32_t own_pivots[2 * kSmallMatrix];
        for (int64_t i = begin; i < end; i += together) {
            const int64_t count = std::min(together, end - i);
            int32_t* exchanged = pivots.defined() ? pivots.data<int32_t>() + i * n : own_pivots;
            for (int64_t g = 0; g < count; ++g)
                load_matrix(memory.data() + g * size, row, a, i + g, n);
            kernel({memory.data(), count, size, n, row, exchanged, info.data<int32_t>() + i});
            for (int64_t g = 0; g < count; ++g)
                use(i + g, Triangle<T>{memory.data() + g * size, n, row, 1, false, false},
                    exchanged + g * n);
        }
    });
}

// X = U^-1 L^-1 P B for a small matrix, some columns at a time. write(x, row, rows, column, count) copies columns
// of B: the i-th row of x is the rows[i]-th.
template <class T, class Write>
void solve_factored(const Triangle<T>& upper, const int32_t* pivots, int64_t columns, T* to,
                    Write write) {
    const int64_t n = upper.n;
    const Triangle<T> lower{upper.t, n, upper.row, upper.col, true, true};
    alignas(64) T x[kSmallMatrix * kSmallMatrix];
    int64_t rows[kSmallMatrix];
    std::iota(rows, rows + n, int64_t{0});
    for (int64_t k = 0; k < n; ++k) std::swap(rows[k], rows[pivots[k] - 1]);
    for (int64_t column = 0; column < columns; column += kSmallMatrix) {
        const int64_t count = std::min(columns - column, kSmallMatrix), row = small_row(count);
        // What is in the lanes beyond may be slow to calculate with.
        if (count < row) std::fill_n(x, n * row, T(0));
        write(x, row, rows, column, count);
        solve_small(lower, x, row, count);
        solve_small(upper, x, row, count);
        copy_rows(to + column, columns, x, row, n, count);
    }
}

// Whatever is asked for of tiny matrices: see TinySystems.
void solve_tiny(const Laid& a, const Tensor& b, int64_t columns, const Tensor& x,
                const LuFactors& factors, const Tensor& diagonals = {}) {
    const Matrices m(a.x);
    const int64_t n = m.rows, size = static_cast<int64_t>(a.x.item_size());
    const auto kernel = kernel_table().small_matrix.tiny_lu[a.x.dtype()];
    const double work = cube(n) + static_cast<double>(n * (n + 2 * columns));
    // A vector of the wider type has half the lanes.
    for_matrices(m.count, work * static_cast<double>(size) / 16, [&](int64_t begin, int64_t end) {
        const auto at = [&](const Tensor& t, int64_t elements) -> void* {
            return t.defined() ? t.data<char>() + begin * elements * size : nullptr;
        };
        kernel({at(a.x, n * n), a.row, a.col, at(b, n * columns), n, columns, end - begin,
                at(x, n * columns), at(factors.lu, n * n),
                factors.pivots.defined() ? factors.pivots.data<int32_t>() + begin * n : nullptr,
                factors.info.data<int32_t>() + begin, at(diagonals, n)});
    });
}

}  // namespace

// ------------------------------------------------------------------------------------- LU

namespace {

template <class T> void small_lu(const Laid& a, const LuFactors& out) {
    const auto take = [&](int64_t i, const Triangle<T>& lu, const int32_t*) {
        copy_rows(out.lu.data<T>() + i * lu.n * lu.n, lu.n, lu.t, lu.row, lu.n, lu.n);
    };
    factor_each<T>(a, out.pivots, out.info, 0, take);
}

}  // namespace

LuFactors lu_values(const Tensor& a) {
    if (is_replay_recorded()) {
        const auto found = list_in_one_step(
            [](const std::vector<Tensor>& x) {
                const LuFactors factors = lu_values(x[0]);
                return std::vector<Tensor>{factors.lu, factors.pivots, factors.info};
            },
            {a});
        return {found[0], found[1], found[2]};
    }
    GradMode off(false);
    const Matrices m(a);
    const int64_t k = std::min(m.rows, m.columns);
    LuFactors out{Tensor(), empty(m.of(k), DType::Int32), empty(m.batch, DType::Int32)};
    if (m.rows == m.columns && m.rows <= kSmallMatrix) {
        out.lu = empty(a.sizes(), a.dtype());
        const Laid laid = laid_out(a);
        visit_float("lu_cpu", a.dtype(), [&]<class T>() {
            if (is_tiny(m.rows, m.count)) solve_tiny(laid, Tensor(), 0, Tensor(), out);
            else small_lu<T>(laid, out);
        });
        return out;
    }
    const Tensor columns = contiguous_clone(mT_window(a));
    const int rows = lapack_int(m.rows), width = lapack_int(m.columns);
    fill_values(out.info, 0);
    visit_float("lu_cpu", a.dtype(), [&]<class T>() {
        const auto& lapack = require_lapack<T>();
        if (k > 0)
            for_matrices(m.count, cube(k), [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i)
                    lapack.getrf(&rows, &width, columns.data<T>() + i * m.rows * m.columns, &rows,
                                 out.pivots.data<int32_t>() + i * k, out.info.data<int32_t>() + i);
            });
    });
    out.lu = mT_window(columns);
    return out;
}

Tensor lu_diagonals(const Tensor& a_given) {
    if (is_replay_recorded())
        return list_in_one_step(
            [](const std::vector<Tensor>& x) { return std::vector<Tensor>{lu_diagonals(x[0])}; },
            {a_given})[0];
    GradMode off(false);
    const Matrices m(a_given);
    const int64_t n = m.rows;
    const Tensor out = empty(m.of(n), a_given.dtype());
    visit_float("lu_cpu", a_given.dtype(), [&]<class T>() {
        const auto take = [&](int64_t i, const Triangle<T>& lu, const int32_t* pivots) {
            T* to = out.data<T>() + i * n;
            bool odd = false;
            for (int64_t k = 0; k < n; ++k) {
                to[k] = lu.t[k * (lu.row + lu.col)];
                odd ^= pivots[k] != k + 1;
            }
            if (odd && n > 0) to[0] = -to[0];
        };
        if (n > 0 && n <= kSmallMatrix) {
            const Tensor info = empty(m.batch, DType::Int32);
            const Laid a = laid_out(a_given);
            if (!is_tiny(n, m.count)) factor_each<T>(a, Tensor(), info, 0, take);
            else solve_tiny(a, Tensor(), 0, Tensor(), {Tensor(), Tensor(), info}, out);
            return;
        }
        const LuFactors factors = lu_values(a_given);
        const Laid lu = laid_out(factors.lu);
        for (int64_t i = 0; i < m.count; ++i)
            take(i, {lu.x.data<T>() + i * n * n, n, lu.row, lu.col, false, false},
                 factors.pivots.data<int32_t>() + i * n);
    });
    return out;
}

// ------------------------------------------------------------------------------------- solutions

Solved solve_values(const Tensor& a_given, const Tensor& b_given, bool keep_factors) {
    if (is_replay_recorded()) {
        const auto found = list_in_one_step(
            [keep_factors](const std::vector<Tensor>& x) {
                const auto [solution, factors] = solve_values(x[0], x[1], keep_factors);
                return std::vector<Tensor>{solution, factors.lu, factors.pivots, factors.info};
            },
            {a_given, b_given});
        return {found[0], {found[1], found[2], found[3]}};
    }
    GradMode off(false);
    const Matrices m(a_given);
    const int64_t n = m.rows, columns = b_given.sizes().back();
    Solved out;
    if (!is_small(n, columns)) {
        out.factors = lu_values(a_given);
        out.x = lu_solve_values(out.factors.lu, out.factors.pivots, b_given, false);
        return out;
    }
    const Laid a = laid_out(a_given);
    const Tensor b = contiguous_values(b_given);
    out.x = empty(b.sizes(), b.dtype());
    out.factors.info = empty(m.batch, DType::Int32);
    if (keep_factors) {
        out.factors.lu = empty(a_given.sizes(), a_given.dtype());
        out.factors.pivots = empty(m.of(n), DType::Int32);
    }
    visit_float("lu_cpu", a_given.dtype(), [&]<class T>() {
        if (is_tiny(n, m.count) && columns <= kTinyColumns) {
            solve_tiny(a, b, columns, out.x, out.factors);
            return;
        }
        const auto use = [&](int64_t i, const Triangle<T>& lu, const int32_t* pivots) {
            const T* from = b.data<T>() + i * n * columns;
            solve_factored(
                lu, pivots, columns, out.x.data<T>() + i * n * columns,
                [&](T* x, int64_t row, const int64_t* rows, int64_t column, int64_t count) {
                    for (int64_t k = 0; k < n; ++k)
                        copy_rows(x + k * row, row, from + rows[k] * columns + column, columns, 1,
                                  count);
                });
            if (keep_factors)
                copy_rows(out.factors.lu.data<T>() + i * n * n, n, lu.t, lu.row, n, n);
        };
        factor_each<T>(a, out.factors.pivots, out.factors.info,
                       static_cast<double>(n * n * columns), use);
    });
    return out;
}

Tensor lu_solve_values(const Tensor& lu_given, const Tensor& pivots_given, const Tensor& b,
                       bool adjoint) {
    if (is_replay_recorded())
        return in_one_step(
            [adjoint](const Tensor& lu, const Tensor& pivots, const Tensor& right) {
                return lu_solve_values(lu, pivots, right, adjoint);
            },
            lu_given, pivots_given, b);
    GradMode off(false);
    const Laid lu = laid_out(lu_given);
    const Tensor pivots = contiguous_values(pivots_given);
    const Matrices m(b);
    const int64_t n = m.rows, columns = m.columns;
    const Tensor out = contiguous_clone(b);
    const bool small = is_small(n, columns);
    visit_float("linalg.lu_solve", b.dtype(), [&]<class T>() {
        const int64_t row = small ? small_row(columns) : columns;
        if (!small) require_lapack<T>();
        for_matrices(m.count, static_cast<double>(n) * static_cast<double>(n * columns + 20),
                     [&](int64_t begin, int64_t end) {
                         Scratch<T> memory(small ? n * row : 1);
                         for (int64_t i = begin; i < end; ++i) {
                             const Triangle<T> upper{
                                 lu.x.data<T>() + i * n * n, n, lu.row, lu.col, false, false};
                             const Triangle<T> lower{upper.t, n, lu.row, lu.col, true, true};
                             const int32_t* exchanged = pivots.data<int32_t>() + i * n;
                             T* result = out.data<T>() + i * n * columns;
                             T* x = small ? memory.data() : result;
                             if (small) copy_rows(x, row, result, columns, n, columns);
                             const auto apply = [&](const Triangle<T>& t) {
                                 if (small) solve_small(t, x, row, columns);
                                 else solve_in_place(t, x, row, columns);
                             };
                             if (!adjoint) exchange(x, row, n, columns, exchanged, false);
                             apply(adjoint ? upper.transposed() : lower);
                             apply(adjoint ? lower.transposed() : upper);
                             if (adjoint) exchange(x, row, n, columns, exchanged, true);
                             if (small) copy_rows(result, columns, x, row, n, columns);
                         }
                     });
    });
    return out;
}

Tensor triangular_values(const Tensor& a_given, const Tensor& b, bool upper, bool left, bool unit) {
    if (is_replay_recorded())
        return in_one_step(
            [=](const Tensor& a, const Tensor& right) {
                return triangular_values(a, right, upper, left, unit);
            },
            a_given, b);
    GradMode off(false);
    if (!left)
        return mT_window(triangular_values(mT_window(a_given), mT_window(b), !upper, true, unit));
    const Laid a = laid_out(a_given);
    const Matrices m(b);
    const int64_t n = m.rows, columns = m.columns;
    const Tensor out = contiguous_clone(b);
    const bool small = is_small(n, columns);
    visit_float("triangular_solve_cpu", b.dtype(), [&]<class T>() {
        const int64_t row = small_row(columns);
        if (!small) require_lapack<T>();
        for_matrices(m.count, static_cast<double>(n) * static_cast<double>(n * columns + 20),
                     [&](int64_t begin, int64_t end) {
                         Scratch<T> memory(small ? n * row : 1);
                         for (int64_t i = begin; i < end; ++i) {
                             const Triangle<T> t{
                                 a.x.data<T>() + i * n * n, n, a.row, a.col, !upper, unit};
                             T* result = out.data<T>() + i * n * columns;
                             if (!small) {
                                 solve_in_place(t, result, columns, columns);
                                 continue;
                             }
                             copy_rows(memory.data(), row, result, columns, n, columns);
                             solve_small(t, memory.data(), row, columns);
                             copy_rows(result, columns, memory.data(), row, n, columns);
                         }
                     });
    });
    return out;
}

// ------------------------------------------------------------------------------------- inverses

std::pair<Tensor, Tensor> inverse_values(const Tensor& a_given) {
    if (is_replay_recorded()) {
        const auto found = list_in_one_step(
            [](const std::vector<Tensor>& x) {
                const auto [inverse, info] = inverse_values(x[0]);
                return std::vector<Tensor>{inverse, info};
            },
            {a_given});
        return {found[0], found[1]};
    }
    GradMode off(false);
    const Matrices m(a_given);
    const int64_t n = m.rows;
    const Tensor info = empty(m.batch, DType::Int32);
    if (n > kSmallMatrix) {
        // Column by column, since flags are those of A, not of its transpose.
        const Tensor columns = contiguous_clone(mT_window(a_given));
        const int order = lapack_int(n);
        visit_float("linalg.inv", columns.dtype(), [&]<class T>() {
            const auto& lapack = require_lapack<T>();
            T optimum;
            const int ask = -1;
            int ignored;
            lapack.getri(&order, nullptr, &order, nullptr, &optimum, &ask, &ignored);
            const int size = lapack_size(optimum);
            for_matrices(m.count, 2 * cube(n), [&](int64_t begin, int64_t end) {
                Scratch<T> work(size);
                Scratch<int> pivots(n);
                for (int64_t i = begin; i < end; ++i) {
                    T* matrix = columns.data<T>() + i * n * n;
                    int* flag = info.data<int32_t>() + i;
                    lapack.getrf(&order, &order, matrix, &order, pivots.data(), flag);
                    if (*flag == 0)
                        lapack.getri(&order, matrix, &order, pivots.data(), work.data(), &size,
                                     flag);
                }
            });
        });
        return {mT_window(columns), info};
    }
    const Laid a = laid_out(a_given);
    const Tensor out = empty(a_given.sizes(), a_given.dtype());
    visit_float("linalg.inv", a_given.dtype(), [&]<class T>() {
        if (n <= kTinyColumns) {
            solve_tiny(a, Tensor(), n, out, {Tensor(), Tensor(), info});
            return;
        }
        const auto use = [&](int64_t i, const Triangle<T>& lu, const int32_t* pivots) {
            solve_factored(lu, pivots, n, out.data<T>() + i * n * n,
                           [&](T* x, int64_t row, const int64_t* rows, int64_t, int64_t) {
                               std::fill_n(x, n * row, T(0));
                               for (int64_t k = 0; k < n; ++k) x[k * row + rows[k]] = 1;
                           });
        };
        factor_each<T>(a, Tensor(), info, cube(n), use);
    });
    return {out, info};
}

}  // namespace tapegrad
