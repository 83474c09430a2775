// Signatures of operators: written once, in the docs tables, and read at import.
#pragma once

#include <Python.h>

#include <string_view>
#include <vector>

namespace tapegrad::python {

struct Call;

// How a parameter of C++ is read from Python.
struct Type {
    const char* name;  // as messages call it
    const char* stub;  // as stubs call it
    // Whether the argument in a slot can be read.
    bool (*accepts)(const Call& call, int slot);
    // Of one that takes several arguments: their types.
    const Type* const* parts = nullptr;
    int slots = 1;
};

struct Parameter {
    PyObject* name;              // interned
    PyObject* value = nullptr;   // the default; null if the argument must be given
    const Type* type = nullptr;  // null: accepted for PyTorch's sake, and not used
    bool keyword_only = false;
    bool variadic = false;  // *name: one by one, or as one sequence
};

// Reads "(input, dim=None, *, dtype=None)".
std::vector<Parameter> parse_signature(std::string_view text);

// The parameter of a name, or of one that NumPy's users know it by; -1 if there is none from first on.
int find_parameter(const std::vector<Parameter>& parameters, PyObject* name, int first);
// All names that find_parameter knows.
std::vector<const char*> accepted_names(const std::vector<Parameter>& parameters, int first);

}  // namespace tapegrad::python
