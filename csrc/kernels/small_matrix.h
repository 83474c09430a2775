// Factorisations of small matrices, which take less time here than the calls of LAPACK do.
//
// Working copies have rows that lie `small_row(columns)` elements apart and begin at multiples of 64 bytes, so
// that all lanes of all vectors are there. Threads do not share them.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// The largest matrices that are worth it.
inline constexpr int64_t kSmallMatrix = 64;
// Elements from one row of a working copy to the next.
constexpr int64_t small_row(int64_t columns) { return (columns + 15) / 16 * 16; }

// P A = L U with partial pivoting, of one matrix or of two that lie `distance` elements apart, whose steps wait
// for each other less than for themselves.
struct SmallLuMatrices {
    void* a;
    int64_t count, distance;
    int64_t n, row;
    // Of each matrix: the n rows that were exchanged with each one, counted from 1, as LAPACK has it, and the
    // number of the first pivot that is zero, 0 if none is.
    int32_t *pivots, *flags;
};
using SmallLu = void (*)(const SmallLuMatrices&);
// Whether two fit into the first-level cache.
constexpr int64_t lu_together(int64_t bytes) { return bytes <= 24 * 1024 ? 2 : 1; }

// T X = B for triangular T (i, j) = t[i * t_row + j * t_col], in place of `columns` columns of B, which may begin
// anywhere; up to the next multiple of 16 something is written.
struct SmallTriangle {
    const void* t;
    int64_t n, t_row, t_col;
    bool lower, unit;
    void* b;
    int64_t row, columns;
};
using SmallSolve = void (*)(const SmallTriangle&);

// Whether `count` matrices of order n are worth taking side by side, of at most `largest`: a few lanes have to be
// used unless n is at most `alone`.
constexpr bool beside_each_other(int64_t n, int64_t count, int64_t largest, int64_t alone) {
    return n <= (count < 4 ? alone : largest);
}

// P A = L U of `count` matrices of order n <= kTinyLu that lie one after another, as many side by side as a vector
// has lanes, and the solutions of A X = B for as many columns. Element (i, j) of A is at i * a_row + j * a_col;
// everything else lies row by row.
struct TinySystems {
    const void* a;
    int64_t a_row, a_col;
    const void* b;  // null: the identity
    int64_t n, columns, count;
    void *x, *lu;             // each may be null
    int32_t *pivots, *flags;  // as SmallLuMatrices has them; pivots may be null
    void* diagonals;          // of U, the first element with the sign of P; may be null
};
inline constexpr int64_t kTinyLu = 16, kTinyLuAlone = 8;
// With more columns of solutions than these, strips take less time.
inline constexpr int64_t kTinyColumns = 8;
using TinyLu = void (*)(const TinySystems&);

// U^T U = A in the upper triangle, which alone is read; below it anything may be left. Returns the order of
// the first leading minor that is not positive, 0 if there is none.
using SmallCholesky = int64_t (*)(void* a, int64_t n, int64_t row);

// The lower factors of `count` matrices of order n <= kTinyCholesky that lie one after another, as many
// side by side as a vector has lanes. flags: as SmallCholesky returns them. upper: of the upper triangles,
// and upper factors.
inline constexpr int64_t kTinyCholesky = 16, kTinyCholeskyAlone = 12;
using TinyCholesky = void (*)(const void* a, void* l, int32_t* flags, int64_t n, int64_t count,
                              bool upper);

// Null but for floats.
struct SmallMatrixKernels {
    DTypeTable<SmallLu> lu;
    DTypeTable<SmallSolve> solve;
    DTypeTable<TinyLu> tiny_lu;
    DTypeTable<SmallCholesky> cholesky;
    DTypeTable<TinyCholesky> tiny_cholesky;
};

}  // namespace tapegrad::kernels
