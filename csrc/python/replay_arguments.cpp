#include "python/replay_arguments.h"

#include <cstring>

#include "python/tensor_object.h"

namespace tapegrad::python {
namespace {

PyObject* type_of(PyObject* object) { return reinterpret_cast<PyObject*>(Py_TYPE(object)); }
py::object share(PyObject* object) { return py::reinterpret_borrow<py::object>(object); }

bool is_value(PyObject* object) {
    return PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyUnicode_CheckExact(object);
}
bool is_sequence(PyObject* object) { return PyTuple_Check(object) || PyList_CheckExact(object); }

bool equal_values(PyObject* a, PyObject* b) {
    if (a == b) return true;
    if (Py_TYPE(a) != Py_TYPE(b)) return false;
    if (PyFloat_CheckExact(a)) {  // by their bits: -0.0 is not 0.0, and NaN is itself
        const double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
        return std::memcmp(&x, &y, sizeof x) == 0;
    }
    const int equal = PyObject_RichCompareBool(a, b, Py_EQ);
    if (equal < 0) PyErr_Clear();
    return equal == 1;
}

}  // namespace

ArgumentTree::ArgumentTree(PyObject* const* args, size_t count, PyObject* names)
    : count_(count),
      names_(share(names ? names : Py_None)) {
    const size_t all = count + (names ? static_cast<size_t>(PyTuple_GET_SIZE(names)) : 0);
    for (size_t i = 0; i < all; ++i) read(args[i]);
}

void ArgumentTree::read(PyObject* object) {
    if (is_tensor(object)) {
        const Tensor& x = unwrap(object);
        for (size_t i = 0; i < tensors_.size(); ++i)
            if (tensors_[i].is_same(x)) {
                items_.push_back(
                    {Kind::KnownTensor, share(type_of(object)), i, {}, {}, {}, {}, {}, {}});
                return;
            }
        items_.push_back({Kind::NewTensor, share(type_of(object)), tensors_.size(), x.dtype(),
                          x.requires_grad(), x.is_leaf(), x->inference, x.storage()->read_only(),
                          x.shape()});
        tensors_.push_back(x);
    } else if (is_value(object)) {
        items_.push_back({Kind::Value, share(object), 0, {}, {}, {}, {}, {}, {}});
    } else if (is_sequence(object)) {
        const auto size = static_cast<size_t>(PySequence_Fast_GET_SIZE(object));
        items_.push_back({Kind::Sequence, share(type_of(object)), size, {}, {}, {}, {}, {}, {}});
        for (size_t i = 0; i < size; ++i)
            read(PySequence_Fast_GET_ITEM(object, static_cast<Py_ssize_t>(i)));
    } else if (PyDict_CheckExact(object)) {
        const auto size = static_cast<size_t>(PyDict_GET_SIZE(object));
        items_.push_back({Kind::Dict, share(type_of(object)), size, {}, {}, {}, {}, {}, {}});
        Py_ssize_t place = 0;
        PyObject *key, *value;
        while (PyDict_Next(object, &place, &key, &value)) {
            items_.push_back(
                {is_value(key) ? Kind::Value : Kind::Same, share(key), 0, {}, {}, {}, {}, {}, {}});
            read(value);
        }
    } else {
        items_.push_back({Kind::Same, share(object), 0, {}, {}, {}, {}, {}, {}});
    }
}

bool ArgumentTree::matches(PyObject* const* args, size_t count, PyObject* names,
                           std::vector<Tensor>& tensors) const {
    if (count != count_) return false;
    size_t all = count;
    if (names) {
        if (names != names_.ptr() &&
            (names_.is_none() || PyObject_RichCompareBool(names, names_.ptr(), Py_EQ) != 1))
            return false;
        all += static_cast<size_t>(PyTuple_GET_SIZE(names));
    } else if (!names_.is_none()) {
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < all; ++i)
        if (!match(args[i], at, tensors)) return false;
    return true;
}

bool ArgumentTree::match(PyObject* object, size_t& at, std::vector<Tensor>& tensors) const {
    const Item& item = items_[at++];
    switch (item.kind) {
        case Kind::NewTensor: {
            if (type_of(object) != item.object.ptr()) return false;
            const Tensor& x = unwrap(object);
            if (x.dtype() != item.dtype || !same_layout(x.shape(), item.shape) ||
                x.requires_grad() != item.requires_grad || x.is_leaf() != item.is_leaf ||
                x->inference != item.inference || x.storage()->read_only() != item.read_only)
                return false;
            for (const Tensor& other : tensors)
                if (other.is_same(x)) return false;
            tensors.push_back(x);
            return true;
        }
        case Kind::KnownTensor:
            return type_of(object) == item.object.ptr() &&
                   unwrap(object).is_same(tensors[item.count]);
        case Kind::Value: return equal_values(object, item.object.ptr());
        case Kind::Sequence: {
            if (type_of(object) != item.object.ptr() ||
                PySequence_Fast_GET_SIZE(object) != static_cast<Py_ssize_t>(item.count))
                return false;
            for (size_t i = 0; i < item.count; ++i)
                if (!match(PySequence_Fast_GET_ITEM(object, static_cast<Py_ssize_t>(i)), at,
                           tensors))
                    return false;
            return true;
        }
        case Kind::Dict: {
            if (!PyDict_CheckExact(object) ||
                PyDict_GET_SIZE(object) != static_cast<Py_ssize_t>(item.count))
                return false;
            Py_ssize_t place = 0;
            PyObject *key, *value;
            while (PyDict_Next(object, &place, &key, &value))
                if (!match(key, at, tensors) || !match(value, at, tensors)) return false;
            return true;
        }
        default: return object == item.object.ptr();
    }
}

}  // namespace tapegrad::python
