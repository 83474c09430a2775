// Functions that make tensors from data, sizes and rules.
#include "autograd/cuts.h"
#include "ops/copy.h"
#include "ops/factories.h"
#include "ops/memory_format.h"
#include "ops/reshape.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/numpy.h"
#include "python/python_data.h"

namespace tapegrad::python {
namespace {

Tensor copy_of_tensor(const Tensor& source, const TensorOptions& options, const char* function) {
    warn(text(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() "
        "or sourceTensor.detach().clone().requires_grad_(True), rather than ",
        function, "(sourceTensor)."));
    note_cut("the new tensor that was made of its values", source);
    Tensor out = empty(source.sizes(), options.resolve(source.dtype()));
    copy_values(out, source);
    return options.finish(out);
}

Tensor copy_of_data(PyObject* data, std::optional<DType> dtype, const TensorOptions& options) {
    Tensor out = tensor_from_data(data, dtype);
    options.resolve(out.dtype());
    return options.finish(std::move(out));
}

Tensor tensor(const AnyObject& data, const TensorOptions& options) {
    if (is_tensor(data.object))
        return copy_of_tensor(unwrap(data.object), options, "tapegrad.tensor");
    return copy_of_data(data.object, options.dtype, options);
}

// The type is that of the data where this is a tensor or an array, else that of self.
Tensor new_tensor(const Tensor& self, const AnyObject& data, const TensorOptions& options) {
    if (is_tensor(data.object))
        return copy_of_tensor(unwrap(data.object), options, "tensor.new_tensor");
    const bool typed = options.dtype || is_array(data.object);
    return copy_of_data(data.object, typed ? options.dtype : options.resolve(self.dtype()),
                        options);
}

Tensor as_tensor(const AnyObject& data, std::optional<DType> dtype, Device) {
    if (is_tensor(data.object)) {
        const Tensor& source = unwrap(data.object);
        return dtype ? to_dtype(source, *dtype) : source;
    }
    return TensorOptions().finish(tensor_from_data(data.object, dtype, true));
}

// The memory of the object where copy allows it: a tensor's, an array's. Without requires_grad it is that of
// the object.
Tensor asarray(const AnyObject& data, std::optional<DType> dtype, const std::optional<Device>&,
               std::optional<bool> copy, std::optional<bool> requires_grad) {
    const bool never = copy.has_value() && !*copy, always = copy.value_or(false);
    const auto check_alias = [&](DType from) {
        if (never && dtype && *dtype != from)
            fail<ValueError>("can't alias tensor with dtype '", scalar_type_name(from),
                             "' into dtype '", scalar_type_name(*dtype), "'.");
    };
    Tensor result;
    if (is_tensor(data.object)) {
        const Tensor& source = unwrap(data.object);
        check_alias(source.dtype());
        result = always ? to_copy(source, dtype.value_or(source.dtype()), true, {})
                        : to_dtype(source, dtype.value_or(source.dtype()));
        if (requires_grad && !*requires_grad && result.requires_grad()) result = detach(result);
    } else if (is_array(data.object)) {
        check_alias(array_dtype(data.object));
        result = tensor_from_data(data.object, dtype, !always);
    } else {
        if (never) fail<ValueError>("can't alias arbitrary sequence into a tensor.");
        result = tensor_from_data(data.object, dtype);
    }
    TensorOptions options;
    if (requires_grad && *requires_grad && !result.requires_grad()) {
        if (is_tensor(data.object) && result.is_same(unwrap(data.object))) result = detach(result);
        options.requires_grad = true;
        options.resolve(result.dtype());
    }
    return is_tensor(data.object) && !options.requires_grad ? result
                                                            : options.finish(std::move(result));
}

}  // namespace

void bind_creation(PyObject* m) {
    def_function<"tensor">(m, tensor).without_out();
    def_function<"as_tensor">(m, as_tensor).without_out();
    def_function<"asarray">(m, asarray).without_out();
    def_function<"scalar_tensor">(m, factories::scalar_tensor).without_out();
    def_function<"empty_strided">(m, factories::empty_strided).without_out();
    def_function<"empty_permuted">(m, factories::empty_permuted).without_out();
    def_function<"range">(m, factories::range);
    def_method<"new_empty_strided">(m, factories::new_empty_strided);
    def_function<"zeros">(m, factories::zeros);
    def_function<"ones">(m, factories::ones);
    def_function<"empty">(m, factories::empty);
    def_function<"full">(m, factories::full);
    def_function<"zeros_like">(m, factories::zeros_like).without_out();
    def_function<"ones_like">(m, factories::ones_like).without_out();
    def_function<"empty_like">(m, factories::empty_like).without_out();
    def_function<"full_like">(m, factories::full_like).without_out();
    def_function<"eye">(m, factories::eye);
    def_function<"arange">(m, factories::arange_to, factories::arange);
    def_function<"linspace">(m, factories::linspace);
    def_function<"logspace">(m, factories::logspace);
    def_method<"new_tensor">(m, new_tensor);
    def_method<"new_zeros">(m, factories::new_zeros);
    def_method<"new_ones">(m, factories::new_ones);
    def_method<"new_empty">(m, factories::new_empty);
    def_method<"new_full">(m, factories::new_full);
}

}  // namespace tapegrad::python
