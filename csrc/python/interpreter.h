// Calls from the core into Python code.
#pragma once

#include <pybind11/pytypes.h>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace tapegrad::python {

namespace py = pybind11;

// For a thread that must not touch anything any more: the end of the process takes it away.
[[noreturn]] void sleep_until_exit() noexcept;

// Runs f, which may wait for the interpreter lock. While the process ends, a daemon thread that waits for it
// gets no lock but has its stack unwound: through destructors that would release objects nevertheless. So it
// stays here.
template <class F> auto run_python(F&& f) -> decltype(f()) {
#ifdef __GLIBCXX__
    try {
        return f();
    } catch (abi::__forced_unwind&) {
        sleep_until_exit();
    }
#else
    return f();
#endif
}

// function(*args, **kwargs). The caller holds the arguments.
inline py::object call_python(py::handle function, const py::tuple& args,
                              py::handle kwargs = nullptr) {
    PyObject* const result =
        run_python([&] { return PyObject_Call(function.ptr(), args.ptr(), kwargs.ptr()); });
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

}  // namespace tapegrad::python
