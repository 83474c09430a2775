// How far a variate moves with a parameter of its distribution while its quantile stays, -(dF / da) / f. Figurnov,
// Mohamed and Mnih, "Implicit Reparameterization Gradients", 2018. In double precision, lane by lane.
#pragma once

#include "simd/math_gamma.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

// A number and its derivative by the parameter.
struct Dual {
    double value, slope = 0;
    friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
    friend Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
    friend Dual operator*(Dual a, Dual b) {
        return {a.value * b.value, a.slope * b.value + a.value * b.slope};
    }
    friend Dual operator/(Dual a, Dual b) {
        const double quotient = a.value / b.value;
        return {quotient, (a.slope - quotient * b.slope) / b.value};
    }
};

// first + a(1) / (b(1) + a(2) / (b(2) + ...)) by the method of Lentz; term(n) is {a(n), b(n)}.
template <class F> Dual continued_fraction(Dual first, F term) {
    constexpr int kMost = 1000000;
    Dual result = first, c = first, d{0};
    for (int n = 1; n < kMost; ++n) {
        const auto [a, b] = term(static_cast<double>(n));
        d = Dual{1} / (b + a * d);
        c = b + a / c;
        const Dual change = c * d;
        result = result * change;
        const double by_slope = __builtin_fabs(change.slope * result.value);
        if (__builtin_fabs(change.value - 1) < 0x1p-51 &&
            by_slope <= 0x1p-51 * __builtin_fabs(result.slope))
            break;
    }
    return result;
}
struct Term {
    Dual a, b;
};

// Of a gamma distribution whose shape is so large that the expansion of Cornish and Fisher (DLMF 8.12 has its
// like) is as good as the number format.
inline double gamma_slope_of_large(double a, double x) {
    const double root = __builtin_sqrt(a);
    double z = (x - a) / root;
    for (int i = 0; i < 4; ++i) {
        const double rest = (z * z - 1) / 3 + z * (z * z - 7) / (36 * root);
        z = (x - a - rest) / root;
    }
    const double z2 = z * z;
    return 1 + z / (2 * root) - z * (z2 - 7) / (72 * a * root) +
           (z2 * (3 * z2 + 7) - 16) / (810 * a * a);
}

// Of the gamma distribution with shape a and scale 1. The series of the lower incomplete function (DLMF 8.7.1) and
// the continued fraction of the upper one (8.9.2), each where its terms have one sign.
[[gnu::noinline]] inline double gamma_slope(double a, double x) {
    if (!(a > 0) || !(x >= 0)) return __builtin_nan("");
    if (x == 0) return 0;
    if (a > 1e6) return gamma_slope_of_large(a, x);
    if (__builtin_isinf(x)) return x;
    const double log_x = __builtin_log(x);
    if (x < a + 1) {
        double term = x / a, psi = digamma_f64(a + 1), sum = term * (log_x - psi), before;
        double k = 1;
        do {
            before = sum;
            const double step = 1 / (a + k);
            term *= x * step;
            psi += step;
            sum += term * (log_x - psi);
            k += 1;
        } while (sum != before || term * (k - a) > 0x1p-60 * -sum);
        return -sum;
    }
    const Dual shape{a, 1}, first = Dual{x + 1} - shape;
    const Dual fraction = continued_fraction(
        first, [=](double n) { return Term{Dual{n} * (shape - Dual{n}), first + Dual{2 * n}}; });
    // Gamma(a, x) x**(1 - a) e**x
    const Dual upper = Dual{x} / fraction;
    return (log_x - digamma_f64(a)) * upper.value + upper.slope;
}

// By DLMF 8.17.22: I(p, q, x) = x**p (1 - x)**q / (p B(p, q)) times this.
inline Dual beta_fraction(Dual p, Dual q, double x) {
    const Dual at{x};
    return Dual{1} / continued_fraction({1}, [=](double n) {
               const double m = __builtin_floor(n / 2);
               const Dual pm = p + Dual{m}, p2m = p + Dual{2 * m};
               const Dual even = Dual{m} * (q - Dual{m}) * at / ((p2m - Dual{1}) * p2m),
                          odd = Dual{0} - pm * (pm + q) * at / (p2m * (p2m + Dual{1}));
               return Term{2 * m == n ? even : odd, {1}};
           });
}

// Of two large parameters, by mean, deviation and skewness.
inline double beta_slope_of_large(double a, double b, double x) {
    const double n = a + b, mean = a / n, deviation = __builtin_sqrt(mean * (b / n) / (n + 1)),
                 skew = (b - a) / (3 * n * (n + 2));
    double z = (x - mean) / deviation;
    for (int i = 0; i < 4; ++i) z = (x - mean - (z * z - 1) * skew) / deviation;
    const double skew_slope = -1 / (3 * n * (n + 2)) - skew * (2 * n + 2) / (n * (n + 2));
    return b / (n * n) + z * deviation * 0.5 * (1 / a - 2 / n - 1 / (n + 1)) +
           (z * z - 1) * skew_slope;
}

// Of the beta distribution with parameters a and total - a, by a, over 1 - x: how the first part of a whole
// moves at the expense of the others.
[[gnu::noinline]] inline double beta_slope(double x, double a, double total) {
    const double b = total - a, y = 1 - x;
    if (!(a > 0) || !(b > 0) || !(x >= 0) || !(y >= 0)) return __builtin_nan("");
    if (x == 0) return 0;
    if (a > 1e6 && b > 1e6) return beta_slope_of_large(a, b, x) / y;
    const double log_ratio = __builtin_log(x) - (digamma_f64(a) - digamma_f64(total));
    if (x < (a + 1) / (total + 2)) {
        const Dual f = beta_fraction({a, 1}, {b}, x);
        return -x / a * (f.value * (log_ratio - 1 / a) + f.slope);
    }
    const Dual f = beta_fraction({b}, {a, 1}, y);
    return x / b * (f.value * log_ratio + f.slope);
}

}  // namespace math

template <class T> Pack<T> gamma_slope(Pack<T> a, Pack<T> x) {
    return math::each_lane(math::gamma_slope, a, x);
}
template <class T> Pack<T> beta_slope(Pack<T> x, Pack<T> a, Pack<T> total) {
    return math::each_lane(math::beta_slope, x, a, total);
}

}  // namespace tapegrad::TAPEGRAD_ISA
