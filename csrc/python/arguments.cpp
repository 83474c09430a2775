#include "python/arguments.h"

#include "autograd/grad_mode.h"

namespace tapegrad::python {

PyObject* Arguments::find_keyword(const char* name) {
    const Py_ssize_t count = PyTuple_GET_SIZE(names_);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names_, i), name) != 0) continue;
        if (i < 64) used_ |= uint64_t{1} << i;
        PyObject* value = values_[count_ + i];
        return value == Py_None ? nullptr : value;
    }
    return nullptr;
}

PyObject* Arguments::find(Py_ssize_t position, const char* name) {
    const uint64_t used = used_;
    PyObject* value = keyword(name);
    if (position >= count_) return value;
    if (used_ != used)
        fail<TypeError>(function_, "() got multiple values for argument '", name, "'");
    return values_[position] == Py_None ? nullptr : values_[position];
}

PyObject* Arguments::require(Py_ssize_t position, const char* name) {
    PyObject* value = find(position, name);
    if (!value && position < count_) return values_[position];  // None, which its reader refuses
    if (!value) fail_missing(name);
    return value;
}

void Arguments::fail_missing(const char* name) const {
    fail<TypeError>(function_, "() missing 1 required positional arguments: \"", name, "\"");
}

void Arguments::check_rest(Py_ssize_t positional) const {
    if (count_ > positional)
        fail<TypeError>(function_, "() takes ", positional, " positional argument",
                        positional == 1 ? "" : "s", " but ", count_,
                        count_ == 1 ? " was given" : " were given");
    const Py_ssize_t count = PyTuple_GET_SIZE(names_);
    for (Py_ssize_t i = 0; i < count; ++i)
        if (i >= 64 || !(used_ >> i & 1))
            fail<TypeError>(function_, "() got an unexpected keyword argument '",
                            PyUnicode_AsUTF8(PyTuple_GET_ITEM(names_, i)), "'");
}

std::string Arguments::position_of(PyObject* value) const {
    for (Py_ssize_t i = 0; i < count_; ++i)
        if (values_[i] == value) return " (position " + std::to_string(i + 1) + ")";
    return "";
}

void Arguments::fail_type(const char* name, const char* expected, PyObject* value) const {
    fail<TypeError>(function_, "(): argument '", name, "'", position_of(value), " must be ",
                    expected, ", not ", Py_TYPE(value)->tp_name);
}

std::optional<DType> Arguments::read_dtype(PyObject* value) const {
    if (!value) return std::nullopt;
    auto dtype = dtype_from_object(value);
    if (!dtype) fail_type("dtype", "tapegrad.dtype", value);
    return dtype;
}

int64_t Arguments::read_int(const char* name, PyObject* value) const {
    int64_t result;
    if (!to_integer(value, result)) fail_type(name, "int", value);
    return result;
}

bool Arguments::read_bool(const char* name, PyObject* value) const {
    if (!PyBool_Check(value)) fail_type(name, "bool", value);
    return value == Py_True;
}

Scalar Arguments::read_number(const char* name, PyObject* value) const {
    Scalar result(0);
    if (is_tensor(value) && unwrap(value).numel() == 1) {
        const py::object number = py::reinterpret_steal<py::object>(item(unwrap(value)));
        if (to_scalar(number.ptr(), result)) return result;
    }
    if (!to_scalar(value, result)) fail_type(name, "Number", value);
    return result;
}

Tensor Arguments::read_tensor(const char* name, PyObject* value) const {
    if (!is_tensor(value)) fail_type(name, "Tensor", value);
    return unwrap(value);
}

Dims Arguments::read_size(const char* name, PyObject* value) const {
    if (!PyTuple_Check(value) && !PyList_Check(value)) fail_type(name, "tuple of ints", value);
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(value);
    Dims sizes(static_cast<int>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* size = PySequence_Fast_GET_ITEM(value, i);
        if (!to_integer(size, sizes[static_cast<int>(i)]))
            fail<TypeError>(function_, "(): argument '", name, "'", position_of(value),
                            " must be tuple of ints, but found element of type ",
                            Py_TYPE(size)->tp_name, " at pos ", i);
    }
    return sizes;
}

Dims Arguments::read_sizes() {
    if (names_) {
        if (PyObject* size = keyword("size")) {
            if (count_ > 0)
                fail<TypeError>(function_, "() got multiple values for argument 'size'");
            return read_size("size", size);
        }
    }
    if (count_ == 0) fail_missing("size");
    if (PyTuple_Check(values_[0]) || PyList_Check(values_[0])) {
        if (count_ > 1)
            fail<TypeError>(function_, "() takes 1 positional argument but ", count_,
                            " were given");
        return read_size("size", values_[0]);
    }
    Dims sizes(static_cast<int>(count_));
    for (Py_ssize_t i = 0; i < count_; ++i) {
        if (to_integer(values_[i], sizes[static_cast<int>(i)])) continue;
        if (i == 0) fail_type("size", "tuple of ints", values_[0]);
        fail<TypeError>(function_, "(): argument 'size' failed to unpack the object at pos ", i + 1,
                        " with error \"type must be tuple of ints,but got ",
                        Py_TYPE(values_[i])->tp_name, "\"");
    }
    return sizes;
}

TensorOptions::TensorOptions(Arguments& arguments) {
    dtype = arguments.read_dtype(arguments.keyword("dtype"));
    if (PyObject* device = arguments.keyword("device")) check_device(arguments.function(), device);
    if (PyObject* flag = arguments.keyword("requires_grad"))
        requires_grad = arguments.read_bool("requires_grad", flag);
    // There is one layout and one kind of memory: what PyTorch calls them is accepted.
    for (const char* ignored : {"layout", "pin_memory", "memory_format"})
        arguments.keyword(ignored);
}

DType TensorOptions::resolve(DType default_dtype) const {
    const DType result = dtype.value_or(default_dtype);
    if (requires_grad && !is_floating(result))
        fail("Only Tensors of floating point and complex dtype can require gradients");
    return result;
}

Tensor TensorOptions::finish(Tensor tensor) const {
    if (inference_mode()) tensor->inference = true;
    tensor->requires_grad = requires_grad;
    return tensor;
}

void check_device(const char* function, PyObject* device) {
    if (!device || device == Py_None) return;
    const bool text = PyUnicode_Check(device);
    if (!text && !py::hasattr(device, "type"))
        fail<TypeError>(function, "(): argument 'device' must be tapegrad.device, not ",
                        Py_TYPE(device)->tp_name);
    const std::string name = py::str(py::handle(device));
    if (name != "cpu" && name != "cpu:0")
        fail("Expected one of cpu device type at start of device string: ", name,
             ". This package runs on the CPU only.");
}

}  // namespace tapegrad::python
