// OpenBLAS and the LAPACK in it: for large products, and for what is made of matrices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

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

// Routines of LAPACK, and the triangular solver of BLAS, in one precision. Matrices lie column by column; the
// lengths of texts come last.
template <class T> struct Lapack {
    using Int = const int*;
    using Text = const char*;
    using Length = size_t;
    void (*trsm)(int order, int side, int uplo, int trans, int diag, int m, int n, T alpha,
                 const T* a, int lda, T* b, int ldb);
    void (*getrf)(Int m, Int n, T* a, Int lda, int* ipiv, int* info);
    void (*getri)(Int n, T* a, Int lda, const int* ipiv, T* work, Int lwork, int* info);
    void (*potrf)(Text uplo, Int n, T* a, Int lda, int* info, Length);
    void (*gelqf)(Int m, Int n, T* a, Int lda, T* tau, T* work, Int lwork, int* info);
    void (*orglq)(Int m, Int n, Int k, T* a, Int lda, const T* tau, T* work, Int lwork, int* info);
    void (*syevd)(Text jobz, Text uplo, Int n, T* a, Int lda, T* w, T* work, Int lwork, int* iwork,
                  Int liwork, int* info, Length, Length);
    void (*gesdd)(Text jobz, Int m, Int n, T* a, Int lda, T* s, T* u, Int ldu, T* vt, Int ldvt,
                  T* work, Int lwork, int* iwork, int* info, Length);
    void (*gesvd)(Text jobu, Text jobvt, Int m, Int n, T* a, Int lda, T* s, T* u, Int ldu, T* vt,
                  Int ldvt, T* work, Int lwork, int* info, Length, Length);
    void (*gels)(Text trans, Int m, Int n, Int nrhs, T* a, Int lda, T* b, Int ldb, T* work,
                 Int lwork, int* info, Length);
    void (*gelsy)(Int m, Int n, Int nrhs, T* a, Int lda, T* b, Int ldb, int* jpvt, const T* rcond,
                  int* rank, T* work, Int lwork, int* info);
    void (*gelsd)(Int m, Int n, Int nrhs, T* a, Int lda, T* b, Int ldb, T* s, const T* rcond,
                  int* rank, T* work, Int lwork, int* iwork, int* info);
    void (*gelss)(Int m, Int n, Int nrhs, T* a, Int lda, T* b, Int ldb, T* s, const T* rcond,
                  int* rank, T* work, Int lwork, int* info);
};

inline constexpr int kBlasRowMajor = 101, kBlasNoTrans = 111, kBlasTrans = 112, kBlasUpper = 121,
                     kBlasLower = 122, kBlasNonUnit = 131, kBlasUnit = 132, kBlasLeft = 141;

// Loads the library at the first call; null if there is none. It runs on the calling thread alone.
// Searched: the file named by TAPEGRAD_BLAS (nothing else then; "" for none), libscipy_openblas.so
// in the directory _lib beside the shared object of this function, and the one given at build time.
const Blas* blas();
// Of the same library, likewise.
template <class T> const Lapack<T>* lapack();

// Its file, and what it says of itself: "OpenBLAS 0.3.29 DYNAMIC_ARCH Haswell MAX_THREADS=64". Loads it;
// empty if there is none.
struct BlasOrigin {
    std::string library, config;
};
BlasOrigin blas_origin();

}  // namespace tapegrad::kernels
