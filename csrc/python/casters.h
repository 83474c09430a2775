// How arguments travel between Python and C++ in functions bound with pybind11.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "ops/arg.h"
#include "python/tensor_object.h"

namespace tapegrad::python {

// A tensor or a number.
struct Value {
    Tensor tensor;
    Scalar scalar{0};
    operator Arg() const { return tensor.defined() ? Arg(tensor) : Arg(scalar); }
};

// Sizes or dimensions: an int or a sequence of ints.
struct IntList {
    Dims dims;
    operator const Dims&() const { return dims; }
};

// The one object of each dtype.
PyObject* dtype_object(DType dtype);
std::optional<DType> dtype_from_object(PyObject* object);
void define_dtypes(pybind11::module_& module);

// An integer, from anything that says that it is one (int, NumPy integer, 0-d integer tensor).
bool to_integer(PyObject* object, int64_t& result);

inline Tensor defined_or_empty(const std::optional<Tensor>& tensor) {
    return tensor.value_or(Tensor());
}

}  // namespace tapegrad::python

namespace pybind11::detail {

template <> struct type_caster<tapegrad::Tensor> {
    PYBIND11_TYPE_CASTER(tapegrad::Tensor, const_name("Tensor"));
    bool load(handle source, bool) {
        if (!source || !tapegrad::python::is_tensor(source.ptr())) return false;
        value = tapegrad::python::unwrap(source.ptr());
        return true;
    }
    static handle cast(tapegrad::Tensor tensor, return_value_policy, handle) {
        return tapegrad::python::wrap(std::move(tensor));
    }
};

template <> struct type_caster<tapegrad::DType> {
    PYBIND11_TYPE_CASTER(tapegrad::DType, const_name("dtype"));
    bool load(handle source, bool) {
        auto dtype = tapegrad::python::dtype_from_object(source.ptr());
        if (dtype) value = *dtype;
        return dtype.has_value();
    }
    static handle cast(tapegrad::DType dtype, return_value_policy, handle) {
        return handle(tapegrad::python::dtype_object(dtype)).inc_ref();
    }
};

template <> struct type_caster<tapegrad::Scalar> {
    type_caster() : value(0) {}
    bool load(handle source, bool) { return tapegrad::python::to_scalar(source.ptr(), value); }
    static constexpr auto name = const_name("Number");
    operator tapegrad::Scalar*() { return &value; }
    operator tapegrad::Scalar&() { return value; }
    template <class T> using cast_op_type = pybind11::detail::cast_op_type<T>;

private:
    tapegrad::Scalar value;
};

template <> struct type_caster<tapegrad::python::Value> {
    PYBIND11_TYPE_CASTER(tapegrad::python::Value, const_name("Tensor | Number"));
    bool load(handle source, bool) {
        if (tapegrad::python::is_tensor(source.ptr())) {
            value.tensor = tapegrad::python::unwrap(source.ptr());
            return true;
        }
        return tapegrad::python::to_scalar(source.ptr(), value.scalar);
    }
};

template <> struct type_caster<tapegrad::python::IntList> {
    PYBIND11_TYPE_CASTER(tapegrad::python::IntList, const_name("int | Sequence[int]"));
    bool load(handle source, bool) {
        using tapegrad::python::to_integer;
        int64_t number;
        if (to_integer(source.ptr(), number)) {
            value.dims = tapegrad::Dims{number};
            return true;
        }
        if (!PyList_Check(source.ptr()) && !PyTuple_Check(source.ptr())) return false;
        const Py_ssize_t count = PySequence_Fast_GET_SIZE(source.ptr());
        tapegrad::Dims dims(static_cast<int>(count));
        for (Py_ssize_t i = 0; i < count; ++i) {
            if (!to_integer(PySequence_Fast_GET_ITEM(source.ptr(), i), number)) return false;
            dims[static_cast<int>(i)] = number;
        }
        value.dims = dims;
        return true;
    }
};

template <> struct type_caster<tapegrad::Dims> {
    PYBIND11_TYPE_CASTER(tapegrad::Dims, const_name("Size"));
    bool load(handle source, bool convert) {
        type_caster<tapegrad::python::IntList> list;
        if (PyLong_Check(source.ptr()) || !list.load(source, convert)) return false;
        value = static_cast<tapegrad::python::IntList&>(list).dims;
        return true;
    }
    static handle cast(const tapegrad::Dims& dims, return_value_policy, handle) {
        return tapegrad::python::wrap_size(dims);
    }
};

}  // namespace pybind11::detail
