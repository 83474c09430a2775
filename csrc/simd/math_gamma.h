// gamma functions: lgamma, digamma, polygamma, Hurwitz' zeta function and the incomplete ones. They are
// rarely hot and branch a lot: double precision, lane by lane.
#pragma once

#include "simd/math_core.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace math {

// f(lanes) in double precision.
template <class F, class T, class... More>
TAPEGRAD_INLINE Pack<T> each_lane(F f, Pack<T> first, More... more) {
    Pack<T> result;
    for (int i = 0; i < result.size; ++i)
        result.set(
            i, static_cast<T>(f(static_cast<double>(first[i]), static_cast<double>(more[i])...)));
    return result;
}

inline double poly(double x, double c0) { return (void)x, c0; }
template <class... C> double poly(double x, double c0, C... rest) {
    return c0 + x * poly(x, rest...);
}

inline constexpr double kPi = 0x1.921fb54442d18p1;

[[gnu::noinline]] inline double lgamma_f64(double x) {
    int sign;
    return __builtin_lgamma_r(x, &sign);
}

// On [1, 2] (x - root) P(x); beyond by digamma(x + 1) = digamma(x) + 1 / x and the asymptotic series
// (DLMF 5.5.2 and 5.11.2), for negative numbers by reflection (5.5.4).
[[gnu::noinline]] inline double digamma_f64(double x) {
    double rest = 0;
    if (x <= 0) {
        if (x == 0) return -1 / x;
        const double turn = x - __builtin_rint(x);
        if (turn == 0) return __builtin_nan("");
        const double size = __builtin_fabs(turn);
        const double cotangent =
            size > 0.25 ? __builtin_tan(kPi * (0.5 - size)) : 1 / __builtin_tan(kPi * size);
        rest = __builtin_copysign(kPi, -turn) * cotangent;
        x = 1 - x;
    }
    if (x < 1) {
        rest -= 1 / x;
        x += 1;
    }
    if (x < 10) {
        while (x > 2) {
            x -= 1;
            rest += 1 / x;
        }
        const double p = poly(2 * x - 3, 0x1.e6f0cbb873617p-1, -0x1.b1cb63005ee98p-3,
                              0x1.eca189b8e6d99p-5, -0x1.2feeeb98a7a33p-6, 0x1.8512e5905da6ap-8,
                              -0x1.fb44202a071f6p-10, 0x1.4de9aa059a123p-11, -0x1.b9f8b124a5cc5p-13,
                              0x1.256475f150ce6p-14, -0x1.8635627a65d89p-16, 0x1.03c006a54b89cp-17,
                              -0x1.5a06cc8e6ec82p-19, 0x1.cd3e746890b5bp-21, -0x1.336b42082e526p-22,
                              0x1.980d9ac2fe15ap-24, -0x1.0fcd580a57e4bp-25, 0x1.7b4a2132bd54fp-27,
                              -0x1.fc46345b0848fp-29, 0x1.dc1aba8a3a832p-31, -0x1.343e39ca3a2fcp-32,
                              0x1.107988275f452p-32, -0x1.7245dcc01c1c6p-34);
        return rest + ((x - 0x1.762d86356be3fp+0) - 0x1.b86a722197829p-54) * p;
    }
    if (__builtin_isinf(x)) return x + rest;
    const double z = 1 / (x * x);
    const double series =
        z * poly(z, 0x1.5555555555555p-4, -0x1.1111111111111p-7, 0x1.0410410410410p-8,
                 -0x1.1111111111111p-8, 0x1.f07c1f07c1f08p-8, -0x1.5995995995996p-6,
                 0x1.5555555555555p-4, -0x1.c5e5e5e5e5e5ep-2, 0x1.86e7f9b9fe6e8p+1);
    return rest + (__builtin_log(x) - (0.5 / x + series));
}

// The sum of (q + k)**-s over all k, by the formula of Euler and Maclaurin (DLMF 25.11.5 and 2.10.1).
[[gnu::noinline]] inline double zeta_positive(double s, double q) {
    double sum = 0, w = q;
    for (; w < 10 + 0.5 * s; w += 1) {
        const double term = __builtin_pow(w, -s);
        sum += term;
        if (term < 0x1p-60 * sum || sum == 0) return sum;
    }
    const double power = __builtin_pow(w, -s);
    sum += __builtin_pow(w, 1 - s) / (s - 1) + 0.5 * power;
    // B(2 j) / (2 j)!
    constexpr double kBernoulli[] = {
        0x1.5555555555555p-4,   -0x1.6c16c16c16c17p-10, 0x1.1566abc011567p-15,
        -0x1.bbd779334ef0bp-21, 0x1.66a8f2bf70ebep-26,  -0x1.22805d644267fp-31,
        0x1.d6db2c4e09162p-37,  -0x1.7da4e1f79955cp-42, 0x1.355871d652e9ep-47,
        -0x1.f57d968caacf1p-53, 0x1.967e1f09c376fp-58,  -0x1.497d9033a2b5cp-63};
    double factor = s * power / w, order = s;
    for (const double b : kBernoulli) {
        sum += b * factor;
        factor *= (order + 1) / w * ((order + 2) / w);
        order += 2;
    }
    return sum;
}
[[gnu::noinline]] inline double zeta_f64(double s, double q) {
    const double nan = __builtin_nan("");
    if (!(s >= 1) || __builtin_isnan(q)) return nan;
    if (s == 1) return __builtin_inf();
    if (__builtin_isinf(q)) return q > 0 ? 0 : nan;
    if (__builtin_isinf(s)) return q > 1 ? 0 : q == 1 ? 1 : q > 0 ? __builtin_inf() : nan;
    if (q > 0) return zeta_positive(s, q);
    const double turn = q - __builtin_rint(q);
    if (turn == 0) return __builtin_inf();
    if (__builtin_floor(s) != s) return nan;
    // Around 0 the term of turn itself, on one side those of 1 + turn and so on, on the other those down to q.
    const bool odd = __builtin_floor(s * 0.5) * 2 != s;
    const double below = zeta_positive(s, 1 - turn) - zeta_positive(s, 1 - q);
    return __builtin_pow(turn, -s) + (zeta_positive(s, 1 + turn) + (odd ? -below : below));
}

// DLMF 25.11.12
[[gnu::noinline]] inline double polygamma_f64(double n, double x) {
    if (n == 0) return digamma_f64(x);
    const double z = zeta_f64(n + 1, x);
    const bool odd = __builtin_floor(n * 0.5) * 2 != n;
    if (n < 170) return (odd ? 1 : -1) * __builtin_tgamma(n + 1) * z;
    const double size = __builtin_exp(lgamma_f64(n + 1) + __builtin_log(__builtin_fabs(z)));
    return (odd == (z > 0)) ? size : -size;
}

// log(n! / (sqrt(2 pi n) (n / e)**n)), what Stirling's formula leaves out, of a positive n.
[[gnu::noinline]] inline double stirling_error(double n) {
    if (n < 20) return lgamma_f64(n + 1) - (n + 0.5) * __builtin_log(n) + n - 0x1.d67f1c864beb4p-1;
    const double z = 1 / (n * n);
    return poly(z, 1 / 12.0, -1 / 360.0, 1 / 1260.0, -1 / 1680.0, 1 / 1188.0) / n;
}
// a log(a / x) + x - a, without cancellation where they are near.
[[gnu::noinline]] inline double deviance(double a, double x) {
    const double half = 0.5 * a + 0.5 * x;  // the sum may be beyond all numbers
    if (!(__builtin_fabs(a - x) < 0.2 * half)) return a * __builtin_log(a / x) + x - a;
    const double v = 0.5 * (a - x) / half;
    double sum = (a - x) * v, power = a * v * 2, before;
    int i = 1;
    do {
        before = sum;
        power *= v * v;
        sum += power / (2 * i++ + 1);
    } while (sum != before);
    return sum;
}

// x**a e**-x / Gamma(a + 1). For large a as the density of Poisson's distribution: Loader, "Fast and
// Accurate Computation of Binomial Probabilities", 2000.
inline double gamma_density(double a, double x) {
    if (a < 100 && x < 600)
        return __builtin_pow(x, a) * __builtin_exp(-x) / __builtin_tgamma(a + 1);
    return __builtin_exp(-stirling_error(a) - deviance(a, x)) * 0x1.9884533d43651p-2 /
           __builtin_sqrt(a);
}

// x**(a - 1) e**-x / Gamma(a), the density of the gamma distribution.
[[gnu::noinline]] inline double gamma_pdf(double a, double x) {
    if (!(a > 0) || !(x >= 0)) return __builtin_nan("");
    if (x == 0) return a < 1 ? __builtin_inf() : a == 1 ? 1 : 0;
    if (__builtin_isinf(x) || __builtin_isinf(a)) return 0;
    return gamma_density(a, x) * (a / x);
}

// Those of a large a, by Temme's expansion (DLMF 8.12.3 and 8.12.7): where they are neither 0 nor 1, eta is so
// small that a few terms of the coefficients are enough.
inline double igamma_of_large(double a, double x, bool upper) {
    const double size = deviance(a, x), side = x < a ? -1 : 1;
    const double eta = side * __builtin_sqrt(2 * size / a);
    const double c0 = poly(eta, -1 / 3.0, 1 / 12.0, -2 / 135.0, 1 / 864.0, 1 / 2835.0,
                           -139 / 777600.0, 1 / 25515.0),
                 c1 = poly(eta, -1 / 540.0, -1 / 288.0, 1 / 378.0);
    const double rest =
        __builtin_exp(-size) * 0x1.9884533d43651p-2 / __builtin_sqrt(a) * (c0 + c1 / a);
    const double root = side * __builtin_sqrt(size);
    return upper ? 0.5 * __builtin_erfc(root) + rest : 0.5 * __builtin_erfc(-root) - rest;
}

// The regularised incomplete gamma functions: the series of the lower one (DLMF 8.7.1) below x = a + 1, and
// the continued fraction of the upper one (8.9.2, by the method of Lentz) above.
[[gnu::noinline]] inline double igamma_part(double a, double x, bool upper) {
    constexpr int kMost = 100000;
    if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0)) return __builtin_nan("");
    if (__builtin_isinf(a)) return __builtin_isinf(x) ? __builtin_nan("") : upper ? 1 : 0;
    if (x == 0) return upper ? 1 : 0;
    if (a == 0 || __builtin_isinf(x)) return upper ? 0 : 1;
    if (a > 1e5) return igamma_of_large(a, x, upper);
    const double density = gamma_density(a, x);
    if (x < a + 1) {
        double term = 1, sum = 1;
        for (int n = 1; n < kMost && term > 0x1p-55 * sum; ++n) {
            term *= x / (a + n);
            sum += term;
        }
        const double lower = density * sum;
        return upper ? 1 - lower : lower;
    }
    double b = x + 1 - a, c = 0x1p1000, d = 1 / b, fraction = d;
    for (int n = 1; n < kMost; ++n) {
        const double numerator = n * (a - n);
        b += 2;
        d = 1 / (b + numerator * d);
        c = b + numerator / c;
        const double change = c * d;
        fraction *= change;
        if (__builtin_fabs(change - 1) < 0x1p-52) break;
    }
    const double above = density * a * fraction;
    return upper ? above : 1 - above;
}

}  // namespace math

template <class T> Pack<T> lgamma(Pack<T> x) { return math::each_lane(math::lgamma_f64, x); }
template <class T> Pack<T> digamma(Pack<T> x) { return math::each_lane(math::digamma_f64, x); }
template <class T> Pack<T> zeta(Pack<T> s, Pack<T> q) {
    return math::each_lane(math::zeta_f64, s, q);
}
template <class T> Pack<T> polygamma(Pack<T> n, Pack<T> x) {
    return math::each_lane(math::polygamma_f64, n, x);
}
template <class T> Pack<T> igamma(Pack<T> a, Pack<T> x) {
    return math::each_lane([](double b, double y) { return math::igamma_part(b, y, false); }, a, x);
}
template <class T> Pack<T> gamma_pdf(Pack<T> a, Pack<T> x) {
    return math::each_lane(math::gamma_pdf, a, x);
}
template <class T> Pack<T> igammac(Pack<T> a, Pack<T> x) {
    return math::each_lane([](double b, double y) { return math::igamma_part(b, y, true); }, a, x);
}

}  // namespace tapegrad::TAPEGRAD_ISA
