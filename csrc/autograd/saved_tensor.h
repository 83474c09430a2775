// A value that a backward pass will need, with the version it had when it was saved.
#pragma once

#include <cstring>
#include <type_traits>

#include "autograd/node.h"

namespace tapegrad {

// A tensor that user hooks turned into something else while it is saved.
class PackedTensor : public Counted {
public:
    virtual Tensor unpack() = 0;

    // Of what was packed: the place on the tape, and the form, on which kernels rely.
    Edge edge;
    bool leaf = false;
    DType dtype = DType::Bool;
    Ref<Shape> shape;
};

// Raises PyTorch's error for what a backward pass has let go of: the one that was called there.
[[noreturn]] void refuse_released(const Node& owner, Site released_by = 0);

// The pack and unpack hooks of a thread; see autograd.graph.saved_tensors_hooks.
class SavedTensorHooks {
public:
    virtual ~SavedTensorHooks() = default;
    virtual Ref<PackedTensor> pack(const Tensor& tensor) = 0;
};

// Small, because most nodes have one or two: a tagged pointer to what is kept, and the version it had.
class SavedTensor {
public:
    SavedTensor() noexcept = default;
    SavedTensor(const Tensor& tensor, bool is_result) { save(tensor, is_result); }
    // Into a place that holds nothing. (Assigning a new one is slower: it is read as a whole right after its
    // parts are written, for which the processor waits.)
    // is_result: the tensor is a result of the very node that saves it, registered there already. It is
    // kept without its place on the tape, which would make a cycle.
    void save(const Tensor& tensor, bool is_result) {
        if (!tensor.defined()) return;
        version_ = tensor.version();
        is_result_ = is_result;
        result_nr_ = tensor->output_nr;
        if (tensor->inference || thread_state.saved_tensor_hooks) [[unlikely]]
            save_unusual(tensor);
        else if (!is_result) keep(Kind::Whole, tensor.impl());
        else if (tensor.is_contiguous() && tensor->data == tensor.storage()->data())
            keep(Kind::Memory, tensor.storage().get());
        else keep(Kind::Whole, alias(tensor).impl());
    }
    // Only the sizes and the type of a tensor: no values, nothing to release, no hooks.
    void save_shape(const Tensor& tensor) {
        result_nr_ = static_cast<uint32_t>(tensor.dtype());
        keep(Kind::Shape, tensor.shape().get());
    }
    SavedTensor(SavedTensor&& other) noexcept { take(other); }
    SavedTensor& operator=(SavedTensor&& other) noexcept {
        if (this != &other) {
            drop();
            take(other);
        }
        return *this;
    }
    ~SavedTensor() { drop(); }

    // The saved tensor with its place on the tape. Raises if it was released or overwritten. owner is
    // the node that saved it. Where only a shape is kept, a tensor without memory.
    Tensor unpack(const Node& owner) const;
    // Only the values, for fused kernels: cheaper than unpack.
    Tensor values(const Node& owner) const {
        if (kind_ == Kind::Whole && version_ == whole_->storage->version()) [[likely]]
            return Tensor(whole_);
        return other_values(owner);
    }
    // The values as they lie in memory, where they are contiguous, unchanged, and of the same type and
    // number as those of a gradient of the owner's only result; null otherwise.
    const char* plain_values(const Tensor& grad) const noexcept {
        if (kind_ == Kind::Whole) {
            const bool plain = whole_->shape->contiguous && whole_->dtype == grad.dtype() &&
                               whole_->shape->numel == grad.numel() &&
                               version_ == whole_->storage->version();
            return plain ? whole_->data : nullptr;
        }
        return kind_ == Kind::Memory && version_ == memory_->version() ? memory_->data() : nullptr;
    }
    bool defined() const noexcept { return kind_ != Kind::Nothing; }
    // Whether hooks give the value, which they do once in a run.
    bool is_packed() const noexcept { return kind_ == Kind::Packed; }
    // The memory of what is kept, if it is kept as it is.
    const Storage* storage() const noexcept {
        return kind_ == Kind::Whole    ? whole_->storage.get()
               : kind_ == Kind::Memory ? memory_
                                       : nullptr;
    }
    // Where only a shape is kept; null otherwise.
    const Shape* shape() const noexcept { return kind_ == Kind::Shape ? shape_ : nullptr; }
    void release() noexcept {
        if (kind_ == Kind::Nothing || kind_ == Kind::Shape) return;
        drop();
        kind_ = Kind::Released;
        version_ = thread_state.backward_site;
    }
    // Hooks for this one value, set through the node's _raw_saved_* attribute.
    void register_hooks(SavedTensorHooks& hooks, const Node& owner);

private:
    enum class Kind : uint8_t {
        Nothing,
        Released,  // from here on there is something to let go of
        Whole,     // a tensor
        Memory,  // of a result that fills its storage; what else it needs is in the owner's results
        Packed,  // what hooks made of it
        Shape,   // no values; the type is in result_nr_
    };

    template <class T> void keep(Kind kind, T* object) noexcept {
        kind_ = kind;
        object->retain();
        if constexpr (std::is_same_v<T, TensorImpl>) whole_ = object;
        else if constexpr (std::is_same_v<T, Storage>) memory_ = object;
        else if constexpr (std::is_same_v<T, Shape>) shape_ = object;
        else packed_ = object;
    }
    void take(SavedTensor& other) noexcept {
        std::memcpy(static_cast<void*>(this), &other, sizeof *this);
        other.kind_ = Kind::Nothing;
    }
    void drop() noexcept {
        if (kind_ > Kind::Released) let_go();
    }
    void let_go() noexcept;
    void save_unusual(const Tensor& tensor);
    void pack(SavedTensorHooks& hooks, const Tensor& original);
    void check_unchanged(const Node& owner, const Tensor& tensor) const;
    Tensor stored(const Node& owner) const;
    Tensor other_values(const Node& owner) const;

    union {
        TensorImpl* whole_ = nullptr;
        Storage* memory_;
        PackedTensor* packed_;
        Shape* shape_;
    };
    uint32_t version_ = 0;         // or the site of the backward pass that let go of the value
    uint32_t result_nr_ : 24 = 0;  // a function has fewer than 16 million results
    uint32_t is_result_ : 1 = false;
    Kind kind_ : 7 = Kind::Nothing;
};
static_assert(sizeof(SavedTensor) == 16);

}  // namespace tapegrad
