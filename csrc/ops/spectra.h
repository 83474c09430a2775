// Singular values and eigenvalues, and what is made of them.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "ops/arg.h"

namespace tapegrad {

// U, S and V^T.
std::array<Tensor, 3> svd(const Tensor& a, bool full_matrices);
// U, S and V.
std::array<Tensor, 3> svd_old(const Tensor& a, bool some, bool compute_uv);
// The largest first.
Tensor svdvals(const Tensor& a);

enum class Uplo { Lower, Upper };
void from_text(std::string_view text, Uplo& uplo);
// Eigenvalues, the smallest first, and eigenvectors of symmetric matrices.
std::pair<Tensor, Tensor> eigh(const Tensor& a, Uplo uplo);
Tensor eigvalsh(const Tensor& a, Uplo uplo);

// Values up to the larger of atol and rtol times the largest count as zero; null: what rounding makes.
Tensor pinv(const Tensor& a, const Arg* atol, const Arg* rtol, bool hermitian);
// The gradient of A by that of its pseudoinverse P.
Tensor pinv_gradient(const Tensor& g, const Tensor& a, const Tensor& p);
Tensor pinv_by_rcond(const Tensor& a, const Arg& rcond, bool hermitian);
Tensor matrix_rank(const Tensor& a, const Arg* atol, const Arg* rtol, bool hermitian);
Tensor matrix_rank_by_tol(const Tensor& a, const Arg& tol, bool hermitian);

}  // namespace tapegrad
