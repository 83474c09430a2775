// Steps of the optimisers over all their parameters, and the norms and factors of gradient clipping.
// Everything is checked before anything is written.
#pragma once

#include <optional>
#include <vector>

#include "ops/arg.h"

namespace tapegrad {

using Tensors = std::vector<Tensor>;

// In each list there is one tensor for each parameter; lists that the options do not need are none.
void sgd_step(const Tensors& params, const Tensors& grads,
              const std::optional<Tensors>& momentum_buffers, double lr, double momentum,
              double dampening, double weight_decay, bool nesterov, bool maximize,
              const std::vector<bool>& first_step);
void adam_step(const Tensors& params, const Tensors& grads, const Tensors& exp_avgs,
               const Tensors& exp_avg_sqs, const std::optional<Tensors>& max_exp_avg_sqs,
               const std::vector<double>& steps, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool amsgrad, bool maximize);
void rmsprop_step(const Tensors& params, const Tensors& grads, const Tensors& square_avgs,
                  const std::optional<Tensors>& grad_avgs,
                  const std::optional<Tensors>& momentum_buffers, double lr, double alpha,
                  double eps, double weight_decay, double momentum, bool centered, bool maximize);

// The norm of the norms of the tensors, which is that of all their elements together.
Tensor grad_norm(const Tensors& tensors, double order);
void scale_(const Tensors& tensors, const Arg& factor);

}  // namespace tapegrad
