#include "python/provenance.h"

#include <pybind11/pytypes.h>

#include <limits>
#include <unordered_map>
#include <vector>

#include "autograd/cuts.h"
#include "autograd/engine.h"
#include "autograd/variable.h"
#include "python/call_site.h"
#include "python/interpreter.h"
#include "python/module.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

// ------------------------------------------------------------------------- paths of modules

// Paths seen so far, each once: a program has not many, however long it runs. Number 0 is none.
struct Scope {
    std::string path;  // "layers.2.linear"; empty for a module that no other one calls
    std::string type;
};
std::vector<Scope>& scopes() {
    static auto& all = *new std::vector<Scope>(1);
    return all;
}

uint16_t number_of(Scope scope) {
    static auto& numbers = *new std::unordered_map<std::string, uint16_t>;
    const auto [place, added] = numbers.try_emplace(scope.path + '\n' + scope.type, uint16_t{0});
    if (added && scopes().size() <= std::numeric_limits<uint16_t>::max()) {
        place->second = static_cast<uint16_t>(scopes().size());
        scopes().push_back(std::move(scope));
    }
    return place->second;
}

// The name of a module among those that another one holds, at any depth; empty if it is not there.
std::string name_inside(PyObject* holder, PyObject* module, int depth = 0) {
    constexpr int kDeepest = 100;
    static PyObject* const name = PyUnicode_InternFromString("_modules");
    PyObject** dict = _PyObject_GetDictPtr(holder);
    PyObject* held = dict && *dict ? PyDict_GetItemWithError(*dict, name) : nullptr;
    if (!held || !PyDict_Check(held) || depth == kDeepest) return {};
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(held, &at, &key, &value);)
        if (value == module && PyUnicode_Check(key)) return PyUnicode_AsUTF8(key);
    for (Py_ssize_t at = 0; PyDict_Next(held, &at, &key, &value);) {
        const std::string inner = name_inside(value, module, depth + 1);
        if (!inner.empty() && PyUnicode_Check(key)) return PyUnicode_AsUTF8(key) + ("." + inner);
    }
    return {};
}

// What was found for a module that was called in a scope. The module may be gone, and another one in its place.
struct Known {
    PyObject* reference;  // weak
    uint16_t scope;
};
struct Key {
    PyObject* module;
    uint16_t outer;
    bool operator==(const Key&) const = default;
};
struct Hash {
    size_t operator()(const Key& key) const noexcept {
        return (reinterpret_cast<size_t>(key.module) >> 4) * 31 + key.outer;
    }
};

bool refers_to(PyObject* reference, PyObject* module) {
#if PY_VERSION_HEX < 0x030D0000
    return PyWeakref_GetObject(reference) == module;
#else
    PyObject* object = nullptr;
    if (PyWeakref_GetRef(reference, &object) <= 0) return false;
    Py_DECREF(object);
    return object == module;
#endif
}

using KnownModules = std::unordered_map<Key, Known, Hash>;

// Forgets modules that are gone, each time that the table has become twice as large.
void clear_out(KnownModules& modules) {
    static size_t limit = 1024;
    if (modules.size() < limit) return;
    std::erase_if(modules, [](const auto& entry) {
        const bool gone = !refers_to(entry.second.reference, entry.first.module);
        if (gone) Py_DECREF(entry.second.reference);
        return gone;
    });
    limit = 2 * modules.size() + 1024;
}

std::string utf8(PyObject* text) {
    const char* bytes = text ? PyUnicode_AsUTF8(text) : nullptr;
    if (!bytes) PyErr_Clear();
    return bytes ? bytes : "";
}

// ---------------------------------------------------------------------------------- texts

std::string source_line(const CallSite& site) {
    try {
        const py::object line = py::module_::import("linecache")
                                    .attr("getline")(py::handle(site.file), site.line)
                                    .attr("strip")();
        return utf8(line.ptr());
    } catch (py::error_already_set&) {
        return {};
    }
}

std::string text_of(Origin origin) {
    const CallSite* site = call_site(origin.site);
    if (!site) return {};
    std::string text = utf8(site->file) + ":" + std::to_string(site->line);
    const std::string function = utf8(site->function);
    if (function != "<module>") text += ", in " + function;
    const std::string path = scopes()[origin.module].path;
    if (!path.empty()) text += " (module " + path + ")";
    const std::string source = source_line(*site);
    return source.empty() ? text : text + ": " + source;
}

Site site_of_call() noexcept { return find_call_site(); }
Origin origin_of_call() noexcept {
    RunningModule* const running = RunningModule::innermost;
    return {find_call_site(), running ? running->scope() : uint16_t{0}};
}

void annotate_python_error(const std::string& note) {
    try {
        throw;
    } catch (py::error_already_set& error) {
        add_note(error.value().ptr(), note);
    } catch (...) {
    }
}

py::object describe_call(Origin origin) {
    const CallSite* site = call_site(origin.site);
    if (!site) return py::none();
    const Scope& scope = scopes()[origin.module];
    py::object path = py::none(), type = py::none();
    if (origin.module) {
        path = py::str(scope.path);
        type = py::str(scope.type);
    }
    return py::make_tuple(py::handle(site->file), site->line, py::handle(site->function), path,
                          type, site->end_line, site->column, site->end_column);
}

}  // namespace

void RunningModule::find_scope() noexcept {
    scope_ = 0;
    py::error_scope keep;
    try {
        static auto& modules = *new KnownModules;
        const uint16_t outer = outer_ ? outer_->scope() : uint16_t{0};
        Known& known = modules[{module_, outer}];
        if (!known.reference || !refers_to(known.reference, module_)) {
            Py_XDECREF(known.reference);
            known.reference = PyWeakref_NewRef(module_, nullptr);
            if (!known.reference) {
                PyErr_Clear();
                modules.erase({module_, outer});
                return;
            }
            Scope scope;
            scope.type = py::str(py::type::handle_of(module_).attr("__name__"));
            if (outer_) {
                scope.path = name_inside(outer_->module_, module_);
                PyErr_Clear();
                if (scope.path.empty()) scope.path = scope.type;  // held by something else
                if (const std::string& path = scopes()[outer].path; !path.empty())
                    scope.path = path + "." + scope.path;
            }
            known.scope = number_of(std::move(scope));
            scope_ = known.scope;
            clear_out(modules);
        } else {
            scope_ = known.scope;
        }
    } catch (...) {
        PyErr_Clear();
    }
}

void RunningModule::note_error() noexcept {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return;
    py::error_already_set error;
    PyObject* const exception = error.value().ptr();
    // The innermost module's note is the one that helps.
    if (std::exchange(noted_error, exception) != exception) add_note(exception, "in " + text());
    error.restore();
}

// "layers.2.linear (Linear(64, 32))", as far as the module can be shown.
std::string RunningModule::text() noexcept {
    const std::string path = scopes()[scope()].path;
    try {
        const py::handle module(module_);
        const std::string shown = py::str(module.attr("_get_name")()).cast<std::string>() + "(" +
                                  py::str(module.attr("extra_repr")()).cast<std::string>() + ")";
        return path.empty() ? shown : path + " (" + shown + ")";
    } catch (...) {
        return path.empty() ? Py_TYPE(module_)->tp_name : path;
    }
}

void add_note(PyObject* exception, const std::string& note) noexcept {
    try {
        const py::handle to(exception);
        if (py::hasattr(to, "add_note")) {
            to.attr("add_note")(note);
        } else {
            if (!py::hasattr(to, "__notes__")) to.attr("__notes__") = py::list();
            to.attr("__notes__").attr("append")(note);
        }
    } catch (...) {
    }
}

std::string traceback_line(Site number) {
    const CallSite* site = call_site(number);
    if (!site) return {};
    const std::string source = source_line(*site);
    return "  File \"" + utf8(site->file) + "\", line " + std::to_string(site->line) + ", in " +
           utf8(site->function) + "\n" + (source.empty() ? source : "    " + source + "\n");
}

py::object describe(const Node& node) { return describe_call(node.origin()); }

void bind_provenance(py::module_& m) {
    m.def("_start_provenance", [](std::string folder, bool enabled) {
        set_package_folder(std::move(folder));
        if (!enabled) return;
        find_site = site_of_call;
        find_origin = origin_of_call;
        origin_text = text_of;
        annotate_foreign_error = annotate_python_error;
        is_called_by_user = is_user_calling;
    });
    m.def("_site", [](Site site) { return describe_call({site, 0}); });
    m.def("_cuts", [] {
        py::list list;
        for (const CutEntry& cut : cuts())
            list.append(py::make_tuple(cut.how, cut.site, cut.block, cut.when, cut.complete,
                                       std::vector<uint64_t>(cut.leaves)));
        return list;
    });
    // Of a leaf: its number in the ledger, the latest pass that brought a gradient, where .grad was set to None
    // last, and whether a graph has ever had it.
    m.def("_leaf_story", [](const Tensor& leaf) -> py::tuple {
        const AutogradExtra* extra = extra_of(leaf);
        if (!extra) return py::make_tuple(0, 0, 0, false);
        return py::make_tuple(extra->ledger_number, extra->latest_run, extra->cleared_at,
                              extra->accumulator || extra->former_accumulator ||
                                  extra->latest_run || extra->ledger_number);
    });
    m.def("_last_write", [](const Tensor& tensor) { return tensor.storage()->last_write(); });
}

}  // namespace tapegrad::python
