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

// Parameters arrive as doubles and are handed to formulas as packs (or lanes).
template <class Number, class F, class G>
TAPEGRAD_INLINE auto with_parameters(const double* p, G g) {
    constexpr int count = formulas::parameter_count<F>();
    if constexpr (count == 0) return g();
    else if constexpr (count == 1) return g(Number(p[0]));
    else return g(Number(p[0]), Number(p[1]));
}

}  // namespace tapegrad::TAPEGRAD_ISA
