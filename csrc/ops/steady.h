// Gradients that do not change with what they read.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

// Gives a gradient a place on the tape where its rule read values but recorded nothing: the gradient of relu
// asks on which side of zero its input lies, and is constant on each. Its derivative is zero then, not
// missing. read: bit i for the input that edge i of the node leads to.
void depend_on_inputs(Tensor& gradient, const Node& node, uint64_t read);

}  // namespace tapegrad
