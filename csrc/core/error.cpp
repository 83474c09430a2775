#include "core/error.h"

#include <cstdio>

namespace tapegrad {
namespace {
void print_warning(const std::string& message) {
    std::fprintf(stderr, "tapegrad: %s\n", message.c_str());
}
void (*warning_handler)(const std::string&) = print_warning;
}  // namespace

void warn(const std::string& message) { warning_handler(message); }
void set_warning_handler(void (*handler)(const std::string&)) { warning_handler = handler; }

}  // namespace tapegrad
