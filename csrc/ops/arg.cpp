#include "ops/arg.h"
#include "replay/recorder.h"

#include <limits>
#include <type_traits>

namespace tapegrad {

DType result_type(const Arg& a, const Arg& b) {
    // Types by rank: tensors with dimensions, 0-d tensors, numbers. A lower rank counts only where its
    // category is higher.
    DType ranks[3];
    bool present[3] = {false, false, false}, large = false;
    for (const Arg* arg : {&a, &b}) {
        const int rank = !arg->is_tensor() ? 2 : arg->tensor().dim() == 0 ? 1 : 0;
        DType dtype = arg->is_tensor() ? arg->tensor().dtype() : arg->scalar().kind();
        if (rank == 2) {
            if (dtype == DType::Float64)
                dtype = default_float_type;  // a number takes the default type
            large = large || arg->scalar().is_large();
        }
        ranks[rank] = present[rank] ? promote(ranks[rank], dtype) : dtype;
        present[rank] = true;
    }
    DType result = DType::Bool;
    bool any = false;
    for (int rank = 0; rank < 3; ++rank) {
        if (!present[rank]) continue;
        if (!any || dtype_category(ranks[rank]) > dtype_category(result)) {
            if (any && large && rank == 2)  // nothing but bools: there is no dtype for it
                fail(
                    "Promotion for uint16, uint32, uint64 types is not supported, attempted to "
                    "promote Bool and UInt64");
            result = ranks[rank];
        }
        any = true;
    }
    return result;
}

Arg comparable(const Arg& arg, const Arg& other) {
    if (arg.is_tensor() || !arg.scalar().is_large() || !other.is_tensor() ||
        other.tensor().is_floating())
        return arg;
    return std::numeric_limits<double>::infinity();
}

DType comparison_type(const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    if (is_integral(dtype))
        for (const Arg* arg : {&a, &b})
            if (!arg->is_tensor() && !arg->scalar().is_held_by(dtype)) return DType::Int64;
    return dtype;
}

bool can_cast(DType from, DType to) noexcept { return dtype_category(from) <= dtype_category(to); }

Scalar to_number(const Arg& arg) {
    if (!arg.is_tensor()) return arg.scalar();
    const Tensor& x = arg.tensor();
    refuse_replay("the value of a tensor, read as a number");
    if (x.numel() != 1)
        fail("a Tensor with ", x.numel(), " elements cannot be converted to Scalar");
    return visit_dtype(x.dtype(), [&]<class T>() -> Scalar {
        const T value = *x.data<T>();
        if constexpr (is_floating_type<T>) return static_cast<double>(value);
        else if constexpr (std::is_same_v<T, bool>) return value;
        else return static_cast<int64_t>(value);
    });
}

}  // namespace tapegrad
