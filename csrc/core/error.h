// Errors, one class per Python exception that they become.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tapegrad {

struct Error : std::runtime_error {  // RuntimeError
    using std::runtime_error::runtime_error;
};
struct ValueError : Error {
    using Error::Error;
};
struct TypeError : Error {
    using Error::Error;
};
struct IndexError : Error {
    using Error::Error;
};
struct NotImplementedError : Error {
    using Error::Error;
};
struct LinAlgError : Error {  // a RuntimeError: of a matrix that has no such inverse, factors, ...
    using Error::Error;
};
struct OutOfMemoryError : Error {  // RuntimeError, as PyTorch raises
    using Error::Error;
};

template <class... Parts> std::string text(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

template <class E = Error, class... Parts>
[[noreturn]] [[gnu::cold]] void fail(const Parts&... parts) {
    throw E(text(parts...));
}

// Shows a warning to the user; the bindings make it a Python UserWarning.
void warn(const std::string& message);
void set_warning_handler(void (*handler)(const std::string&));

}  // namespace tapegrad
