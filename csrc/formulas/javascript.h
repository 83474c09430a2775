// A reading of the formulas as source text in JavaScript, for a page in which a graph is alive: the value and
// the derivatives of every element-wise operator, as functions of numbers.
//
// The words are functions that the page has: those that are formulas themselves come from here, the others
// (exp, erf, digamma, ...) are written by hand in python/tapegrad/autograd/_drawing/words.js.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>

#include "formulas/text.h"

namespace tapegrad::formulas {

class JavaScript {
public:
    explicit JavaScript(Text text) : text(std::move(text)) {}
    template <class T>
        requires std::is_arithmetic_v<T>
    JavaScript(T value) : JavaScript(number(static_cast<double>(value))) {}

    Text text;

private:
    static Text number(double value);  // with all its digits
};

// What is being written has a constant for each longer part, so that it is there only once.
JavaScript with_constants(const Text& text);

// All there is: "const formulas = {tanh: {forward: ..., backward: ...}, mul: {..., lhs: ..., rhs: ...}, ...};",
// after the words that are formulas.
std::string formulas_as_javascript();

// clang-format off
#define TAPEGRAD_OPERATOR_(sign, ...)                                       \
    inline JavaScript operator sign(const JavaScript& a, const JavaScript& b) { \
        return with_constants(a.text sign b.text);                          \
    }
TAPEGRAD_ARITHMETIC(TAPEGRAD_OPERATOR_)
TAPEGRAD_TESTS(TAPEGRAD_OPERATOR_)
TAPEGRAD_OPERATOR_(&)
TAPEGRAD_OPERATOR_(|)
#undef TAPEGRAD_OPERATOR_
// clang-format on
inline JavaScript operator-(const JavaScript& a) { return with_constants(-a.text); }

#define TAPEGRAD_WORD_(name)                                                       \
    template <class... Args>                                                       \
        requires ReadAs<JavaScript, Args...>                                       \
    JavaScript name(const Args&... args) {                                         \
        return with_constants(call(#name, {JavaScript(args).text.s...}));          \
    }
#define TAPEGRAD_OPERATOR_WORD_(Name, name, ...) TAPEGRAD_WORD_(name)
TAPEGRAD_WORDS(TAPEGRAD_WORD_, TAPEGRAD_OPERATOR_WORD_)
#undef TAPEGRAD_OPERATOR_WORD_
#undef TAPEGRAD_WORD_
inline JavaScript zero_like(const JavaScript&) { return 0; }

}  // namespace tapegrad::formulas
