#include "kernels/table.h"

#include <cstdlib>

#include "core/error.h"
#include "kernels/narrow.h"

#define TAPEGRAD_DECLARE_ISA(isa)                \
    namespace tapegrad::isa {                    \
    void fill(kernels::ElementwiseKernels&);     \
    void fill(kernels::GemmKernels&);            \
    void fill(kernels::ReduceKernels&);          \
    void fill(kernels::SoftmaxKernels&);         \
    void fill(kernels::CrossEntropyKernels&);    \
    void fill(kernels::LayerNormKernels&);       \
    void fill(kernels::BatchNormKernels&);       \
    void fill(kernels::ConvolutionKernels&);     \
    void fill(kernels::OptimKernels&);           \
    void fill(kernels::RandomKernels&);          \
    void fill(kernels::SmallMatrixKernels&);     \
    void fill(kernels::RecurrentKernels&);       \
    void fill(kernels::AttentionKernels&);       \
    static void fill_all(kernels::Kernels& k) {  \
        fill(k.elementwise);                     \
        fill(k.gemm);                            \
        fill(k.reduce);                          \
        fill(k.softmax);                         \
        fill(k.cross_entropy);                   \
        fill(k.layer_norm);                      \
        fill(k.batch_norm);                      \
        fill(k.convolution);                     \
        fill(k.optim);                           \
        fill(k.random);                          \
        fill(k.small_matrix);                    \
        fill(k.recurrent);                       \
        fill(k.attention);                       \
    }                                            \
    }
#ifdef TAPEGRAD_HAS_V2
TAPEGRAD_DECLARE_ISA(v2)
#endif
#ifdef TAPEGRAD_HAS_V3
TAPEGRAD_DECLARE_ISA(v3)
#endif
#ifdef TAPEGRAD_HAS_V4
TAPEGRAD_DECLARE_ISA(v4)
#endif
#ifdef TAPEGRAD_HAS_NEON
TAPEGRAD_DECLARE_ISA(neon)
#endif

namespace tapegrad::kernels {

Kernels active_kernels;

namespace {

struct InstructionSet {
    const char* name;
    bool supported;
    void (*fill)(Kernels&);
};

std::string active_name;

// From the best to the plainest.
std::vector<InstructionSet> built_sets() {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    return {
#ifdef TAPEGRAD_HAS_V4
        {"v4", __builtin_cpu_supports("x86-64-v4") != 0, v4::fill_all},
#endif
#ifdef TAPEGRAD_HAS_V3
        {"v3", __builtin_cpu_supports("x86-64-v3") != 0, v3::fill_all},
#endif
#ifdef TAPEGRAD_HAS_V2
        {"v2", __builtin_cpu_supports("x86-64-v2") != 0, v2::fill_all},
#endif
#ifdef TAPEGRAD_HAS_NEON
        {"neon", true, neon::fill_all},
#endif
    };
}

std::string names(const std::vector<std::string>& list) {
    std::string result;
    for (const std::string& name : list) result += (result.empty() ? "" : ", ") + name;
    return result;
}

}  // namespace

void select_instruction_set() {
    const char* wanted = std::getenv("TAPEGRAD_ISA");
    const bool any = !wanted || !*wanted;
    for (const InstructionSet& set : built_sets()) {
        if (set.supported && (any || std::string(wanted) == set.name)) {
            set.fill(active_kernels);
            fill_narrow(active_kernels);
            active_name = set.name;
            return;
        }
    }
    fail("TAPEGRAD_ISA=", any ? "" : wanted,
         " is not available here; available: ", names(available_instruction_sets()));
}

std::string instruction_set() { return active_name; }

std::vector<std::string> available_instruction_sets() {
    std::vector<std::string> result;
    for (const InstructionSet& set : built_sets())
        if (set.supported) result.emplace_back(set.name);
    return result;
}

}  // namespace tapegrad::kernels
