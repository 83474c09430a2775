// The loops behind the element-wise kernels.
#pragma once

#include "kernels/elementwise.h"
#include "kernels/lane.h"

namespace tapegrad::TAPEGRAD_ISA {

// Calls f(pack, ...) along contiguous operands. The last, partial pack goes through the same code, so a
// value does not depend on its place.
template <class T, class F, class... In>
TAPEGRAD_INLINE void for_packs(T* out, int64_t n, F f, const In*... in) {
    constexpr int size = Pack<T>::size;
    int64_t i = 0;
    for (; i + size <= n; i += size) f(Pack<In>::load(in + i)...).store(out + i);
    if (i < n) f(Pack<In>::load(in + i, n - i)...).store(out + i, n - i);
}

// row[dtype of T] = kernel<T>() for each of the types.
template <class... T, class Entry, class F>
void fill_types(kernels::DTypeTable<Entry>& row, F kernel) {
    ((row[dtype_of<T>] = kernel.template operator()<T>()), ...);
}
template <class Entry, class F> void fill_all_types(kernels::DTypeTable<Entry>& row, F kernel) {
    fill_types<bool, uint8_t, int32_t, int64_t, float, double>(row, kernel);
}
// The kernels of those types that the operator takes: of packs for floats, of lanes for the others.
template <class Operator, class F, class I>
void fill_domain(kernels::BlockTable& row, F of_floats, I of_integers) {
    using formulas::Domain;
    using Facts = formulas::Traits<Operator>;
    constexpr Domain domain = Facts::domain();
    if constexpr (domain != Domain::Integers) fill_types<float, double>(row, of_floats);
    if constexpr (domain == Domain::Numbers || domain == Domain::Integers)
        fill_types<uint8_t, int32_t, int64_t>(row, of_integers);
    if constexpr (Facts::bools()) fill_types<bool>(row, of_integers);
}

// Parameters arrive as doubles and are handed to formulas as packs (or lanes).
template <class Number, class F, class G>
TAPEGRAD_INLINE auto with_parameters(const double* p, G g) {
    constexpr int count = formulas::parameter_count<F>();
    if constexpr (count == 0) return g();
    else if constexpr (count == 1) return g(Number(p[0]));
    else if constexpr (count == 2) return g(Number(p[0]), Number(p[1]));
    else return g(Number(p[0]), Number(p[1]), Number(p[2]));
}

}  // namespace tapegrad::TAPEGRAD_ISA
