// What the bindings know of where the program is: its line (call_site.h) and which of its modules is running.
#pragma once

#include <pybind11/pytypes.h>

#include <string>

#include "autograd/node.h"

namespace tapegrad::python {

// A call of a module, for as long as it lasts.
class RunningModule {
public:
    explicit RunningModule(PyObject* module) noexcept : module_(module), outer_(innermost) {
        innermost = this;
        noted_error = nullptr;
    }
    ~RunningModule() { innermost = outer_; }
    RunningModule(const RunningModule&) = delete;
    RunningModule& operator=(const RunningModule&) = delete;

    // The number of its path, found when it is first asked for.
    uint16_t scope() noexcept {
        if (scope_ < 0) [[unlikely]]
            find_scope();
        return static_cast<uint16_t>(scope_);
    }
    // Adds to the error that is set which module it comes from: a note like "in layers.2.linear (Linear(64, 32))".
    void note_error() noexcept;

    static inline thread_local RunningModule* innermost __attribute__((tls_model("initial-exec"))) =
        nullptr;

private:
    void find_scope() noexcept;
    std::string text() noexcept;

    // The one that has a note while it passes through the modules around; only compared.
    static inline thread_local PyObject* noted_error __attribute__((tls_model("initial-exec"))) =
        nullptr;
    PyObject* const module_;  // borrowed: it is being called
    RunningModule* const outer_;
    int32_t scope_ = -1;
};

// Of the call that made the node: (file, line, function, path of the module, its type, end line, column, end
// column), or None.
pybind11::object describe(const Node& node);

// As in tracebacks: "  File "train.py", line 12, in step" and the line.
std::string traceback_line(Site site);

// exception.add_note(note), also where Python has no such method yet.
void add_note(PyObject* exception, const std::string& note) noexcept;

}  // namespace tapegrad::python
