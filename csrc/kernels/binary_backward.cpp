#include "formulas/uses.h"
#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Binary;
using formulas::kUsesA;
using formulas::kUsesB;
using formulas::kUsesResult;

template <class F> struct Lhs {
    static constexpr unsigned uses = formulas::lhs_uses<F>().values();
    static auto value(auto g, auto a, auto b, auto y) { return F::lhs(g, a, b, y); }
};
template <class F> struct Rhs {
    static constexpr unsigned uses = formulas::rhs_uses<F>().values();
    static auto value(auto g, auto a, auto b, auto y) { return F::rhs(g, a, b, y); }
};

// in holds g, then a, b and y, of these only what the derivative uses.
template <class Side, class T>
void backward_block(const void* const* in, void* out, int64_t n, const double*) {
    constexpr unsigned uses = Side::uses;
    constexpr int a_at = 1, b_at = a_at + bool(uses & kUsesA), y_at = b_at + bool(uses & kUsesB);
    const T* g = static_cast<const T*>(in[0]);
    const T* a = (uses & kUsesA) ? static_cast<const T*>(in[a_at]) : g;
    const T* b = (uses & kUsesB) ? static_cast<const T*>(in[b_at]) : g;
    const T* y = (uses & kUsesResult) ? static_cast<const T*>(in[y_at]) : g;
    for_packs(
        static_cast<T*>(out), n,
        [](Pack<T> gp, Pack<T> ap, Pack<T> bp, Pack<T> yp) { return Side::value(gp, ap, bp, yp); },
        g, a, b, y);
}

}  // namespace

void fill_binary_backward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...)                                                                        \
    k.binary_lhs[int(Binary::Name)][int(DType::Float32)] = backward_block<Lhs<formulas::Name>, float>;  \
    k.binary_lhs[int(Binary::Name)][int(DType::Float64)] = backward_block<Lhs<formulas::Name>, double>; \
    k.binary_rhs[int(Binary::Name)][int(DType::Float32)] = backward_block<Rhs<formulas::Name>, float>;  \
    k.binary_rhs[int(Binary::Name)][int(DType::Float64)] = backward_block<Rhs<formulas::Name>, double>;
    TAPEGRAD_BINARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

}  // namespace tapegrad::TAPEGRAD_ISA
