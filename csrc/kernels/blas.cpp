#include "kernels/blas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace tapegrad::kernels {
namespace {

// Sets an environment variable while it lives.
class ScopedEnv {
public:
    ScopedEnv(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) {
            before_ = before;
            was_set_ = true;
        }
        setenv(name, value, 1);
    }
    ~ScopedEnv() {
        if (was_set_) setenv(name_, before_.c_str(), 1);
        else unsetenv(name_);
    }
    ScopedEnv(const ScopedEnv&) = delete;
    ScopedEnv& operator=(const ScopedEnv&) = delete;

private:
    const char* name_;
    std::string before_;
    bool was_set_ = false;
};

void* open_library() {
    // Its threads would only be started, never used.
    const ScopedEnv one_thread("OPENBLAS_NUM_THREADS", "1");
    const auto open = [](const std::string& path) {
        return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    };
    if (const char* path = std::getenv("TAPEGRAD_BLAS")) return *path ? open(path) : nullptr;

    Dl_info self;
    if (dladdr(reinterpret_cast<const void*>(&blas), &self) && self.dli_fname) {
        const std::string file = self.dli_fname;
        const size_t slash = file.rfind('/');
        const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash);
        if (void* library = open(directory + "/_lib/libscipy_openblas.so")) return library;
    }
#ifdef TAPEGRAD_BLAS_BUILD_PATH
    if (void* library = open(TAPEGRAD_BLAS_BUILD_PATH)) return library;
#endif
    return nullptr;
}

const Blas* load() {
    void* library = open_library();
    if (!library) return nullptr;
    static Blas table;
    table.sgemm = reinterpret_cast<Blas::Sgemm>(dlsym(library, "scipy_cblas_sgemm"));
    table.dgemm = reinterpret_cast<Blas::Dgemm>(dlsym(library, "scipy_cblas_dgemm"));
    if (!table.sgemm || !table.dgemm) return nullptr;
    using SetThreads = void (*)(int);
    if (void* set_threads = dlsym(library, "scipy_openblas_set_num_threads"))
        reinterpret_cast<SetThreads>(set_threads)(1);
    return &table;
}

}  // namespace

const Blas* blas() {
    static const Blas* const table = load();
    return table;
}

}  // namespace tapegrad::kernels
