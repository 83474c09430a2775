#include "python/errors.h"

#include <pybind11/pybind11.h>
#include <unistd.h>

#include "core/error.h"
#include "python/interpreter.h"

namespace py = pybind11;

namespace tapegrad::python {

// As PyTorch, which knows no MemoryError. Tables of offsets raise these; tensors raise an Error.
constexpr const char* kNoMemory = "tapegrad: can't allocate memory";

PyObject* linalg_error = nullptr;

void sleep_until_exit() noexcept {
    for (;;) pause();
}

void set_error_from_exception() noexcept {
    try {
        run_python([] { throw; });
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const ValueError& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const TypeError& error) {
        PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const IndexError& error) {
        PyErr_SetString(PyExc_IndexError, error.what());
    } catch (const NotImplementedError& error) {
        PyErr_SetString(PyExc_NotImplementedError, error.what());
    } catch (const LinAlgError& error) {
        PyErr_SetString(linalg_error, error.what());
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
