// Copies, conversions, and values that are written over others.
#include "ops/copy.h"

#include "ops/arithmetic.h"
#include "ops/memory_format.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <DType To> Tensor converted(const Tensor& x) { return to_dtype(x, To); }
template <DType To> Tensor converted_in(const Tensor& x, OptionalFormat format) {
    return to_copy(x, To, false, format);
}
template <Name N, DType To> void bind_conversion(PyObject* m) {
    def_method<N>(m, converted<To>, converted_in<To>);
}

const Tensor& copy_number_(const Tensor& x, const Scalar& number, bool) {
    return copy_(x, number_tensor(number));
}

}  // namespace

void bind_copy(PyObject* m) {
    def<"clone">(m, overload<Tensor(const Tensor&)>(clone),
                 overload<Tensor(const Tensor&, OptionalFormat)>(clone))
        .without_out();
    def_method<"contiguous">(m, overload<Tensor(const Tensor&)>(contiguous),
                             overload<Tensor(const Tensor&, OptionalFormat)>(contiguous));
    def_method<"_to_dtype">(m, to_copy);
    def_method<"copy_">(m, copy_).also("(input, other, non_blocking=False)", copy_number_);
    def_method<"fill_">(m, fill_);
    def<"zero_">(m, zero_);
    bind_conversion<"float", DType::Float32>(m);
    bind_conversion<"double", DType::Float64>(m);
    bind_conversion<"half", DType::Float16>(m);
    bind_conversion<"bfloat16", DType::BFloat16>(m);
    bind_conversion<"long", DType::Int64>(m);
    bind_conversion<"int", DType::Int32>(m);
    bind_conversion<"short", DType::Int16>(m);
    bind_conversion<"char", DType::Int8>(m);
    bind_conversion<"bool", DType::Bool>(m);
    bind_conversion<"byte", DType::UInt8>(m);
}

}  // namespace tapegrad::python
