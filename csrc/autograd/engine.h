// Runs the tape backwards.
#pragma once

#include <span>
#include <unordered_set>
#include <vector>

#include "autograd/node.h"

namespace tapegrad {

struct BackwardOptions {
    bool keep_graph = false;
    bool create_graph = false;
    bool accumulate = true;  // into .grad of leaves; otherwise gradients of `inputs` are returned
    uint64_t first_sequence = 0;  // nodes that were made earlier lead to no input
};

// Runs from roots with their gradients. With inputs, only what leads to them is computed; unless
// accumulate is set, their gradients are returned in order (undefined where nothing arrived).
TensorList run_backward(std::span<const Edge> roots, TensorList grads, std::span<const Edge> inputs,
                        const BackwardOptions& options);

// into += grad, in place where nobody else can see it. Both are defined.
void add_gradient(Tensor& into, Tensor grad);

// Calls f(context) on a new thread, whose stack is empty, and waits for it; the bindings provide it.
extern void (*run_on_new_thread)(void (*f)(void* context), void* context);

// Adds a note to the exception that is being handled, where that is not an Error but another language's.
inline void (*annotate_foreign_error)(const std::string& note) = nullptr;

// The run that is active on this thread: its number, or 0; whether it will execute a node (or return the
// gradient of one of its results); whether it was started without inputs, as plain backward() is.
uint64_t current_run();
uint64_t latest_run();  // the number of the one that was started last
bool current_run_executes(const Node* node);
bool current_run_is_full();

// Calls visit(node) for each node of a graph once; it tells whether to go on behind the node.
template <class Visit> void each_node(std::vector<Node*> roots, Visit visit) {
    std::unordered_set<Node*> seen;
    while (!roots.empty()) {
        Node* node = roots.back();
        roots.pop_back();
        if (!node || !seen.insert(node).second || !visit(*node)) continue;
        for (const Edge& edge : node->edges) roots.push_back(edge.node.get());
    }
}

// Why a backward pass through the node cannot be replayed, where nodes from first_sequence on were made while it
// was recorded; null if it can.
const char* replay_obstacle(const Node& node, uint64_t first_sequence);

// Whether the tensor's memory belongs to this one reference alone, so that it may be reused.
inline bool is_sole_owner(const Tensor& tensor) noexcept {
    const Storage& storage = *tensor.storage();
    return tensor->references == 1 && !tensor->python_object && storage.use_count() == 1 &&
           storage.owns_memory();
}

}  // namespace tapegrad
