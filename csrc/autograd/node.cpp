#include "autograd/node.h"

#include "autograd/grad_mode.h"

namespace tapegrad {

thread_local ThreadState thread_state;
Ref<Counted> (*capture_forward_trace)() = nullptr;

namespace {
// Dead nodes wait here for their turn, linked through the place of their wrapper, which is gone too.
Node* dead = nullptr;
bool burying = false;
}  // namespace

void Node::DeleteExtras::operator()(NodeExtras* extras) const noexcept { delete extras; }

NodeExtras& Node::extras() {
    if (!extras_) extras_.reset(new NodeExtras);
    return *extras_;
}

void Node::destroy() noexcept {
    if (may_park && park()) return;
    if (burying) {
        python_object = dead;
        dead = this;
        return;
    }
    burying = true;
    delete this;
    while (dead) {
        Node* node = dead;
        dead = static_cast<Node*>(node->python_object);
        delete node;
    }
    burying = false;
}

}  // namespace tapegrad
