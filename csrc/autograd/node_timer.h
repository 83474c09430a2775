// The profiler's view of a backward pass.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

// Told of each node that a backward pass of its thread runs, and when, in nanoseconds of the steady clock.
// Element-wise nodes run one by one then, not block by block.
class NodeTimer {
public:
    virtual void ran(Node& node, int64_t start, int64_t end) = 0;

protected:
    ~NodeTimer() = default;
};

extern constinit thread_local NodeTimer* node_timer __attribute__((tls_model("initial-exec")));

}  // namespace tapegrad
