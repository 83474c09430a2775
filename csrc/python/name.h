// Names as template arguments, so that each has a function of its own.
#pragma once

#include <algorithm>
#include <cstddef>

namespace tapegrad::python {

template <size_t N> struct Name {
    constexpr Name() = default;
    constexpr Name(const char (&name)[N]) { std::copy_n(name, N, text); }
    char text[N] = {};
};

}  // namespace tapegrad::python
