#include "formulas/text.h"

#include <cstdio>

namespace tapegrad::formulas {

std::string as_text(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", value);
    return buffer;
}

std::string as_text(const Dims& dims) {
    std::string list;
    for (const int64_t d : dims) {
        if (!list.empty()) list += ", ";
        list += std::to_string(d);
    }
    return dims.size() == 1 ? list : "(" + list + ")";
}

std::string Text::at(Level least) const { return level < least ? "(" + s + ")" : s; }

Text Text::property(const char* name) const { return at(kAtom) + "." + name + "()"; }

Text joined(const Text& a, const char* sign, const Text& b, Text::Level own, Text::Level right) {
    return {a.at(own) + sign + b.at(right), own};
}

Text call(const char* name, std::initializer_list<std::string> arguments) {
    std::string result = name;
    result += "(";
    for (const std::string& argument : arguments) {
        if (&argument != arguments.begin()) result += ", ";
        result += argument;
    }
    return result + ")";
}

Text operator&(const Text& a, const Text& b) {
    return {"(" + a.s + ") & (" + b.s + ")", Text::kCompare};
}
Text operator|(const Text& a, const Text& b) {
    return {"(" + a.s + ") | (" + b.s + ")", Text::kCompare};
}
Text operator-(const Text& a) { return {"-" + a.at(Text::kNegation), Text::kNegation}; }

Text power(const Text& a, const Text& b) {
    return {a.at(Text::kAtom) + " ** " + b.at(Text::kAtom), Text::kNegation};
}

}  // namespace tapegrad::formulas
