// Matrix products C = A B (+ bias) (+ C).
//
// Every element of C is one chain of multiply-adds in the order of l, restarted from C at fixed
// distances, or (vectors, few rows) a fixed tree; which of them depends on shapes and strides
// alone, so the bits do not depend on the number of threads.
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// Strides are in elements and may be anything, 0 included. C must not overlap A, B or bias.
struct GemmArgs {
    int64_t m, n, k;
    const void* a;
    int64_t a_row, a_col;  // A(i, l) = a[i * a_row + l * a_col]
    const void* b;
    int64_t b_row, b_col;  // B(l, j) = b[l * b_row + j * b_col]
    void* c;
    int64_t c_row;     // C(i, j) = c[i * c_row + j]
    const void* bias;  // null, or n values that are added to each row
    bool accumulate;   // C += instead of C =

    template <class Visitor> void visit_pointers(Visitor& visitor) {
        visitor.reads(&a);
        visitor.reads(&b);
        visitor.reads(&bias);
        visitor.writes(&c);
    }
};

using GemmFn = void (*)(const GemmArgs&);

// `batch` independent products of one shape; the offsets (in elements) are added to first.a, b, c.
using BatchedGemmFn = void (*)(const GemmArgs& first, int64_t batch, const int64_t* a_offsets,
                               const int64_t* b_offsets, const int64_t* c_offsets);

// Null for bool.
struct GemmKernels {
    DTypeTable<GemmFn> gemm;
    DTypeTable<BatchedGemmFn> batched;
};

}  // namespace tapegrad::kernels
