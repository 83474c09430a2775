// The end of every path through the graph: adds to the .grad of a leaf.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

class AccumulateGrad final : public Node {
public:
    explicit AccumulateGrad(const Tensor& leaf);
    ~AccumulateGrad() override;

    const char* name() const noexcept override { return "AccumulateGrad"; }
    void backward(TensorList& grads, TensorList& inputs) override;
    const Tensor& variable() const noexcept { return variable_; }

private:
    Tensor variable_;
};

}  // namespace tapegrad
