// How arguments travel between Python and C++ in functions bound with pybind11.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "python/tensor_object.h"
#include "python/values.h"

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

// To Python only.
template <> struct type_caster<tapegrad::Dims> {
    static constexpr auto name = const_name("Size");
    static handle cast(const tapegrad::Dims& dims, return_value_policy, handle) {
        return tapegrad::python::wrap_size(dims);
    }
};

}  // namespace pybind11::detail
