// A reading of the formulas as text: what grad_fn.formula shows.
#pragma once

#include <cstdio>
#include <string>

namespace tapegrad::formulas {

struct Text {
    // How tightly the outermost operator binds; an operand that binds less is put in parentheses.
    enum Level { kCompare, kSum, kProduct, kNegation, kAtom };

    std::string s;
    Level level = kAtom;

    Text(std::string text, Level l = kAtom) : s(std::move(text)), level(l) {}
    Text(const char* text) : s(text) {}
    Text(int value) : Text(static_cast<double>(value)) {}
    Text(double value) : level(value < 0 ? kNegation : kAtom) {
        char buffer[32];
        std::snprintf(buffer, sizeof buffer, "%.6g", value);
        s = buffer;
    }
    std::string at(Level least) const { return level < least ? "(" + s + ")" : s; }
};

#define TAPEGRAD_TEXT_OPERATOR(op, own, right)                                               \
    inline Text operator op(const Text& a, const Text& b) {                                  \
        return {a.at(Text::own) + " " #op " " + b.at(Text::right), Text::own};               \
    }
TAPEGRAD_TEXT_OPERATOR(+, kSum, kSum)
TAPEGRAD_TEXT_OPERATOR(-, kSum, kProduct)
TAPEGRAD_TEXT_OPERATOR(*, kProduct, kNegation)
TAPEGRAD_TEXT_OPERATOR(/, kProduct, kNegation)
TAPEGRAD_TEXT_OPERATOR(<, kCompare, kSum)
TAPEGRAD_TEXT_OPERATOR(<=, kCompare, kSum)
TAPEGRAD_TEXT_OPERATOR(>, kCompare, kSum)
TAPEGRAD_TEXT_OPERATOR(>=, kCompare, kSum)
TAPEGRAD_TEXT_OPERATOR(==, kCompare, kSum)
#undef TAPEGRAD_TEXT_OPERATOR
inline Text operator&(const Text& a, const Text& b) {
    return {"(" + a.s + ") & (" + b.s + ")", Text::kCompare};
}
inline Text operator-(const Text& a) { return {"-" + a.at(Text::kNegation), Text::kNegation}; }

inline Text zero_like(const Text&) { return 0; }
inline Text where(const Text& c, const Text& a, const Text& b) {
    return "where(" + c.s + ", " + a.s + ", " + b.s + ")";
}
inline Text pow(const Text& a, const Text& b) {
    return {a.at(Text::kAtom) + " ** " + b.at(Text::kAtom), Text::kNegation};
}
#define TAPEGRAD_TEXT_FUNCTION(name) \
    inline Text name(const Text& a) { return #name "(" + a.s + ")"; }
TAPEGRAD_TEXT_FUNCTION(sign)
TAPEGRAD_TEXT_FUNCTION(exp)
TAPEGRAD_TEXT_FUNCTION(log)
TAPEGRAD_TEXT_FUNCTION(sqrt)
TAPEGRAD_TEXT_FUNCTION(rsqrt)
TAPEGRAD_TEXT_FUNCTION(sin)
TAPEGRAD_TEXT_FUNCTION(cos)
TAPEGRAD_TEXT_FUNCTION(sinh)
TAPEGRAD_TEXT_FUNCTION(cosh)
TAPEGRAD_TEXT_FUNCTION(sigmoid)
TAPEGRAD_TEXT_FUNCTION(normal_cdf)
TAPEGRAD_TEXT_FUNCTION(normal_pdf)
TAPEGRAD_TEXT_FUNCTION(floor)
TAPEGRAD_TEXT_FUNCTION(trunc)
#undef TAPEGRAD_TEXT_FUNCTION

}  // namespace tapegrad::formulas
