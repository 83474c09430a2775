#include "python/read.h"

#include <pybind11/pytypes.h>

#include <cstring>

namespace py = pybind11;

namespace tapegrad::python {
namespace {

// The arguments of *name one by one, or the items of a list or tuple; false if there is neither.
struct Items {
    Items(PyObject* const* items, Py_ssize_t count) : items(items), count(count) {}
    Items(const Call& call, int slot) : object(call.slots[slot]) {
        if (!object) {
            items = call.rest;
            count = call.rest_count;
        } else if (PyTuple_Check(object) || PyList_Check(object)) {
            items = PySequence_Fast_ITEMS(object);
            count = PySequence_Fast_GET_SIZE(object);
        }
    }
    Items(const Items&) = delete;
    ~Items() { Py_XDECREF(copy); }
    explicit operator bool() const { return items || count == 0; }
    // Before anything that may run code of Python, which could change a list.
    void hold() {
        if (copy || !object || !PyList_Check(object)) return;
        copy = PyList_AsTuple(object);
        if (!copy) throw py::error_already_set();
        items = PySequence_Fast_ITEMS(copy);
    }
    PyObject* object = nullptr;
    PyObject* copy = nullptr;
    PyObject* const* items = nullptr;
    Py_ssize_t count = -1;
};

[[noreturn]] void fail_item(const Call& call, int slot, Py_ssize_t place, const char* problem) {
    PyObject* name = call.form->parameter(slot).name;
    fail<TypeError>(call.form->owner->name(), "(): argument '", PyUnicode_AsUTF8(name),
                    "' failed to unpack the object at pos ", place + 1, " with error \"", problem,
                    "\"");
}

bool read_items(const Call& call, int slot, Items& items, Dims& result) {
    result.resize(static_cast<int>(items.count));
    for (Py_ssize_t i = 0; i < items.count; ++i) {
        int64_t& size = result[static_cast<int>(i)];
        if (read_small_integer(items.items[i], size)) continue;
        items.hold();
        try {
            if (!to_integer(items.items[i], size)) return false;
        } catch (const ValueError& error) {
            fail_item(call, slot, i, error.what());
        }
    }
    return true;
}

// One item after the other; read(item, value) says whether it fits.
template <class T, class F>
bool read_each(const Call& call, int slot, std::vector<T>& result, F read) {
    Items items(call, slot);
    if (!items) return false;
    items.hold();
    result.reserve(static_cast<size_t>(items.count));
    for (Py_ssize_t i = 0; i < items.count; ++i) {
        T value{};
        if (!read(items.items[i], value)) return false;
        result.push_back(std::move(value));
    }
    return true;
}

}  // namespace

bool read_other_tensor(const Call& call, int slot, const Tensor*& result) {
    static const Tensor undefined;
    PyObject* object = call.slots[slot];
    if (is_none(call, slot)) result = &undefined;
    else if (is_tensor(object)) result = &unwrap(object);
    else return false;
    return true;
}

bool read_other_operand(PyObject* object, Arg& result) {
    Scalar number(0);
    if (is_tensor(object)) result = Arg(unwrap(object));
    else if (to_scalar(object, number)) result = Arg(number);
    else return false;
    return true;
}

bool read_number(PyObject* object, Scalar& result) {
    if (!is_tensor(object)) return to_scalar(object, result);
    if (unwrap(object).numel() != 1 || unwrap(object).requires_grad()) return false;
    result = to_number(unwrap(object));
    return true;
}

bool read_float(PyObject* object, double& result) {
    Scalar number(0);
    if (!read_number(object, number)) return false;
    result = number.to_double();
    return true;
}

bool read_bool(PyObject* object, bool& result) {
    const char* type = Py_TYPE(object)->tp_name;
    if (std::strcmp(type, "numpy.bool_") != 0 && std::strcmp(type, "numpy.bool") != 0) return false;
    result = truth_of(object);
    return true;
}

bool read_dims(const Call& call, int slot, Dims& result) {
    if (Items items(call, slot); items) return read_items(call, slot, items, result);
    if (call.form->has_options) return false;
    if (call.form->parameter(slot).variadic) {
        Items single(call.slots + slot, 1);
        return read_items(call, slot, single, result);
    }
    result.resize(1);
    return read_integer(call.slots[slot], result[0]);
}

bool read_tensors(const Call& call, int slot, bool holes, std::vector<Tensor>& result) {
    const Items items(call, slot);
    if (!items) return false;
    result.resize(static_cast<size_t>(items.count));
    for (size_t i = 0; i < result.size(); ++i) {
        PyObject* tensor = items.items[i];
        if (is_tensor(tensor)) result[i] = unwrap(tensor);
        else if (!holes || tensor != Py_None) return false;
    }
    return true;
}

bool read_objects(const Call& call, int slot, ObjectList& result) {
    const Items items(call, slot);
    if (!items) return false;
    // Owned: what is done with one may change the list that they are in.
    for (Py_ssize_t i = 0; i < items.count; ++i) result.push_back(Py_NewRef(items.items[i]));
    return true;
}

bool read_sizes(const Call& call, int slot, std::vector<Dims>& result) {
    if (const Items items(call, slot); items.object && items.count > 0 &&
                                       call.form->parameter(slot).variadic &&
                                       PyIndex_Check(items.items[0]))  // one alone
        return read_dims(call, slot, result.emplace_back());
    return read_each(call, slot, result, [&](PyObject* item, Dims& sizes) {
        return read_dims({call.form, &item, nullptr, 0}, 0, sizes);
    });
}

bool read_numbers(const Call& call, int slot, std::vector<double>& result) {
    return read_each(call, slot, result, read_float);
}

bool read_flags(const Call& call, int slot, std::vector<bool>& result) {
    return read_each(call, slot, result, [](PyObject* item, bool& flag) {
        flag = item == Py_True;
        return PyBool_Check(item);
    });
}

bool read_device(PyObject* object) {
    const bool text = PyUnicode_Check(object),
               number = PyLong_Check(object) && !PyBool_Check(object);
    if (object == Py_None || (text && PyUnicode_CompareWithASCIIString(object, "cpu") == 0))
        return true;
    if (!text && !number && !PyObject_HasAttrString(object, "type")) return false;
    // The class of devices is written in Python, and knows which there are.
    const auto devices =
        py::reinterpret_steal<py::object>(PyImport_ImportModule("tapegrad._device"));
    if (!devices) throw py::error_already_set();
    const auto done = py::reinterpret_steal<py::object>(
        PyObject_CallMethod(devices.ptr(), "require_cpu", "O", object));
    if (!done) throw py::error_already_set();
    return true;
}

bool read_memory_format(PyObject* object, MemoryFormat& result) {
    if (std::strcmp(Py_TYPE(object)->tp_name, "memory_format") != 0) return false;
    constexpr std::pair<const char*, MemoryFormat> formats[] = {
        {"preserve_format", MemoryFormat::Preserve},
        {"contiguous_format", MemoryFormat::Contiguous},
        {"channels_last", MemoryFormat::ChannelsLast},
        {"channels_last_3d", MemoryFormat::ChannelsLast3d}};
    const std::string text = py::str(py::handle(object));
    for (const auto& [name, format] : formats)
        if (text.ends_with(name)) result = format;
    return true;
}

bool read_text(PyObject* object, std::string_view& result) {
    if (!PyUnicode_Check(object)) return false;
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text) throw py::error_already_set();
    result = {text, static_cast<size_t>(size)};
    return true;
}

}  // namespace tapegrad::python
