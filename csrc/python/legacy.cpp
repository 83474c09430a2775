// Tensor(...), FloatTensor(...) and their like, which take sizes as well as data.
#include "autograd/variable.h"
#include "ops/views.h"
#include "python/casters.h"
#include "python/module.h"
#include "python/numpy.h"
#include "python/python_data.h"
#include "python/tensor_attributes.h"

namespace tapegrad::python {
namespace {

// The sizes that integers one by one are; none where some are no integers.
std::optional<Dims> read_sizes(const py::tuple& args) {
    Dims sizes;
    for (const py::handle arg : args) {
        int64_t size;
        if (is_tensor(arg.ptr()) || !to_integer(arg.ptr(), size)) return std::nullopt;
        sizes.push_back(size);
    }
    return sizes;
}

// The one argument that keywords may name, besides the device.
py::tuple with_keywords(const py::tuple& args, const py::dict& kwargs) {
    py::tuple all = args;
    for (const auto& [key, value] : kwargs) {
        const std::string name = py::str(key);
        if (name == "device") {
            py::module_::import("tapegrad._device")
                .attr("device")(value.is_none() ? py::str("cpu") : value);
        } else if ((name == "data" || name == "size" || name == "other") && all.empty()) {
            const bool sizes = name == "size" && PySequence_Check(value.ptr());
            all = sizes ? py::tuple(py::reinterpret_borrow<py::object>(value))
                        : py::make_tuple(value);
        } else {
            fail<TypeError>(
                "new() received an invalid combination of arguments - got an unexpected "
                "keyword argument '",
                name, "'. tapegrad.tensor takes dtype and requires_grad.");
        }
    }
    return all;
}

Tensor make_tensor(DType dtype, bool any_dtype, const py::tuple& args) {
    if (args.empty()) return empty({0}, dtype);
    if (const auto sizes = read_sizes(args)) return empty(*sizes, dtype);
    const py::object first = args[0];
    if (args.size() > 1)
        fail<TypeError>(
            "new() received an invalid combination of arguments - got several that are "
            "not all integers, but expected sizes, or one sequence or tensor");
    if (is_size(first.ptr())) return empty(*read_sizes(first), dtype);
    if (is_tensor(first.ptr())) {
        const Tensor& given = unwrap(first.ptr());
        if (!any_dtype && given.dtype() != dtype)
            fail<TypeError>("expected a tensor of dtype ", dtype_name(dtype), " (got one of ",
                            dtype_name(given.dtype()), ")");
        return view_alias(given);
    }
    if (PyUnicode_Check(first.ptr()) || PyBytes_Check(first.ptr()))
        fail<TypeError>("new(): invalid data type '", Py_TYPE(first.ptr())->tp_name, "'");
    if (!PySequence_Check(first.ptr()))
        fail<TypeError>("new(): data must be a sequence (got ", Py_TYPE(first.ptr())->tp_name, ")");
    return tensor_from_data(first.ptr(), dtype);
}

}  // namespace

PyObject* construct_tensor(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    const auto keywords = kwargs ? py::reinterpret_borrow<py::dict>(kwargs) : py::dict();
    const py::tuple all = with_keywords(py::reinterpret_borrow<py::tuple>(args), keywords);
    Tensor made = make_tensor(default_float_type, true, all);
    return type == tensor_type ? wrap(std::move(made)) : wrap_as(type, std::move(made));
}

void bind_legacy(py::module_& m) {
    def_plain_method<"new">(
        [](const Tensor& self, const py::args& args, const py::kwargs& kwargs) {
            return make_tensor(self.dtype(), false, with_keywords(args, kwargs));
        },
        "A tensor of the same dtype, of a size or of data, as the types of old programs make "
        "them:\n"
        "``new_empty`` and ``new_tensor`` say which is meant.\n\n"
        "Example:\n"
        "    >>> import tapegrad\n"
        "    >>> tapegrad.zeros(2).new([1, 2])\n"
        "    tensor([1., 2.])\n");
    m.def(
        "_legacy_tensor",
        [](DType dtype, const py::tuple& args, const py::dict& kwargs) {
            return make_tensor(dtype, false, with_keywords(args, kwargs));
        },
        py::arg("dtype"), py::arg("args"), py::arg("kwargs"), py::pos_only());
}

}  // namespace tapegrad::python
