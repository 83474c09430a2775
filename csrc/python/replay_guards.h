// What a recorded program takes for granted of the world around it: attributes of modules, options of optimisers.
#pragma once

#include <pybind11/pytypes.h>

#include <string>
#include <vector>

namespace tapegrad::python {

namespace py = pybind11;

// That a dict has the values that it had, the very same objects, and lists among them their length.
class DictGuard {
public:
    explicit DictGuard(PyObject* dict);
    // Of some keys only.
    DictGuard(PyObject* dict, PyObject* const* keys, size_t count);

    PyObject* dict() const { return dict_.ptr(); }
    // What has changed since counts as free to change.
    void forget_changed();
    void forget(PyObject* key);
    bool holds() const {
        for (const auto& [list, size] : lists_)
            if (PyList_GET_SIZE(list.ptr()) != size) return false;
#if PY_VERSION_HEX < 0x030C0000
        if (reinterpret_cast<PyDictObject*>(dict_.ptr())->ma_version_tag == version_) return true;
#endif
        return compare();
    }
    // The key whose value is another, for people.
    py::object changed_key() const;
    int traverse(visitproc visit, void* arg) const;

private:
    bool compare() const;
    void note_version() const;
    void note_lists();

    py::object dict_;
    std::vector<std::pair<py::object, py::object>> entries_;  // without a value: free to change
    std::vector<std::pair<py::object, Py_ssize_t>> lists_;
    bool sized_ = true;  // no key may come or go
    mutable uint64_t version_ = 0;
};

// What a function finds outside of itself: the variables of the functions around it, and globals.
class FunctionGuard {
public:
    explicit FunctionGuard(PyObject* function);

    void forget_changed();
    bool holds() const;
    std::string changed_name() const;
    int traverse(visitproc visit, void* arg) const;

private:
    struct Cell {
        py::object cell, content, name;
    };
    std::vector<Cell> cells_;
    std::vector<DictGuard> dicts_;
};

}  // namespace tapegrad::python
