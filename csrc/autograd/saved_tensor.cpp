#include "autograd/saved_tensor.h"

#include "autograd/variable.h"

namespace tapegrad {

namespace {
std::string labelled(const char* label, const std::string& text) {
    return text.empty() ? text : label + text;
}
}  // namespace

void SavedTensor::let_go() noexcept {
    if (kind_ == Kind::Whole) whole_->release();
    else if (kind_ == Kind::Memory) memory_->release();
    else if (kind_ == Kind::Packed) packed_->release();
    else if (kind_ == Kind::Shape) shape_->release();
}

void refuse_released(const Node& owner, Site released_by) {
    Error error(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        "calling backward.");
    if (owner.site) error.notes.push_back("recorded by " + owner.place());
    if (released_by)
        error.notes.push_back("freed by the backward pass at " + describe({released_by}));
    throw error;
}

namespace {

[[noreturn]] void refuse_modified(const Node& owner, const Tensor& tensor, uint32_t saved,
                                  const Node* maker, uint32_t result_nr) {
    std::string message = text(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [tapegrad.",
        scalar_type_name(tensor.dtype()), "Tensor ", to_string(tensor.sizes()), "]");
    if (maker) message += text(", which is output ", result_nr, " of ", maker->operation(), ",");
    message += text(" is at version ", Storage::changes(tensor.version()), "; expected version ",
                    Storage::changes(saved), " instead.");
    if (!thread_state.anomaly)
        message +=
            " Hint: enable anomaly detection to find the operation that failed to compute its "
            "gradient, with tapegrad.autograd.set_detect_anomaly(True, check_nan=False).";
    else
        message +=
            " Hint: the backtrace further above shows the operation that failed to compute its "
            "gradient. The variable in question was changed in there or anywhere later. Good luck!";
    const std::string write = describe({tensor.storage()->last_write()});
    const bool known = owner.site && !write.empty();
    if (owner.site)
        message +=
            "\n  needed by " + owner.place() + labelled("; its derivative is ", owner.formula());
    message += labelled("\n  overwritten at ", write);
    if (known)
        message +=
            "\n  Make a new tensor there instead of writing into this one, or let the operation "
            "that needs it have a copy (clone()).";
    Error error(message);
    if (owner.site) error.notes = {"in the backward pass of " + owner.place()};
    throw error;
}

}  // namespace

void SavedTensor::save_unusual(const Tensor& tensor) {
    if (tensor->inference && !inference_mode())
        fail(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
            "inference mode in computation tracked by autograd. To work around this, you can make "
            "a clone to get a normal tensor and use it in autograd, or use `tapegrad.no_grad()` "
            "instead of `tapegrad.inference_mode()`.");
    if (thread_state.saved_tensor_hooks) pack(*thread_state.saved_tensor_hooks, tensor);
    else keep(Kind::Whole, is_result_ ? alias(tensor).impl() : tensor.impl());
}

void SavedTensor::pack(SavedTensorHooks& hooks, const Tensor& original) {
    GradMode off(false);
    // What needs no place on the tape is given, and given back, as the object that it is.
    Ref<PackedTensor> packed =
        hooks.pack(is_result_ || original.requires_grad() ? alias(original) : original);
    packed->dtype = original.dtype();
    packed->shape = original.shape();
    if (!is_result_) {
        packed->edge = gradient_edge(original);
        packed->leaf = original->requires_grad;
    }
    drop();
    keep(Kind::Packed, packed.get());
}

void SavedTensor::register_hooks(SavedTensorHooks& hooks, const Node& owner) {
    if (kind_ == Kind::Released) refuse_released(owner, version_);
    if (kind_ == Kind::Packed)
        fail(
            "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: "
            "only one pair of hooks is allowed at a time.");
    if (kind_ == Kind::Nothing)
        fail("Calling register_hooks on a saved tensor with value None is forbidden");
    pack(hooks, stored(owner));
}

// What is kept, as a tensor; not for values that hooks have packed.
Tensor SavedTensor::stored(const Node& owner) const {
    if (kind_ == Kind::Whole) return Tensor(whole_);
    const ResultInfo& info = owner.results[result_nr_];
    return Tensor(new TensorImpl(info.shape, info.dtype, Ref<Storage>(memory_), memory_->data()));
}

void SavedTensor::check_unchanged(const Node& owner, const Tensor& tensor) const {
    const AutogradExtra* extra = is_result_ ? nullptr : extra_of(tensor);
    if (extra && extra->detached_at > owner.sequence)
        fail(
            "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()."
            "This is not supported, please use out-of-place `.detach()` instead");
    if (version_ != tensor.version())
        refuse_modified(owner, tensor, version_, is_result_ ? &owner : node_of(tensor),
                        is_result_ ? result_nr_ : tensor->output_nr);
}

Tensor SavedTensor::other_values(const Node& owner) const {
    if (kind_ != Kind::Memory) return unpack(owner);
    Tensor result = stored(owner);
    check_unchanged(owner, result);
    return result;
}

Tensor SavedTensor::unpack(const Node& owner) const {
    if (kind_ == Kind::Nothing) return {};
    if (kind_ == Kind::Released) refuse_released(owner, version_);
    if (kind_ == Kind::Shape)
        return Tensor(new TensorImpl(shape_, static_cast<DType>(result_nr_), nullptr, nullptr));
    auto become_result = [&](const Tensor& tensor) {
        tensor->grad_fn = Ref<Counted>(const_cast<Node*>(&owner));
        tensor->output_nr = result_nr_;
    };
    if (kind_ != Kind::Packed) {
        const Tensor tensor = stored(owner);
        check_unchanged(owner, tensor);
        if (!is_result_) return tensor;
        Tensor result = kind_ == Kind::Whole ? alias(tensor) : tensor;
        become_result(result);
        return result;
    }
    Tensor values;
    {
        GradMode off(false);
        values = packed_->unpack();
    }
    if (!same_sizes(values.shape(), packed_->shape) || values.dtype() != packed_->dtype)
        fail("a saved tensor of size ", to_string(packed_->shape->sizes), " and type ",
             scalar_type_name(packed_->dtype), " was unpacked as one of size ",
             to_string(values.sizes()), " and type ", scalar_type_name(values.dtype()));
    // The hooks give values; the place on the tape is that of the tensor that was saved.
    if (!is_result_ && !packed_->edge && !values.requires_grad()) return values;
    Tensor result = alias(values);
    if (is_result_) {
        become_result(result);
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
