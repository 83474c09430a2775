// Systems of linear equations and what their solution gives: inverses and determinants.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include "core/tensor.h"

namespace tapegrad {

// P A = L U, both in one tensor, the rows exchanged with each one counted from 1, and for each matrix the
// number of the first pivot that is zero, 0 if there is none. No tape.
struct LuFactors {
    Tensor lu, pivots, info;
};
LuFactors lu_values(const Tensor& a);
// From these, the solution of A X = B, or with adjoint of A^T X = B, for matrices B. No tape.
Tensor lu_solve_values(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool adjoint);
// T X = B for a triangle of A, or with left = false X T = B. No tape.
Tensor triangular_values(const Tensor& a, const Tensor& b, bool upper, bool left, bool unit);

Tensor solve(const Tensor& a, const Tensor& b, bool left);
std::pair<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors);
Tensor inv(const Tensor& a);
std::pair<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors);
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left,
                        bool unitriangular);
// The solution of the equations and the coefficients.
std::pair<Tensor, Tensor> triangular_solve(const Tensor& b, const Tensor& a, bool upper,
                                           bool transpose, bool unitriangular);
Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint);
Tensor lu_solve_old(const Tensor& b, const Tensor& lu, const Tensor& pivots);

Tensor det(const Tensor& a);
std::pair<Tensor, Tensor> slogdet(const Tensor& a);
Tensor logdet(const Tensor& a);

}  // namespace tapegrad
