// OpenBLAS, used for large products when its library is at hand.
#pragma once

#include <cstdint>

namespace tapegrad::kernels {

// The C interface of BLAS, with its enumerations as plain int (row major 101, as is 111,
// transposed 112).
struct Blas {
    using Sgemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                           const float* a, int lda, const float* b, int ldb, float beta, float* c,
                           int ldc);
    using Dgemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, double alpha,
                           const double* a, int lda, const double* b, int ldb, double beta,
                           double* c, int ldc);
    Sgemm sgemm;
    Dgemm dgemm;
};

inline constexpr int kBlasRowMajor = 101, kBlasNoTrans = 111, kBlasTrans = 112;

// Loads the library at the first call; null if there is none. It runs on the calling thread alone.
// Searched: the file named by TAPEGRAD_BLAS (nothing else then; "" for none), libscipy_openblas.so
// in the directory _lib beside the shared object of this function, and the one given at build time.
const Blas* blas();

}  // namespace tapegrad::kernels
