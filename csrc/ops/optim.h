// Steps of the optimisers over all their parameters, and the norms and factors of gradient clipping.
// Everything is checked before anything is written.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kernels/optim.h"
#include "ops/arg.h"

namespace tapegrad {

using Tensors = std::vector<Tensor>;

enum class OptimRule : uint8_t {
#define TAPEGRAD_OPTIM_ENTRY_(Rule, name) Rule,
    TAPEGRAD_OPTIM_RULES(TAPEGRAD_OPTIM_ENTRY_)
#undef TAPEGRAD_OPTIM_ENTRY_
};
void from_text(std::string_view text, OptimRule& rule);

// One step of all parameters. `states` has the first state of each of them, then the second of each, and so
// on; the coefficients are those of the rule's struct (csrc/kernels/optim.cpp) and hold for all.
void optim_step(OptimRule rule, const Tensors& params, const Tensors& grads, const Tensors& states,
                const std::vector<double>& coefficients);
// The same with the coefficients in a tensor of float64, from which a replayed step takes them each time.
void optim_step(OptimRule rule, const Tensors& params, const Tensors& grads, const Tensors& states,
                const Tensor& coefficients);

// The norm of the norms of the tensors, which is that of all their elements together.
Tensor grad_norm(const Tensors& tensors, double order);
void scale_(const Tensors& tensors, const Arg& factor);
// The tensors times max_norm / total_norm, where that is less than 1 or no number. order: where the total is
// infinite, it is found again for them in a unit in which it may not be.
void clip_(const Tensors& tensors, const Tensor& total_norm, double max_norm,
           std::optional<double> order);

}  // namespace tapegrad
