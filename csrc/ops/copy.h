// Copies and conversions.
#pragma once

#include <initializer_list>

#include "ops/arg.h"

namespace tapegrad {

// Fresh memory for the result of an element-wise operation. Its dimensions lie in memory in the order
// that those of the operands have (numbers: null), the first ones first, as in PyTorch.
Tensor empty_in_order(const Dims& sizes, DType dtype,
                      std::initializer_list<const Tensor*> operands);
inline Tensor empty_result(const Dims& sizes, DType dtype, const Tensor& x) {
    return x.is_contiguous() ? empty(sizes, dtype) : empty_in_order(sizes, dtype, {&x});
}
inline Tensor empty_result(const Dims& sizes, DType dtype, const Arg& a, const Arg& b) {
    const Tensor* first = a.is_tensor() ? &a.tensor() : nullptr;
    const Tensor* second = b.is_tensor() ? &b.tensor() : nullptr;
    if ((!first || first->is_contiguous()) && (!second || second->is_contiguous())) [[likely]]
        return empty(sizes, dtype);
    return empty_in_order(sizes, dtype, {first, second});
}

// out[...] = x, broadcast and converted; no tape, no checks of shape.
void copy_values(const Tensor& out, const Tensor& x);
// x itself if it is contiguous, else a contiguous copy; no tape.
Tensor contiguous_values(const Tensor& x);
// The same in a dtype, of a tensor or a number.
Tensor contiguous_values(const Arg& arg, DType dtype);
// The same of an argument that may be left out, and its memory.
inline Tensor values_or_none(const Tensor& x) {
    return x.defined() ? contiguous_values(x) : Tensor();
}
inline void* data_or_null(const Tensor& x) { return x.defined() ? x.data() : nullptr; }
// x itself if it has the dtype, else a converted copy; no tape.
Tensor cast_values(const Tensor& x, DType dtype);
void fill_values(const Tensor& out, const Scalar& value);

// Fresh memory that takes the values of x, recorded as a node of the given name.
Tensor copy_into(const Tensor& out, const Tensor& x, const char* node);
Tensor clone(const Tensor& x);  // with the order of dimensions that x has
Tensor contiguous_clone(const Tensor& x);
Tensor contiguous(const Tensor& x);
Tensor to_dtype(const Tensor& x, DType dtype);
const Tensor& copy_(const Tensor& self, const Tensor& source);
const Tensor& fill_(const Tensor& self, const Arg& value);
const Tensor& zero_(const Tensor& self);
Tensor zeros(const Dims& sizes, DType dtype);
Tensor zeros_like(const Tensor& x);
Tensor full(const Dims& sizes, const Scalar& value, DType dtype);
Tensor scalar_tensor(const Scalar& value, DType dtype);

}  // namespace tapegrad
