// The end of every path through the graph: adds to the .grad of a leaf.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

class AccumulateGrad final : public Node {
public:
    explicit AccumulateGrad(const Tensor& leaf);
    ~AccumulateGrad() override;

    const char* name() const noexcept override { return "tapegrad::autograd::AccumulateGrad"; }
    void backward(GradList& grads, TensorList& inputs) override;
    bool accepts_undefined() const noexcept override;
    const Tensor& variable() const noexcept { return variable_; }

    // While no graph holds it the node stays with its leaf, which then owns it, for the next graph.
    void unpark(const Tensor& leaf) noexcept;
    static void discard(AccumulateGrad* parked) noexcept { delete parked; }

private:
    bool park() noexcept override;

    Tensor variable_;
};

}  // namespace tapegrad
