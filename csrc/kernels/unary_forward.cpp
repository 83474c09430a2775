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

constexpr bool kFloats = false, kFloatOnly = false, kNumbers = true;

template <class F, bool Numbers> void fill_row(kernels::BlockFn* row) {
    row[int(DType::Float32)] = float_block<F, float>;
    row[int(DType::Float64)] = float_block<F, double>;
    if constexpr (Numbers) {
        row[int(DType::UInt8)] = integer_block<F, uint8_t>;
        row[int(DType::Int32)] = integer_block<F, int32_t>;
        row[int(DType::Int64)] = integer_block<F, int64_t>;
    }
}

}  // namespace

void fill_unary_forward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, function, Domain) \
    fill_row<formulas::Name, k##Domain>(k.unary[int(Unary::Name)]);
    TAPEGRAD_UNARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
