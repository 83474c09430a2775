#include "formulas/uses.h"
#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Unary;

// in holds g, then x and y, of these only what the derivative uses.
template <class F, class T>
void backward_block(const void* const* in, void* out, int64_t n, const double* p) {
    constexpr unsigned uses = formulas::unary_uses<F>().values();
    const T* g = static_cast<const T*>(in[0]);
    T* result = static_cast<T*>(out);
    with_parameters<Pack<T>, F>(p, [&](auto... parameters) {
        if constexpr (uses == formulas::kUsesA) {
            for_packs(
                result, n,
                [&](Pack<T> gp, Pack<T> x) { return F::backward(gp, x, Pack<T>(), parameters...); },
                g, static_cast<const T*>(in[1]));
        } else if constexpr (uses == formulas::kUsesResult) {
            for_packs(
                result, n,
                [&](Pack<T> gp, Pack<T> y) { return F::backward(gp, Pack<T>(), y, parameters...); },
                g, static_cast<const T*>(in[1]));
        } else {
            static_assert(uses == 0);
            for_packs(
                result, n,
                [&](Pack<T> gp) { return F::backward(gp, Pack<T>(), Pack<T>(), parameters...); },
                g);
        }
    });
}

}  // namespace

void fill_unary_backward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...)                                                                   \
    k.unary_backward[int(Unary::Name)][DType::Float32] = backward_block<formulas::Name, float>; \
    k.unary_backward[int(Unary::Name)][DType::Float64] = backward_block<formulas::Name, double>;
    TAPEGRAD_UNARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
