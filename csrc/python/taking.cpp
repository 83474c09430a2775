#include "ops/taking.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

Tensor repeated(const Tensor& x, const Arg& repeats, std::optional<int64_t> dim,
                std::optional<int64_t> output_size) {
    if (repeats.is_tensor()) return repeat_interleave(x, repeats.tensor(), dim, output_size);
    if (repeats.scalar().kind() != DType::Int64)
        fail<TypeError>("repeat_interleave(): argument 'repeats' must be Tensor or int");
    return repeat_interleave(x, repeats.scalar().to_int(), dim, output_size);
}

}  // namespace

void bind_taking(PyObject* m) {
    def<"take">(m, take).out_has(kSameType | kApart);
    def<"put">(m, put).without_out();
    def_method<"put_">(m, put_);
    def<"take_along_dim">(m, take_along_dim).out_has(kSameType | kApart);
    def<"repeat_interleave">(m, repeated, repeated_places).without_out();
    def_function<"unravel_index">(m, unravel_index);
}

}  // namespace tapegrad::python
