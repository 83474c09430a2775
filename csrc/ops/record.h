// Small helpers that the operators share for recording.
#pragma once

#include <utility>

#include "autograd/engine.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/arg.h"

namespace tapegrad {

inline Edge gradient_edge(const Arg& arg) {
    return arg.is_tensor() ? gradient_edge(arg.tensor()) : Edge{};
}
template <class... Args> inline bool recording_args(const Args&... args) noexcept {
    return grad_enabled() && (args.requires_grad() || ...);
}

}  // namespace tapegrad
