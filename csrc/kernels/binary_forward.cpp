#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Binary;
using formulas::Integer;

template <class F, class T>
void float_block(const void* const* in, void* out, int64_t n, const double*) {
    for_packs(
        static_cast<T*>(out), n, [](Pack<T> a, Pack<T> b) { return F::forward(a, b); },
        static_cast<const T*>(in[0]), static_cast<const T*>(in[1]));
}

template <class F, class T>
void integer_block(const void* const* in, void* out, int64_t n, const double*) {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    T* y = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = F::forward(Lane<T>(a[i]), Lane<T>(b[i])).v;
}

template <class F> void fill_row(kernels::BlockTable& row) {
    fill_domain<F>(
        row, []<class T> { return float_block<F, T>; },
        []<class T> { return integer_block<F, T>; });
}

}  // namespace

void fill_binary_forward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...) fill_row<formulas::Name>(k.binary[int(Binary::Name)]);
    TAPEGRAD_BINARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...) fill_row<formulas::Name>(k.integer[int(Integer::Name)]);
    TAPEGRAD_INTEGER(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
