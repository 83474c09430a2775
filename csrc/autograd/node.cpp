#include "autograd/node.h"

#include <string_view>

#include "autograd/grad_mode.h"

namespace tapegrad {

thread_local ThreadState thread_state;
Ref<Counted> (*capture_forward_trace)() = nullptr;

namespace {
// Dead nodes wait here for their turn.
Node* dead = nullptr;
bool burying = false;
}  // namespace

// Not in the header: hundreds of kinds of nodes would have a copy of it.
Node::~Node() { --live_count; }

void Node::DeleteExtras::operator()(NodeExtras* extras) const noexcept { delete extras; }

void Node::refuse_result() {
    fail("An operation can't have more than ", uint64_t{1} << TensorImpl::kOutputBits, " results");
}

std::string Node::operation() const {
    constexpr std::string_view mark = "Backward";
    const std::string all = name();
    const size_t start = all.rfind(mark);
    if (start == std::string::npos) return all;
    const std::string number = all.substr(start + mark.size());
    if (number.find_first_not_of("0123456789") != std::string::npos) return all;
    return all.substr(0, start) + (number == "0" ? "" : number);
}

std::string Node::place() const {
    const std::string where = describe(origin());
    return where.empty() ? operation() : operation() + " at " + where;
}

NodeExtras& Node::extras() {
    if (!extras_) extras_.reset(new NodeExtras);
    return *extras_;
}

void Node::destroy() noexcept {
    if (may_park && park()) return;
    if (burying) {
        next_dead = dead;
        dead = this;
        return;
    }
    burying = true;
    delete this;
    while (dead) {
        Node* node = dead;
        dead = node->next_dead;
        delete node;
    }
    burying = false;
}

}  // namespace tapegrad
