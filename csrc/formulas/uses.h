// A reading of the formulas that computes nothing but which arguments the result depends on.
#pragma once

#include "formulas/binary.h"
#include "formulas/unary.h"

namespace tapegrad::formulas {

struct Uses {
    unsigned bits = 0;
    constexpr Uses() = default;
    explicit constexpr Uses(unsigned b) : bits(b) {}
    constexpr Uses(double) {}
};

// zero_like needs the shape of its argument, which the gradient gives; no value.
constexpr Uses zero_like(Uses) { return Uses(); }

#define TAPEGRAD_USES_2(name) \
    constexpr Uses name(Uses a, Uses b) { return Uses(a.bits | b.bits); }
TAPEGRAD_USES_2(operator+)
TAPEGRAD_USES_2(operator-)
TAPEGRAD_USES_2(operator*)
TAPEGRAD_USES_2(operator/)
TAPEGRAD_USES_2(operator<)
TAPEGRAD_USES_2(operator<=)
TAPEGRAD_USES_2(operator>)
TAPEGRAD_USES_2(operator>=)
TAPEGRAD_USES_2(operator==)
TAPEGRAD_USES_2(operator&)
TAPEGRAD_USES_2(pow)
#undef TAPEGRAD_USES_2
constexpr Uses where(Uses c, Uses a, Uses b) { return Uses(c.bits | a.bits | b.bits); }

#define TAPEGRAD_USES_1(name) \
    constexpr Uses name(Uses a) { return a; }
TAPEGRAD_USES_1(operator-)
TAPEGRAD_USES_1(sign)
TAPEGRAD_USES_1(exp)
TAPEGRAD_USES_1(log)
TAPEGRAD_USES_1(sqrt)
TAPEGRAD_USES_1(rsqrt)
TAPEGRAD_USES_1(sin)
TAPEGRAD_USES_1(cos)
TAPEGRAD_USES_1(sinh)
TAPEGRAD_USES_1(cosh)
TAPEGRAD_USES_1(sigmoid)
TAPEGRAD_USES_1(normal_cdf)
TAPEGRAD_USES_1(normal_pdf)
TAPEGRAD_USES_1(floor)
TAPEGRAD_USES_1(trunc)
#undef TAPEGRAD_USES_1

// What a derivative takes: bits of the operands and of the result.
inline constexpr unsigned kUsesA = 1, kUsesB = 2, kUsesResult = 4;

template <class F> consteval unsigned unary_uses() {
    constexpr Uses g, x(kUsesA), y(kUsesResult), p;
    if constexpr (parameter_count<F>() == 0) return F::backward(g, x, y).bits;
    if constexpr (parameter_count<F>() == 1) return F::backward(g, x, y, p).bits;
    if constexpr (parameter_count<F>() == 2) return F::backward(g, x, y, p, p).bits;
}
template <class F> consteval unsigned lhs_uses() {
    return F::lhs(Uses(), Uses(kUsesA), Uses(kUsesB), Uses(kUsesResult)).bits;
}
template <class F> consteval unsigned rhs_uses() {
    return F::rhs(Uses(), Uses(kUsesA), Uses(kUsesB), Uses(kUsesResult)).bits;
}

}  // namespace tapegrad::formulas
