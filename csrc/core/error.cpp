#include "core/error.h"

#include <cstdio>
#include <utility>

namespace tapegrad {

Error::Error(std::string message) : message_(std::move(message)) {}
Error::Error(const Error&) = default;
Error::~Error() = default;

void TextPart::append_to(std::string& text) const {
    switch (kind_) {
        case Kind::Text: text += text_; return;
        case Kind::Letter: text += letter_; return;
        case Kind::Signed: text += std::to_string(signed_); return;
        case Kind::Unsigned: text += std::to_string(unsigned_); return;
        case Kind::Double: {
            char digits[32];
            std::snprintf(digits, sizeof digits, "%g", double_);
            text += digits;
        }
    }
}

std::string concatenated(std::initializer_list<TextPart> parts) {
    std::string all;
    for (const TextPart& part : parts) part.append_to(all);
    return all;
}

template <class E> void raise(std::initializer_list<TextPart> parts) {
    throw E(concatenated(parts));
}
template void raise<Error>(std::initializer_list<TextPart>);
template void raise<ValueError>(std::initializer_list<TextPart>);
template void raise<TypeError>(std::initializer_list<TextPart>);
template void raise<IndexError>(std::initializer_list<TextPart>);
template void raise<NotImplementedError>(std::initializer_list<TextPart>);
template void raise<LinAlgError>(std::initializer_list<TextPart>);
template void raise<OutOfMemoryError>(std::initializer_list<TextPart>);

namespace {
void print_warning(const std::string& message) {
    std::fprintf(stderr, "tapegrad: %s\n", message.c_str());
}
void (*warning_handler)(const std::string&) = print_warning;
}  // namespace

void warn(const std::string& message) { warning_handler(message); }
void set_warning_handler(void (*handler)(const std::string&)) { warning_handler = handler; }

}  // namespace tapegrad
