#include "kernels/blas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <type_traits>

#include "core/libraries.h"

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

    if (const std::string file = library_of(reinterpret_cast<const void*>(&blas)); !file.empty()) {
        const size_t slash = file.rfind('/');
        const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash);
        if (void* library = open(directory + "/_lib/libscipy_openblas.so")) return library;
    }
#ifdef TAPEGRAD_BLAS_BUILD_PATH
    if (void* library = open(TAPEGRAD_BLAS_BUILD_PATH)) return library;
#endif
    return nullptr;
}

void* library() {
    static void* const handle = open_library();
    return handle;
}

const Blas* load() {
    void* library = kernels::library();
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

template <class T> const Lapack<T>* load_lapack() {
    if (!blas()) return nullptr;
    static Lapack<T> table;
    bool complete = true;
    const std::string kind = sizeof(T) == 4 ? "s" : "d";
    const auto find = [&](auto& function, const std::string& name) {
        void* found = dlsym(library(), ("scipy_" + name).c_str());
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
        complete &= found != nullptr;
    };
    find(table.trsm, "cblas_" + kind + "trsm");
#define TAPEGRAD_FIND_(name) find(table.name, kind + #name "_")
    TAPEGRAD_FIND_(getrf);
    TAPEGRAD_FIND_(getri);
    TAPEGRAD_FIND_(potrf);
    TAPEGRAD_FIND_(gelqf);
    TAPEGRAD_FIND_(orglq);
    TAPEGRAD_FIND_(syevd);
    TAPEGRAD_FIND_(gesdd);
    TAPEGRAD_FIND_(gesvd);
    TAPEGRAD_FIND_(gels);
    TAPEGRAD_FIND_(gelsy);
    TAPEGRAD_FIND_(gelsd);
    TAPEGRAD_FIND_(gelss);
#undef TAPEGRAD_FIND_
    return complete ? &table : nullptr;
}

}  // namespace

const Blas* blas() {
    static const Blas* const table = load();
    return table;
}

BlasOrigin blas_origin() {
    if (!blas()) return {};
    BlasOrigin result{library_of(reinterpret_cast<const void*>(blas()->sgemm)), {}};
    using Config = const char* (*)();
    if (void* config = dlsym(library(), "scipy_openblas_get_config"))
        result.config = reinterpret_cast<Config>(config)();
    return result;
}

template <class T> const Lapack<T>* lapack() {
    static const Lapack<T>* const table = load_lapack<T>();
    return table;
}
template const Lapack<float>* lapack<float>();
template const Lapack<double>* lapack<double>();

}  // namespace tapegrad::kernels
