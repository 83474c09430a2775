#include "formulas/uses.h"
#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Binary;
using formulas::kUsesA;
using formulas::kUsesB;
using formulas::kUsesResult;
using formulas::Lhs;
using formulas::Rhs;

// in holds g, then a, b and y, of these only what the derivative uses.
template <class Side, class T>
void backward_block(const void* const* in, void* out, int64_t n, const double*) {
    constexpr unsigned uses = formulas::side_uses<Side>().values();
    constexpr int a_at = 1, b_at = a_at + bool(uses & kUsesA), y_at = b_at + bool(uses & kUsesB);
    const T* g = static_cast<const T*>(in[0]);
    const T* a = (uses & kUsesA) ? static_cast<const T*>(in[a_at]) : g;
    const T* b = (uses & kUsesB) ? static_cast<const T*>(in[b_at]) : g;
    const T* y = (uses & kUsesResult) ? static_cast<const T*>(in[y_at]) : g;
    for_packs(
        static_cast<T*>(out), n,
        [](Pack<T> gp, Pack<T> ap, Pack<T> bp, Pack<T> yp) {
            return Side::backward(gp, ap, bp, yp);
        },
        g, a, b, y);
}

}  // namespace

void fill_binary_backward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...)                                                                        \
    k.binary_lhs[int(Binary::Name)][DType::Float32] = backward_block<Lhs<formulas::Name>, float>;  \
    k.binary_lhs[int(Binary::Name)][DType::Float64] = backward_block<Lhs<formulas::Name>, double>; \
    k.binary_rhs[int(Binary::Name)][DType::Float32] = backward_block<Rhs<formulas::Name>, float>;  \
    k.binary_rhs[int(Binary::Name)][DType::Float64] = backward_block<Rhs<formulas::Name>, double>;
    TAPEGRAD_BINARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
