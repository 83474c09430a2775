#include "python/replay_guards.h"

namespace tapegrad::python {
namespace {

py::object share(PyObject* object) { return py::reinterpret_borrow<py::object>(object); }

PyObject* value_in(PyObject* dict, PyObject* key) {
    PyObject* value = PyDict_GetItemWithError(dict, key);
    if (!value) PyErr_Clear();
    return value;
}

}  // namespace

DictGuard::DictGuard(PyObject* dict) : dict_(share(dict)) {
    Py_ssize_t place = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &place, &key, &value)) entries_.emplace_back(share(key), share(value));
    note_version();
}

void DictGuard::note_version() const {
#if PY_VERSION_HEX < 0x030C0000
    version_ = reinterpret_cast<PyDictObject*>(dict_.ptr())->ma_version_tag;
#endif
}

void DictGuard::forget_changed() {
    sized_ = PyDict_GET_SIZE(dict_.ptr()) == static_cast<Py_ssize_t>(entries_.size());
    std::erase_if(entries_, [&](const auto& entry) {
        return value_in(dict_.ptr(), entry.first.ptr()) != entry.second.ptr();
    });
    note_version();
}

void DictGuard::forget(PyObject* key) {
    sized_ = false;
    std::erase_if(entries_, [&](const auto& entry) {
        return PyObject_RichCompareBool(entry.first.ptr(), key, Py_EQ) == 1;
    });
}

bool DictGuard::compare() const {
    if (changed_key()) return false;
    note_version();
    return true;
}

py::object DictGuard::changed_key() const {
    PyObject* dict = dict_.ptr();
    for (const auto& [key, value] : entries_)
        if (value_in(dict, key.ptr()) != value.ptr()) return key;
    if (!sized_ || PyDict_GET_SIZE(dict) == static_cast<Py_ssize_t>(entries_.size())) return {};
    Py_ssize_t place = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &place, &key, &value)) {
        bool known = false;
        for (const auto& entry : entries_) known = known || entry.first.ptr() == key;
        if (!known) return share(key);
    }
    return {};
}

int DictGuard::traverse(visitproc visit, void* arg) const {
    Py_VISIT(dict_.ptr());
    for (const auto& [key, value] : entries_) Py_VISIT(value.ptr());
    return 0;
}

}  // namespace tapegrad::python
