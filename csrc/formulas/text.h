// A reading of the rules as text: what grad_fn.formula shows.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>

#include "core/dims.h"
#include "formulas/vocabulary.h"

namespace tapegrad::formulas {

// Parameters that are no tensors, as Python shows them. A type of its own kind brings its as_text along.
std::string as_text(double value);
inline std::string as_text(bool value) { return value ? "True" : "False"; }
template <std::integral T> std::string as_text(T value) { return std::to_string(value); }
inline std::string as_text(const char* value) { return value; }
std::string as_text(const Dims& dims);

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

    std::string at(Level least) const;
    Text property(const char* name) const;  // "self.sizes()"

#define TAPEGRAD_PROPERTY_(name) \
    Text name() const { return property(#name); }
    TAPEGRAD_PROPERTIES(TAPEGRAD_PROPERTY_)
#undef TAPEGRAD_PROPERTY_
};
inline std::string as_text(const Text& text) { return text.s; }

// "a sign b", and "name(arg, arg)".
Text joined(const Text& a, const char* sign, const Text& b, Text::Level own, Text::Level right);
Text call(const char* name, std::initializer_list<std::string> arguments);

#define TAPEGRAD_OPERATOR_(sign, Name, own, right)                \
    inline Text operator sign(const Text& a, const Text& b) {     \
        return joined(a, " " #sign " ", b, Text::own, Text::right); \
    }
TAPEGRAD_ARITHMETIC(TAPEGRAD_OPERATOR_)
TAPEGRAD_TESTS(TAPEGRAD_OPERATOR_)
#undef TAPEGRAD_OPERATOR_
Text operator&(const Text& a, const Text& b);
Text operator|(const Text& a, const Text& b);
Text operator-(const Text& a);

#define TAPEGRAD_WORD_(name)                    \
    template <class... Args>                    \
        requires ReadAs<Text, Args...>          \
    Text name(const Args&... args) {            \
        return call(#name, {as_text(args)...}); \
    }
#define TAPEGRAD_OPERATOR_WORD_(Name, name, ...) TAPEGRAD_WORD_(name)
TAPEGRAD_WORDS(TAPEGRAD_WORD_, TAPEGRAD_OPERATOR_WORD_)
#undef TAPEGRAD_OPERATOR_WORD_
#undef TAPEGRAD_WORD_

// With a notation of their own; a fixed number of arguments goes before any number of them.
Text power(const Text& a, const Text& b);
template <class A, class B>
    requires ReadAs<Text, A, B>
Text pow(const A& a, const B& b) {
    return power(Text(a), Text(b));
}
inline Text zero_like(const Text&) { return 0; }
// What is meant, without the care for digits and ranges.
inline Text logistic(const Text& x) { return sigmoid(x); }
inline Text logistic_rest(const Text& s, const Text&) { return 1 - s; }
inline Text pow_slope(const Text& a, const Text& b) { return b * pow(a, b - 1); }
inline Text over_squares(const Text& a, const Text& b) { return a / (a * a + b * b); }
inline Text difference(const Text& a, const Text& b) { return a - b; }
inline Text mish_gate(const Text& x) { return call("tanh", {call("softplus", {x.s}).s}); }
inline Text mish_gate_slope(const Text& x) { return sigmoid(x) * (1 - pow(mish_gate(x), 2)); }
inline Text sinc_slope(const Text& x) { return (cos(x * kPi) - sinc(x)) / x; }
inline Text i1_slope(const Text& x) { return i0(x) - i1(x) / x; }
inline Text i1e_slope(const Text& x) { return i0e(x) - i1e(x) * (sign(x) + 1 / x); }
inline Text erfcx_slope(const Text& x) { return 2 * (x * erfcx(x)) - kTwoOverSqrtPi; }
inline Text floor_quotient(const Text& a, const Text& b) { return floor(a / b); }
inline Text trunc_quotient(const Text& a, const Text& b) { return trunc(a / b); }

}  // namespace tapegrad::formulas
