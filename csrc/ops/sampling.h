// Draws from distributions whose parameters are tensors, by rejection.
#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace tapegrad {

Tensor poisson(const Tensor& rates, Generator& generator);
// Successes in `count` trials of probability p; both of one floating dtype, and they broadcast.
Tensor binomial(const Tensor& count, const Tensor& p, Generator& generator);
// Differentiable by the shapes, and by the concentrations in the last dimension, with the derivatives below.
Tensor standard_gamma(const Tensor& shapes, Generator& generator);
Tensor sample_dirichlet(const Tensor& concentrations, Generator& generator);

// dx / da at a fixed quantile of a gamma variate; and that of one part of a Dirichlet variate over 1 - x.
Tensor standard_gamma_grad(const Tensor& shape, const Tensor& x);
Tensor dirichlet_grad(const Tensor& x, const Tensor& concentration, const Tensor& total);

}  // namespace tapegrad
