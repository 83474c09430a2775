// A reading of the rules that computes nothing but what the result depends on: the values of which
// arguments and results, and of which only the sizes. It decides what the tape saves.
#pragma once

#include <cstdint>

#include "formulas/vocabulary.h"

namespace tapegrad::formulas {

class Uses {
public:
    static constexpr int kMaxArguments = 8, kMaxResults = 8;

    constexpr Uses() = default;
    constexpr Uses(double) {}  // a number

    static constexpr Uses argument(int i) { return Uses(1u << i, kComputed); }
    static constexpr Uses result(int i = 0) { return Uses(1u << (kMaxArguments + i), kComputed); }
    // The gradient of a result is there anyway: using it needs nothing.
    static constexpr Uses gradient(int i = 0) { return Uses(0, static_cast<int8_t>(i)); }

    constexpr bool uses_value(int i) const { return has(argument(i).bits_); }
    constexpr bool uses_sizes(int i) const { return has(argument(i).bits_ << kSizes); }
    constexpr bool uses_result(int i = 0) const { return has(result(i).bits_); }
    constexpr bool uses_result_sizes(int i = 0) const { return has(result(i).bits_ << kSizes); }
    // Whether this is the gradient of a result as it came.
    constexpr bool is_gradient(int i = 0) const { return gradient_ == i; }

    // Bit i: the value of argument i; bit kMaxArguments + i: the value of result i.
    constexpr unsigned values() const { return bits_ & kValueBits; }

    // What either of two uses.
    friend constexpr Uses operator|(Uses a, Uses b) { return Uses(a.bits_ | b.bits_, kComputed); }

#define TAPEGRAD_PROPERTY_(name) \
    constexpr Uses name() const { return sizes_alone(); }
    TAPEGRAD_PROPERTIES(TAPEGRAD_PROPERTY_)
#undef TAPEGRAD_PROPERTY_
    constexpr Uses size(auto) const { return sizes_alone(); }

private:
    static constexpr int kSizes = kMaxArguments + kMaxResults;  // these bits come after the values'
    static constexpr unsigned kValueBits = (1u << kSizes) - 1;
    static constexpr int8_t kComputed = -1;

    constexpr Uses(unsigned bits, int8_t gradient) : bits_(bits), gradient_(gradient) {}
    constexpr bool has(unsigned bits) const { return (bits_ & bits) != 0; }
    constexpr Uses sizes_alone() const {
        return Uses(((bits_ & kValueBits) << kSizes) | (bits_ & ~kValueBits), kComputed);
    }

    unsigned bits_ = 0;
    int8_t gradient_ = kComputed;  // which gradient this is
};

#define TAPEGRAD_OPERATOR_(sign, ...) \
    constexpr Uses operator sign(Uses a, Uses b) { return a | b; }
TAPEGRAD_ARITHMETIC(TAPEGRAD_OPERATOR_)
TAPEGRAD_TESTS(TAPEGRAD_OPERATOR_)
#undef TAPEGRAD_OPERATOR_
constexpr Uses operator&(Uses a, Uses b) { return a | b; }
constexpr Uses operator-(Uses a) { return a | Uses(); }

// Parameters that are no tensors are kept whether they are used or not.
template <class T> constexpr Uses uses_of(const T&) { return {}; }
constexpr Uses uses_of(Uses uses) { return uses; }

#define TAPEGRAD_WORD_(name)                              \
    template <class... Args>                              \
        requires ReadAs<Uses, Args...>                    \
    constexpr Uses name(const Args&... args) {            \
        return (Uses() | ... | uses_of(args));            \
    }
#define TAPEGRAD_OPERATOR_WORD_(Name, name, ...) TAPEGRAD_WORD_(name)
TAPEGRAD_WORDS(TAPEGRAD_WORD_, TAPEGRAD_OPERATOR_WORD_)
#undef TAPEGRAD_OPERATOR_WORD_
#undef TAPEGRAD_WORD_

// zero_like needs the shape of its argument, which the gradient gives; no value.
constexpr Uses zero_like(Uses) { return {}; }

// What the derivatives of an element-wise operator save, as bits of Uses::values().
inline constexpr unsigned kUsesA = Uses::argument(0).values(), kUsesB = Uses::argument(1).values(),
                          kUsesResult = Uses::result().values();

template <class F> consteval Uses unary_uses() {
    constexpr Uses g = Uses::gradient(), x = Uses::argument(0), y = Uses::result(), p;
    if constexpr (parameter_count<F>() == 0) return F::backward(g, x, y);
    if constexpr (parameter_count<F>() == 1) return F::backward(g, x, y, p);
    if constexpr (parameter_count<F>() == 2) return F::backward(g, x, y, p, p);
}
// Of Lhs<F> or Rhs<F>.
template <class Side> consteval Uses side_uses() {
    return Side::backward(Uses::gradient(), Uses::argument(0), Uses::argument(1), Uses::result());
}

}  // namespace tapegrad::formulas
