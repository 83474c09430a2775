// The node of an operation whose derivative is not there: to ask for it is an error, not a silent zero.
#pragma once

#include <functional>

#include "autograd/node.h"
#include "autograd/variable.h"
#include "ops/record.h"

namespace tapegrad {

class RefusingNode final : public Node {
public:
    RefusingNode(const char* name, std::function<void()> refuse)
        : name_(name),
          refuse_(std::move(refuse)) {}
    const char* name() const noexcept override { return name_; }
    void backward(GradList&, TensorList&) override { refuse_(); }

private:
    const char* const name_;
    const std::function<void()> refuse_;
};

inline constexpr auto kErrorNode = "tapegrad::autograd::Error";
inline constexpr auto kNotImplementedNode = "tapegrad::autograd::NotImplemented";

// Null where nothing is recorded. inputs: tensors, or numbers, which have no place on the tape.
template <class... Inputs>
Ref<Node> refusing_node(const char* name, void (*refuse)(), const Inputs&... inputs) {
    if (!recording_args(inputs...)) return nullptr;
    Ref<Node> node(new RefusingNode(name, refuse));
    (node->add_edge(gradient_edge(inputs)), ...);
    return node;
}

}  // namespace tapegrad
