// Errors, one class per Python exception that they become.
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tapegrad {

struct Error : std::exception {  // RuntimeError
    explicit Error(std::string message) : message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }
    // Which lines of the user's program are at fault, beside a message that people and programs know as it is:
    // notes of the Python exception.
    std::vector<std::string> notes;

private:
    std::string message_;
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
