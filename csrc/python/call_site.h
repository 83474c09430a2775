// Which line of the user's program calls: the innermost one outside of the package's own Python files.
#pragma once

#include <Python.h>

#include <string>
#include <vector>

#include "core/site.h"

namespace tapegrad::python {

// A call in the source. What is not known is 0, as columns before Python 3.11.
struct CallSite {
    PyObject* file;  // strings; kept for as long as the process lives
    PyObject* function;
    int line, end_line;
    int column, end_column;  // in bytes of UTF-8
};

// Cheap: no frame object is made, and no reference to code is kept. 0 where only the package's own files call.
Site find_call_site() noexcept;
// The same for all frames around: the innermost one comes first.
void find_call_stack(std::vector<Site>& stack);
// Whether the innermost code is the user's.
bool is_user_calling() noexcept;
// Of a number that find_call_site has given, or null.
const CallSite* call_site(Site site) noexcept;

// Files in there are the package's own.
void set_package_folder(std::string folder);

}  // namespace tapegrad::python
