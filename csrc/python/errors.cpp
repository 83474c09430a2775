#include "python/errors.h"

#include <pybind11/pybind11.h>
#include <unistd.h>

#include "core/error.h"
#include "python/interpreter.h"
#include "python/provenance.h"

namespace py = pybind11;

// Files that include pybind11/pytypes.h only take this from elsewhere, where it may have been inlined everywhere.
template std::string pybind11::handle::cast<std::string>() const;

namespace tapegrad::python {

// As PyTorch, which knows no MemoryError. Tables of offsets raise these; tensors raise an Error.
constexpr const char* kNoMemory = "tapegrad: can't allocate memory";

PyObject* linalg_error = nullptr;

void sleep_until_exit() noexcept {
    for (;;) pause();
}

namespace {

void set_error(PyObject* type, const Error& error) noexcept {
    PyErr_SetString(type, error.what());
    if (error.notes.empty()) return;
    py::error_already_set set;
    for (const std::string& note : error.notes) add_note(set.value().ptr(), note);
    set.restore();
}

}  // namespace

void set_error_from_exception() noexcept {
    try {
        run_python([] { throw; });
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const ValueError& error) {
        set_error(PyExc_ValueError, error);
    } catch (const TypeError& error) {
        set_error(PyExc_TypeError, error);
    } catch (const IndexError& error) {
        set_error(PyExc_IndexError, error);
    } catch (const NotImplementedError& error) {
        set_error(PyExc_NotImplementedError, error);
    } catch (const LinAlgError& error) {
        set_error(linalg_error, error);
    } catch (const Error& error) {
        set_error(PyExc_RuntimeError, error);
    } catch (const py::builtin_exception& error) {
        error.set_error();
    } catch (const std::bad_alloc&) {
        PyErr_SetString(PyExc_RuntimeError, kNoMemory);
    } catch (const std::length_error&) {
        PyErr_SetString(PyExc_RuntimeError, kNoMemory);
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "tapegrad: unknown C++ exception");
    }
}

void install_error_handling() {
    py::register_exception_translator([](std::exception_ptr exception) {
        try {
            if (exception) std::rethrow_exception(exception);
        } catch (const Error&) {
            set_error_from_exception();
        } catch (const std::bad_alloc&) {
            set_error_from_exception();
        } catch (const std::length_error&) {
            set_error_from_exception();
        }
    });
    set_warning_handler([](const std::string& message) {
        if (run_python([&] { return PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1); }) < 0)
            throw py::error_already_set();
    });
}

}  // namespace tapegrad::python
