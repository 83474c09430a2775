#include "kernels/small_matrix.h"

#include <cstdint>

#include "kernels/small_lu.h"
#include "kernels/table.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

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

// R rows of T X = B, V vectors wide: what those that are solved contribute, then each other. Until a row is solved
// it is kept negative, so that the elements of T are read as they lie. inverses: of the diagonal, or null.
template <bool kLower, int R, int V, class T>
TAPEGRAD_INLINE void solve_tile(const kernels::SmallTriangle& s, int64_t first, const T* inverses,
                                T* b) {
    constexpr int64_t L = kLanes<T>;
    const T* t = static_cast<const T*>(s.t) + first * s.t_row;  // its first row
    T* own = b + first * s.row;
    Pack<T> x[R][V];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) x[i][v] = -Pack<T>::load(own + i * s.row + v * L);
    const int64_t begin = kLower ? 0 : first + R, end = kLower ? first : s.n;
    for (int64_t j = begin; j < end; ++j) {
        Pack<T> from[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) from[v] = Pack<T>::load(b + j * s.row + v * L);
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
            const Pack<T> by(t[i * s.t_row + j * s.t_col]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) x[i][v] = fma(by, from[v], x[i][v]);
        }
    }
    t += first * s.t_col;
#pragma GCC unroll 8
    for (int step = 0; step < R; ++step) {
        const int i = kLower ? step : R - 1 - step;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            x[i][v] = -x[i][v];
            if (inverses) x[i][v] *= Pack<T>(inverses[first + i]);
            else if (!s.unit) x[i][v] /= Pack<T>(t[i * (s.t_row + s.t_col)]);
        }
#pragma GCC unroll 8
        for (int other = 0; other < R; ++other) {
            if (kLower ? other <= i : other >= i) continue;
            const Pack<T> by(t[other * s.t_row + i * s.t_col]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) x[other][v] = fma(by, x[i][v], x[other][v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) x[i][v].store(own + i * s.row + v * L);
}
// Block of rows by block of rows; one vector needs more rows, so that sums need not wait for each other.
template <bool kLower, int V, class T>
TAPEGRAD_INLINE void solve_strip(const kernels::SmallTriangle& s, const T* inverses, T* b) {
    constexpr int R = V == 1 ? 8 : 4;
    for (int64_t done = 0; done < s.n;) {
        const int64_t rest = s.n - done;
        if (rest >= R) {
            solve_tile<kLower, R, V, T>(s, kLower ? done : rest - R, inverses, b);
            done += R;
        } else {
            solve_tile<kLower, 1, V, T>(s, kLower ? done : rest - 1, inverses, b);
            ++done;
        }
    }
}
template <bool kLower, class T>
TAPEGRAD_INLINE void solve_strips(const kernels::SmallTriangle& s, const T* inverses) {
    constexpr int64_t L = kLanes<T>;
    const int64_t width = (s.columns + L - 1) / L * L;
    T *b = static_cast<T*>(s.b), *const end = b + width;
    for (; b + kStrip * L <= end; b += kStrip * L) solve_strip<kLower, kStrip, T>(s, inverses, b);
    for (; b + 2 * L <= end; b += 2 * L) solve_strip<kLower, 2, T>(s, inverses, b);
    if (b < end) solve_strip<kLower, 1, T>(s, inverses, b);
}

template <class T> void solve(const kernels::SmallTriangle& s) {
    const T* t = static_cast<const T*>(s.t);
    T memory[kernels::kSmallMatrix];
    const T* inverses = s.unit ? nullptr : memory;
    for (int64_t i = 0; inverses && i < s.n; ++i) {
        const T pivot = t[i * (s.t_row + s.t_col)];
        memory[i] = 1 / pivot;
        if (!has_inverse(pivot)) inverses = nullptr;
    }
    if (s.lower) solve_strips<true, T>(s, inverses);
    else solve_strips<false, T>(s, inverses);
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

// --- tiny matrices: as many side by side as a vector has lanes ------------------------------------

// The i-th elements of `live` arrays of `size` elements that lie one after another, as to[i], and back.
template <class T>
TAPEGRAD_INLINE void load_beside(const T* from, int64_t size, int64_t live, Pack<T>* to) {
    pack_panel(from, 1, size, size, live, reinterpret_cast<T*>(to), kLanes<T>);
}
template <int64_t kSize, class T>
TAPEGRAD_INLINE void store_beside(const Pack<T>* from, int64_t size, int64_t live, T* to) {
    constexpr int64_t L = kLanes<T>;
    if (size == 0) return;      // such matrices may have no memory
    T arrays[(kSize + 1) * L];  // pack_panel writes whole vectors
    pack_panel(reinterpret_cast<const T*>(from), 1, L, live, size, arrays, size);
    __builtin_memcpy(to, arrays, static_cast<size_t>(size * live) * sizeof(T));
}

// Memory for matrices of order N: to set up more than is needed would take as long as what is done with it.
template <int64_t N, class T>
void cholesky_beside(const void* input, void* output, int32_t* flags, int64_t n, int64_t count,
                     bool upper) {
    constexpr int64_t L = kLanes<T>;
    const T* in = static_cast<const T*>(input);
    T* out = static_cast<T*>(output);
    const int64_t row = upper ? 1 : n, col = upper ? n : 1, size = n * n;
    for (int64_t at = 0; at < count; at += L, in += L * size, out += L * size) {
        const int64_t live = count - at < L ? count - at : L;
        Pack<T> all[N * N + 1], l[N][N];
        Pack<T> flag(0);
        load_beside(in, size, live, all);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j <= i; ++j) l[i][j] = all[i * row + j * col];
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
            for (int64_t j = 0; j < n; ++j) all[i * row + j * col] = j <= i ? l[i][j] : Pack<T>(0);
        store_beside<N * N>(all, size, live, out);
        for (int64_t lane = 0; lane < live; ++lane)
            flags[at + lane] = static_cast<int32_t>(flag[static_cast<int>(lane)]);
    }
}

template <class T>
void tiny_cholesky(const void* input, void* output, int32_t* flags, int64_t n, int64_t count,
                   bool upper) {
    constexpr int64_t kHalf = kernels::kTinyCholesky / 2;
    (n <= kHalf ? cholesky_beside<kHalf, T> : cholesky_beside<2 * kHalf, T>)(input, output, flags,
                                                                             n, count, upper);
}

// P A = L U of n rows and columns; rows: what was exchanged with each row, as numbers.
template <int64_t N, class T> Pack<T> factor_beside(Pack<T> (&a)[N][N], Pack<T>* rows, int64_t n) {
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

template <int64_t N, class T> void lu_beside(const kernels::TinySystems& s) {
    constexpr int64_t L = kLanes<T>;
    const int64_t n = s.n, size = n * n, length = n * s.columns;
    for (int64_t at = 0; at < s.count; at += L) {
        const int64_t live = s.count - at < L ? s.count - at : L;
        Pack<T> a[N][N], all[N * N + 1], rows[N];
        load_beside(static_cast<const T*>(s.a) + at * size, size, live, all);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) a[i][j] = all[i * s.a_row + j * s.a_col];
        const Pack<T> zero = factor_beside(a, rows, n);
        for (int64_t lane = 0; lane < live; ++lane)
            s.flags[at + lane] = static_cast<int32_t>(zero[static_cast<int>(lane)]);
        if (s.lu) {
            for (int64_t i = 0; i < n; ++i)
                for (int64_t j = 0; j < n; ++j) all[i * n + j] = a[i][j];
            store_beside<N * N>(all, size, live, static_cast<T*>(s.lu) + at * size);
        }
        if (s.diagonals) {
            Pack<T> odd(0);
            for (int64_t i = 0; i < n; ++i) {
                all[i] = a[i][i];
                odd = where(rows[i] == Pack<T>(static_cast<T>(i)), odd, 1 - odd);
            }
            all[0] = where(odd == 0, all[0], -all[0]);
            store_beside<N>(all, n, live, static_cast<T*>(s.diagonals) + at * n);
        }
        if (s.pivots)
            for (int64_t i = 0; i < n; ++i)
                for (int64_t lane = 0; lane < live; ++lane)
                    s.pivots[(at + lane) * n + i] =
                        static_cast<int32_t>(rows[i][static_cast<int>(lane)]) + 1;
        if (!s.x || length == 0) continue;
        if (s.b) load_beside(static_cast<const T*>(s.b) + at * length, length, live, all);
        for (int64_t c = 0; c < s.columns; ++c) {
            Pack<T> x[N];
            for (int64_t i = 0; i < n; ++i)
                x[i] = s.b ? all[i * s.columns + c] : Pack<T>(T(i == c));
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
            for (int64_t i = 0; i < n; ++i) all[i * s.columns + c] = x[i];
        }
        store_beside<N * N>(all, length, live, static_cast<T*>(s.x) + at * length);
    }
}

template <class T> void tiny_lu(const kernels::TinySystems& s) {
    constexpr int64_t kHalf = kernels::kTinyLu / 2;
    static_assert(kHalf >= kernels::kTinyColumns);
    (s.n <= kHalf ? lu_beside<kHalf, T> : lu_beside<2 * kHalf, T>)(s);
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
