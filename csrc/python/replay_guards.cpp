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
    note_lists();
    note_version();
}

DictGuard::DictGuard(PyObject* dict, PyObject* const* keys, size_t count)
    : dict_(share(dict)),
      sized_(false) {
    for (size_t i = 0; i < count; ++i)
        if (PyObject* value = value_in(dict, keys[i]))
            entries_.emplace_back(share(keys[i]), share(value));
    note_lists();
    note_version();
}

void DictGuard::note_lists() {
    lists_.clear();
    for (const auto& [key, value] : entries_)
        if (value && PyList_CheckExact(value.ptr()))
            lists_.emplace_back(value, PyList_GET_SIZE(value.ptr()));
}

void DictGuard::note_version() const {
#if PY_VERSION_HEX < 0x030C0000
    version_ = reinterpret_cast<PyDictObject*>(dict_.ptr())->ma_version_tag;
#endif
}

void DictGuard::forget_changed() {
    sized_ = sized_ && PyDict_GET_SIZE(dict_.ptr()) == static_cast<Py_ssize_t>(entries_.size());
    for (auto& [key, value] : entries_)
        if (value_in(dict_.ptr(), key.ptr()) != value.ptr()) value = py::object();
    // A list that has grown or shrunk meanwhile is free to, too.
    std::erase_if(
        lists_, [](const auto& list) { return PyList_GET_SIZE(list.first.ptr()) != list.second; });
    note_version();
}

void DictGuard::forget(PyObject* key) {
    sized_ = false;
    std::erase_if(entries_, [&](const auto& entry) {
        return PyObject_RichCompareBool(entry.first.ptr(), key, Py_EQ) == 1;
    });
    note_lists();
}

bool DictGuard::compare() const {
    if (changed_key()) return false;
    note_version();
    return true;
}

py::object DictGuard::changed_key() const {
    PyObject* dict = dict_.ptr();
    for (const auto& [key, value] : entries_)
        if (value && value_in(dict, key.ptr()) != value.ptr()) return key;
    for (const auto& [list, size] : lists_)
        if (PyList_GET_SIZE(list.ptr()) != size)
            for (const auto& [key, value] : entries_)
                if (value.is(list)) return key;
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

// ------------------------------------------------------------------------------------ functions

namespace {

// What programs do not exchange.
bool is_fixed(PyObject* value) {
    return PyModule_Check(value) || PyType_Check(value) || PyFunction_Check(value) ||
           PyCFunction_Check(value);
}

}  // namespace

FunctionGuard::FunctionGuard(PyObject* function) {
    if (PyMethod_Check(function)) {
        PyObject** dict = _PyObject_GetDictPtr(PyMethod_GET_SELF(function));
        if (dict && *dict) dicts_.emplace_back(*dict);
        function = PyMethod_GET_FUNCTION(function);
    }
    if (!PyFunction_Check(function)) return;
    auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function));
    const auto free = py::reinterpret_steal<py::object>(
        PyObject_GetAttrString(reinterpret_cast<PyObject*>(code), "co_freevars"));
    PyObject* cells = PyFunction_GET_CLOSURE(function);
    for (Py_ssize_t i = 0; cells && free && i < PyTuple_GET_SIZE(cells); ++i) {
        PyObject* content = PyCell_GET(PyTuple_GET_ITEM(cells, i));
        if (content && !is_fixed(content))
            cells_.push_back({share(PyTuple_GET_ITEM(cells, i)), share(content),
                              share(PyTuple_GET_ITEM(free.ptr(), i))});
    }
    PyObject* globals = PyFunction_GET_GLOBALS(function);
    std::vector<PyObject*> names;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_names); ++i) {
        PyObject* name = PyTuple_GET_ITEM(code->co_names, i);
        PyObject* value = value_in(globals, name);
        if (value && !is_fixed(value)) names.push_back(name);
    }
    if (!names.empty()) dicts_.emplace_back(globals, names.data(), names.size());
}

void FunctionGuard::forget_changed() {
    std::erase_if(
        cells_, [](const Cell& cell) { return PyCell_GET(cell.cell.ptr()) != cell.content.ptr(); });
    for (DictGuard& dict : dicts_) dict.forget_changed();
}

bool FunctionGuard::holds() const {
    for (const Cell& cell : cells_)
        if (PyCell_GET(cell.cell.ptr()) != cell.content.ptr()) return false;
    for (const DictGuard& dict : dicts_)
        if (!dict.holds()) return false;
    return true;
}

std::string FunctionGuard::changed_name() const {
    for (const Cell& cell : cells_)
        if (PyCell_GET(cell.cell.ptr()) != cell.content.ptr()) return py::str(cell.name);
    for (const DictGuard& dict : dicts_)
        if (const py::object key = dict.changed_key()) return py::str(key);
    return {};
}

int FunctionGuard::traverse(visitproc visit, void* arg) const {
    for (const Cell& cell : cells_) {
        Py_VISIT(cell.cell.ptr());
        Py_VISIT(cell.content.ptr());
    }
    for (const DictGuard& dict : dicts_)
        if (const int stop = dict.traverse(visit, arg)) return stop;
    return 0;
}

// ---------------------------------------------------------------------------------------- dicts

int DictGuard::traverse(visitproc visit, void* arg) const {
    Py_VISIT(dict_.ptr());
    for (const auto& [key, value] : entries_) Py_VISIT(value.ptr());
    return 0;
}

}  // namespace tapegrad::python
