// A tensor's place on the tape: gradient edges, views and in-place changes.
#pragma once

#include "autograd/block_program.h"
#include "autograd/grad_mode.h"
#include "autograd/node.h"

namespace tapegrad {

// How a view came to be, where that forbids writing into it.
enum class ViewOrigin : uint8_t { Ordinary, NoGrad, Inference, MultiOutput, CustomFunction };

// In anomaly mode: where the operation was called.
void keep_forward_trace(Node& node);

// What only some tensors have.
struct AutogradExtra final : Counted {
    // Leaves: the node that adds to .grad, while the graph holds one; it keeps the tensor, not the reverse.
    Node* accumulator = nullptr;
    // The one from before the leaf got another shape, while a graph holds it.
    Node* former_accumulator = nullptr;
    Ref<Node> lent_accumulator;  // another leaf's, for a tensor that stands in for that leaf
    bool accumulator_parked =
        false;                  // no graph holds it: it is this leaf's own until one does again
    Ref<TensorHook> leaf_hook;  // of what is or may become a leaf; its node calls it
    Ref<AccumulateHook> accumulate_hook;
    Ref<RetainSlot> retain_slot;
    // Views: the tensor that owns the memory (never itself a view), and the version of the base that
    // this view's grad_fn belongs to.
    Tensor base;
    uint32_t view_version = 0;
    ViewOrigin origin = ViewOrigin::Ordinary;
    // A leaf made in inference mode that gets gradients where it meets other tensors; alone it is not
    // recorded, so its requires_grad says no.
    bool inference_leaf = false;
    // What explain() tells of a leaf: its number in the ledger of cuts, the backward pass that brought a
    // gradient last, and where .grad was cleared last.
    uint64_t ledger_number = 0;
    uint64_t latest_run = 0;
    Site cleared_at = 0;
    // Nodes with a smaller sequence number have saved the tensor with the history that it lost.
    uint64_t detached_at = 0;
    ~AutogradExtra() override;
    void forget_accumulator() noexcept;
    // The leaf gets another shape: what is recorded from now on needs another one.
    void retire_accumulator() noexcept;
};

inline AutogradExtra* extra_of(const Tensor& tensor) noexcept {
    return static_cast<AutogradExtra*>(tensor->autograd_extra.get());
}
AutogradExtra& make_extra(const Tensor& tensor);

inline bool is_view(const Tensor& tensor) noexcept {
    AutogradExtra* extra = extra_of(tensor);
    return extra && extra->base.defined();
}

// Whether gradients of the tensor itself are asked for, as users see it.
inline bool wants_gradient(const Tensor& tensor) noexcept {
    return tensor.requires_grad() || (extra_of(tensor) && extra_of(tensor)->inference_leaf);
}

inline Node* node_of(const Tensor& tensor) noexcept {
    return static_cast<Node*>(tensor->grad_fn.get());
}

// The node behind the tensor, brought up to date where the base of a view was written to.
Ref<Node> grad_fn(const Tensor& tensor);
// Hooks on the gradient of a leaf.
void set_leaf_hook(const Tensor& leaf, const Ref<TensorHook>& hook);
// The node of a leaf that adds to its .grad: one per leaf.
Ref<Node> gradient_accumulator(const Tensor& leaf);
// Where the gradient of the tensor goes; an empty edge if nowhere.
inline Edge gradient_edge(const Tensor& tensor) {
    Edge edge;
    const AutogradExtra* extra = extra_of(tensor);
    if (extra && extra->base.defined()) edge.node = grad_fn(tensor);
    else if (Node* node = node_of(tensor)) edge.node = Ref<Node>(node);
    if (edge.node) edge.nr = tensor->output_nr;
    else if (tensor->requires_grad || (extra && extra->inference_leaf))
        edge.node = gradient_accumulator(tensor);
    return edge;
}

// Where a backward pass looks for the gradient of the tensor: in a graph from before it got another shape, as
// long as it has no place in another one.
Edge sought_edge(const Tensor& tensor);

// Tells who watches the thread's writes (allow_mutation_on_saved_tensors) of one; check_inplace does, and so does
// an operation in place that has saved an operand since, which may lie in the same memory.
inline void announce_write(const Tensor& tensor) {
    if (thread_state.write_watch) [[unlikely]]
        thread_state.write_watch->about_to_write(tensor);
}

// Of a tensor that an operation takes in a no_grad block of the user's: if it has a place on the tape, the
// ledger of cuts says that it ends there.
void note_unrecorded(const Tensor& tensor) noexcept;

// Whether an operation on these is to be recorded.
template <class... Tensors> bool recording(const Tensors&... tensors) noexcept {
    if (grad_enabled()) [[likely]]
        return (tensors.requires_grad() || ...);
    if (thread_state.cuts_to_note) [[unlikely]]
        (note_unrecorded(tensors), ...);
    return false;
}

// Makes out a result of node.
inline void set_history(const Tensor& out, const Ref<Node>& node) {
    out->output_nr = node->add_result(out);
    out->grad_fn = node;
    if (thread_state.anomaly) [[unlikely]]
        keep_forward_trace(*node);
}

// Declares view a view of base's memory that gradients pass through.
void mark_view(const Tensor& view, const Tensor& base);

// Raises unless tensor may be written in place; recorded says that the change will be recorded.
void check_inplace(const Tensor& tensor, bool recorded);
// After a change in place: the tensor (and, for a view, its base) is a result of node. The caller has
// made the change and bumped the version.
void rebase_history(const Tensor& tensor, const Ref<Node>& node);

// Makes the tensor show another window of its memory, as a result of node where that is recorded.
void change_window(const Tensor& tensor, const Tensor& window, const Ref<Node>& node);

void set_requires_grad(const Tensor& tensor, bool requires_grad);
void retain_grad(const Tensor& tensor);
void detach_in_place(const Tensor& tensor);
// Gives the tensor another tensor's memory, shape and type; its place on the tape stays.
void replace_data(const Tensor& tensor, const Tensor& source);

// The tensor operations that the tape itself needs; the operators provide them at start-up.
struct TapeOperations {
    Tensor (*add)(const Tensor&, const Tensor&);
    void (*add_in_place)(const Tensor& into, const Tensor& grad);
    BlockProgram::Kernel (*add_kernel)(DType dtype);
    Tensor (*sum_to)(const Tensor&, const Dims& sizes);
    Tensor (*cast)(const Tensor&, DType dtype);
    Tensor (*clone_like)(const Tensor& grad, const Tensor& variable);
    Tensor (*ones_like)(const Tensor&);
    Tensor (*full)(const Dims& sizes, const Scalar& value, DType dtype);
    Tensor (*expand)(const Tensor&, const Dims& sizes);
    Tensor (*sum_of_products)(const Tensor&, const Tensor&);
    bool (*has_nan)(const Tensor&);
    // The node of a base that was written through a view: node is that of the writing.
    Ref<Node> (*copy_slices)(const Tensor& base, const Tensor& view, const Ref<Node>& node);
    // The node that takes a view's window out of its base.
    Ref<Node> (*as_strided_node)(const Tensor& base, const Tensor& view);
};
extern TapeOperations tape_operations;

}  // namespace tapegrad
