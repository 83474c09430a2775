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
template <class... Args> bool recording_args(const Args&... args) noexcept {
    return grad_enabled() && (args.requires_grad() || ...);
}

// A node of type N whose edges lead to the inputs, in order.
template <class N, class... Inputs, class... Parameters>
Ref<N> make_node(std::tuple<const Inputs&...> inputs, Parameters&&... parameters) {
    Ref<N> node(new N(std::forward<Parameters>(parameters)...));
    std::apply([&](const auto&... input) { (node->add_edge(gradient_edge(input)), ...); }, inputs);
    return node;
}

// Base of nodes with one saved tensor under a name.
template <class Derived> class NamedNode : public Node {
public:
    const char* name() const noexcept override { return Derived::kName; }
};

}  // namespace tapegrad
