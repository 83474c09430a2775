// An operand as users write it: a tensor, or a number that stays a number.
#pragma once

#include "core/scalar.h"
#include "core/tensor.h"

namespace tapegrad {

class Arg {
public:
    Arg(const Tensor& tensor) noexcept : tensor_(&tensor), scalar_(0) {}
    Arg(Scalar scalar) noexcept : scalar_(scalar) {}
    Arg(int value) noexcept : scalar_(value) {}
    Arg(int64_t value) noexcept : scalar_(value) {}
    Arg(double value) noexcept : scalar_(value) {}

    bool is_tensor() const noexcept { return tensor_ != nullptr; }
    const Tensor& tensor() const noexcept { return *tensor_; }
    const Scalar& scalar() const noexcept { return scalar_; }
    bool requires_grad() const noexcept { return tensor_ && tensor_->requires_grad(); }

private:
    const Tensor* tensor_ = nullptr;
    Scalar scalar_;
};

// The type of a op b: tensors with dimensions count before 0-d tensors, and these before numbers; among
// equals the higher category and then the wider type wins.
DType result_type(const Arg& a, const Arg& b);
// In a comparison with other, what arg stands for: above all integers and bools are those beyond int64, as
// infinity is.
Arg comparable(const Arg& arg, const Arg& other);
// The type in which both are compared: an integer that the tensor's type does not hold is still smaller or
// larger than its values.
DType comparison_type(const Arg& a, const Arg& b);
// Whether a value of type from may be stored in place in one of type to.
bool can_cast(DType from, DType to) noexcept;

// A number, or the value of a tensor of one element.
Scalar to_number(const Arg& arg);

}  // namespace tapegrad
