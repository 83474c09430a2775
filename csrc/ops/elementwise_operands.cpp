#include "ops/elementwise_operands.h"

#include "autograd/grad_mode.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "replay/recorder.h"

namespace tapegrad {

using kernels::BlockFn;
using kernels::Cost;
using kernels::Operand;

Operand constant_operand(const Scalar& value, DType dtype) {
    return visit_dtype(dtype, [&]<class T>() { return Operand::constant<T>(value.wrapped<T>()); });
}

DType compute_type(const Arg& a, const Arg& b, Domain domain) {
    if (a.is_tensor() && b.is_tensor() && a.tensor().dtype() == b.tensor().dtype() &&
        a.tensor().is_floating())
        return a.tensor().dtype();
    const DType dtype = result_type(a, b);
    return domain == Domain::Floats && !is_floating(dtype) ? default_float_type : dtype;
}

DType exact_type(DType dtype, const Arg& a, const Arg& b) {
    const auto has_it = [=](const Arg& arg) {
        return arg.is_tensor() && arg.tensor().dtype() == dtype;
    };
    return is_half(dtype) && !(has_it(a) && has_it(b)) ? wide_of(dtype) : dtype;
}

Dims broadcast_shape(const Arg& a, const Arg& b) {
    if (!a.is_tensor()) return b.tensor().sizes();
    if (!b.is_tensor()) return a.tensor().sizes();
    return broadcast(a.tensor().sizes(), b.tensor().sizes());
}

void check_divisor(const Arg& divisor, DType dtype) {
    if (is_floating(dtype)) return;
    const auto refuse = [] { fail("ZeroDivisionError"); };
    if (divisor.is_tensor()) return require_all(divisor.tensor(), refuse);
    visit_dtype(dtype, [&]<class T>() {
        if (divisor.scalar().wrapped<T>() == T(0)) refuse();
    });
}

void check_value(const Arg& number, DType dtype) {
    if (!number.is_tensor()) return check_convertible(number.scalar(), dtype);
    launch(checking([dtype](const Tensor& x) { check_convertible(to_number(x), dtype); }),
           reads(number.tensor()));
}

void check_in_place_result(const Tensor& a, const Dims& shape, DType computed) {
    if (!(shape == a.sizes()))
        fail("output with shape ", to_string(a.sizes()), " doesn't match the broadcast shape ",
             to_string(shape));
    if (!can_cast(computed, a.dtype()))
        fail("result type ", scalar_type_name(computed),
             " can't be cast to the desired output type ", scalar_type_name(a.dtype()));
}

void refuse_overlaps(const Tensor& a, const Arg& b) {
    refuse_internal_overlap(a);
    if (b.is_tensor()) refuse_partial_overlap(a, b.tensor());
}

void apply_in_place(BlockFn kernel, const Tensor& a, const Arg& b, DType computed, Cost cost) {
    Tensor copy;
    if (b.is_tensor() && needs_copy(a, b.tensor())) {
        GradMode off(false);
        copy = clone(b.tensor());
    }
    const Arg& source = copy.defined() ? Arg(copy) : b;
    Prepared other(source, computed);
    if (computed == a.dtype()) {
        const Operand operands[] = {a, other.operand};
        kernels::run_elementwise(kernel, a, operands, 2, a.item_size(), nullptr, cost);
    } else {
        Prepared self(a, computed);
        Tensor result = empty(a.sizes(), computed);
        const Operand operands[] = {self.operand, other.operand};
        kernels::run_elementwise(kernel, result, operands, 2, result.item_size(), nullptr, cost);
        copy_values(a, result);
    }
}

}  // namespace tapegrad
