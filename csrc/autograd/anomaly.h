// Anomaly mode: a failing or NaN-producing derivative names the forward call that it belongs to.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

// What was captured where a node was made; the bindings know how to show it.
class ForwardTrace : public Counted {
public:
    // Warns: "Error detected in <name>. Traceback of forward call that caused the error: ..."
    virtual void show(const Node& node) = 0;
};

// The node whose backward runs on this thread in anomaly mode; what is recorded meanwhile is its doing.
Node* node_under_watch() noexcept;

// node.backward with the checks of anomaly mode around it.
void run_with_anomaly_checks(Node& node, GradList& grads, TensorList& inputs);

}  // namespace tapegrad
