#include "core/libraries.h"

#include <dlfcn.h>

namespace tapegrad {

std::string library_of(const void* address) {
    Dl_info info;
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

}  // namespace tapegrad
