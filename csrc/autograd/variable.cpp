#include "autograd/variable.h"

#include "autograd/accumulate_grad.h"

namespace tapegrad {

TapeOperations tape_operations{};

AutogradExtra::~AutogradExtra() {
    if (retain_slot) retain_slot->tensor = nullptr;
}

AutogradExtra* extra_of(const Tensor& tensor) noexcept {
    return static_cast<AutogradExtra*>(tensor->autograd_extra.get());
}

AutogradExtra& make_extra(const Tensor& tensor) {
    if (!tensor->autograd_extra) tensor->autograd_extra = make_ref<AutogradExtra>();
    return *extra_of(tensor);
}

namespace {

// A view whose base was written through another window is the window's content taken out of the base.
void refresh_view(const Tensor& view, AutogradExtra& extra) {
    const uint32_t version = view.version();
    if (extra.view_version == version) return;
    extra.view_version = version;
    const Tensor& base = extra.base;
    if (!base.requires_grad()) return;
    GradMode record(true);
    Ref<Node> node = tape_operations.as_strided_node(base, view);
    view->grad_fn.reset();
    set_history(view, node);
}

}  // namespace

Ref<Node> grad_fn(const Tensor& tensor) {
    AutogradExtra* extra = extra_of(tensor);
    if (extra && extra->base.defined() && !tensor->inference) refresh_view(tensor, *extra);
    return Ref<Node>(node_of(tensor));
}

Edge gradient_edge(const Tensor& tensor) {
    if (tensor->autograd_extra) [[unlikely]] {
        if (Ref<Node> node = grad_fn(tensor)) return Edge{std::move(node), tensor->output_nr};
    } else if (Node* node = node_of(tensor)) {
        return Edge{Ref<Node>(node), tensor->output_nr};
    }
    if (tensor->requires_grad) return Edge{gradient_accumulator(tensor), 0};
    return {};
}

Ref<Node> gradient_accumulator(const Tensor& leaf) {
    AutogradExtra& extra = make_extra(leaf);
    if (extra.accumulator) return Ref<Node>(extra.accumulator);
    Ref<Node> node = make_ref<AccumulateGrad>(leaf);
    extra.accumulator = node.get();
    return node;
}

void set_history(const Tensor& out, const Ref<Node>& node) {
    out->output_nr = node->add_result(out);
    out->grad_fn = node;
    if (thread_state.anomaly && !node->extras().forward_trace && capture_forward_trace)
        node->extras().forward_trace = capture_forward_trace();
}

void mark_view(const Tensor& view, const Tensor& base) {
    AutogradExtra* base_extra = extra_of(base);
    view->inference = base->inference;
    if (base->inference) return;
    AutogradExtra& extra = make_extra(view);
    extra.base = base_extra && base_extra->base.defined() ? base_extra->base : base;
    extra.view_version = view.version();
    if (inference_mode())
        extra.origin = ViewOrigin::Inference;
    else if (!grad_enabled())
        extra.origin = ViewOrigin::NoGrad;
    else if (base_extra && base_extra->base.defined())
        extra.origin = base_extra->origin;
}

namespace {

[[noreturn]] void refuse_view_write(ViewOrigin origin, const Tensor& view) {
    const std::string node = node_of(view) ? std::string("Output ") + std::to_string(view->output_nr) + " of " +
                                                 node_of(view)->name() + " is a view and is being modified inplace. "
                                           : std::string("A view ");
    switch (origin) {
        case ViewOrigin::NoGrad:
            fail("A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given "
                 "that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
                 "moving both the view and the inplace either both inside the no_grad block (if you don't want the "
                 "inplace to be tracked) or both outside (if you want the inplace to be tracked).");
        case ViewOrigin::Inference:
            fail("A view was created in inference mode and is being modified inplace with grad mode enabled. Given "
                 "that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
                 "moving both the view and the inplace either both inside the inference_mode block (if you don't "
                 "want the inplace to be tracked) or both outside (if you want the inplace to be tracked).");
        case ViewOrigin::MultiOutput:
            fail(node,
                 "This view is the output of a function that returns multiple views. Such functions do not allow the "
                 "output views to be modified inplace. You should replace the inplace operation by an out-of-place "
                 "one.");
        default:
            fail(node,
                 "This view was created inside a custom Function (or because an input was returned as-is) and the "
                 "autograd logic to handle view+inplace would override the custom backward associated with the "
                 "custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by "
                 "cloning the output of the custom Function.");
    }
}

}  // namespace

void check_inplace(const Tensor& tensor, bool recorded) {
    if (tensor.storage()->read_only()) fail<ValueError>("assignment destination is read-only");
    if (tensor->inference && !inference_mode())
        fail("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
             "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.");
    if (has_internal_overlap(tensor))
        fail("unsupported operation: more than one element of the written-to tensor refers to a single memory "
             "location. Please clone() the tensor before performing the operation.");
    if (!recorded) return;
    AutogradExtra* extra = extra_of(tensor);
    const bool view = extra && extra->base.defined();
    if (view && extra->origin != ViewOrigin::Ordinary) refuse_view_write(extra->origin, tensor);
    if (tensor->requires_grad && tensor.is_leaf())
        fail("a leaf Variable that requires grad is being used in an in-place operation.");
    if (view && extra->base->requires_grad && extra->base.is_leaf())
        fail("a view of a leaf Variable that requires grad is being used in an in-place operation.");
}

namespace {

// A retained gradient belongs to the tensor, so it moves to the node that makes the tensor now.
void move_retained(const Tensor& tensor, Node* from) {
    AutogradExtra* extra = extra_of(tensor);
    if (!tensor->retains_grad || !from || !extra || !extra->retain_slot) return;
    auto& retained = from->extras().retained;
    std::erase_if(retained, [&](const auto& entry) { return entry.slot == extra->retain_slot; });
    node_of(tensor)->extras().retained.push_back({tensor->output_nr, extra->retain_slot});
}

}  // namespace

void rebase_history(const Tensor& tensor, const Ref<Node>& node) {
    AutogradExtra* extra = extra_of(tensor);
    if (!extra || !extra->base.defined()) {
        Ref<Node> before(node_of(tensor));
        tensor->grad_fn.reset();
        set_history(tensor, node);
        move_retained(tensor, before.get());
        return;
    }
    node->add_result(tensor);
    Tensor base = extra->base;
    Ref<Node> slices = tape_operations.copy_slices(base, tensor, node);
    Ref<Node> before(node_of(base));
    base->grad_fn.reset();
    set_history(base, slices);
    move_retained(base, before.get());
    grad_fn(tensor);  // the view is now taken out of the new base
}

void set_requires_grad(const Tensor& tensor, bool requires_grad) {
    if (!tensor.is_leaf()) {
        if (!requires_grad)
            fail("you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                 "in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
        return;
    }
    if (requires_grad && !tensor.is_floating()) fail("only Tensors of floating point dtype can require gradients");
    if (requires_grad && tensor->inference && !inference_mode())
        fail("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    tensor->requires_grad = requires_grad;
}

void retain_grad(const Tensor& tensor) {
    if (!tensor.requires_grad()) fail("can't retain_grad on Tensor that has requires_grad=False");
    if (tensor.is_leaf() || tensor->retains_grad) return;
    AutogradExtra& extra = make_extra(tensor);
    extra.retain_slot = make_ref<RetainSlot>();
    extra.retain_slot->tensor = tensor.impl();
    tensor->retains_grad = true;
    Ref<Node> node = grad_fn(tensor);
    node->extras().retained.push_back({tensor->output_nr, extra.retain_slot});
}

void detach_in_place(const Tensor& tensor) {
    AutogradExtra* extra = extra_of(tensor);
    if (extra && extra->base.defined()) {
        if (extra->origin == ViewOrigin::MultiOutput)
            refuse_view_write(extra->origin, tensor);
        fail("Can't detach views in-place. Use detach() instead.");
    }
    tensor->requires_grad = false;
    tensor->grad_fn.reset();
    tensor->output_nr = 0;
}

void replace_data(const Tensor& tensor, const Tensor& source) {
    if (tensor.requires_grad() && !source.is_floating())
        fail("data set to a tensor that requires gradients must be floating point or complex dtype");
    if (AutogradExtra* extra = extra_of(tensor)) extra->accumulator = nullptr;  // it knows the old shape
    tensor->storage = Storage::alias(source.storage());
    tensor->data = source->data;
    tensor->dtype = source.dtype();
    tensor->sizes = source.sizes();
    tensor->strides = source.strides();
    tensor->numel = source.numel();
    tensor->contiguous = source.is_contiguous();
}

}  // namespace tapegrad
