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

struct IntegerInfo {
    const char* kernel;
    Cost cost;
    bool divides;
};

template <class F> constexpr IntegerInfo integer_info(const char* kernel) {
    using Facts = formulas::Traits<F>;
    return {formulas::given_or(Facts::kernel(), kernel), Facts::cost(), Facts::divides()};
}

#define TAPEGRAD_INFO(Name, function) integer_info<formulas::Name>(#function "_cpu"),
constexpr IntegerInfo integer_infos[] = {TAPEGRAD_INTEGER(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO
constexpr const IntegerInfo& info_of(Integer op) { return integer_infos[static_cast<int>(op)]; }

BlockFn integer_kernel(Integer op, DType dtype) {
    return kernel_table().elementwise.integer[int(op)].require(dtype, info_of(op).kernel);
}

// Floor division is recorded so that asking for its derivative is an error and not a silent zero.
template <class... Args> Ref<Node> refusing(const Args&... args) {
    return refusing_node(
        kNotImplementedNode,
        [] { fail<NotImplementedError>("derivative for aten::floor_divide is not implemented"); },
        args...);
}

}  // namespace

Tensor integer_binary(Integer op, const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (info_of(op).divides) check_divisor(b, dtype);
    Tensor out = empty_result(broadcast_shape(a, b), dtype, a, b);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel, out, operands, 2, item_size(dtype), nullptr, info_of(op).cost);
    if (const Ref<Node> node = refusing(a, b)) set_history(out, node);
    return out;
}

const Tensor& integer_in_place(Integer op, const Tensor& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const InPlace change(a, b);
    refuse_overlaps(a, b);
    check_in_place_result(a, broadcast_shape(a, b), dtype);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (info_of(op).divides) check_divisor(b, dtype);
    return change.apply(refusing(a, b),
                        [&] { apply_in_place(kernel, a, b, dtype, info_of(op).cost); });
}

}  // namespace tapegrad
