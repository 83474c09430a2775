// Factorisations of matrices: Cholesky, LU, QR.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "core/tensor.h"

namespace tapegrad {

Tensor cholesky(const Tensor& a, bool upper);
Tensor cholesky_old(const Tensor& a, bool upper);  // under its older name
std::pair<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors);
Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper);
Tensor cholesky_inverse(const Tensor& factor, bool upper);

std::array<Tensor, 3> lu(const Tensor& a, bool pivot);
std::pair<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot);
std::array<Tensor, 3> lu_factor_ex(const Tensor& a, bool pivot, bool check_errors);
std::array<Tensor, 3> lu_unpack(const Tensor& lu, const Tensor& pivots, bool unpack_data,
                                bool unpack_pivots);
// The matrix P [*, n, n] of exchanges of rows.
Tensor permutation(const Tensor& pivots, int64_t n, DType dtype);
// Raises unless all are rows of a matrix with n rows.
void check_pivots(const char* function, const Tensor& pivots, int64_t n);

enum class QrMode { Reduced, R, Complete };
void from_text(std::string_view text, QrMode& mode);
std::pair<Tensor, Tensor> qr(const Tensor& a, QrMode mode);
std::pair<Tensor, Tensor> qr_old(const Tensor& a, bool some);
// The columns of the product of the reflections 1 - tau v v^T whose vectors are below the diagonal.
Tensor householder_product(const Tensor& a, const Tensor& tau);
std::pair<Tensor, Tensor> geqrf(const Tensor& a);

}  // namespace tapegrad
