#include "python/python_data.h"

#include <pybind11/numpy.h>

#include <cstring>

#include "autograd/cuts.h"
#include "core/scalar.h"
#include "ops/copy.h"
#include "python/module.h"
#include "python/numpy.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

constexpr int kMaxDimensions = 64;

[[noreturn]] void fail_invalid(PyObject* object) {
    fail<TypeError>("new(): invalid data type '", Py_TYPE(object)->tp_name, "'");
}

bool is_text(PyObject* object) { return PyUnicode_Check(object) || PyBytes_Check(object); }

bool is_plain_number(PyObject* object) {
    return PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyBool_Check(object);
}

bool is_plain_sequence(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

// The shape that the first elements have, going down.
Dims data_sizes(PyObject* data) {
    if (is_text(data)) fail_invalid(data);
    Dims sizes;
    py::object current = py::reinterpret_borrow<py::object>(data);
    while (!is_plain_number(current.ptr()) && !is_tensor(current.ptr())) {
        if (!is_plain_sequence(current.ptr()) && is_array(current.ptr())) {
            const auto array = py::reinterpret_borrow<py::array>(current);
            for (py::ssize_t i = 0; i < array.ndim(); ++i) sizes.push_back(array.shape(i));
            break;
        }
        if (!PySequence_Check(current.ptr())) break;
        if (PyBytes_Check(current.ptr())) fail_invalid(current.ptr());
        if (PyUnicode_Check(current.ptr()) || sizes.size() == kMaxDimensions)
            fail<ValueError>("too many dimensions '", Py_TYPE(current.ptr())->tp_name, "'");
        const Py_ssize_t length = PySequence_Size(current.ptr());
        if (length < 0) throw py::error_already_set();
        sizes.push_back(length);
        if (length == 0) break;
        auto first = py::reinterpret_steal<py::object>(PySequence_GetItem(current.ptr(), 0));
        if (!first) {  // a table, say, whose items are its columns
            PyErr_Clear();
            fail<ValueError>("could not determine the shape of object type '",
                             Py_TYPE(current.ptr())->tp_name, "'");
        }
        current = std::move(first);
    }
    return sizes;
}

// The type of one of NumPy's scalars; neighbours mostly have the same.
DType scalar_dtype(PyObject* scalar) {
    static PyTypeObject* last_type = nullptr;
    static DType last_dtype;
    if (Py_TYPE(scalar) != last_type) {
        last_dtype = array_dtype(scalar);
        last_type = Py_TYPE(scalar);
    }
    return last_dtype;
}

// The type that all elements together have.
class Inference {
public:
    explicit Inference(int dimensions) : dimensions_(dimensions) {}

    DType operator()(PyObject* data) {
        visit(data, 0);
        return result_.value_or(default_float_type);
    }

private:
    void merge(DType dtype) { result_ = result_ ? promote(*result_, dtype) : dtype; }

    void visit(PyObject* object, int depth) {
        if (PyFloat_CheckExact(object)) merge(default_float_type);
        else if (PyLong_CheckExact(object)) merge(DType::Int64);
        else if (PyBool_Check(object)) merge(DType::Bool);
        else if (is_plain_sequence(object)) visit_items(object, depth);
        else visit_other(object, depth);
    }

    void visit_items(PyObject* sequence, int depth) {
        if (depth >= dimensions_) return;  // too deep: reading the values will tell
        const py::object hold = py::reinterpret_borrow<py::object>(sequence);
        if (PySequence_Fast_GET_SIZE(sequence) == 0) merge(default_float_type);
        PyTypeObject* seen = nullptr;  // the last of the plain types
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(sequence, i);
            if (Py_TYPE(item) == seen) continue;
            visit(item, depth + 1);
            if (is_plain_number(item)) seen = Py_TYPE(item);
        }
    }

    void visit_other(PyObject* object, int depth) {
        const py::object hold = py::reinterpret_borrow<py::object>(object);
        if (is_tensor(object)) return merge(unwrap(object).dtype());
        if (is_text(object)) fail_invalid(object);
        if (is_array_scalar(object)) return merge(scalar_dtype(object));
        if (is_array(object)) return merge(array_dtype(object));
        if (PyFloat_Check(object)) return merge(default_float_type);
        if (PyLong_Check(object)) return merge(DType::Int64);
        if (!PySequence_Check(object)) fail("Could not infer dtype of ", Py_TYPE(object)->tp_name);
        const auto items =
            py::reinterpret_steal<py::object>(PySequence_Fast(object, "not a sequence"));
        if (!items) throw py::error_already_set();
        visit_items(items.ptr(), depth);
    }

    int dimensions_;
    std::optional<DType> result_;
};

// ------------------------------------------------------------------------------------ numbers

template <class T, class From> T stored(From value) {
    if (!is_convertible<T>(value))
        fail("value cannot be converted to type ", dtype_name(dtype_of<T>), " without overflow");
    return static_cast<T>(value);
}

template <class T> T from_integer_object(PyObject* object) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) fail<ValueError>("Overflow when unpacking long long");
    return stored<T>(int64_t{value});
}

template <class T> T read_number(PyObject* object);

// Numbers of other types than Python's own, by way of these.
template <class T> T read_other(PyObject* object) {
    const py::object hold = py::reinterpret_borrow<py::object>(object);
    if (is_tensor(object)) {
        const Tensor tensor = unwrap(object);
        if (tensor.numel() != 1)
            fail<ValueError>("only one element tensors can be converted to Python scalars");
        note_cut("the new tensor that was made of its values", tensor);
        return read_number<T>(py::reinterpret_steal<py::object>(item(tensor)).ptr());
    }
    if constexpr (is_floating_type<T>) {
        const double value = PyFloat_AsDouble(object);
        if (value == -1.0 && PyErr_Occurred()) throw py::error_already_set();
        return static_cast<T>(value);
    } else {
        // NumPy's floats and bools are no integers to Python.
        if (PyFloat_Check(object))
            return read_number<T>(py::float_(PyFloat_AS_DOUBLE(object)).ptr());
        if (is_array_scalar(object) && !is_integral(scalar_dtype(object)))
            return read_number<T>(py::object(hold.attr("item")()).ptr());
        const auto integer = py::reinterpret_steal<py::object>(PyNumber_Index(object));
        if (!integer) throw py::error_already_set();
        if constexpr (std::is_same_v<T, bool>) return PyObject_IsTrue(integer.ptr());
        else return from_integer_object<T>(integer.ptr());
    }
}

template <class T> T read_number(PyObject* object) {
    if (PyFloat_CheckExact(object)) {
        const double value = PyFloat_AS_DOUBLE(object);
        if constexpr (std::is_same_v<T, bool>) return value != 0;
        else if constexpr (is_floating_type<T>) return static_cast<T>(value);
        else return stored<T>(value);
    }
    if (PyLong_CheckExact(object) || PyBool_Check(object)) {
        if constexpr (std::is_same_v<T, bool>) {
            return PyObject_IsTrue(object);
        } else if constexpr (is_floating_type<T>) {
            const double value = PyLong_AsDouble(object);
            if (value == -1.0 && PyErr_Occurred()) throw py::error_already_set();
            return static_cast<T>(value);
        } else {
            return from_integer_object<T>(object);
        }
    }
    return read_other<T>(object);
}

// ------------------------------------------------------------------------------------- values

template <class T> class Reader {
public:
    Reader(const Dims& sizes, T* out) : sizes_(sizes), out_(out) {}

    void read(PyObject* object, int depth) {
        if (depth == sizes_.size()) {
            *out_++ = read_number<T>(object);
            return;
        }
        if (!is_plain_sequence(object) && is_array(object)) return read_array(object, depth);
        const auto items =
            py::reinterpret_steal<py::object>(PySequence_Fast(object, "not a sequence"));
        if (!items) throw py::error_already_set();
        const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.ptr());
        check_length(count, depth);
        for (Py_ssize_t i = 0; i < count; ++i) {
            // Converting one element may have run code that changed the list.
            if (PySequence_Fast_GET_SIZE(items.ptr()) != count)
                fail<ValueError>("the data changed while it was read");
            PyObject* item = PySequence_Fast_GET_ITEM(items.ptr(), i);
            if (depth + 1 == sizes_.size()) *out_++ = read_number<T>(item);
            else read(item, depth + 1);
        }
    }

private:
    void check_length(int64_t length, int dim) const {
        if (length != sizes_[dim])
            fail<ValueError>("expected sequence of length ", sizes_[dim], " at dim ", dim, " (got ",
                             length, ")");
    }

    void read_array(PyObject* object, int depth) {
        const auto array = py::array::ensure(object, py::array::c_style);
        if (!array) throw py::error_already_set();
        const int rest = sizes_.size() - depth;
        if (array.ndim() < rest) fail<TypeError>("not a sequence");
        if (array.ndim() > rest)
            fail<TypeError>("only arrays of one element can be converted to Python scalars");
        for (int i = 0; i < rest; ++i) check_length(array.shape(i), depth + i);
        const Tensor values = cast_values(convert_array(array, false), dtype_of<T>);
        std::memcpy(out_, values.data(), static_cast<size_t>(values.numel()) * sizeof(T));
        out_ += values.numel();
    }

    const Dims& sizes_;
    T* out_;
};

}  // namespace

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool share) {
    if (!is_plain_sequence(data) && !is_plain_number(data) && !is_text(data) && is_array(data))
        return convert_array(data, !share, dtype);
    const Dims sizes = data_sizes(data);
    const DType type = dtype ? *dtype : Inference(sizes.size())(data);
    Tensor out = empty(sizes, type);
    if (out.numel() > 0)
        visit_dtype(type, [&]<class T>() { Reader<T>(out.sizes(), out.data<T>()).read(data, 0); });
    if (is_replay_recorded()) [[unlikely]]
        replay::recorder()->keep_values(out);
    return out;
}

}  // namespace tapegrad::python
