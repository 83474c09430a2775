// Functions that make tensors from data, sizes and rules.

#include "ops/creation.h"
#include "ops/reshape.h"

#include "autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/offsets.h"
#include "ops/views.h"
#include "python/arguments.h"
#include "python/numpy.h"
#include "python/python_data.h"
#include "python/random.h"

namespace tapegrad::python {
namespace {

// The type of a tensor that is filled with a number.
DType dtype_for(const Scalar& value) {
    return value.is_floating() ? default_dtype() : value.kind();
}

// ------------------------------------------------------------------------------------ from data

Tensor copy_of_tensor(const Tensor& source, DType dtype, const char* function) {
    warn(text(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() "
        "or sourceTensor.detach().clone().requires_grad_(True), rather than ",
        function, "(sourceTensor)."));
    Tensor out = empty(source.sizes(), dtype);
    copy_values(out, source);
    return out;
}

Tensor tensor(Arguments& args) {
    PyObject* data = args.require(0, "data");
    const TensorOptions options(args);
    args.finish(1);
    if (is_tensor(data)) {
        const Tensor source = unwrap(data);
        return options.finish(
            copy_of_tensor(source, options.resolve(source.dtype()), "tapegrad.tensor"));
    }
    Tensor out = tensor_from_data(data, options.dtype);
    options.resolve(out.dtype());
    return options.finish(std::move(out));
}

Tensor new_tensor(Arguments& args) {
    const Tensor self = args.self();
    PyObject* data = args.require(0, "data");
    const TensorOptions options(args);
    args.finish(1);
    // The type is that of the data where this is a tensor, else that of self.
    if (is_tensor(data)) {
        const Tensor source = unwrap(data);
        return options.finish(
            copy_of_tensor(source, options.resolve(source.dtype()), "tensor.new_tensor"));
    }
    if (is_array(data)) {
        Tensor out = tensor_from_data(data, options.dtype);
        options.resolve(out.dtype());
        return options.finish(std::move(out));
    }
    return options.finish(tensor_from_data(data, options.resolve(self.dtype())));
}

Tensor as_tensor(Arguments& args) {
    PyObject* data = args.require(0, "data");
    const std::optional<DType> dtype = args.read_dtype(args.find(1, "dtype"));
    check_device(args.function(), args.find(2, "device"));
    args.finish(3);
    if (is_tensor(data)) {
        const Tensor source = unwrap(data);
        return dtype ? to_dtype(source, *dtype) : source;
    }
    Tensor out = tensor_from_data(data, dtype, true);
    if (inference_mode()) out->inference = true;
    return out;
}

// ------------------------------------------------------------------------------------ from sizes

enum class Fill { None, Zeros, Ones };

Tensor filled(const Dims& sizes, DType dtype, Fill fill) {
    Tensor out = empty(sizes, dtype);
    if (fill != Fill::None) fill_values(out, fill == Fill::Ones ? 1 : 0);
    return out;
}

template <Fill F> Tensor of_size(Arguments& args) {
    const Dims sizes = args.read_sizes();
    const TensorOptions options(args);
    args.finish(args.count());
    return options.finish(filled(sizes, options.resolve(default_dtype()), F));
}

template <Fill F> Tensor new_of_size(Arguments& args) {
    const Dims sizes = args.read_sizes();
    const TensorOptions options(args);
    args.finish(args.count());
    return options.finish(filled(sizes, options.resolve(args.self().dtype()), F));
}

template <Fill F> Tensor like(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    const TensorOptions options(args);
    args.finish(1);
    Tensor out = empty_like(input, options.resolve(input.dtype()));
    if (F != Fill::None) fill_values(out, F == Fill::Ones ? 1 : 0);
    return options.finish(std::move(out));
}

// The number to fill with; a tensor of one element counts with its own type.
struct FillValue {
    FillValue(const Arguments& args, PyObject* object)
        : value(args.read_number("fill_value", object)),
          dtype(is_tensor(object) ? unwrap(object).dtype() : dtype_for(value)) {}
    Scalar value;
    DType dtype;
};

Tensor full_of(const Dims& sizes, const FillValue& fill, const TensorOptions& options,
               DType default_type) {
    const DType dtype = options.resolve(default_type);
    check_convertible(fill.value, dtype);
    return options.finish(full(sizes, fill.value, dtype));
}

Tensor full_function(Arguments& args) {
    const Dims sizes = args.read_size("size", args.require(0, "size"));
    const FillValue fill(args, args.require(1, "fill_value"));
    const TensorOptions options(args);
    args.finish(2);
    return full_of(sizes, fill, options, fill.dtype);
}

Tensor new_full(Arguments& args) {
    const Dims sizes = args.read_size("size", args.require(0, "size"));
    const FillValue fill(args, args.require(1, "fill_value"));
    const TensorOptions options(args);
    args.finish(2);
    return full_of(sizes, fill, options, args.self().dtype());
}

Tensor full_like(Arguments& args) {
    const Tensor input = args.read_tensor("input", args.require(0, "input"));
    const FillValue fill(args, args.require(1, "fill_value"));
    const TensorOptions options(args);
    args.finish(2);
    const DType dtype = options.resolve(input.dtype());
    check_convertible(fill.value, dtype);
    Tensor out = empty_like(input, dtype);
    fill_values(out, fill.value);
    return options.finish(std::move(out));
}

// ------------------------------------------------------------------------------------ from rules

Tensor eye_function(Arguments& args) {
    const int64_t rows = args.read_int("n", args.require(0, "n"));
    PyObject* second = args.find(1, "m");
    const int64_t columns = second ? args.read_int("m", second) : rows;
    const TensorOptions options(args);
    args.finish(2);
    return options.finish(eye(rows, columns, options.resolve(default_dtype())));
}

// (end), (start, end) or (start, end, step), by position or by name.
Tensor arange_function(Arguments& args) {
    const bool only_end = args.count() == 1 && !args.keyword("end");
    PyObject* start = only_end ? args.keyword("start") : args.find(0, "start");
    PyObject* end = only_end ? args[0] : args.require(1, "end");
    PyObject* step = args.find(2, "step");
    const TensorOptions options(args);
    args.finish(3);
    const Scalar first = start ? args.read_number("start", start) : Scalar(0);
    const Scalar last = args.read_number("end", end);
    const Scalar width = step ? args.read_number("step", step) : Scalar(1);
    const bool floating = first.is_floating() || last.is_floating() || width.is_floating();
    return options.finish(
        arange(first, last, width, options.resolve(floating ? default_dtype() : DType::Int64)));
}

Tensor linspace_function(Arguments& args) {
    const Scalar start = args.read_number("start", args.require(0, "start"));
    const Scalar end = args.read_number("end", args.require(1, "end"));
    const int64_t steps = args.read_int("steps", args.require(2, "steps"));
    const TensorOptions options(args);
    args.finish(3);
    return options.finish(linspace(start, end, steps, options.resolve(default_dtype())));
}

Tensor logspace_function(Arguments& args) {
    const Scalar start = args.read_number("start", args.require(0, "start"));
    const Scalar end = args.read_number("end", args.require(1, "end"));
    const int64_t steps = args.read_int("steps", args.require(2, "steps"));
    PyObject* given = args.find(3, "base");
    const double base = given ? args.read_double("base", given) : 10.0;
    const TensorOptions options(args);
    args.finish(4);
    const DType dtype = options.resolve(default_dtype());
    const GradMode off(false);
    const Tensor powers = binary(Binary::Pow, base, linspace(start, end, steps, DType::Float64));
    return options.finish(cast_values(powers, dtype));
}

void set_default_dtype(DType dtype) {
    if (!is_floating(dtype))
        fail<TypeError>("only floating-point types are supported as the default type");
    default_float_type = dtype;
}

}  // namespace

DType default_dtype() { return default_float_type; }

Tensor empty_like(const Tensor& input, DType dtype) {
    return empty_result(input.sizes(), dtype, input);
}

void bind_creation(py::module_& m) {
    static PyMethodDef functions[] = {
        vector_method<"tensor", tensor>("A tensor with a copy of the data."),
        vector_method<"as_tensor", as_tensor>("A tensor of the data, which is shared if possible."),
        vector_method<"zeros", of_size<Fill::Zeros>>("Zeros of a size."),
        vector_method<"ones", of_size<Fill::Ones>>("Ones of a size."),
        vector_method<"empty", of_size<Fill::None>>("Values of a size that are not set."),
        vector_method<"zeros_like", like<Fill::Zeros>>("Zeros of the size and type of a tensor."),
        vector_method<"ones_like", like<Fill::Ones>>("Ones of the size and type of a tensor."),
        vector_method<"empty_like", like<Fill::None>>(
            "Values, not set, of the size and type of a tensor."),
        vector_method<"full", full_function>("A number in every place of a size."),
        vector_method<"full_like", full_like>("A number in every place of the size of a tensor."),
        vector_method<"eye", eye_function>("Ones on the diagonal of a matrix of zeros."),
        vector_method<"arange", arange_function>("start, start + step, ... up to but without end."),
        vector_method<"linspace", linspace_function>("Values evenly from start to end."),
        vector_method<"logspace", logspace_function>(
            "base to the power of values evenly from start to end."),
        {nullptr, nullptr, 0, nullptr},
    };
    static PyMethodDef methods[] = {
        vector_method<"new_tensor", new_tensor>("A tensor with a copy of the data, of this type."),
        vector_method<"new_zeros", new_of_size<Fill::Zeros>>("Zeros of a size, of this type."),
        vector_method<"new_ones", new_of_size<Fill::Ones>>("Ones of a size, of this type."),
        vector_method<"new_empty", new_of_size<Fill::None>>(
            "Values of a size, not set, of this type."),
        vector_method<"new_full", new_full>("A number in every place of a size, of this type."),
    };
    if (PyModule_AddFunctions(m.ptr(), functions) < 0) throw py::error_already_set();
    for (PyMethodDef& method : methods) add_method(&method);
    def_function(m, "get_default_dtype", default_dtype);
    def_function(m, "set_default_dtype", set_default_dtype, py::arg("d"));
    bind_random(m);
}

}  // namespace tapegrad::python
