// A value that a backward pass will need, with the version it had when it was saved.
#pragma once

#include "autograd/node.h"

namespace tapegrad {

// A tensor that user hooks turned into something else while it is saved.
class PackedTensor : public Counted {
public:
    virtual Tensor unpack() = 0;

    Edge edge;  // the place on the tape of what was packed
    bool leaf = false;
};

// Raises PyTorch's error for what a backward pass has let go of.
[[noreturn]] void refuse_released();

// The pack and unpack hooks of a thread; see autograd.graph.saved_tensors_hooks.
class SavedTensorHooks {
public:
    virtual ~SavedTensorHooks() = default;
    virtual Ref<PackedTensor> pack(const Tensor& tensor) = 0;
};
class SavedTensor {
public:
    SavedTensor() noexcept = default;
    // is_result: the tensor is a result of the very node that saves it. Its data is kept without its
    // place on the tape, which would make a cycle.
    SavedTensor(const Tensor& tensor, bool is_result);

    // The saved tensor with its place on the tape. Raises if it was released or overwritten.
    Tensor unpack(const Node* owner) const;
    // Only the values, for fused kernels: cheaper than unpack.
    const Tensor& values(const Node* owner, Tensor& holder) const {
        if (tensor_.defined() && version_ == tensor_.version()) [[likely]]
            return tensor_;
        holder = unpack(owner);
        return holder;
    }
    bool defined() const noexcept { return saved_; }
    void release() noexcept {
        tensor_.reset();
        packed_.reset();
        released_ = saved_;
    }
    // Hooks for this one value, set through the node's _raw_saved_* attribute.
    void register_hooks(SavedTensorHooks& hooks);

private:
    void pack(SavedTensorHooks& hooks, const Tensor& original);

    Tensor tensor_;
    Ref<PackedTensor> packed_;
    uint32_t version_ = 0;
    uint32_t result_nr_ = 0;
    bool saved_ = false;
    bool released_ = false;
    bool is_result_ = false;
};

}  // namespace tapegrad
