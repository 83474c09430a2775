// Solutions of linear equations that come closest.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

// Which routine of LAPACK solves them.
enum class LstsqDriver { Gelsy, Gels, Gelsd, Gelss };
void from_text(std::string_view text, LstsqDriver& driver);

// The solution of A X = B with the smallest |A X - B|, and of these the smallest X; the sums of squares of
// A X - B, the ranks and the singular values, as far as the driver gives them.
std::array<Tensor, 4> lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond,
                            std::optional<LstsqDriver> driver);

}  // namespace tapegrad
