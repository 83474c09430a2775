// What the element-wise operators share: operands brought to one type, shapes, and writing in place.
#pragma once

#include "kernels/elementwise_driver.h"
#include "ops/arg.h"
#include "ops/copy.h"

namespace tapegrad {

kernels::Operand constant_operand(const Scalar& value, DType dtype);

// The dtype in which operands are combined to one of dtype: float32 for a half precision type, unless all are
// of it. A number is more exact than such a type, and may be beyond it.
DType exact_type(DType dtype, const Arg& a, const Arg& b);

// An operand brought to the dtype of the computation.
struct Prepared {
    Tensor holder;
    kernels::Operand operand;
    Prepared(const Arg& arg, DType dtype)
        : operand(arg.is_tensor() ? kernels::Operand(convert(arg.tensor(), dtype))
                                  : constant_operand(arg.scalar(), dtype)) {}
    Prepared(const Prepared&) = delete;

private:
    const Tensor& convert(const Tensor& tensor, DType dtype) {
        if (tensor.dtype() == dtype) return tensor;
        holder = cast_values(tensor, dtype);
        return holder;
    }
};

using formulas::Domain;

// The type that a and b are computed in.
DType compute_type(const Arg& a, const Arg& b, Domain domain);
Dims broadcast_shape(const Arg& a, const Arg& b);
// Integers have no infinity to divide by zero into.
// Raises where a number, or the one element of a tensor, does not fit into the type.
void check_value(const Arg& number, DType dtype);

void check_divisor(const Arg& divisor, DType dtype);

// The result of an in-place operation has the shape and the type of the tensor that it is written to.
void check_in_place_result(const Tensor& a, const Dims& shape, DType computed);
// What PyTorch refuses; other overlaps are resolved by a copy.
void refuse_overlaps(const Tensor& a, const Arg& b);
// a = kernel(a, b) in place.
void apply_in_place(kernels::BlockFn kernel, const Tensor& a, const Arg& b, DType computed,
                    kernels::Cost cost);

// out = a where the condition is true, else b; all of out's type, and nothing is recorded.
void fill_where(const Tensor& out, const Tensor& condition, const kernels::Operand& a,
                const kernels::Operand& b);

}  // namespace tapegrad
