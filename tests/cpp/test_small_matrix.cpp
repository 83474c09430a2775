// Factors and solutions of small matrices: what they multiply to, in double. Prints failures, exits with 1 if there
// are any. Built for one instruction set, with the same TAPEGRAD_ISA as csrc/kernels/small_matrix.cpp.
#include "kernels/small_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "checks.h"

namespace tapegrad::TAPEGRAD_ISA {
void fill(kernels::SmallMatrixKernels&);
}

namespace {

using namespace tapegrad;
kernels::SmallMatrixKernels table;

// A matrix of rows in aligned memory, all of whose lanes are there.
template <class T> struct Rows {
    int64_t rows, columns, row;
    std::vector<T> memory;
    T* data;
    Rows(int64_t m, int64_t n, int64_t row_given)
        : rows(m),
          columns(n),
          row(row_given),
          memory(static_cast<size_t>(m * row_given + 16)) {
        const auto address = reinterpret_cast<uintptr_t>(memory.data());
        data = memory.data() + (64 - address % 64) % 64 / sizeof(T);
    }
    T& operator()(int64_t i, int64_t j) { return data[i * row + j]; }
};

template <class T> void expect(const char* what, int64_t n, double got, double want, double size) {
    const double epsilon = std::numeric_limits<T>::epsilon();
    expect_close(what, n, got, want, 8 * static_cast<double>(n) * epsilon * (size + 1));
}

// One matrix, or two at a time.
template <class T> void check_factors(int64_t n, int64_t count) {
    const int64_t row = kernels::small_row(n), distance = n * row;
    Rows<T> a(count * n, n, row), all_known(count * n, n, row);
    for (int64_t i = 0; i < count * n; ++i)
        for (int64_t j = 0; j < n; ++j) a(i, j) = all_known(i, j) = static_cast<T>(uniform(-1, 1));
    std::vector<int32_t> all_pivots(static_cast<size_t>(count * n)), flags(2, -1);
    table.lu[dtype_of<T>]({a.data, count, distance, n, row, all_pivots.data(), flags.data()});
    for (int64_t c = 0; c < count; ++c) {
        if (flags[static_cast<size_t>(c)] != 0) report("lu: a pivot of zero");
        const auto factor = [&](int64_t i, int64_t j) { return double(a(c * n + i, j)); };
        const auto known = [&](int64_t i, int64_t j) -> T& { return all_known(c * n + i, j); };
        const int32_t* pivots = all_pivots.data() + c * n;
        for (int64_t k = 0; k < n; ++k)
            for (int64_t j = 0; j < n; ++j) std::swap(known(k, j), known(pivots[k] - 1, j));
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (int64_t k = 0; k <= std::min(i, j); ++k)
                    sum += (k == i ? 1.0 : factor(i, k)) * factor(k, j);
                expect<T>("lu", n, sum, double(known(i, j)), 3);
                if (j < i && std::fabs(factor(i, j)) > 1) report("lu: a factor above 1");
            }
    }
}

template <class T> void check_triangles(int64_t n, int64_t r, bool lower, bool unit) {
    Rows<T> t(n, n, n), b(n, r, kernels::small_row(r)), known(n, r, kernels::small_row(r));
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j)
            t(i, j) = static_cast<T>(uniform(-1, 1) / static_cast<double>(n) + (i == j ? 2 : 0));
        for (int64_t j = 0; j < r; ++j) b(i, j) = known(i, j) = static_cast<T>(uniform(-1, 1));
    }
    // The transpose, by its strides.
    table.solve[dtype_of<T>]({t.data, n, 1, n, lower, unit, b.data, b.row, r});
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < r; ++j) {
            double sum = 0;
            for (int64_t k = lower ? 0 : i; k <= (lower ? i : n - 1); ++k)
                sum += (k == i && unit ? 1.0 : double(t(k, i))) * double(b(k, j));
            expect<T>("triangle", n, sum, double(known(i, j)), 4);
        }
}

// S = A A^T + 1, several after one another.
template <class T> std::vector<T> symmetric(int64_t n, int64_t count) {
    std::vector<T> result;
    for (int64_t c = 0; c < count; ++c) {
        Rows<T> a(n, n, n);
        for (int64_t i = 0; i < n * n; ++i) a.data[i] = static_cast<T>(uniform(-1, 1));
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) {
                double sum = i == j;
                for (int64_t k = 0; k < n; ++k) sum += double(a(i, k)) * double(a(j, k));
                result.push_back(static_cast<T>(sum));
            }
    }
    return result;
}

template <class T> void check_cholesky(int64_t n) {
    const std::vector<T> s = symmetric<T>(n, 1);
    Rows<T> u(n, n, kernels::small_row(n));
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = i; j < n; ++j) u(i, j) = s[static_cast<size_t>(i * n + j)];
    if (table.cholesky[dtype_of<T>](u.data, n, u.row)) report("cholesky: not positive");
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = i; j < n; ++j) {
            double sum = 0;
            for (int64_t k = 0; k <= i; ++k) sum += double(u(k, i)) * double(u(k, j));
            expect<T>("cholesky", n, sum, double(s[static_cast<size_t>(i * n + j)]),
                      static_cast<double>(n));
        }
    u(0, 0) = -1;
    if (table.cholesky[dtype_of<T>](u.data, n, u.row) != 1) report("cholesky: not refused");
}

template <class T> void check_tiny_cholesky(int64_t n, int64_t count, bool upper) {
    const std::vector<T> s = symmetric<T>(n, count);
    std::vector<T> l(s.size());
    std::vector<int32_t> flags(static_cast<size_t>(count), -1);
    table.tiny_cholesky[dtype_of<T>](s.data(), l.data(), flags.data(), n, count, upper);
    for (int64_t c = 0; c < count; ++c) {
        if (flags[static_cast<size_t>(c)] != 0) report("tiny_cholesky: not positive");
        const auto at = [&](int64_t i, int64_t j) {
            return double(l[static_cast<size_t>(c * n * n + (upper ? j * n + i : i * n + j))]);
        };
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (int64_t k = 0; k < n; ++k) sum += at(i, k) * at(j, k);
                expect<T>("tiny_cholesky", n, sum,
                          double(s[static_cast<size_t>(c * n * n + i * n + j)]),
                          static_cast<double>(n));
            }
    }
}

template <class T> void check_tiny_lu(int64_t n, int64_t count, int64_t r) {
    std::vector<T> a(static_cast<size_t>(count * n * n)), x(static_cast<size_t>(count * n * r)),
        b(x.size()), lu(a.size());
    for (T& value : a) value = static_cast<T>(uniform(-1, 1));
    for (size_t i = 0; i < a.size(); i += static_cast<size_t>(n) + 1) a[i] += 2;
    for (T& value : b) value = static_cast<T>(uniform(-1, 1));
    std::vector<T> diagonals(static_cast<size_t>(count * n));
    std::vector<int32_t> pivots(static_cast<size_t>(count * n)),
        flags(static_cast<size_t>(count), -1);
    table.tiny_lu[dtype_of<T>]({a.data(), n, 1, b.data(), n, r, count, x.data(), lu.data(),
                                pivots.data(), flags.data(), diagonals.data()});
    for (int64_t c = 0; c < count; ++c) {
        if (flags[static_cast<size_t>(c)] != 0) continue;
        // The same factors as those of one matrix.
        Rows<T> one(n, n, kernels::small_row(n));
        const auto at = [&](const std::vector<T>& v, int64_t i, int64_t j, int64_t columns) {
            return double(v[static_cast<size_t>((c * n + i) * columns + j)]);
        };
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) one(i, j) = static_cast<T>(at(a, i, j, n));
        std::vector<int32_t> own(static_cast<size_t>(n));
        int32_t flag = -1;
        table.lu[dtype_of<T>]({one.data, 1, 0, n, one.row, own.data(), &flag});
        double determinant = 1, product = 1;
        for (int64_t i = 0; i < n; ++i) {
            determinant *= (own[static_cast<size_t>(i)] == i + 1 ? 1 : -1) * double(one(i, i));
            product *= double(diagonals[static_cast<size_t>(c * n + i)]);
        }
        expect<T>("tiny_lu: determinant", n, product, determinant, 100 * std::fabs(determinant));
        for (int64_t i = 0; i < n; ++i) {
            if (own[static_cast<size_t>(i)] != pivots[static_cast<size_t>(c * n + i)])
                report("tiny_lu: other pivots");
            for (int64_t j = 0; j < n; ++j)
                expect<T>("tiny_lu", n, at(lu, i, j, n), double(one(i, j)), 100);
            for (int64_t j = 0; j < r; ++j) {
                double sum = 0, size = 0;
                for (int64_t k = 0; k < n; ++k) {
                    sum += at(a, i, k, n) * at(x, k, j, r);
                    size = std::max(size, std::fabs(at(x, k, j, r)));
                }
                expect<T>("tiny_lu: solution", n, sum, at(b, i, j, r),
                          size * static_cast<double>(n));
            }
        }
    }
}

template <class T> void check(const char* name) {
    context = name;
    for (int64_t n = 1; n <= kernels::kSmallMatrix; ++n) {
        for (int64_t count : {1, 2}) check_factors<T>(n, count);
        for (int64_t r : {1, 3, 20})
            for (const bool lower : {false, true})
                for (const bool unit : {false, true}) check_triangles<T>(n, r, lower, unit);
        check_cholesky<T>(n);
        for (int64_t count : {1, 3, 16, 37}) {
            if (n <= kernels::kTinyLu) check_tiny_lu<T>(n, count, 2);
            for (const bool upper : {false, true})
                if (n <= kernels::kTinyCholesky) check_tiny_cholesky<T>(n, count, upper);
        }
    }
}

}  // namespace

int main() {
    tapegrad::TAPEGRAD_ISA::fill(table);
    check<float>("float32");
    check<double>("float64");
    return summary();
}
