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
inline void note_unrecorded(const Arg& arg) noexcept {
    if (arg.is_tensor()) note_unrecorded(arg.tensor());
}
template <class... Args> inline bool recording_args(const Args&... args) noexcept {
    if (grad_enabled()) [[likely]]
        return (args.requires_grad() || ...);
    if (thread_state.cuts_to_note) [[unlikely]]
        (note_unrecorded(args), ...);
    return false;
}

}  // namespace tapegrad
