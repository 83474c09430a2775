// Errors, one class per Python exception that they become.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tapegrad {

struct Error : std::exception {  // RuntimeError
    explicit Error(std::string message);
    Error(const Error&);
    ~Error() override;
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

// A piece of a message.
class TextPart {
public:
    TextPart(std::string_view text) : kind_(Kind::Text), text_(text) {}
    TextPart(const std::string& text) : TextPart(std::string_view(text)) {}
    TextPart(const char* text) : TextPart(std::string_view(text)) {}
    TextPart(char letter) : kind_(Kind::Letter), letter_(letter) {}
    TextPart(std::signed_integral auto number) : kind_(Kind::Signed), signed_(number) {}
    TextPart(std::unsigned_integral auto number) : kind_(Kind::Unsigned), unsigned_(number) {}
    TextPart(double number) : kind_(Kind::Double), double_(number) {}
    void append_to(std::string& text) const;

private:
    enum class Kind { Text, Letter, Signed, Unsigned, Double };
    Kind kind_;
    union {
        std::string_view text_;
        char letter_;
        int64_t signed_;
        uint64_t unsigned_;
        double double_;
    };
};
std::string concatenated(std::initializer_list<TextPart> parts);

template <class... Parts> std::string text(const Parts&... parts) {
    return concatenated({TextPart(parts)...});
}

// Compiled once for each class of errors: messages are many.
template <class E> [[noreturn]] void raise(std::initializer_list<TextPart> parts);

template <class E = Error, class... Parts>
[[noreturn]] [[gnu::cold]] void fail(const Parts&... parts) {
    raise<E>({TextPart(parts)...});
}

// Shows a warning to the user; the bindings make it a Python UserWarning.
void warn(const std::string& message);
void set_warning_handler(void (*handler)(const std::string&));

}  // namespace tapegrad
