#include "ops/factorizations.h"
#include "ops/linear_systems.h"
#include "ops/norms.h"
#include "ops/spectra.h"

#include "python/bind.h"

namespace tapegrad::python {
namespace {

// For what PyTorch chooses on other devices.
using NoDriver = std::optional<std::string_view>;
void refuse_driver(const NoDriver& driver) {
    if (driver)
        fail(
            "tapegrad.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend.");
}

std::array<Tensor, 3> svd_with_driver(const Tensor& a, bool full_matrices, const NoDriver& driver) {
    refuse_driver(driver);
    return svd(a, full_matrices);
}
Tensor svdvals_with_driver(const Tensor& a, const NoDriver& driver) {
    refuse_driver(driver);
    return svdvals(a);
}
std::vector<Tensor> lu_old(const Tensor& a, bool pivot, bool get_infos) {
    const auto [lu, pivots, info] = lu_factor_ex(a, pivot, !get_infos);
    if (get_infos) return {lu, pivots, info};
    return {lu, pivots};
}
Tensor nuclear_norm_of_matrix(const Tensor& x, bool keepdim) {
    return nuclear_norm(x, {-2, -1}, keepdim);
}
Tensor frobenius_norm(const Tensor& x, const Dims& dims, bool keepdim) {
    if (dims.size() > 2)
        fail("Expected at most 2 dimensions, but got ", dims.size(), " dimensions instead.");
    return norm(x, 2, dims, keepdim);
}
Tensor pinverse(const Tensor& a, double rcond) { return pinv_by_rcond(a, rcond, false); }

}  // namespace

void bind_linalg_decompositions(PyObject* m) {
    PyObject* linalg = linalg_module(m);
    def_function<"linalg_solve">(linalg, solve).out_has(kSameType);
    def_function<"linalg_solve_ex">(linalg, solve_ex).out_has(kSameType);
    def_function<"linalg_inv">(linalg, inv).out_has(kSameType);
    def_function<"linalg_inv_ex">(linalg, inv_ex).out_has(kSameType);
    def_function<"linalg_solve_triangular">(linalg, solve_triangular).out_has(kSameType);
    def_function<"linalg_det">(linalg, det).out_has(kSameType);
    def_function<"linalg_slogdet">(linalg, slogdet).out_has(kSameType);
    def_function<"linalg_cholesky">(linalg, cholesky).out_has(kSameType);
    def_function<"linalg_cholesky_ex">(linalg, cholesky_ex).out_has(kSameType);
    def_function<"linalg_lu">(linalg, lu).out_has(kSameType);
    def_function<"linalg_lu_factor">(linalg, lu_factor).out_has(kSameType);
    def_function<"linalg_lu_factor_ex">(linalg, lu_factor_ex).out_has(kSameType);
    def_function<"linalg_lu_solve">(linalg, lu_solve).out_has(kSameType);
    def_function<"linalg_qr">(linalg, qr).out_has(kSameType);
    def_function<"linalg_householder_product">(linalg, householder_product);
    def_function<"linalg_norm">(linalg, linalg_norm);
    def_function<"linalg_vector_norm">(linalg, vector_norm);
    def_function<"linalg_matrix_norm">(linalg, matrix_norm);
    def_function<"linalg_svd">(linalg, svd_with_driver).out_has(kSameType);
    def_function<"linalg_svdvals">(linalg, svdvals_with_driver).out_has(kSameType);
    def_function<"linalg_eigh">(linalg, eigh).out_has(kSameType);
    def_function<"linalg_eigvalsh">(linalg, eigvalsh).out_has(kSameType);
    def_function<"linalg_pinv">(linalg, pinv, pinv_by_rcond);
    def_function<"linalg_matrix_rank">(linalg, matrix_rank, matrix_rank_by_tol);

    def<"inverse">(m, inv).out_has(kSameType);
    def<"det">(m, det).without_out();
    def<"logdet">(m, logdet).without_out();
    def<"slogdet">(m, slogdet).out_has(kSameType);
    def<"cholesky">(m, cholesky_old);
    def<"cholesky_solve">(m, cholesky_solve);
    def<"cholesky_inverse">(m, cholesky_inverse);
    def<"triangular_solve">(m, triangular_solve).out_has(kSameType);
    def<"lu">(m, lu_old).without_out();
    def_function<"nuclear_norm">(m, nuclear_norm_of_matrix, nuclear_norm).out_has(kSameType);
    def_function<"frobenius_norm">(m, frobenius_norm).out_has(kSameType);
    def<"lu_solve">(m, lu_solve_old).out_has(kSameType);
    def_function<"lu_unpack">(m, lu_unpack).out_has(kSameType);
    def<"qr">(m, qr_old).out_has(kSameType);
    def<"geqrf">(m, geqrf).out_has(kSameType);
    def<"orgqr">(m, householder_product);
    def<"svd">(m, svd_old).out_has(kSameType);
    def<"pinverse">(m, pinverse).without_out();
}

}  // namespace tapegrad::python
