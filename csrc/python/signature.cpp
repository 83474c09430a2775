#include "python/signature.h"

#include <pybind11/pytypes.h>

#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

// Names of NumPy and of older PyTorch, and one that is a word of Python, beside those of the signatures.
constexpr std::pair<const char*, const char*> kAlternatives[] = {
    {"axis", "dim"},
    {"axes", "dims"},
    {"keepdims", "keepdim"},
    {"self", "input"},
    {"x", "input"},
    {"a", "input"},
    {"x1", "input"},
    {"x2", "other"},
    {"tensor", "input"},
    {"from", "from_"},
    {"split_size_or_sections", "split_size"},
};

std::string_view strip(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

PyObject* checked(PyObject* object) {
    if (!object) throw py::error_already_set();
    return object;
}

// A default: None, a bool, a number or a string in double quotes.
PyObject* parse_value(std::string_view text) {
    if (text == "None") return Py_None;
    if (text == "True") return Py_True;
    if (text == "False") return Py_False;
    if (text.starts_with('"'))
        return checked(
            PyUnicode_FromStringAndSize(text.data() + 1, static_cast<Py_ssize_t>(text.size()) - 2));
    const std::string number(text);
    if (number.find_first_not_of("-0123456789") == std::string::npos)
        return checked(PyLong_FromString(number.c_str(), nullptr, 10));
    return checked(PyFloat_FromDouble(std::stod(number)));
}

}  // namespace

std::vector<Parameter> parse_signature(std::string_view text) {
    std::vector<Parameter> parameters;
    text = text.substr(1, text.size() - 2);
    bool keyword_only = false;
    while (!text.empty()) {
        const size_t comma = std::min(text.find(','), text.size());
        std::string_view part = strip(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (part == "*") {
            keyword_only = true;
            continue;
        }
        Parameter parameter{};
        parameter.keyword_only = keyword_only;
        if (part.starts_with('*')) {
            parameter.variadic = keyword_only = true;
            part.remove_prefix(1);
        }
        const size_t equals = part.find('=');
        const std::string name(part.substr(0, equals));
        parameter.name = checked(PyUnicode_InternFromString(name.c_str()));
        if (equals != part.npos) parameter.value = parse_value(part.substr(equals + 1));
        parameters.push_back(parameter);
    }
    return parameters;
}

int find_parameter(const std::vector<Parameter>& parameters, PyObject* name, int first) {
    const int count = static_cast<int>(parameters.size());
    const auto at = [&](int i) { return parameters[static_cast<size_t>(i)].name; };
    for (int i = first; i < count; ++i)
        if (at(i) == name) return i;
    // Not interned, or another name.
    for (int i = first; i < count; ++i)
        if (PyUnicode_Compare(at(i), name) == 0) return i;
    for (const auto& [alternative, usual] : kAlternatives) {
        if (PyUnicode_CompareWithASCIIString(name, alternative) != 0) continue;
        for (int i = first; i < count; ++i)
            if (PyUnicode_CompareWithASCIIString(at(i), usual) == 0) return i;
    }
    return -1;
}

std::vector<const char*> accepted_names(const std::vector<Parameter>& parameters, int first) {
    std::vector<const char*> names;
    for (size_t i = static_cast<size_t>(first); i < parameters.size(); ++i) {
        const char* name = PyUnicode_AsUTF8(parameters[i].name);
        names.push_back(name);
        for (const auto& [alternative, usual] : kAlternatives)
            if (std::strcmp(name, usual) == 0) names.push_back(alternative);
    }
    return names;
}

}  // namespace tapegrad::python
