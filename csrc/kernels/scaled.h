// Norms, means and deviations of a single row by steps that neither overflow nor underflow: for the few rows
// whose sums of squares or powers leave the range of double. Slow and exact, one long chain of additions.
#pragma once

#include <cstdint>

#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

// Elements that lie `stride` apart; n >= 1.
template <class T> struct Line {
    const T* x;
    int64_t n, stride;
    TAPEGRAD_INLINE double operator[](int64_t i) const {
        return static_cast<double>(x[i * stride]);
    }
};

// A sum that gets back what rounding takes from it (Kahan 1965).
struct LongSum {
    double total = 0, lost = 0;
    TAPEGRAD_INLINE void add(double v) {
        const double term = v - lost, next = total + term;
        lost = (next - total) - term;
        total = next;
    }
};

// Multiplies by a power of two in two steps, because 2^1074 is not a double.
struct PowerOfTwo {
    double half, rest;
    explicit PowerOfTwo(int exponent)
        : half(__builtin_ldexp(1.0, exponent / 2)),
          rest(__builtin_ldexp(1.0, exponent - exponent / 2)) {}
    TAPEGRAD_INLINE double operator()(double v) const { return v * half * rest; }
};

TAPEGRAD_INLINE double power(double a, double b) {
    return pow(Pack<double>(a), Pack<double>(b))[0];
}

// a^(1/p): what rounding takes from 1 / p counts as often as a has digits, so it is given back.
TAPEGRAD_INLINE double root(double a, double p) {
    const double q = 1 / p, rest = __builtin_fma(-q, p, 1.0) / p, r = power(a, q);
    if (!(a > 0) || __builtin_isinf(a) || __builtin_isinf(r)) return r;
    return r + r * (rest * log(Pack<double>(a))[0]);
}

// NaN if there is one.
template <class T> inline double largest_magnitude(Line<T> x) {
    double largest = 0;
    for (int64_t i = 0; i < x.n; ++i) {
        const double v = __builtin_fabs(x[i]);
        if (v > largest) largest = v;
        if (v != v) return v;
    }
    return largest;
}

template <class T> inline double scaled_norm(Line<T> x) {
    const double largest = largest_magnitude(x);
    if (!(largest > 0) || __builtin_isinf(largest)) return largest;
    const int exponent = __builtin_ilogb(largest);
    const PowerOfTwo scale(-exponent);
    LongSum squares;
    for (int64_t i = 0; i < x.n; ++i) {
        const double v = scale(x[i]);
        squares.add(v * v);
    }
    return __builtin_ldexp(__builtin_sqrt(squares.total), exponent);
}

// The norm of order p != 0, relative to the element that counts most.
template <class T> inline double scaled_norm(Line<T> x, double p) {
    double most = __builtin_fabs(x[0]);
    for (int64_t i = 0; i < x.n; ++i) {
        const double v = __builtin_fabs(x[i]);
        if (v != v) return v;
        if (p > 0 ? v > most : v < most) most = v;
    }
    if (!(most > 0) || __builtin_isinf(most)) return most;
    LongSum powers;
    for (int64_t i = 0; i < x.n; ++i) powers.add(power(__builtin_fabs(x[i]) / most, p));
    const double half = root(powers.total, 2 * p), size = half * half;
    return size > 0x1p-900 && size < 0x1p900 ? most * size : most * half * half;
}

// Of elements whose sum overflows.
template <class T> inline double scaled_mean(Line<T> x) {
    double plain = 0;  // infinite or NaN where an element is
    LongSum sum;
    for (int64_t i = 0; i < x.n; ++i) {
        plain += x[i] * 0x1p-64;
        sum.add(x[i] * 0x1p-64);
    }
    if (!__builtin_isfinite(plain)) return plain;
    return sum.total / static_cast<double>(x.n) * 0x1p64;
}

// The mean, and the squared deviations from it in units of (2^exponent)^2.
struct ScaledMoments {
    double mean, m2;
    int exponent;
};
template <class T> inline ScaledMoments scaled_moments(Line<T> x) {
    const double largest = largest_magnitude(x);
    if (!__builtin_isfinite(largest)) {
        const double nan = __builtin_nan("");
        return {nan, nan, 0};
    }
    const int down = largest > 0x1p1000 ? 2 : 0;  // so that no difference overflows
    const double unit = down ? 0.25 : 1, first = x[0] * unit;
    double spread = 0;
    for (int64_t i = 0; i < x.n; ++i) {
        const double v = __builtin_fabs(x[i] * unit - first);
        if (v > spread) spread = v;
    }
    if (spread == 0) return {x[0], 0, 0};
    const int exponent = __builtin_ilogb(spread);
    const PowerOfTwo scale(-exponent);
    LongSum sum, squares;
    for (int64_t i = 0; i < x.n; ++i) sum.add(scale(x[i] * unit - first));
    const double center = sum.total / static_cast<double>(x.n);
    for (int64_t i = 0; i < x.n; ++i) {
        const double v = scale(x[i] * unit - first) - center;
        squares.add(v * v);
    }
    const double mean = (first + __builtin_ldexp(center, exponent)) / unit;
    return {mean, squares.total, exponent + down};
}

}  // namespace tapegrad::TAPEGRAD_ISA
