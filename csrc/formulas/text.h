// A reading of the rules as text: what grad_fn.formula shows.
#pragma once

#include <concepts>
#include <cstdio>
#include <string>

#include "core/dims.h"
#include "formulas/vocabulary.h"

namespace tapegrad::formulas {

// Parameters that are no tensors, as Python shows them. A type of its own kind brings its as_text along.
template <class T>
    requires std::is_arithmetic_v<T>
std::string as_text(T value) {
    if constexpr (std::same_as<T, bool>) return value ? "True" : "False";
    if constexpr (std::integral<T>) return std::to_string(value);
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", static_cast<double>(value));
    return buffer;
}
inline std::string as_text(const std::string& value) { return "'" + value + "'"; }
inline std::string as_text(const char* value) { return as_text(std::string(value)); }
inline std::string as_text(const Dims& dims) {
    std::string list;
    for (const int64_t d : dims) list += (list.empty() ? "" : ", ") + std::to_string(d);
    return "(" + list + (dims.size() == 1 ? ",)" : ")");
}

class Text {
public:
    // How tightly the outermost operator binds; an operand that binds less is put in parentheses.
    enum Level { kCompare, kSum, kProduct, kNegation, kAtom };

    std::string s;
    Level level = kAtom;

    Text(std::string text, Level l = kAtom) : s(std::move(text)), level(l) {}
    Text(const char* text) : s(text) {}
    template <class T>
        requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    Text(T value) : s(as_text(value)),
                    level(value < T(0) ? kNegation : kAtom) {}

    std::string at(Level least) const { return level < least ? "(" + s + ")" : s; }

#define TAPEGRAD_PROPERTY_(name) \
    Text name() const { return at(kAtom) + "." #name "()"; }
    TAPEGRAD_PROPERTIES(TAPEGRAD_PROPERTY_)
#undef TAPEGRAD_PROPERTY_
    Text size(const Text& dim) const { return at(kAtom) + ".size(" + dim.s + ")"; }
};
inline std::string as_text(const Text& text) { return text.s; }

#define TAPEGRAD_OPERATOR_(sign, Name, own, right)                                           \
    inline Text operator sign(const Text& a, const Text& b) {                                \
        return {a.at(Text::own) + " " #sign " " + b.at(Text::right), Text::own};             \
    }
TAPEGRAD_ARITHMETIC(TAPEGRAD_OPERATOR_)
TAPEGRAD_TESTS(TAPEGRAD_OPERATOR_)
#undef TAPEGRAD_OPERATOR_
inline Text operator&(const Text& a, const Text& b) {
    return {"(" + a.s + ") & (" + b.s + ")", Text::kCompare};
}
inline Text operator-(const Text& a) { return {"-" + a.at(Text::kNegation), Text::kNegation}; }

// "name(arg, arg)"
template <class... Args> Text call(const char* name, const Args&... args) {
    std::string list;
    ((list += (list.empty() ? "" : ", ") + as_text(args)), ...);
    return name + ("(" + list + ")");
}
#define TAPEGRAD_WORD_(name)                              \
    template <class... Args>                              \
        requires ReadAs<Text, Args...>                    \
    Text name(const Args&... args) {                      \
        return call(#name, args...);                      \
    }
#define TAPEGRAD_OPERATOR_WORD_(Name, name, ...) TAPEGRAD_WORD_(name)
TAPEGRAD_WORDS(TAPEGRAD_WORD_, TAPEGRAD_OPERATOR_WORD_)
#undef TAPEGRAD_OPERATOR_WORD_
#undef TAPEGRAD_WORD_

// With a notation of their own; a fixed number of arguments goes before any number of them.
template <class A, class B>
    requires ReadAs<Text, A, B>
Text pow(const A& a, const B& b) {
    return {Text(a).at(Text::kAtom) + " ** " + Text(b).at(Text::kAtom), Text::kNegation};
}
inline Text zero_like(const Text&) { return 0; }

}  // namespace tapegrad::formulas
