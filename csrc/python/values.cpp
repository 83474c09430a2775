#include "python/values.h"

#include <pybind11/pytypes.h>

#include <string>

#include "python/bind.h"
#include "python/slot.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

PyTypeObject* size_type = nullptr;
PyTypeObject* dtype_type = nullptr;

struct DTypeObject {
    PyObject_HEAD DType dtype;
};
PyObject* dtype_objects[kDTypeCount];

// ------------------------------------------------------------------------------------- Size

PyObject* size_repr(PyObject* self) {
    std::string result = "tapegrad.Size([";
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) {
        py::str element(py::handle(PyTuple_GET_ITEM(self, i)));
        result += (i ? ", " : "") + std::string(element);
    }
    return PyUnicode_FromString((result + "])").c_str());
}

// What a tuple makes of itself stays a Size.
PyObject* as_size(PyObject* tuple) {
    if (!tuple || !PyTuple_CheckExact(tuple)) return tuple;
    const Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    PyObject* result = size_type->tp_alloc(size_type, count);
    for (Py_ssize_t i = 0; result && i < count; ++i)
        PyTuple_SET_ITEM(result, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
    Py_DECREF(tuple);
    return result;
}
PyObject* size_subscript(PyObject* self, PyObject* key) {
    return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(self, key));
}
PyObject* size_concat(PyObject* self, PyObject* other) {
    return as_size(PyTuple_Type.tp_as_sequence->sq_concat(self, other));
}
PyObject* size_numel(PyObject* self, PyObject*) {
    PyObject* count = PyLong_FromLong(1);
    for (Py_ssize_t i = 0; count && i < PyTuple_GET_SIZE(self); ++i) {
        PyObject* product = PyNumber_Multiply(count, PyTuple_GET_ITEM(self, i));
        Py_DECREF(count);
        count = product;
    }
    return count;
}
PyObject* size_reduce(PyObject* self, PyObject*) {
    PyObject* plain = PySequence_Tuple(self);
    return plain ? Py_BuildValue("(O(N))", reinterpret_cast<PyObject*>(size_type), plain) : nullptr;
}

// ------------------------------------------------------------------------------------ dtype

DType value_of(PyObject* object) { return reinterpret_cast<DTypeObject*>(object)->dtype; }

PyObject* dtype_repr(PyObject* self) {
    return PyUnicode_FromFormat("tapegrad.%s", dtype_name(value_of(self)));
}
PyObject* dtype_reduce(PyObject* self, PyObject*) {
    return PyUnicode_FromString(dtype_name(value_of(self)));
}
PyObject* dtype_is_floating(PyObject* self, void*) {
    return PyBool_FromLong(is_floating(value_of(self)));
}
PyObject* dtype_is_complex(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* dtype_is_signed(PyObject* self, void*) {
    return PyBool_FromLong(value_of(self) != DType::Bool && value_of(self) != DType::UInt8);
}
PyObject* dtype_itemsize(PyObject* self, void*) {
    return PyLong_FromSize_t(item_size(value_of(self)));
}

}  // namespace

PyObject* wrap_size(const Dims& sizes) {
    PyObject* result = size_type->tp_alloc(size_type, sizes.size());
    if (!result) throw py::error_already_set();
    for (int i = 0; i < sizes.size(); ++i)
        PyTuple_SET_ITEM(result, i, PyLong_FromLongLong(sizes[i]));
    return result;
}

PyObject* dtype_object(DType dtype) { return dtype_objects[static_cast<int>(dtype)]; }

void set_attribute(PyObject* object, const char* name, PyObject* value) {
    if (!object || PyObject_SetAttrString(object, name, value) < 0) throw py::error_already_set();
}

bool truth_of(PyObject* object) {
    const int truth = PyObject_IsTrue(object);
    if (truth < 0) throw py::error_already_set();
    return truth != 0;
}

std::optional<DType> dtype_from_object(PyObject* object) {
    if (Py_TYPE(object) == dtype_type) return value_of(object);
    // Python's own types stand for the types that hold their values.
    if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::Float64;
    if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::Int64;
    if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
    return std::nullopt;
}

bool is_size(PyObject* object) { return Py_TYPE(object) == size_type; }

bool to_integer(PyObject* object, int64_t& result) {
    py::object integer;
    if (!PyLong_CheckExact(object)) {
        if (PyBool_Check(object) || PyFloat_Check(object) || !PyIndex_Check(object)) return false;
        if (is_tensor(object) && (unwrap(object).is_floating() || unwrap(object).numel() != 1))
            return false;
        integer = py::reinterpret_steal<py::object>(PyNumber_Index(object));
        if (!integer) {
            if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
            PyErr_Clear();
            return false;
        }
        object = integer.ptr();
    }
    int overflow = 0;
    result = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) fail<ValueError>("Overflow when unpacking long long");
    return true;
}

void bind_dtypes(PyObject* m) {
    static PyMethodDef size_methods[] = {
        {"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this size."},
        {"__reduce__", size_reduce, METH_NOARGS, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot size_slots[] = {
        {Py_tp_repr, slot(size_repr)},
        {Py_tp_methods, size_methods},
        {Py_mp_subscript, slot(size_subscript)},
        {Py_sq_concat, slot(size_concat)},
        {0, nullptr},
    };
    static PyType_Spec size_spec = {"tapegrad.Size", 0, 0, Py_TPFLAGS_DEFAULT, size_slots};
    size_type = reinterpret_cast<PyTypeObject*>(
        PyType_FromSpecWithBases(&size_spec, reinterpret_cast<PyObject*>(&PyTuple_Type)));
    if (!size_type) throw py::error_already_set();
    set_attribute(m, "Size", reinterpret_cast<PyObject*>(size_type));

    static PyGetSetDef dtype_attributes[] = {
        {"is_floating_point", dtype_is_floating, nullptr, "Whether it is a floating type.",
         nullptr},
        {"is_complex", dtype_is_complex, nullptr, "Always False: there are no complex types.",
         nullptr},
        {"is_signed", dtype_is_signed, nullptr, "Whether it has negative values.", nullptr},
        {"itemsize", dtype_itemsize, nullptr, "Bytes of one element.", nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    static PyMethodDef dtype_methods[] = {
        {"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot dtype_slots[] = {
        {Py_tp_repr, slot(dtype_repr)},
        {Py_tp_getset, dtype_attributes},
        {Py_tp_methods, dtype_methods},
        {0, nullptr},
    };
    static PyType_Spec dtype_spec = {"tapegrad.dtype", sizeof(DTypeObject), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     dtype_slots};
    dtype_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&dtype_spec));
    if (!dtype_type) throw py::error_already_set();
    set_attribute(m, "dtype", reinterpret_cast<PyObject*>(dtype_type));
    for (int i = 0; i < kDTypeCount; ++i) {
        DTypeObject* object = PyObject_New(DTypeObject, dtype_type);
        object->dtype = static_cast<DType>(i);
        dtype_objects[i] = reinterpret_cast<PyObject*>(object);
        set_attribute(m, dtype_name(object->dtype), dtype_objects[i]);
    }
    set_attribute(m, "float", dtype_object(DType::Float32));
    set_attribute(m, "double", dtype_object(DType::Float64));
    set_attribute(m, "half", dtype_object(DType::Float16));
    set_attribute(m, "long", dtype_object(DType::Int64));
    set_attribute(m, "int", dtype_object(DType::Int32));
    set_attribute(m, "short", dtype_object(DType::Int16));
}

}  // namespace tapegrad::python
