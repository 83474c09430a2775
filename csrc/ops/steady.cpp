#include "ops/steady.h"

#include "autograd/variable.h"
#include "ops/copy.h"

namespace tapegrad {
namespace {

class SteadyNode final : public Node {
public:
    const char* name() const noexcept override { return "SteadyBackward0"; }
    std::string formula() const override { return "0"; }
    void forward(TensorList&, GradList&) override {}
    void backward(GradList&, TensorList& inputs) override {
        for (size_t i = 0; i < edges.size(); ++i) {
            if (!wants(i)) continue;
            const ResultInfo& input = edges[i].node->results[edges[i].nr];
            inputs[i] = zeros(input.sizes(), input.dtype);
            depend_on_inputs(inputs[i], *this, ~uint64_t{0});
        }
    }
};

}  // namespace

void depend_on_inputs(Tensor& gradient, const Node& node, uint64_t read) {
    if (!grad_enabled() || !gradient.defined() || gradient.requires_grad()) return;
    Ref<Node> steady;
    for (size_t i = 0; i < node.edges.size() && i < 64; ++i) {
        if (!(read >> i & 1) || !node.has_edge(i)) continue;
        if (!steady) steady = Ref<Node>(new SteadyNode);
        steady->add_edge(node.edges[i]);
    }
    if (!steady) return;
    gradient = alias(gradient);  // it may be the gradient that came, which belongs to others
    set_history(gradient, steady);
}

}  // namespace tapegrad
