#include "ops/elementwise.h"

#include "kernels/table.h"
#include "ops/elementwise_operands.h"
#include "ops/refusal.h"
#include "ops/rule.h"

namespace tapegrad {

using kernels::BlockFn;
using kernels::Cost;
using kernels::Operand;

namespace {

const char* integer_name(Integer op) {
    constexpr const char* names[] = {"floor_divide", "bitwise_and", "bitwise_or",
                                     "bitwise_xor",  "lshift",      "rshift"};
    return names[static_cast<int>(op)];
}

BlockFn integer_kernel(Integer op, DType dtype) {
    const BlockFn kernel = kernel_table().elementwise.integer[int(op)][int(dtype)];
    if (!kernel)
        fail<NotImplementedError>("\"", integer_name(op), "_cpu\" not implemented for '",
                                  scalar_type_name(dtype), "'");
    return kernel;
}

// Floor division is recorded so that asking for its derivative is an error and not a silent zero.
template <class... Args> Ref<Node> refusing(const Args&... args) {
    return refusing_node(
        "NotImplemented",
        [] { fail<NotImplementedError>("derivative for aten::floor_divide is not implemented"); },
        args...);
}

}  // namespace

Tensor integer_binary(Integer op, const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (op == Integer::FloorDivide) check_divisor(b, dtype);
    Tensor out = empty_result(broadcast_shape(a, b), dtype, a, b);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel, out, operands, 2, item_size(dtype), nullptr, Cost::Heavy);
    if (const Ref<Node> node = refusing(a, b)) set_history(out, node);
    return out;
}

const Tensor& integer_in_place(Integer op, const Tensor& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const InPlace change(a, b);
    refuse_overlaps(a, b);
    check_in_place_result(a, broadcast_shape(a, b), dtype);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (op == Integer::FloorDivide) check_divisor(b, dtype);
    return change.apply(refusing(a, b), [&] { apply_in_place(kernel, a, b, dtype, Cost::Heavy); });
}

}  // namespace tapegrad
