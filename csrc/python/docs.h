// The table of docstrings, which also holds the signatures of all operators.
#pragma once

#include <string>

namespace tapegrad::python {

// Operators are functions of the module, methods of Tensor, or both.
enum class DocKind { Operator, Method, Type };
struct Docstring {
    DocKind kind;
    const char* name;
    const char* signatures;  // "(input, ...)", one form per line; "" for attributes and types
    const char* text;
};

// What the tables say of a function or a method; raises where they say nothing.
const Docstring& docstring_of(const char* name, bool method);

// The signature in the form that inspect reads (none if there are several forms), and the text. Never
// freed: what it belongs to lives as long as the process.
const char* compose_docstring(const Docstring& entry, const char* self, bool takes_out);

}  // namespace tapegrad::python
