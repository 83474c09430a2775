#include "autograd/anomaly.h"

#include <utility>

#include "autograd/grad_mode.h"
#include "autograd/variable.h"

namespace tapegrad {
namespace {

thread_local Node* watched = nullptr;

struct Watch {
    explicit Watch(Node& node) : before(std::exchange(watched, &node)) {}
    ~Watch() { watched = before; }
    Node* before;
};

void show_forward_call(Node& node) {
    if (node.extras_ && node.extras_->forward_trace)
        static_cast<ForwardTrace*>(node.extras_->forward_trace.get())->show(node);
    else
        warn(text("Error detected in ", node.name(),
                  ". No forward pass information available. Enable detect anomaly during forward "
                  "pass for more information."));
}

}  // namespace

Node* node_under_watch() noexcept { return watched; }

void run_with_anomaly_checks(Node& node, GradList& grads, TensorList& inputs) {
    try {
        Watch watch(node);
        node.backward(grads, inputs);
    } catch (...) {
        show_forward_call(node);
        throw;
    }
    if (!thread_state.anomaly_check_nan) return;
    for (size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined() || !tape_operations.has_nan(inputs[i])) continue;
        show_forward_call(node);
        fail("Function '", node.name(), "' returned nan values in its ", i, "th output.");
    }
}

}  // namespace tapegrad
