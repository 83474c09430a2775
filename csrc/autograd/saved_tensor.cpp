#include "autograd/saved_tensor.h"

#include "autograd/variable.h"

namespace tapegrad {

void refuse_released() {
    fail(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already "
        "been freed). Saved intermediate values of the graph are freed when you call .backward() "
        "or autograd.grad(). "
        "Specify retain_graph=True if you need to backward through the graph a second time or if "
        "you need to access "
        "saved tensors after calling backward.");
}

namespace {

[[noreturn]] void refuse_modified(const Tensor& tensor, uint32_t saved, const Node* maker,
                                  uint32_t result_nr) {
    std::string message = text(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [tapegrad.",
        scalar_type_name(tensor.dtype()), "Tensor ", to_string(tensor.sizes()), "]");
    if (maker) {
        // PyTorch names the operation here and not its derivative: "Exp".
        const std::string node = maker->name();
        message += text(", which is output ", result_nr, " of ",
                        node.substr(0, node.find("Backward")), ",");
    }
    message += text(" is at version ", tensor.version(), "; expected version ", saved, " instead.");
    if (!thread_state.anomaly)
        message +=
            " Hint: enable anomaly detection to find the operation that failed to compute its "
            "gradient, with "
            "tapegrad.autograd.set_detect_anomaly(True, check_nan=False).";
    else
        message +=
            " Hint: the backtrace further above shows the operation that failed to compute its "
            "gradient. The "
            "variable in question was changed in there or anywhere later. Good luck!";
    fail(message);
}

}  // namespace

SavedTensor::SavedTensor(const Tensor& tensor, bool is_result) {
    if (!tensor.defined()) return;
    saved_ = true;
    if (tensor->inference && !inference_mode())
        fail(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
            "inference mode in "
            "computation tracked by autograd. To work around this, you can make a clone to get a "
            "normal tensor and "
            "use it in autograd, or use `tapegrad.no_grad()` instead of "
            "`tapegrad.inference_mode()`.");
    version_ = tensor.version();
    is_result_ = is_result;
    result_nr_ = tensor->output_nr;
    if (thread_state.saved_tensor_hooks) [[unlikely]] {
        pack(*thread_state.saved_tensor_hooks, tensor);
        return;
    }
    tensor_ = is_result ? alias(tensor) : tensor;
}

void SavedTensor::pack(SavedTensorHooks& hooks, const Tensor& original) {
    GradMode off(false);
    packed_ = hooks.pack(alias(original));
    if (!is_result_) {
        packed_->edge = gradient_edge(original);
        packed_->leaf = original->requires_grad;
    }
    tensor_.reset();
}

void SavedTensor::register_hooks(SavedTensorHooks& hooks) {
    if (released_) refuse_released();
    if (packed_)
        fail(
            "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: "
            "only one pair "
            "of hooks is allowed at a time.");
    if (!saved_) fail("Calling register_hooks on a saved tensor with value None is forbidden");
    Tensor original = std::move(tensor_);
    pack(hooks, original);
}

Tensor SavedTensor::unpack(const Node* owner) const {
    if (!saved_) return {};
    if (released_) refuse_released();
    Node* maker = const_cast<Node*>(owner);
    if (!packed_) {
        if (version_ != tensor_.version())
            refuse_modified(tensor_, version_, is_result_ ? owner : node_of(tensor_),
                            is_result_ ? result_nr_ : tensor_->output_nr);
        if (!is_result_) return tensor_;
        Tensor result = alias(tensor_);
        if (owner) {
            result->grad_fn = Ref<Counted>(maker);
            result->output_nr = result_nr_;
        }
        return result;
    }
    Tensor values;
    {
        GradMode off(false);
        values = packed_->unpack();
    }
    // The hooks give values; the place on the tape is that of the tensor that was saved.
    Tensor result = alias(values);
    if (is_result_) {
        result->grad_fn = Ref<Counted>(maker);
        result->output_nr = result_nr_;
    } else if (const Edge& edge = packed_->edge) {
        if (packed_->leaf) {
            result->requires_grad = true;
            AutogradExtra& extra = make_extra(result);
            extra.accumulator = edge.node.get();
            extra.lent_accumulator = edge.node;
        } else {
            result->grad_fn = edge.node;
            result->output_nr = edge.nr;
        }
    }
    return result;
}

}  // namespace tapegrad
