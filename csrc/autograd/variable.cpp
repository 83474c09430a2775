#include "autograd/variable.h"

#include "autograd/accumulate_grad.h"

namespace tapegrad {

TapeOperations tape_operations{};

AutogradExtra::~AutogradExtra() {
    if (retain_slot) retain_slot->tensor = nullptr;
    forget_accumulator();
}

void AutogradExtra::forget_accumulator() noexcept {
    if (accumulator_parked) AccumulateGrad::discard(static_cast<AccumulateGrad*>(accumulator));
    accumulator = nullptr;
    accumulator_parked = false;
}

void AutogradExtra::retire_accumulator() noexcept {
    // The last one that a graph leads to.
    const bool unused = !accumulator || accumulator_parked || lent_accumulator;
    Node* former = unused ? former_accumulator : accumulator;
    forget_accumulator();
    former_accumulator = former;
}

AutogradExtra& make_extra(const Tensor& tensor) {
    if (!tensor->autograd_extra) tensor->autograd_extra = make_ref<AutogradExtra>();
    return *extra_of(tensor);
}

bool Tensor::base_requires_grad(const TensorImpl& view) noexcept {
    const auto& extra = static_cast<const AutogradExtra&>(*view.autograd_extra);
    return extra.base.defined() && extra.base.requires_grad();
}

// Whether the base was written to since the view was made, and asks for gradients now.
bool Tensor::joins_base(const TensorImpl& view) noexcept {
    const auto& extra = static_cast<const AutogradExtra&>(*view.autograd_extra);
    return base_requires_grad(view) && extra.view_version != view.storage->version();
}

namespace {

// Fails because of a view.
template <class... Parts> [[noreturn]] void refuse(const Tensor& view, const Parts&... parts) {
    Error error(text(parts...));
    if (const Node* node = node_of(view); node && node->site)
        error.notes = {"the view was made by " + node->place()};
    throw error;
}

// Refuses to write into a view that does not allow it, or to use one after such a write elsewhere.
[[noreturn]] void refuse_view(const AutogradExtra& extra, const Tensor& view, bool indirect) {
    const char* change = indirect ? "its base or another view of its base has been" : "is being";
    const Node* node = node_of(view);
    std::string message;
    if (node) message = text("Output ", view->output_nr, " of ", node->operation(), " is a view ");
    const bool inference = extra.origin == ViewOrigin::Inference;
    if (inference || extra.origin == ViewOrigin::NoGrad || !node)
        message +=
            text(node ? "of a view which was created in " : "A view was created in ",
                 inference ? "inference mode and " : "no_grad mode and ", change,
                 " modified inplace ", inference ? "in normal mode." : "with grad mode enabled.");
    else message += text("and ", change, " modified inplace.");
    switch (extra.origin) {
        case ViewOrigin::NoGrad:
        case ViewOrigin::Inference: {
            const char* mode = inference ? "inference_mode" : "no_grad";
            refuse(
                view, message,
                " Given that this use case is ambiguous and error-prone, it is forbidden. You can "
                "clarify your code by moving both the view and the inplace either both inside the ",
                mode,
                " block (if you don't want the inplace to be tracked) or both outside (if you want "
                "the inplace to be tracked).");
        }
        case ViewOrigin::MultiOutput:
            refuse(view, message,
                   " This view is the output of a function that returns multiple views. Such "
                   "functions do not allow the output views to be modified inplace. You should "
                   "replace the inplace operation by an out-of-place one.");
        default:
            refuse(
                view, message,
                " This view was created inside a custom Function (or because an input was "
                "returned as-is) and the autograd logic to handle view+inplace would override the "
                "custom backward associated with the custom Function, leading to incorrect "
                "gradients. This behavior is forbidden. You can fix this by cloning the output of "
                "the custom Function.");
    }
}

// A retained gradient belongs to the tensor, so it moves to the node that makes the tensor now.
void move_retained(const Tensor& tensor, Node* from, uint32_t nr) {
    AutogradExtra* extra = extra_of(tensor);
    if (!tensor->retains_grad || !from || !extra || !extra->retain_slot) return;
    auto& retained = from->extras().retained;
    if (std::erase_if(retained, [&](const auto& entry) {
            return entry.slot == extra->retain_slot && entry.nr == nr;
        }))
        node_of(tensor)->extras().retained.push_back({tensor->output_nr, extra->retain_slot});
}

// Makes tensor a result of node instead of what it was.
void replace_history(const Tensor& tensor, const Ref<Node>& node) {
    const Ref<Node> before(node_of(tensor));
    const uint32_t nr = tensor->output_nr;
    tensor->grad_fn.reset();
    set_history(tensor, node);
    move_retained(tensor, before.get(), nr);
}

// The view is its window taken out of the base as the base is now.
void take_out_of_base(const Tensor& view, AutogradExtra& extra) {
    extra.view_version = view.version();
    GradMode record(true);
    replace_history(view, tape_operations.as_strided_node(extra.base, view));
}

// Brings a view up to date whose base was written to, perhaps through another view.
void refresh_view(const Tensor& view, AutogradExtra& extra) {
    if (extra.view_version == view.version() || (!view->grad_fn && !extra.base.requires_grad()))
        return;
    if (extra.origin != ViewOrigin::Ordinary) refuse_view(extra, view, true);
    take_out_of_base(view, extra);
}

}  // namespace

Ref<Node> grad_fn(const Tensor& tensor) {
    AutogradExtra* extra = extra_of(tensor);
    if (extra && extra->base.defined() && !tensor->inference) refresh_view(tensor, *extra);
    return Ref<Node>(node_of(tensor));
}

Ref<Node> gradient_accumulator(const Tensor& leaf) {
    AutogradExtra& extra = make_extra(leaf);
    if (extra.accumulator && !extra.accumulator_parked) return Ref<Node>(extra.accumulator);
    if (extra.accumulator) static_cast<AccumulateGrad*>(extra.accumulator)->unpark(leaf);
    else extra.accumulator = new AccumulateGrad(leaf);
    extra.accumulator_parked = false;
    Ref<Node> node(extra.accumulator);
    if (extra.leaf_hook) node->extras().result_hooks.push_back({0, extra.leaf_hook});
    return node;
}

Edge sought_edge(const Tensor& tensor) {
    const AutogradExtra* extra = extra_of(tensor);
    if (!node_of(tensor) && extra && !extra->accumulator && extra->former_accumulator)
        return {Ref<Node>(extra->former_accumulator)};
    return gradient_edge(tensor);
}

void set_leaf_hook(const Tensor& leaf, const Ref<TensorHook>& hook) {
    AutogradExtra& extra = make_extra(leaf);
    extra.leaf_hook = hook;
    if (extra.accumulator && !extra.accumulator_parked && !extra.lent_accumulator)
        extra.accumulator->extras().result_hooks.push_back({0, hook});
}

void keep_forward_trace(Node& node) {
    if (!node.extras().forward_trace && capture_forward_trace)
        node.extras().forward_trace = capture_forward_trace();
}

void mark_view(const Tensor& view, const Tensor& base) {
    AutogradExtra* base_extra = extra_of(base);
    view->inference = base->inference;
    if (base->inference) return;
    AutogradExtra& extra = make_extra(view);
    extra.base = base_extra && base_extra->base.defined() ? base_extra->base : base;
    extra.view_version = view.version();
    const ViewOrigin inherited =
        base_extra && base_extra->base.defined() ? base_extra->origin : ViewOrigin::Ordinary;
    if (inference_mode() || inherited == ViewOrigin::Inference)
        extra.origin = ViewOrigin::Inference;
    else extra.origin = grad_enabled() ? inherited : ViewOrigin::NoGrad;
}

void check_inplace(const Tensor& tensor, bool recorded) {
    if (tensor.storage()->read_only()) fail<ValueError>("assignment destination is read-only");
    if (tensor->inference && !inference_mode())
        fail(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make "
            "a clone to get a normal tensor before doing inplace update.See "
            "https://github.com/pytorch/rfcs/pull/17 for more details.");
    if (recorded) {
        AutogradExtra* extra = extra_of(tensor);
        if (extra && extra->base.defined()) {
            if (extra->origin != ViewOrigin::Ordinary) refuse_view(*extra, tensor, false);
            if (tensor.requires_grad() && extra->base.is_leaf())
                refuse(tensor,
                       "a view of a leaf Variable that requires grad is being used in an in-place "
                       "operation.");
        }
        if (tensor.requires_grad() && tensor.is_leaf())
            fail("a leaf Variable that requires grad is being used in an in-place operation.");
    }
    announce_write(tensor);
}

void rebase_history(const Tensor& tensor, const Ref<Node>& node) {
    AutogradExtra* extra = extra_of(tensor);
    if (!extra || !extra->base.defined()) {
        replace_history(tensor, node);
        return;
    }
    node->add_result(tensor);
    Tensor base = extra->base;
    Ref<Node> slices = tape_operations.copy_slices(base, tensor, node);
    replace_history(base, slices);
    take_out_of_base(tensor, *extra);
}

void change_window(const Tensor& tensor, const Tensor& window, const Ref<Node>& node) {
    AutogradExtra* extra = extra_of(tensor);
    if (extra) extra->retire_accumulator();
    tensor->data = window->data;
    tensor->shape = window.shape();
    tensor.bump_version();
    if (!node) return;
    replace_history(tensor, node);
    if (extra) extra->view_version = tensor.version();  // the base holds what it held before
}

void set_requires_grad(const Tensor& tensor, bool requires_grad) {
    if (tensor->grad_fn) {
        if (!requires_grad)
            fail(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach().");
        return;
    }
    if (requires_grad && !tensor.is_floating())
        fail("only Tensors of floating point dtype can require gradients");
    if (requires_grad && tensor->inference && !inference_mode())
        fail(
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    if (tensor->inference) make_extra(tensor).inference_leaf = requires_grad;
    else tensor->requires_grad = requires_grad;
}

void retain_grad(const Tensor& tensor) {
    if (!wants_gradient(tensor)) fail("can't retain_grad on Tensor that has requires_grad=False");
    if (tensor->retains_grad) return;
    const AutogradExtra* known = extra_of(tensor);
    if (!tensor->grad_fn && known && known->origin != ViewOrigin::Ordinary)
        return;  // as good as a leaf
    Ref<Node> node = grad_fn(tensor);
    if (!node) return;
    AutogradExtra& extra = make_extra(tensor);
    extra.retain_slot = make_ref<RetainSlot>();
    extra.retain_slot->tensor = tensor.impl();
    tensor->retains_grad = true;
    node->extras().retained.push_back({tensor->output_nr, extra.retain_slot});
}

void detach_in_place(const Tensor& tensor) {
    AutogradExtra* extra = extra_of(tensor);
    if (inference_mode()) return;
    if (extra && extra->base.defined()) fail("Can't detach views in-place. Use detach() instead.");
    if (const Node* node = node_of(tensor)) {
        make_extra(tensor).detached_at = Node::next_sequence;
        // Values that are read without their place on the tape are refused where nobody else has them.
        if (tensor.storage()->use_count() == 1) tensor.storage()->start_generation();
        // Hooks belong to the tensor: they come along when it starts a graph of its own.
        if (node->extras_)
            for (const auto& entry : node->extras_->result_hooks)
                if (entry.nr == tensor->output_nr) make_extra(tensor).leaf_hook = entry.hook;
    }
    tensor->requires_grad = false;
    tensor->grad_fn.reset();
    tensor->output_nr = 0;
}

void replace_data(const Tensor& tensor, const Tensor& source) {
    if (tensor->inference) fail("Inference tensors do not track version counter.");
    if (tensor.requires_grad() && !source.is_floating())
        fail(
            "data set to a tensor that requires gradients must be floating point or complex dtype");
    const bool alike =
        tensor.dtype() == source.dtype() && same_sizes(tensor.shape(), source.shape());
    // What adds up gradients of another form is not for this one.
    if (AutogradExtra* extra = extra_of(tensor); extra && !alike) extra->retire_accumulator();
    if (tensor.storage() != source.storage() || !alike)
        tensor->storage = Storage::alias(source.storage(), tensor.version());
    if (!alike) tensor.storage()->start_generation();  // what was saved of it has another form
    tensor->data = source->data;
    tensor->dtype = source.dtype();
    tensor->shape = source.shape();
}

}  // namespace tapegrad
