// C++ exceptions become Python exceptions, in one place.
#pragma once

#include <Python.h>

namespace tapegrad::python {

// What LinAlgError becomes: made with the operators of linear algebra.
extern PyObject* linalg_error;

// To be called in a catch block: sets the Python error for the exception that is being handled.
void set_error_from_exception() noexcept;

// Runs f; on an exception sets the Python error and returns failure (nullptr, or -1 for integers).
template <class F> [[gnu::always_inline]] inline auto guarded(F&& f) noexcept -> decltype(f()) {
    try {
        return f();
    } catch (...) {
        set_error_from_exception();
        if constexpr (__is_same(decltype(f()), PyObject*)) return nullptr;
        else return static_cast<decltype(f())>(-1);
    }
}

void install_error_handling();

}  // namespace tapegrad::python
