#include "autograd/accumulate_grad.h"

#include <limits>

#include "autograd/engine.h"
#include "autograd/variable.h"
#include "core/parallel.h"
#include "replay/recorder.h"

namespace tapegrad {

AccumulateGrad::AccumulateGrad(const Tensor& leaf) : variable_(leaf) {
    sequence = std::numeric_limits<uint64_t>::max();  // as soon as it is ready
    may_park = true;
    add_result(leaf);
}

AccumulateGrad::~AccumulateGrad() {
    if (!variable_.defined()) {  // parked, and counted as gone
        ++live_count;
        return;
    }
    AutogradExtra& extra = make_extra(variable_);
    if (extra.accumulator == this) extra.accumulator = nullptr;
    if (extra.former_accumulator == this) extra.former_accumulator = nullptr;
}

bool AccumulateGrad::park() noexcept {
    AutogradExtra& extra = make_extra(variable_);
    if (extra.accumulator != this) return false;
    extra.accumulator_parked = true;
    extras_.reset();
    --live_count;
    // This may be the last reference to the leaf, which then takes this node with it.
    Tensor leaf = std::move(variable_);
    return true;
}

void AccumulateGrad::unpark(const Tensor& leaf) noexcept {
    ++live_count;
    variable_ = leaf;
}

// Its hook is called in any case.
bool AccumulateGrad::accepts_undefined() const noexcept {
    return static_cast<bool>(extra_of(variable_)->accumulate_hook);
}

void AccumulateGrad::backward(GradList& grads, TensorList&) {
    AutogradExtra& extra = *extra_of(variable_);  // which holds this node
    extra.latest_run = current_run();
    if (variable_->grad_fn) fail("leaf variable has been moved into the graph interior");
    if (is_replay_recorded()) [[unlikely]]
        replay::recorder()->know(variable_);
    Tensor grad = std::move(grads[0]);
    if (!(variable_->requires_grad || extra.inference_leaf) || !grad.defined()) {
        // Hooks see the gradient of what was a leaf, but nothing is kept.
    } else if (!variable_->grad) {
        // A gradient that nobody else holds becomes .grad as it is.
        const bool mine =
            !grad_enabled() && is_sole_owner(grad) && same_layout(grad.shape(), variable_.shape());
        if (mine) {
            grad->grad_fn.reset();
            grad->requires_grad = false;
        } else {
            grad = tape_operations.clone_like(grad, variable_);
        }
        variable_->grad = Ref<TensorImpl>(grad.impl());
    } else {
        Tensor sum(variable_->grad);
        if (grad_enabled()) {
            variable_->grad = Ref<TensorImpl>(tape_operations.add(sum, grad).impl());
        } else {
            announce_write(sum);
            KeepLock keep;  // other threads may add to the same leaf
            tape_operations.add_in_place(sum, grad);
        }
    }
    if (Ref<AccumulateHook> hook = extra.accumulate_hook) hook->call(variable_);
}

}  // namespace tapegrad
