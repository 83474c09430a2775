#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Unary;

template <class F, class T>
void float_block(const void* const* in, void* out, int64_t n, const double* p) {
    with_parameters<Pack<T>, F>(p, [&](auto... parameters) {
        for_packs(
            static_cast<T*>(out), n, [&](Pack<T> x) { return F::forward(x, parameters...); },
            static_cast<const T*>(in[0]));
    });
}

template <class F, class T>
void integer_block(const void* const* in, void* out, int64_t n, const double*) {
    const T* x = static_cast<const T*>(in[0]);
    T* y = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = F::forward(Lane<T>(x[i])).v;
}

template <class F> void fill_row(kernels::BlockTable& row) {
    fill_domain<F>(
        row, []<class T> { return float_block<F, T>; },
        []<class T> { return integer_block<F, T>; });
}

}  // namespace

void fill_unary_forward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...) fill_row<formulas::Name>(k.unary[int(Unary::Name)]);
    TAPEGRAD_UNARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
