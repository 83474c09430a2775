#include "kernels/small_matrix.h"

#include <cstdint>

#include "kernels/table.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

template <class T> inline constexpr int64_t kLanes = Pack<T>::size;

template <class T> TAPEGRAD_INLINE T magnitude(T x) { return x < 0 ? -x : x; }

// c (R rows, V vectors) -= f b, where f (i, t) = f[i * f_row + t * f_col] and b has k rows.
template <class T> struct Factors {
    const T* f;
    int64_t row, col;
};
template <int R, int V, class T>
TAPEGRAD_INLINE void subtract_tile(T* c, int64_t c_row, Factors<T> f, const T* b, int64_t b_row,
                                   int64_t k) {
    Pack<T> sums[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = Pack<T>::load(c + i * c_row + v * kLanes<T>);
    for (int64_t t = 0; t < k; ++t) {
        Pack<T> from[V];
        for (int v = 0; v < V; ++v) from[v] = Pack<T>::load(b + t * b_row + v * kLanes<T>);
        for (int i = 0; i < R; ++i) {
            const Pack<T> by(f.f[i * f.row + t * f.col]);
            for (int v = 0; v < V; ++v) sums[i][v] = fma(-by, from[v], sums[i][v]);
        }
    }
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) sums[i][v].store(c + i * c_row + v * kLanes<T>);
}
// The same for columns up to `width`, a multiple of the lanes.
template <int R, class T>
TAPEGRAD_INLINE void subtract_rows(T* c, int64_t c_row, Factors<T> f, const T* b, int64_t b_row,
                                   int64_t k, int64_t width) {
    int64_t j = 0;
    for (; j + 2 * kLanes<T> <= width; j += 2 * kLanes<T>)
        subtract_tile<R, 2>(c + j, c_row, f, b + j, b_row, k);
    if (j < width) subtract_tile<R, 1>(c + j, c_row, f, b + j, b_row, k);
}
template <class T>
void subtract_product(T* c, int64_t c_row, int64_t rows, Factors<T> f, const T* b, int64_t b_row,
                      int64_t k, int64_t width) {
    if (width <= 0 || k <= 0) return;
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
        subtract_rows<4>(c + i * c_row, c_row, {f.f + i * f.row, f.row, f.col}, b, b_row, k, width);
    for (; i < rows; ++i)
        subtract_rows<1>(c + i * c_row, c_row, {f.f + i * f.row, f.row, f.col}, b, b_row, k, width);
}

template <class T> TAPEGRAD_INLINE void swap_rows(T* a, T* b, int64_t width) {
    for (int64_t j = 0; j < width; j += kLanes<T>) {
        const Pack<T> x = Pack<T>::load(a + j), y = Pack<T>::load(b + j);
        y.store(a + j);
        x.store(b + j);
    }
}

// Whether 1 / x is as good a factor as a division by x.
template <class T> TAPEGRAD_INLINE bool has_inverse(T x) {
    constexpr T least = sizeof(T) == 4 ? T(1.1754944e-38) : T(2.2250738585072014e-308);
    return magnitude(x) >= least;
}

// Of the element with the largest magnitude, the first of several; NaN counts where it comes first, as for
// LAPACK. Up to a vector more may be overwritten.
template <class T> TAPEGRAD_INLINE int64_t place_of_largest(T* x, int64_t count) {
    constexpr int64_t L = kLanes<T>;
    if (x[0] != x[0]) return 0;
    for (int64_t i = count; i % L != 0; ++i) x[i] = 0;
    Pack<T> most(-1);
    for (int64_t i = 0; i < count; i += L) most = max(abs(Pack<T>::load(x + i)), most);
    const T largest = hmax(most);
    for (int64_t i = 0; i < count; i += L) {
        const Mask<T> found = abs(Pack<T>::load(x + i)) == Pack<T>(largest);
        if (!found.any()) continue;
        for (int64_t j = 0; j < L; ++j)
            if (found[static_cast<int>(j)]) return i + j < count ? i + j : 0;
    }
    return 0;
}

// In panels of as many columns as a vector has lanes: each row of one is a vector.
template <class T>
int64_t lu(void* data, int64_t n, int64_t columns, int64_t row, int32_t* pivots) {
    constexpr int64_t L = kLanes<T>;
    const int64_t width = (columns + L - 1) / L * L;
    T* a = static_cast<T*>(data);
    const Pack<T> lanes = Pack<T>::iota();
    T column[kernels::kSmallMatrix + L];  // what is left of the one whose pivot comes next
    int64_t zero = 0;
    for (int64_t first = 0; first < n; first += L) {
        const int64_t last = first + L < n ? first + L : n;
        for (int64_t i = first; i < n; ++i) column[i - first] = a[i * row + first];
        for (int64_t k = first; k < last; ++k) {
            const int64_t best = k + place_of_largest(column, n - k);
            pivots[k] = static_cast<int32_t>(best + 1);
            if (best != k) swap_rows(a + k * row, a + best * row, width);
            const T pivot = a[k * row + k];
            if (pivot == 0) {
                if (zero == 0) zero = k + 1;
                for (int64_t i = k + 1; i < n; ++i)
                    column[i - k - 1] = a[i * row + (k + 1 < last ? k + 1 : k)];
                continue;
            }
            const bool multiply = has_inverse(pivot);
            const T inverse = 1 / pivot;
            const int64_t next = k + 1 < last ? k + 1 - first : 0;
            const Pack<T> own(static_cast<T>(k - first));
            const Pack<T> from = where(lanes > own, Pack<T>::load(a + k * row + first), Pack<T>(0));
            for (int64_t i = k + 1; i < n; ++i) {
                T* to = a + i * row + first;
                const T factor = multiply ? to[k - first] * inverse : to[k - first] / pivot;
                const Pack<T> left = fma(-Pack<T>(factor), from, Pack<T>::load(to));
                where(lanes == own, Pack<T>(factor), left).store(to);
                column[i - k - 1] = to[next];
            }
        }
        const int64_t right = first + L;
        if (right >= width) continue;
        T* above = a + first * row + right;
        for (int64_t k = first + 1; k < last; ++k)
            subtract_product<T>(a + k * row + right, row, 1, {a + k * row + first, row, 1}, above,
                                row, k - first, width - right);
        subtract_product<T>(a + last * row + right, row, n - last, {a + last * row + first, row, 1},
                            above, row, last - first, width - right);
    }
    return zero;
}

// R rows of T X = B: what those that are solved contribute, then each other. inverses: of the diagonal, or null.
template <int R, int V, class T>
TAPEGRAD_INLINE void solve_tile(const kernels::SmallTriangle& s, int64_t first, int64_t solved,
                                int64_t done, const T* inverses, int64_t c) {
    constexpr int64_t L = kLanes<T>;
    const T* t = static_cast<const T*>(s.t);
    T* b = static_cast<T*>(s.b);
    const auto at = [&](int64_t i, int64_t j)
                        __attribute__((always_inline)) { return t[i * s.t_row + j * s.t_col]; };
    Pack<T> x[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) x[i][v] = Pack<T>::load(b + (first + i) * s.row + c + v * L);
    for (int64_t j = solved; j < solved + done; ++j) {
        Pack<T> from[V];
        for (int v = 0; v < V; ++v) from[v] = Pack<T>::load(b + j * s.row + c + v * L);
        for (int i = 0; i < R; ++i) {
            const Pack<T> by(at(first + i, j));
            for (int v = 0; v < V; ++v) x[i][v] = fma(-by, from[v], x[i][v]);
        }
    }
    for (int step = 0; step < R; ++step) {
        const int i = s.lower ? step : R - 1 - step;
        for (int v = 0; v < V; ++v) {
            if (inverses) x[i][v] *= Pack<T>(inverses[first + i]);
            else if (!s.unit) x[i][v] /= Pack<T>(at(first + i, first + i));
            for (int other = 0; other < R; ++other)
                if (s.lower ? other > i : other < i)
                    x[other][v] = fma(-Pack<T>(at(first + other, first + i)), x[i][v], x[other][v]);
        }
    }
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) x[i][v].store(b + (first + i) * s.row + c + v * L);
}
template <int R, class T>
TAPEGRAD_INLINE void solve_rows(const kernels::SmallTriangle& s, int64_t first, int64_t solved,
                                int64_t done, const T* inverses, int64_t width) {
    constexpr int64_t L = kLanes<T>;
    int64_t c = 0;
    for (; c + 2 * L <= width; c += 2 * L) solve_tile<R, 2, T>(s, first, solved, done, inverses, c);
    if (c < width) solve_tile<R, 1, T>(s, first, solved, done, inverses, c);
}

// For one column: each element that is known goes to all that are not.
template <class T>
TAPEGRAD_INLINE void solve_column(const kernels::SmallTriangle& s, const T* inverses) {
    const T* t = static_cast<const T*>(s.t);
    T* b = static_cast<T*>(s.b);
    T x[kernels::kSmallMatrix];
    for (int64_t i = 0; i < s.n; ++i) x[i] = b[i * s.row];
    for (int64_t step = 0; step < s.n; ++step) {
        const int64_t i = s.lower ? step : s.n - 1 - step;
        if (inverses) x[i] *= inverses[i];
        else if (!s.unit) x[i] /= t[i * (s.t_row + s.t_col)];
        const int64_t begin = s.lower ? i + 1 : 0, end = s.lower ? s.n : i;
        const T known = x[i];
        for (int64_t j = begin; j < end; ++j) x[j] -= t[j * s.t_row + i * s.t_col] * known;
    }
    for (int64_t i = 0; i < s.n; ++i) b[i * s.row] = x[i];
}

template <class T> void solve(const kernels::SmallTriangle& s) {
    constexpr int64_t L = kLanes<T>;
    const T* t = static_cast<const T*>(s.t);
    T memory[kernels::kSmallMatrix];
    const T* inverses = s.unit ? nullptr : memory;
    for (int64_t i = 0; inverses && i < s.n; ++i) {
        const T pivot = t[i * (s.t_row + s.t_col)];
        memory[i] = 1 / pivot;
        if (!has_inverse(pivot)) inverses = nullptr;
    }
    if (s.columns == 1) {
        solve_column<T>(s, inverses);
        return;
    }
    const int64_t width = (s.columns + L - 1) / L * L;
    for (int64_t done = 0; done < s.n;) {
        const int64_t count = s.n - done < 4 ? 1 : 4;
        const int64_t first = s.lower ? done : s.n - done - count;
        const int64_t solved = s.lower ? 0 : first + count;
        if (count == 4) solve_rows<4, T>(s, first, solved, done, inverses, width);
        else solve_rows<1, T>(s, first, solved, done, inverses, width);
        done += count;
    }
}

template <class T> int64_t cholesky(void* data, int64_t n, int64_t row) {
    constexpr int64_t L = kLanes<T>;
    T* a = static_cast<T*>(data);
    for (int64_t first = 0; first < n; first += L) {
        const int64_t last = first + L < n ? first + L : n;
        // Rows of a panel become those of U when all are done: the roots then need not wait for each other.
        for (int64_t k = first; k < last; ++k) {
            const T* own = a + k * row;
            const T pivot = own[k];
            if (!(pivot > 0)) return k + 1;
            const bool multiply = has_inverse(pivot);
            const T inverse = 1 / pivot;
            for (int64_t i = k + 1; i < last; ++i) {
                const Pack<T> by(multiply ? own[i] * inverse : own[i] / pivot);
                for (int64_t c = i / L * L; c < n; c += L)
                    fma(-by, Pack<T>::load(own + c), Pack<T>::load(a + i * row + c))
                        .store(a + i * row + c);
            }
        }
        for (int64_t k = first; k < last; ++k) {
            T* own = a + k * row;
            const T root = sqrt(Pack<T>(own[k]))[0];
            const Pack<T> inverse(1 / root);
            for (int64_t c = first; c < n; c += L)
                (Pack<T>::load(own + c) * inverse).store(own + c);
            own[k] = root;
        }
        for (int64_t i = last; i < n; i += 4) {
            const int64_t count = n - i < 4 ? n - i : 4, from = i / L * L;
            subtract_product<T>(a + i * row + from, row, count, {a + first * row + i, 1, row},
                                a + first * row + from, row, last - first,
                                (n + L - 1) / L * L - from);
        }
    }
    return 0;
}

template <class T>
void tiny_cholesky(const void* input, void* output, int32_t* flags, int64_t n, int64_t count,
                   bool upper) {
    constexpr int64_t L = kLanes<T>;
    constexpr int64_t N = kernels::kTinyCholesky;
    const T* in = static_cast<const T*>(input);
    T* out = static_cast<T*>(output);
    const int64_t row = upper ? 1 : n, col = upper ? n : 1, size = n * n;
    for (int64_t at = 0; at < count; at += L, in += L * size, out += L * size) {
        const int64_t live = count - at < L ? count - at : L;
        Pack<T> l[N][N];
        Pack<T> flag(0);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j <= i; ++j)
                l[i][j] = Pack<T>::gather(in + i * row + j * col, size, live);
        for (int64_t k = 0; k < n; ++k) {
            const Mask<T> fails = (flag == 0) & !(l[k][k] > 0);
            flag = where(fails, Pack<T>(static_cast<T>(k + 1)), flag);
            const Pack<T> root = sqrt(l[k][k]), inverse = 1 / root;
            l[k][k] = root;
            for (int64_t i = k + 1; i < n; ++i) l[i][k] *= inverse;
            for (int64_t i = k + 1; i < n; ++i)
                for (int64_t j = k + 1; j <= i; ++j) l[i][j] = fma(-l[i][k], l[j][k], l[i][j]);
        }
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                (j <= i ? l[i][j] : Pack<T>(0)).scatter(out + i * row + j * col, size, live);
        for (int64_t lane = 0; lane < live; ++lane)
            flags[at + lane] = static_cast<int32_t>(flag[static_cast<int>(lane)]);
    }
}

// One of L matrices side by side: of n rows and n columns.
template <class T> using Side = Pack<T>[kernels::kTinyLu][kernels::kTinyLu];

// P A = L U; rows: what was exchanged with each row, as numbers.
template <class T> Pack<T> tiny_factor(Side<T>& a, Pack<T>* rows, int64_t n) {
    Pack<T> zero(0);
    for (int64_t k = 0; k < n; ++k) {
        Pack<T> best = abs(a[k][k]), place(static_cast<T>(k));
        for (int64_t i = k + 1; i < n; ++i) {
            const Pack<T> size = abs(a[i][k]);
            const Mask<T> larger = size > best;
            best = where(larger, size, best);
            place = where(larger, Pack<T>(static_cast<T>(i)), place);
        }
        rows[k] = place;
        for (int64_t i = k + 1; i < n; ++i) {
            const Mask<T> chosen = place == Pack<T>(static_cast<T>(i));
            if (!chosen.any()) continue;
            for (int64_t j = 0; j < n; ++j) {
                const Pack<T> upper = a[k][j];
                a[k][j] = where(chosen, a[i][j], upper);
                a[i][j] = where(chosen, upper, a[i][j]);
            }
        }
        const Mask<T> fails = a[k][k] == 0;
        zero = where(fails & (zero == 0), Pack<T>(static_cast<T>(k + 1)), zero);
        const Pack<T> pivot = where(fails, Pack<T>(1), a[k][k]);
        for (int64_t i = k + 1; i < n; ++i) {
            a[i][k] /= pivot;
            const Pack<T> by = -a[i][k];
            for (int64_t j = k + 1; j < n; ++j) a[i][j] = fma(by, a[k][j], a[i][j]);
        }
    }
    return zero;
}

template <class T> void tiny_lu(const kernels::TinySystems& s) {
    constexpr int64_t L = kLanes<T>;
    const int64_t n = s.n, size = n * n, length = n * s.columns;
    for (int64_t at = 0; at < s.count; at += L) {
        const int64_t live = s.count - at < L ? s.count - at : L;
        const T* from = static_cast<const T*>(s.a) + at * size;
        Side<T> a;
        Pack<T> rows[kernels::kTinyLu];
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                a[i][j] = Pack<T>::gather(from + i * s.a_row + j * s.a_col, size, live);
        const Pack<T> zero = tiny_factor<T>(a, rows, n);
        for (int64_t lane = 0; lane < live; ++lane)
            s.flags[at + lane] = static_cast<int32_t>(zero[static_cast<int>(lane)]);
        if (s.lu)
            for (int64_t i = 0; i < n; ++i)
                for (int64_t j = 0; j < n; ++j)
                    a[i][j].scatter(static_cast<T*>(s.lu) + at * size + i * n + j, size, live);
        if (s.pivots)
            for (int64_t i = 0; i < n; ++i)
                for (int64_t lane = 0; lane < live; ++lane)
                    s.pivots[(at + lane) * n + i] =
                        static_cast<int32_t>(rows[i][static_cast<int>(lane)]) + 1;
        if (!s.x) continue;
        for (int64_t c = 0; c < s.columns; ++c) {
            const T* b = s.b ? static_cast<const T*>(s.b) + at * length + c : nullptr;
            T* to = static_cast<T*>(s.x) + at * length + c;
            Pack<T> x[kernels::kTinyLu];
            for (int64_t i = 0; i < n; ++i)
                x[i] = b ? Pack<T>::gather(b + i * s.columns, length, live) : Pack<T>(T(i == c));
            for (int64_t k = 0; k < n; ++k) {
                for (int64_t i = k + 1; i < n; ++i) {
                    const Mask<T> chosen = rows[k] == Pack<T>(static_cast<T>(i));
                    const Pack<T> upper = x[k];
                    x[k] = where(chosen, x[i], upper);
                    x[i] = where(chosen, upper, x[i]);
                }
            }
            for (int64_t k = 0; k < n; ++k)
                for (int64_t i = k + 1; i < n; ++i) x[i] = fma(-a[i][k], x[k], x[i]);
            for (int64_t k = n - 1; k >= 0; --k) {
                x[k] /= a[k][k];
                for (int64_t i = 0; i < k; ++i) x[i] = fma(-a[i][k], x[k], x[i]);
            }
            for (int64_t i = 0; i < n; ++i) x[i].scatter(to + i * s.columns, length, live);
        }
    }
}

template <class T> void fill_dtype(kernels::SmallMatrixKernels& k, DType dtype) {
    k.lu[dtype] = lu<T>;
    k.solve[dtype] = solve<T>;
    k.tiny_lu[dtype] = tiny_lu<T>;
    k.cholesky[dtype] = cholesky<T>;
    k.tiny_cholesky[dtype] = tiny_cholesky<T>;
}

}  // namespace

void fill(kernels::SmallMatrixKernels& k) {
    k = {};
    fill_dtype<float>(k, DType::Float32);
    fill_dtype<double>(k, DType::Float64);
}

}  // namespace tapegrad::TAPEGRAD_ISA
