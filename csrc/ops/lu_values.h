// The values of solutions and inverses, without a place on the tape: of small matrices by kernels of our own, of
// others by LAPACK.
#pragma once

#include "ops/linear_systems.h"

namespace tapegrad {

struct Solved {
    Tensor x;
    LuFactors factors;  // without keep_factors perhaps only the flags
};
// A X = B for matrices B of the same leading dimensions.
Solved solve_values(const Tensor& a, const Tensor& b, bool keep_factors);
// The diagonals of U, vectors of which the first element has the sign of P: their products are determinants.
Tensor lu_diagonals(const Tensor& a);
// The inverses, and flags as those of LuFactors.
std::pair<Tensor, Tensor> inverse_values(const Tensor& a);

}  // namespace tapegrad
