#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Pointwise;

template <class F, class T>
void block(const void* const* in, void* out, int64_t n, const double* p) {
    const auto at = [&](int i) { return static_cast<const T*>(in[i]); };
    with_parameters<Pack<T>, F>(p, [&](auto... parameters) {
        const auto f = [&](auto... packs) { return F::forward(packs..., parameters...); };
        T* result = static_cast<T*>(out);
        if constexpr (F::operands == 1) for_packs(result, n, f, at(0));
        else if constexpr (F::operands == 2) for_packs(result, n, f, at(0), at(1));
        else for_packs(result, n, f, at(0), at(1), at(2));
    });
}

}  // namespace

void fill_pointwise(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...)                                   \
    fill_types<float, double>(k.pointwise[int(Pointwise::Name)], \
                              []<class T> { return block<formulas::Name, T>; });
    TAPEGRAD_POINTWISE(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
