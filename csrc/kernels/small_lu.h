// P A = L U of small matrices: columns are eliminated a few at a time, in a copy that lies column by
// column, so that the search for a pivot reads whole vectors and factors need not be broadcast one by one.
#pragma once

#include <cstdint>

#include "kernels/gemm_pack.h"
#include "kernels/small_matrix.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

template <class T> inline constexpr int64_t kLanes = Pack<T>::size;

// Vectors of columns that are worked on at a time: four rows of them fit into registers.
#if defined(TAPEGRAD_AVX512) || defined(__aarch64__)
inline constexpr int kStrip = 4;
#else
inline constexpr int kStrip = 2;
#endif

template <class T> TAPEGRAD_INLINE T magnitude(T x) { return x < 0 ? -x : x; }

// Whether 1 / x is as good a factor as a division by x.
template <class T> TAPEGRAD_INLINE bool has_inverse(T x) {
    constexpr T least = sizeof(T) == 4 ? T(1.1754944e-38) : T(2.2250738585072014e-308);
    return magnitude(x) >= least;
}

template <class T> TAPEGRAD_INLINE void swap_rows(T* a, T* b, int64_t width) {
    for (int64_t j = 0; j < width; j += kLanes<T>) {
        const Pack<T> x = Pack<T>::load(a + j), y = Pack<T>::load(b + j);
        y.store(a + j);
        x.store(b + j);
    }
}

// A bit for each lane.
template <class T> TAPEGRAD_INLINE uint64_t bits_of(Mask<T> mask) {
#if defined(TAPEGRAD_AVX512)
    return mask.bits;
#else
    uint64_t bits = 0;
    for (int i = 0; i < Mask<T>::size; ++i) bits |= uint64_t{mask[i]} << i;
    return bits;
#endif
}

// Some columns of a matrix, from one row down. Rows stay where they are: `at` has the position of each one
// after the exchanges so far, counted from the first, and row_at their inverse.
template <class T> struct LuPanel {
    static constexpr int64_t kColumns = 4, L = kLanes<T>, kRows = kernels::kSmallMatrix;
    static_assert(kRows <= 64 && kRows % L == 0);

    alignas(64) T columns[kColumns][kRows + L];
    alignas(64) T at[kRows];
    int64_t row_at[kRows];
    int64_t rows;

    // Both ways between rows that lie `row` elements apart and columns, in pieces of 16 bytes.
    static constexpr int64_t kPiece = kLaneSize<T>;
    void load(const T* a, int64_t row, int64_t count) {
        rows = count;
        for (int64_t r = 0; r < rows; r += L)
            for (int64_t c = 0; c < kColumns; c += kPiece)
                transpose_lanes<T>(
                    [&](int q, int i) __attribute__((always_inline)) {
                        const int64_t from = r + q + i * kPiece;
                        return a + (from < rows ? from : rows - 1) * row + c;
                    },
                    &columns[c][r], kRows + L);
        const Pack<T> lanes = Pack<T>::iota();
        for (int64_t r = 0; r < kRows; r += L) {
            const Pack<T> own = lanes + Pack<T>(static_cast<T>(r));
            where(own < Pack<T>(static_cast<T>(rows)), own, Pack<T>(-1)).store(at + r);
        }
        for (int64_t r = 0; r < rows; ++r) row_at[r] = r;
    }
    void store(T* a, int64_t row) const {
        alignas(64) T pieces[kPiece][L];
        for (int64_t r = 0; r < rows; r += L)
            for (int64_t c = 0; c < kColumns; c += kPiece) {
                transpose_lanes<T>(
                    [&](int q, int i)
                        __attribute__((always_inline)) { return &columns[c + q][r + i * kPiece]; },
                    pieces[0], L);
                const int64_t live = rows - r < L ? rows - r : L;
                for (int64_t i = 0; i < live; ++i)
                    __builtin_memcpy(a + (r + i) * row + c,
                                     &pieces[i % kPiece][i / kPiece * kPiece], 16);
            }
    }

    // The row whose element of column k is the largest of those at positions k and below, the first of several;
    // NaN counts where it comes first, as for LAPACK.
    int64_t pivot_row(int64_t k) const {
        const T* column = columns[k];
        if (column[row_at[k]] != column[row_at[k]]) return row_at[k];
        const Pack<T> above(static_cast<T>(k));
        Pack<T> most(-1);
        for (int64_t r = 0; r < rows; r += L)
            most = max(
                where(Pack<T>::load(at + r) >= above, abs(Pack<T>::load(column + r)), Pack<T>(-1)),
                most);
        const Pack<T> largest(hmax(most));
        uint64_t found = 0;
        for (int64_t r = 0; r < rows; r += L)
            found |= bits_of((abs(Pack<T>::load(column + r)) == largest) &
                             (Pack<T>::load(at + r) >= above))
                     << r;
        int64_t best = __builtin_ctzll(found);
        while (found &= found - 1)
            if (const int64_t other = __builtin_ctzll(found); at[other] < at[best]) best = other;
        return best;
    }

    // Column kTurn becomes factors, which leave the columns right of it.
    template <int kTurn> void eliminate_after(int64_t pivot) {
        const T value = columns[kTurn][pivot], inverse = 1 / value;
        const bool multiply = has_inverse(value);
        const Pack<T> last(static_cast<T>(kTurn));
        for (int64_t r = 0; r < rows; r += L) {
            const Mask<T> below = Pack<T>::load(at + r) > last;
            const Pack<T> own = Pack<T>::load(&columns[kTurn][r]);
            const Pack<T> factor =
                where(below, multiply ? own * Pack<T>(inverse) : own / Pack<T>(value), own);
            factor.store(&columns[kTurn][r]);
#pragma GCC unroll 4
            for (int64_t c = kTurn + 1; c < kColumns; ++c) {
                const Pack<T> x = Pack<T>::load(&columns[c][r]);
                where(below, fma(-factor, Pack<T>(columns[c][pivot]), x), x).store(&columns[c][r]);
            }
        }
    }
    void exchange(int64_t k, int64_t position) {
        const Pack<T> one(static_cast<T>(k)), other(static_cast<T>(position));
        for (int64_t r = 0; r < rows; r += L) {
            const Pack<T> x = Pack<T>::load(at + r);
            where(x == one, other, where(x == other, one, x)).store(at + r);
        }
        const int64_t row = row_at[k];
        row_at[k] = row_at[position];
        row_at[position] = row;
    }
    // One step; positions takes that which is exchanged with column kTurn. Whether the pivot is not zero.
    template <int kTurn> bool eliminate(int64_t* positions) {
        const int64_t pivot = pivot_row(kTurn);
        positions[kTurn] = static_cast<int64_t>(at[pivot]);
        exchange(kTurn, positions[kTurn]);
        if (columns[kTurn][pivot] == 0) return false;
        eliminate_after<kTurn>(pivot);
        return true;
    }
};

// V vectors right of a panel: its rows become those of U, and leave the rows below. Of the first vector only
// `live` lanes are there. factors: the first element of the panel.
template <int V, class T>
TAPEGRAD_INLINE void eliminate_right(T* a, const T* factors, int64_t row, int64_t rows,
                                     int64_t count, Mask<T> live) {
    constexpr int64_t L = kLanes<T>;
    constexpr int K = LuPanel<T>::kColumns;
    Pack<T> u[K][V];
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
            u[k][v] = k < count ? Pack<T>::load(a + k * row + v * L) : Pack<T>(0);
    const auto store = [&](int64_t i, const Pack<T>* x) __attribute__((always_inline)) {
        where(live, x[0], Pack<T>::load(a + i * row)).store(a + i * row);
#pragma GCC unroll 4
        for (int v = 1; v < V; ++v) x[v].store(a + i * row + v * L);
    };
#pragma GCC unroll 4
    for (int k = 1; k < K; ++k) {
        if (k >= count) return;
#pragma GCC unroll 4
        for (int j = 0; j < k; ++j) {
            const Pack<T> by(-factors[k * row + j]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) u[k][v] = fma(by, u[j][v], u[k][v]);
        }
        store(k, u[k]);
    }
    // Rather than each of the factors, which are then read as they lie.
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) u[k][v] = -u[k][v];
    for (int64_t i = K; i < rows; ++i) {
        Pack<T> x[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) x[v] = Pack<T>::load(a + i * row + v * L);
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k) {
            const Pack<T> by(factors[i * row + k]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) x[v] = fma(by, u[k][v], x[v]);
        }
        store(i, x);
    }
}

// Of G matrices in turns, so that while one waits for a pivot another goes on.
template <int G, class T> void lu_together(const kernels::SmallLuMatrices& s) {
    constexpr int64_t L = kLanes<T>, kColumns = LuPanel<T>::kColumns;
    constexpr int V = kStrip;
    const int64_t n = s.n, row = s.row, width = (n + L - 1) / L * L;
    LuPanel<T> panels[G];
    for (int g = 0; g < G; ++g) s.flags[g] = 0;
    for (int64_t first = 0; first < n; first += kColumns) {
        const int64_t rows = n - first, count = rows < kColumns ? rows : kColumns;
        int64_t positions[G][kColumns];
        const auto matrix = [&](int g) __attribute__((always_inline)) {
            return static_cast<T*>(s.a) + g * s.distance + first * row;
        };
        for (int g = 0; g < G; ++g) panels[g].load(matrix(g) + first, row, rows);
        const auto turn = [&]<int kTurn>() __attribute__((always_inline)) {
            for (int g = 0; g < G && kTurn < count; ++g)
                if (!panels[g].template eliminate<kTurn>(positions[g]) && s.flags[g] == 0)
                    s.flags[g] = static_cast<int32_t>(first + kTurn + 1);
        };
        turn.template operator()<0>();
        turn.template operator()<1>();
        turn.template operator()<2>();
        turn.template operator()<3>();
        for (int g = 0; g < G; ++g) {
            T* a = matrix(g);
            panels[g].store(a + first, row);
            for (int64_t k = 0; k < count; ++k) {
                const int64_t position = positions[g][k];
                s.pivots[g * n + first + k] = static_cast<int32_t>(first + position + 1);
                if (position != k) swap_rows(a + k * row, a + position * row, width);
            }
            const int64_t right = first + kColumns;
            Mask<T> live = Pack<T>::iota() >= Pack<T>(static_cast<T>(right % L));
            int64_t j = right / L * L;
            for (; j + V * L <= width; j += V * L, live = Mask<T>(true))
                eliminate_right<V>(a + j, a + first, row, rows, count, live);
            for (; j + 2 * L <= width; j += 2 * L, live = Mask<T>(true))
                eliminate_right<2>(a + j, a + first, row, rows, count, live);
            if (j < width) eliminate_right<1>(a + j, a + first, row, rows, count, live);
        }
    }
}

template <class T> void lu(const kernels::SmallLuMatrices& s) {
    if (s.count == 2) lu_together<2, T>(s);
    else lu_together<1, T>(s);
}

}  // namespace tapegrad::TAPEGRAD_ISA
