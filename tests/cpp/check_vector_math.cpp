// Measures the error of every vector math function, in units in the last place (ulp), against a
// more precise reference, and fails where one is beyond its stated bound.
//
//   float32: every stride-th of the 2^32 inputs (all of them with --full), against the C library in
//            double precision
//   float64: random samples, against the C library in long double
//   both:    special values, and that a lane's result does not depend on its place or on whether it
//            was loaded by a partial load
//
// Build once per instruction set, for example
//   g++ -std=c++20 -O3 -march=x86-64-v4 -DTAPEGRAD_ISA=v4 -ffp-contract=off -fno-math-errno
//       -fno-trapping-math -fopenmp -Icsrc tests/cpp/check_vector_math.cpp -o check_vector_math

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

// --- the functions under test, over arrays ------------------------------------------------------

template <class T> using UnaryFn = void (*)(const T* in, T* out, int64_t n);

#define UNARY_LOOP(NAME)                                                                   \
    template <class T>                                                                     \
    [[gnu::noinline]] void NAME##_loop(const T* in, T* out, int64_t n) {                   \
        constexpr int size = Pack<T>::size;                                                \
        int64_t i = 0;                                                                     \
        for (; i + size <= n; i += size) NAME(Pack<T>::load(in + i)).store(out + i);       \
        if (i < n) NAME(Pack<T>::load(in + i, n - i)).store(out + i, n - i);               \
    }
#define BINARY_LOOP(NAME)                                                                  \
    template <class T>                                                                     \
    [[gnu::noinline]] void NAME##_loop(const T* a, const T* b, T* out, int64_t n) {        \
        constexpr int size = Pack<T>::size;                                                \
        for (int64_t i = 0; i < n; i += size) {                                            \
            const int64_t m = n - i < size ? n - i : size;                                 \
            NAME(Pack<T>::load(a + i, m), Pack<T>::load(b + i, m)).store(out + i, m);      \
        }                                                                                  \
    }
// These are only timed.
template <class T> Pack<T> square(Pack<T> x) { return x * x; }

template <class T> Pack<T> power(Pack<T> x) { return pow(x, 2.7); }

#define FOR_EACH_UNARY(X) \
    X(exp) X(exp2) X(expm1) X(log) X(log2) X(log10) X(log1p) X(sin) X(cos) X(tan) X(asin) X(acos) \
    X(atan) X(sinh) X(cosh) X(tanh) X(sigmoid) X(softplus) X(erf) X(erfc) X(normal_cdf)           \
    X(normal_pdf) X(sqrt) X(rsqrt) X(asinh) X(acosh) X(atanh) X(sinc) X(erfcx) X(log_ndtr)        \
    X(erfinv) X(ndtri) X(i0) X(i0e) X(i1) X(i1e) X(lgamma) X(digamma_of_size)      \
    X(trigamma)
// For negative numbers it is a difference, which may be near a root.
template <class T> Pack<T> digamma_of_size(Pack<T> x) { return digamma(abs(x)); }
template <class T> Pack<T> trigamma(Pack<T> x) { return polygamma(Pack<T>(1), x); }
FOR_EACH_UNARY(UNARY_LOOP)
UNARY_LOOP(square)
UNARY_LOOP(power)
BINARY_LOOP(pow)
BINARY_LOOP(atan2)
BINARY_LOOP(fmod)
BINARY_LOOP(hypot)
BINARY_LOOP(ldexp)

// --- references: R is double for float32 and long double for float64 ----------------------------

namespace reference {
template <class R> R exp(R x) { return std::exp(x); }
template <class R> R exp2(R x) { return std::exp2(x); }
template <class R> R expm1(R x) { return std::expm1(x); }
template <class R> R log(R x) { return std::log(x); }
template <class R> R log2(R x) { return std::log2(x); }
template <class R> R log10(R x) { return std::log10(x); }
template <class R> R log1p(R x) { return std::log1p(x); }
template <class R> R sin(R x) { return std::sin(x); }
template <class R> R cos(R x) { return std::cos(x); }
template <class R> R tan(R x) { return std::tan(x); }
template <class R> R asin(R x) { return std::asin(x); }
template <class R> R acos(R x) { return std::acos(x); }
template <class R> R atan(R x) { return std::atan(x); }
template <class R> R sinh(R x) { return std::sinh(x); }
template <class R> R cosh(R x) { return std::cosh(x); }
template <class R> R tanh(R x) { return std::tanh(x); }
template <class R> R sqrt(R x) { return std::sqrt(x); }
template <class R> R rsqrt(R x) { return 1 / std::sqrt(x); }
template <class R> R erf(R x) { return std::erf(x); }
template <class R> R erfc(R x) { return std::erfc(x); }
template <class R> R sigmoid(R x) {
    return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
template <class R> R softplus(R x) {
    return std::fmax(x, R(0)) + std::log1p(std::exp(-std::fabs(x)));
}
// erfc(-x / sqrt(2)) / 2, with a first-order correction for the rounding of x / sqrt(2).
template <class R> R normal_cdf(R x) {
    const R root = std::sqrt(R(0.5L)),
            two_over_sqrt_pi = R(1.128379167095512573896158903121545172L);
    const R root_rest = std::fma(root, root, R(-0.5L)) / (-2 * root);
    const R y = -x * root;
    const R delta = std::fma(-x, root, -y) - x * root_rest;
    const R r = std::erfc(y);
    return R(0.5L) * (std::isfinite(x) ? r - two_over_sqrt_pi * std::exp(-y * y) * delta : r);
}
template <class R> R normal_pdf(R x) {
    if (std::fabs(x) > 150) return 0;
    const R square = x * x, rest = std::fma(x, x, -square);
    return std::exp(-square / 2) * (1 - rest / 2) * R(0.398942280401432677939946059934381868L);
}
template <class R> R asinh(R x) { return std::asinh(x); }
template <class R> R acosh(R x) { return std::acosh(x); }
template <class R> R atanh(R x) { return std::atanh(x); }
template <class R> R lgamma(R x) { return std::lgamma(x); }
constexpr long double kPi = 3.141592653589793238462643383279502884L;
// What is left of x after its nearest integer is exact.
template <class R> R sinc(R x) {
    if (x == 0) return 1;
    const R n = std::nearbyint(x), r = x - n, odd = n - 2 * std::trunc(n / 2);
    const R sine = std::fabs(r) > R(0.25L)
                       ? std::copysign(std::cos(R(kPi) * (R(0.5L) - std::fabs(r))), r)
                       : std::sin(R(kPi) * r);
    return (odd == 0 ? sine : -sine) / (R(kPi) * x);
}
// By the continued fraction (DLMF 7.9.1) where the product would leave the range.
template <class R> R erfcx(R x) {
    if (x < 8) {
        const R square = x * x, rest = std::fma(x, x, -square);
        const R e = std::exp(square);
        return (std::isfinite(e) ? e * (1 + rest) : e) * std::erfc(x);
    }
    if (!std::isfinite(x)) return x > 0 ? 0 : x;
    R fraction = x;
    for (int n = 120; n > 0; --n) fraction = x + R(n) / 2 / fraction;
    return 1 / (fraction * std::sqrt(R(kPi)));
}
template <class R> R log_ndtr(R x) {
    const R root = std::sqrt(R(0.5L));
    if (x > 0) return std::log1p(-std::erfc(x * root) / 2);
    if (x > -5) return std::log(std::erfc(-x * root) / 2);
    return std::log(erfcx(-x * root) / 2) - x * x / 2;
}
// Newton's method from what is nearly right, for the logarithm in the tails.
template <class R> R quantile(R p) {  // p <= 1/2
    R z = p > R(0.1L) ? R(0) : -std::sqrt(-2 * std::log(p));
    for (int i = 0; i < 100; ++i) {
        const R mills = erfcx(-z * std::sqrt(R(0.5L))) * std::sqrt(R(kPi) / 2);
        const R step = p > R(0.25L) ? (std::erf(z * std::sqrt(R(0.5L))) - (2 * p - 1)) / 2 *
                                          std::sqrt(2 * R(kPi)) * std::exp(z * z / 2)
                                    : (log_ndtr(z) - std::log(p)) * mills;
        z -= step;
        if (std::fabs(step) <= std::numeric_limits<R>::epsilon() * std::fabs(z) / 4) break;
    }
    return z;
}
template <class R> R ndtri(R p) {
    if (!(p >= 0 && p <= 1)) return std::numeric_limits<R>::quiet_NaN();
    if (p == 0 || p == 1) return (p == 0 ? -1 : 1) * std::numeric_limits<R>::infinity();
    return p <= R(0.5L) ? quantile(p) : -quantile(1 - p);
}
template <class R> R erfinv(R x) {
    const R a = std::fabs(x);
    if (!(a <= 1)) return std::numeric_limits<R>::quiet_NaN();
    if (a == 1) return std::copysign(std::numeric_limits<R>::infinity(), x);
    if (a > R(0.5L)) return std::copysign(-quantile((1 - a) / 2) * std::sqrt(R(0.5L)), x);
    R y = x * std::sqrt(R(kPi)) / 2;
    for (int i = 0; i < 20; ++i) y -= (std::erf(y) - x) * std::sqrt(R(kPi)) / 2 * std::exp(y * y);
    return x == 0 ? x : y;
}
// The series (DLMF 10.25.2), and the asymptotic one (10.40.1) where it is accurate.
template <class R> R bessel(int order, bool scaled, R x) {
    const R a = std::fabs(x);
    if (std::isnan(x)) return x;
    R y;
    if (std::isinf(x)) y = scaled ? R(0) : a;
    else if (a < 50) {
        R term = order ? a / 2 : R(1);
        y = term;
        for (int k = 1; k < 200; ++k) {
            term *= a / 2 / k * (a / 2 / (k + order));
            y += term;
        }
        if (scaled) y *= std::exp(-a);
    } else {
        R term = 1;
        y = 1;
        for (int k = 1; k < 30; ++k) {
            term *= -(R(4 * order) - R((2 * k - 1) * (2 * k - 1))) / (k * 8 * a);
            y += term;
        }
        y /= std::sqrt(2 * R(kPi) * a);
        if (!scaled) {
            const R half = std::exp(a / 2);
            y = y * half * half;
        }
    }
    return order ? std::copysign(y, x) : y;
}
template <class R> R i0(R x) { return bessel(0, false, x); }
template <class R> R i0e(R x) { return bessel(0, true, x); }
template <class R> R i1(R x) { return bessel(1, false, x); }
template <class R> R i1e(R x) { return bessel(1, true, x); }
// Recurrence up to where the asymptotic series (DLMF 5.11.2 and its derivative) is accurate.
template <class R> R digamma(R x) {
    if (x == 0) return -1 / x;
    if (std::isinf(x)) return x > 0 ? x : std::numeric_limits<R>::quiet_NaN();
    if (x < 0) {
        const R r = x - std::nearbyint(x);
        if (r == 0) return std::numeric_limits<R>::quiet_NaN();
        return digamma(1 - x) - R(kPi) / std::tan(R(kPi) * r);
    }
    // Around its root, whose first digits are those of a double: the series of Taylor.
    const R from_root = (x - R(0x1.762d86356be3fp+0L)) - R(9.549995429965697715184199e-17L);
    if (std::fabs(from_root) < R(0.05L)) {
        const R taylor[] = {R(0.9676722454476211704274448L),   R(-0.4427631689835921060928653L),
                            R(0.2584997609556510106244014L),   R(-0.1639427054424065275042513L),
                            R(0.1078240506912623657571829L),   R(-0.07219956125645471092612178L),
                            R(0.04880428816414310722509253L),  R(-0.0331611264748473592922584L),
                            R(0.02259764823221810465962483L),  R(-0.01542476590494895913880032L),
                            R(0.01053879161661217538812405L),  R(-0.007204534386356868240970474L),
                            R(0.004926781395729853446354266L), R(-0.003369801655439328082792857L),
                            R(0.00230512632673492783693838L),  R(-0.001576936771430197259270935L)};
        R y = 0;
        for (int k = 15; k >= 0; --k) y = (y + taylor[k]) * from_root;
        return y;
    }
    R sum = 0;
    for (; x < 40; x += 1) sum -= 1 / x;
    const R z = 1 / (x * x);
    return sum + std::log(x) - 1 / (2 * x) -
           z * (1 / R(12) - z * (1 / R(120) - z * (1 / R(252) - z * (1 / R(240) - z / R(132)))));
}
template <class R> R digamma_of_size(R x) { return digamma(std::fabs(x)); }
template <class R> R trigamma(R x) {
    if (std::isinf(x)) return x > 0 ? 0 : std::numeric_limits<R>::quiet_NaN();
    if (x <= 0) {
        const R r = x - std::nearbyint(x);
        if (r == 0) return std::numeric_limits<R>::infinity();
        const R s = R(kPi) / std::sin(R(kPi) * r);
        return s * s - trigamma(1 - x);
    }
    R sum = 0;
    for (; x < 40; x += 1) sum += 1 / x / x;
    const R w = 1 / x, z = w * w;
    return sum + w + z / 2 +
           w * z * (1 / R(6) - z * (1 / R(30) - z * (1 / R(42) - z * (1 / R(30) - z * 5 / R(66)))));
}
}  // namespace reference

struct Function {
    const char* name;
    UnaryFn<float> f32;
    UnaryFn<double> f64;
    double (*reference32)(double);
    long double (*reference64)(long double);
    double low, high;         // where float64 is sampled evenly, besides all magnitudes
    double bound32, bound64;  // in ulp
};

#define ENTRY(NAME, LOW, HIGH, BOUND32, BOUND64)                                                 \
    {#NAME, NAME##_loop<float>, NAME##_loop<double>, reference::NAME<double>,                    \
     reference::NAME<long double>, LOW, HIGH, BOUND32, BOUND64},
// clang-format off
const Function kFunctions[] = {
    ENTRY(exp, -745, 710, 1, 1)
    ENTRY(exp2, -1075, 1025, 1, 1)
    ENTRY(expm1, -40, 710, 2, 2)
    ENTRY(log, 0, 4, 1, 1)
    ENTRY(log2, 0, 4, 1, 1)
    ENTRY(log10, 0, 4, 1, 1)
    ENTRY(log1p, -1, 4, 2, 2)
    ENTRY(sin, -100, 100, 1, 1)
    ENTRY(cos, -100, 100, 1, 1)
    ENTRY(tan, -100, 100, 1, 2)
    ENTRY(asin, -1, 1, 1, 2)
    ENTRY(acos, -1, 1, 1, 2)
    ENTRY(atan, -8, 8, 1, 2)
    ENTRY(sinh, -20, 20, 1, 2)
    ENTRY(cosh, -20, 20, 1, 2)
    ENTRY(tanh, -20, 20, 2, 2)
    ENTRY(sigmoid, -745, 40, 2, 2)
    ENTRY(softplus, -745, 40, 2, 2)
    ENTRY(erf, -6, 6, 2, 2)
    ENTRY(erfc, -6, 28, 1, 2)
    ENTRY(normal_cdf, -39, 9, 1, 2)
    ENTRY(normal_pdf, -39, 39, 1, 2)
    ENTRY(sqrt, 0, 4, 0.5001, 0.5001)
    ENTRY(rsqrt, 0, 4, 2, 2)
    ENTRY(asinh, -4, 4, 1, 3)
    ENTRY(acosh, 1, 4, 1, 3)
    ENTRY(atanh, -1, 1, 1, 3)
    ENTRY(sinc, -9, 9, 1, 3)
    ENTRY(erfcx, -26, 40, 1, 4)
    ENTRY(log_ndtr, -39, 9, 1, 4)
    ENTRY(erfinv, -1, 1, 1, 4)
    ENTRY(ndtri, 0, 1, 1, 5)
    ENTRY(i0, -20, 20, 1, 7)
    ENTRY(i0e, -20, 20, 1, 7)
    ENTRY(i1, -20, 20, 1, 7)
    ENTRY(i1e, -20, 20, 1, 7)
    ENTRY(lgamma, 0, 20, 1, 8)
    ENTRY(digamma_of_size, 0, 20, 1, 8)
    ENTRY(trigamma, 0, 20, 1, 7)
};
// clang-format on

// --- the error in ulp ---------------------------------------------------------------------------

// The distance of got from the exact value, in units of the last place of T near that value.
// Infinity where one is NaN and the other not, or where zeros differ in sign.
template <class T, class R> double ulp_error(T got, R exact) {
    using Limits = std::numeric_limits<T>;
    const double bad = std::numeric_limits<double>::infinity();
    if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : bad;
    if (std::isinf(exact)) return static_cast<R>(got) == exact ? 0 : bad;
    if (exact == 0) return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : bad;
    int exponent;
    std::frexp(exact, &exponent);  // |exact| in [2**(exponent - 1), 2**exponent)
    exponent = std::max(exponent, Limits::min_exponent) - Limits::digits;
    R value = got;
    if (std::isinf(got) && static_cast<T>(exact) == got) return 0;
    if (std::isinf(got)) value = std::copysign(std::ldexp(R(1), Limits::max_exponent), R(got));
    return static_cast<double>(std::fabs(value - exact) / std::ldexp(R(1), exponent));
}

// The same for float results in the normal range, without calls into the library.
double ulp_error_fast(float got, double exact) {
    uint64_t bits;
    std::memcpy(&bits, &exact, sizeof(bits));
    const uint64_t exponent = bits >> 52 & 0x7ff;
    if (exponent < 1023 - 125 || exponent > 1023 + 125) return ulp_error(got, exact);
    const uint64_t scale_bits = (2 * 1023 + 23 - exponent) << 52;  // 2**(23 - exponent)
    double scale;
    std::memcpy(&scale, &scale_bits, sizeof(scale));
    const double error = std::fabs(got - exact) * scale;
    return error < 1e9 ? error : ulp_error(got, exact);
}

template <class T> struct Worst {
    double error = 0;
    T at = 0;
    int64_t count = 0;
    void add(double e, T x) {
        ++count;
        if (!(e <= error)) error = e, at = x;
    }
    void add(const Worst& other) {
        count += other.count;
        if (!(other.error <= error)) error = other.error, at = other.at;
    }
};

float float_of_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
}
double double_of_bits(uint64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
}
// A well mixed function of its argument (splitmix64, Steele, Lea and Flood 2014).
uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

constexpr int kBlock = 4096;

Worst<float> measure_f32(const Function& f, uint64_t stride) {
    const uint64_t total = ((uint64_t(1) << 32) + stride - 1) / stride;
    const auto blocks = static_cast<int64_t>((total + kBlock - 1) / kBlock);
    Worst<float> worst;
#pragma omp parallel
    {
        Worst<float> mine;
        std::vector<float> in(kBlock), out(kBlock);
#pragma omp for schedule(dynamic, 16)
        for (int64_t b = 0; b < blocks; ++b) {
            const uint64_t begin = static_cast<uint64_t>(b) * kBlock;
            const int n = static_cast<int>(std::min<uint64_t>(kBlock, total - begin));
            for (int i = 0; i < n; ++i)
                in[i] = float_of_bits(static_cast<uint32_t>((begin + i) * stride));
            f.f32(in.data(), out.data(), n);
            for (int i = 0; i < n; ++i)
                mine.add(ulp_error_fast(out[i], f.reference32(static_cast<double>(in[i]))), in[i]);
        }
#pragma omp critical
        worst.add(mine);
    }
    return worst;
}

Worst<double> measure_f64(const Function& f, int64_t samples) {
    const int64_t blocks = (samples + kBlock - 1) / kBlock;
    Worst<double> worst;
#pragma omp parallel
    {
        Worst<double> mine;
        std::vector<double> in(kBlock), out(kBlock);
#pragma omp for schedule(dynamic, 4)
        for (int64_t b = 0; b < blocks; ++b) {
            for (int i = 0; i < kBlock; ++i) {
                const uint64_t bits = mix(static_cast<uint64_t>(b * kBlock + i));
                const uint64_t more = mix(bits);
                // In turn: even on the range; all bit patterns; magnitudes within 2**-30 .. 2**12.
                switch (i % 4) {
                    case 0:
                    case 1: in[i] = f.low + (f.high - f.low) * unit(bits); break;
                    case 2: in[i] = double_of_bits(bits); break;
                    default:
                        in[i] = std::ldexp(1 + unit(bits), static_cast<int>(more % 42) - 30) *
                                (more & 0x10000 && f.low < 0 ? -1 : 1);
                }
            }
            f.f64(in.data(), out.data(), kBlock);
            for (int i = 0; i < kBlock; ++i)
                mine.add(ulp_error(out[i], f.reference64(static_cast<long double>(in[i]))), in[i]);
        }
#pragma omp critical
        worst.add(mine);
    }
    return worst;
}

// --- special values, lane positions, partial loads ----------------------------------------------

template <class T> std::vector<T> special_values() {
    using Limits = std::numeric_limits<T>;
    std::vector<T> values;
    for (T x : {T(0),
                Limits::denorm_min(),
                Limits::min(),
                T(3) * Limits::denorm_min(),
                Limits::min() / 2,
                Limits::epsilon(),
                T(1e-5),
                T(0.25),
                T(0.5),
                T(0.75),
                T(1) - Limits::epsilon() / 2,
                T(1),
                T(1) + Limits::epsilon(),
                T(1.5),
                T(2),
                T(2.5),
                T(3),
                T(4),
                T(10),
                T(100),
                T(1000),
                T(1e6),
                T(3.14159265358979323846),
                T(1.57079632679489661923),
                T(1647101.25),
                T(1e9),
                T(1e22),
                T(6381956970095103e22),
                Limits::max() / 4,
                Limits::max(),
                Limits::infinity()}) {
        values.push_back(x);
        values.push_back(-x);
    }
    values.push_back(Limits::quiet_NaN());
    return values;
}

template <class T, class R>
int check_special(const char* name, UnaryFn<T> f, R (*reference)(R), double bound) {
    const auto in = special_values<T>();
    std::vector<T> out(in.size());
    f(in.data(), out.data(), static_cast<int64_t>(in.size()));
    int failures = 0;
    for (size_t i = 0; i < in.size(); ++i) {
        const R exact = reference(static_cast<R>(in[i]));
        if (!(ulp_error(out[i], exact) <= bound)) {
            std::printf("FAILED %s(%a) = %a, not %a (%s)\n", name, static_cast<double>(in[i]),
                        static_cast<double>(out[i]), static_cast<double>(exact),
                        sizeof(T) == 4 ? "float32" : "float64");
            ++failures;
        }
    }
    return failures;
}

// Every value at every lane, in full packs and in partial ones, must give the same bits.
template <class T> int check_lanes(const char* name, UnaryFn<T> f) {
    auto values = special_values<T>();
    for (int i = 0; i < 200; ++i) values.push_back(static_cast<T>(unit(mix(i)) * 40 - 20));
    const int n = static_cast<int>(values.size());
    constexpr int size = Pack<T>::size;
    std::vector<T> expected(n + size), got(size);
    for (int i = 0; i < n; ++i) {
        const std::vector<T> same(size, values[i]);
        f(same.data(), got.data(), size);
        expected[i] = got[0];
    }
    int failures = 0;
    for (int start = 0; start < n; ++start)
        for (int m = 1; m <= std::min(size, n - start); ++m) {
            f(values.data() + start, got.data(), m);
            bool same = true;
            for (int i = 0; i < m; ++i) {
                const T a = got[i], b = expected[start + i];
                same &= std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof(T)) == 0;
            }
            failures += !same;
        }
    if (failures > 0)
        std::printf("FAILED %s: %d packs depend on the position of a value\n", name, failures);
    return failures;
}

// --- functions of two arguments -----------------------------------------------------------------

template <class T> struct BinaryCase {
    const char* name;
    void (*f)(const T*, const T*, T*, int64_t);
    long double (*reference)(long double, long double);
    double bound;
};

template <class T> int check_binary(const BinaryCase<T>& test, int64_t samples) {
    int failures = 0;
    const auto values = special_values<T>();
    for (T a : values)
        for (T b : values) {
            T r;
            test.f(&a, &b, &r, 1);
            const long double exact = test.reference(a, b);
            if (!(ulp_error(r, exact) <= test.bound)) {
                if (++failures <= 20)
                    std::printf("FAILED %s(%a, %a) = %a, not %La\n", test.name,
                                static_cast<double>(a), static_cast<double>(b),
                                static_cast<double>(r), exact);
            }
        }
    Worst<T> worst;
    T other = 0;
    std::vector<T> a(kBlock), b(kBlock), out(kBlock);
    for (int64_t block = 0; block * kBlock < samples; ++block) {
        for (int i = 0; i < kBlock; ++i) {
            const uint64_t x = mix(static_cast<uint64_t>(block * kBlock + i)), y = mix(x);
            const uint64_t z = mix(y);
            // Half: any magnitudes whose power is in range; half: ordinary numbers.
            const double limit = sizeof(T) == 4 ? 130 : 1030;
            if (i % 2) {
                const double e = (2 * unit(x) - 1) * limit;
                a[i] = static_cast<T>(std::exp2(e));
                b[i] = static_cast<T>((2 * unit(y) - 1) * limit / e);
            } else {
                a[i] = static_cast<T>(4 * unit(x));
                b[i] = static_cast<T>(40 * unit(y) - 20);
            }
            if (z & 1) a[i] = -a[i];
            if (z & 2) b[i] = std::nearbyint(b[i]);
        }
        test.f(a.data(), b.data(), out.data(), kBlock);
        for (int i = 0; i < kBlock; ++i) {
            const double e = ulp_error(out[i], test.reference(a[i], b[i]));
            if (!(e <= worst.error)) other = b[i];
            worst.add(e, a[i]);
        }
    }
    const bool ok = worst.error <= test.bound;
    std::printf("| %-10s | %s | %.3f | %.9g, %.9g | %lld |%s\n", test.name,
                sizeof(T) == 4 ? "float32" : "float64", worst.error, static_cast<double>(worst.at),
                static_cast<double>(other), static_cast<long long>(worst.count),
                ok ? "" : " FAILED");
    return failures + !ok;
}

long double atan2_reference(long double y, long double x) { return std::atan2(y, x); }
long double pow_reference(long double x, long double y) { return std::pow(x, y); }
long double hypot_reference(long double a, long double b) { return std::hypot(a, b); }
long double ldexp_reference(long double a, long double b) {
    if (std::isnan(b)) return b;
    return std::isfinite(b) && (a == 0 || !std::isfinite(a)) ? a : a * std::exp2(b);
}
long double fmod_reference(long double x, long double y) { return std::fmod(x, y); }

// --- time per element, in cache -----------------------------------------------------------------

template <class T> double nanoseconds(UnaryFn<T> f, double low, double high) {
    std::vector<T> in(kBlock), out(kBlock);
    for (int i = 0; i < kBlock; ++i)
        in[i] = static_cast<T>(low + (high - low) * unit(mix(static_cast<uint64_t>(i))));
    double best = 1e9;
    for (int round = 0; round < 30; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 20; ++i) f(in.data(), out.data(), kBlock);
        const std::chrono::duration<double, std::nano> passed =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, passed.count() / (20 * kBlock));
    }
    return best;
}

}  // namespace tapegrad::TAPEGRAD_ISA

int main(int argc, char** argv) {
    using namespace tapegrad::TAPEGRAD_ISA;
    uint64_t stride = 1021;
    int64_t samples = 1 << 20;
    bool time = false;
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const bool has_value = i + 1 < argc;
        if (option == "--full") stride = 1;
        else if (option == "--stride" && has_value) stride = std::strtoull(argv[++i], nullptr, 10);
        else if (option == "--samples" && has_value) samples = std::atoll(argv[++i]);
        else if (option == "--only" && has_value) only = argv[++i];
        else if (option == "--time") time = true;
        else stride = 0;
    }
    if (stride == 0 || samples <= 0) {
        std::printf("usage: %s [--full | --stride N] [--samples N] [--only FUNCTION] [--time]\n",
                    argv[0]);
        return 2;
    }
    int failures = 0;
    if (time) {
        std::printf("| function | float32 ns | float64 ns |\n|---|---|---|\n");
        std::printf("| pow | %.3f | %.3f |\n", nanoseconds(power_loop<float>, 0, 3),
                    nanoseconds(power_loop<double>, 0, 3));
        std::printf("| x * x | %.3f | %.3f |\n", nanoseconds(square_loop<float>, -3, 3),
                    nanoseconds(square_loop<double>, -3, 3));
        for (const Function& f : kFunctions) {
            if (!only.empty() && only != f.name) continue;
            const double low = std::max(f.low, -3.0), high = std::min(f.high, 3.0);
            std::printf("| %s | %.3f | %.3f |\n", f.name, nanoseconds(f.f32, low, high),
                        nanoseconds(f.f64, low, high));
        }
        return 0;
    }
    std::printf("| function | float32 max ulp | at | inputs | float64 max ulp | at | samples |\n");
    std::printf("|---|---|---|---|---|---|---|\n");
    for (const Function& f : kFunctions) {
        if (!only.empty() && only != f.name) continue;
        const auto w32 = measure_f32(f, stride);
        const auto w64 = measure_f64(f, samples);
        const bool ok = w32.error <= f.bound32 && w64.error <= f.bound64;
        std::printf("| %-10s | %.3f | %.9g | %lld | %.3f | %.17g | %lld |%s\n", f.name, w32.error,
                    static_cast<double>(w32.at), static_cast<long long>(w32.count), w64.error,
                    w64.at, static_cast<long long>(w64.count), ok ? "" : " FAILED");
        std::fflush(stdout);
        failures += !ok;
        failures += check_special(f.name, f.f32, f.reference32, f.bound32);
        failures += check_special(f.name, f.f64, f.reference64, f.bound64);
        failures += check_lanes(f.name, f.f32);
        failures += check_lanes(f.name, f.f64);
    }
    std::printf("\n| function | type | max ulp | at | samples |\n|---|---|---|---|---|\n");
    const BinaryCase<float> binary32[] = {{"pow", pow_loop<float>, pow_reference, 1},
                                          {"atan2", atan2_loop<float>, atan2_reference, 1},
                                          {"hypot", hypot_loop<float>, hypot_reference, 1},
                                          {"ldexp", ldexp_loop<float>, ldexp_reference, 2},
                                          {"fmod", fmod_loop<float>, fmod_reference, 0}};
    const BinaryCase<double> binary64[] = {{"pow", pow_loop<double>, pow_reference, 2},
                                           {"atan2", atan2_loop<double>, atan2_reference, 2},
                                           {"hypot", hypot_loop<double>, hypot_reference, 1.5},
                                           {"ldexp", ldexp_loop<double>, ldexp_reference, 2},
                                           {"fmod", fmod_loop<double>, fmod_reference, 0}};
    for (const auto& test : binary32)
        if (only.empty() || only == test.name) failures += check_binary(test, samples);
    for (const auto& test : binary64)
        if (only.empty() || only == test.name) failures += check_binary(test, samples);
    if (failures > 0) std::printf("\n%d failures\n", failures);
    return failures > 0;
}
