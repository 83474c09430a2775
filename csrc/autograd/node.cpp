#include "autograd/node.h"

#include "autograd/grad_mode.h"

namespace tapegrad {

thread_local ThreadState thread_state;
Ref<Counted> (*capture_forward_trace)() = nullptr;

namespace {
// Dead nodes wait here for their turn.
std::vector<Node*> dead;
bool burying = false;
}  // namespace

Node::~Node() { --live_count; }

NodeExtras& Node::extras() {
    if (!extras_) extras_ = std::make_unique<NodeExtras>();
    return *extras_;
}

void Node::destroy() noexcept {
    if (park()) return;
    if (!burying) {
        burying = true;
        delete this;
        if (!dead.empty()) bury();
        burying = false;
    } else {
        dead.push_back(this);
    }
}

void Node::bury() noexcept {
    while (!dead.empty()) {
        Node* node = dead.back();
        dead.pop_back();
        delete node;
    }
}

}  // namespace tapegrad
