#include "formulas/javascript.h"

#include <charconv>
#include <cmath>
#include <map>

#include "formulas/composed.h"

namespace tapegrad::formulas {
namespace {

// The constants of the function that is being written, by what they are.
struct Constants {
    std::map<std::string, std::string> names;
    std::string lines;
};
thread_local Constants* constants = nullptr;

// Longer parts get a name.
constexpr size_t kLong = 24;

// "(x, alpha) => ...": body() reads a formula.
template <class Body> std::string function(const std::string& parameters, Body body) {
    Constants own;
    constants = &own;
    std::string result = body().text.s;
    constants = nullptr;
    // The result needs no name, long as it is.
    const std::string definition = "  const " + result + " = ";
    const size_t last = own.lines.rfind("  const ");
    if (last != std::string::npos && own.lines.compare(last, definition.size(), definition) == 0) {
        result = own.lines.substr(last + definition.size());
        result.resize(result.size() - 2);  // ";\n"
        own.lines.resize(last);
    }
    if (own.lines.empty()) return "(" + parameters + ") => " + result;
    return "(" + parameters + ") => {\n" + own.lines + "  return " + result + ";\n}";
}

JavaScript named(const char* name) { return JavaScript(Text(name)); }

// Calls f(parameter names as values...).
template <class F, class Function> JavaScript with_parameters(Function f) {
    constexpr int count = parameter_count<F>();
    if constexpr (count == 0) return f();
    else if constexpr (count == 1) return f(named(F::parameters[0]));
    else return f(named(F::parameters[0]), named(F::parameters[1]));
}
template <class F> std::string parameters_after(std::string names) {
    if constexpr (parameter_count<F>() > 0)
        for (const char* name : F::parameters) names += std::string(", ") + name;
    return names;
}

template <class F> std::string unary_forward() {
    return function(parameters_after<F>("x"), [] {
        return with_parameters<F>(
            [](auto... p) { return JavaScript(F::forward(named("x"), p...)); });
    });
}
template <class F> std::string unary_backward() {
    return function(parameters_after<F>("g, x, y"), [] {
        return with_parameters<F>([](auto... p) {
            return JavaScript(F::backward(named("g"), named("x"), named("y"), p...));
        });
    });
}
template <class F> std::string binary_forward() {
    return function("a, b", [] { return JavaScript(F::forward(named("a"), named("b"))); });
}
template <class Side> std::string binary_side() {
    return function("g, a, b, y", [] {
        return JavaScript(Side::backward(named("g"), named("a"), named("b"), named("y")));
    });
}

// Operators that are formulas of other words are words by their formulas; "x => exp(x)" of exp is none.
void add_word(std::string& all, const std::string& name, const std::string& forward) {
    const std::string own = "=> " + name + "(";
    if (forward.find(own) == std::string::npos) all += "const " + name + " = " + forward + ";\n";
}

// A word that is composed of others, of one or two numbers.
template <class F> void add_composed(std::string& words, const char* name, F read) {
    std::string source;
    if constexpr (std::invocable<F, JavaScript>)
        source = function("x", [&] { return read(named("x")); });
    else source = function("a, b", [&] { return read(named("a"), named("b")); });
    add_word(words, name, source);
}

// "  forward: (x) => exp(x),"
std::string member(const std::string& name, std::string function) {
    for (size_t at = 0; (at = function.find('\n', at)) != std::string::npos; at += 3)
        function.insert(at + 1, "  ");
    return "  " + name + ": " + function + ",\n";
}
template <class F> void add_unary(std::string& words, std::string& table, const char* name) {
    const std::string forward = unary_forward<F>();
    if (parameter_count<F>() == 0) add_word(words, name, forward);
    table += std::string(name) + ": {\n" + member("forward", forward) +
             member("backward", unary_backward<F>()) + "},\n";
}
template <class F> void add_binary(std::string& words, std::string& table, const char* name) {
    const std::string forward = binary_forward<F>();
    add_word(words, name, forward);
    table += std::string(name) + ": {\n" + member("forward", forward) +
             member("lhs", binary_side<Lhs<F>>()) + member("rhs", binary_side<Rhs<F>>()) + "},\n";
}

}  // namespace

Text JavaScript::number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? Text("Infinity") : Text("-Infinity", Text::kNegation);
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return {std::string(digits, end), std::signbit(value) ? Text::kNegation : Text::kAtom};
}

JavaScript with_constants(const Text& text) {
    if (text.s.size() < kLong || !constants) return JavaScript(text);
    std::string& name = constants->names[text.s];
    if (name.empty()) {
        name = "t" + std::to_string(constants->names.size());
        constants->lines += "  const " + name + " = " + text.s + ";\n";
    }
    return JavaScript(Text(name));
}

std::string formulas_as_javascript() {
    std::string words, table;
#define TAPEGRAD_SHARED_(name) \
    add_composed(words, #name, [](auto... x) -> decltype(composed::name(x...)) { return composed::name(x...); });
    TAPEGRAD_SHARED_WORDS(TAPEGRAD_SHARED_)
#undef TAPEGRAD_SHARED_
#define TAPEGRAD_UNARY_(Name, name) add_unary<Name>(words, table, #name);
    TAPEGRAD_UNARY(TAPEGRAD_UNARY_)
#undef TAPEGRAD_UNARY_
#define TAPEGRAD_BINARY_(Name, name) add_binary<Name>(words, table, #name);
    TAPEGRAD_BINARY(TAPEGRAD_BINARY_)
#undef TAPEGRAD_BINARY_
    return words + "const formulas = {\n" + table + "};\n";
}

}  // namespace tapegrad::formulas
