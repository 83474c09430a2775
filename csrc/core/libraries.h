// The shared libraries that the core works with, for reports.
#pragma once

#include <string>

namespace tapegrad {

// The file of the library that a function or object is in; empty if nobody knows.
std::string library_of(const void* address);

// The runtime of OpenMP, of which a process may have several: the file of the one that this module uses
// and the date of its standard, as yyyymm. Empty and 0 in a build without.
struct OpenMP {
    std::string library;
    int standard;
};
OpenMP openmp();

}  // namespace tapegrad
