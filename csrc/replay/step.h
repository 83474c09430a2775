// One step of a recorded program: a function with its arguments, and where these point.
#pragma once

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/tensor.h"

namespace tapegrad::replay {

// Is shown every pointer to the elements of tensors among the arguments of a step, in an order that does
// not change. It may write another address there.
class PointerVisitor {
public:
    virtual void reads(const void** pointer) = 0;
    virtual void writes(void** pointer) = 0;

protected:
    ~PointerVisitor() = default;
};

// A tensor among the arguments. What is kept of it in a program is its layout, with memory of the program's.
template <bool kWritten> class TensorArgument {
public:
    explicit TensorArgument(const Tensor& tensor) : tensor_(tensor) {}
    TensorArgument(const TensorArgument& other) : tensor_(without_memory(other.tensor_)) {}
    TensorArgument& operator=(const TensorArgument&) = delete;

    operator const Tensor&() const noexcept { return tensor_; }
    void visit_pointers(PointerVisitor& visitor) {
        if (!tensor_.defined() || tensor_.numel() == 0) return;
        if constexpr (kWritten) visitor.writes(reinterpret_cast<void**>(&tensor_->data));
        else visitor.reads(const_cast<const void**>(reinterpret_cast<void**>(&tensor_->data)));
    }

private:
    static Tensor without_memory(const Tensor& tensor) {
        if (!tensor.defined()) return {};
        return Tensor(new TensorImpl(
            tensor.shape(), tensor.dtype(),
            Storage::borrow(nullptr, 0, nullptr, [](void*) {}, false), tensor->data));
    }

    Tensor tensor_;
};
using Reads = TensorArgument<false>;
using Writes = TensorArgument<true>;

template <class T> void visit_pointers(PointerVisitor& visitor, T& argument) {
    if constexpr (std::is_pointer_v<T>) {
        using Target = std::remove_pointer_t<T>;
        if constexpr (std::is_function_v<Target>) return;
        else if constexpr (std::is_const_v<Target>)
            visitor.reads(const_cast<const void**>(reinterpret_cast<void const**>(&argument)));
        else visitor.writes(reinterpret_cast<void**>(&argument));
    } else if constexpr (requires { argument.visit_pointers(visitor); }) {
        argument.visit_pointers(visitor);
    }
}

class ElementwiseStep;
class TotalStep;

class Step {
public:
    virtual ~Step() = default;
    virtual void run() = 0;
    virtual std::unique_ptr<Step> clone() const = 0;
    virtual void visit_pointers(PointerVisitor& visitor) = 0;
    // Whether it does more than to write memory that it points to: such a step is never left out.
    virtual bool has_effects() const { return false; }
    virtual const ElementwiseStep* as_elementwise() const { return nullptr; }
    virtual const TotalStep* as_total() const { return nullptr; }
};

template <class F, class... Arguments> class Launch final : public Step {
public:
    explicit Launch(F f, const Arguments&... arguments)
        : f_(std::move(f)),
          arguments_(arguments...) {}

    void run() override { std::apply(f_, arguments_); }
    // Compiled for size: a program is made once.
    [[gnu::cold]] std::unique_ptr<Step> clone() const override {
        return std::make_unique<Launch>(*this);
    }
    [[gnu::cold]] void visit_pointers(PointerVisitor& visitor) override {
        replay::visit_pointers(visitor, f_);
        std::apply([&](auto&... arguments) { (replay::visit_pointers(visitor, arguments), ...); },
                   arguments_);
    }
    bool has_effects() const override {
        if constexpr (requires { F::kHasEffects; }) return F::kHasEffects;
        else return false;
    }

private:
    F f_;
    std::tuple<Arguments...> arguments_;
};

}  // namespace tapegrad::replay
