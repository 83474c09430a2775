// Samplers that reject: every element draws from a stream of its own, as often as it has to.
#include <limits>

#include "core/parallel.h"
#include "kernels/philox.h"
#include "kernels/random.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb4p-1;
// Where the integers, or nearly, are as far apart as doubles: a rounded normal number serves.
constexpr double kMany = 1e15;

double log_poisson(double k, double rate) {
    if (k == 0) return -rate;
    return -math::stirling_error(k) - math::deviance(k, rate) - kHalfLogTwoPi - 0.5 * std::log(k);
}
double log_binomial(double k, double n, double p) {
    if (k == 0) return n * std::log1p(-p);
    if (k == n) return n * std::log(p);
    const double rest = n - k;
    return math::stirling_error(n) - math::stirling_error(k) - math::stirling_error(rest) -
           math::deviance(k, n * p) - math::deviance(rest, n * (1 - p)) - kHalfLogTwoPi +
           0.5 * std::log(n / (k * rest));
}

// A candidate k = floor((2 a / us + b) u + center) and its test: Hormann, "The transformed rejection method for
// generating Poisson random variables" and "The generation of binomial random variates", both 1993.
struct Hat {
    double a, b, center, squeeze, scale;
};
template <class Density>
double transformed_rejection(Stream& stream, const Hat& hat, double most, Density log_density) {
    for (;;) {
        const double u = stream.unit() - 0.5, v = stream.unit(), us = 0.5 - std::fabs(u);
        const double k = std::floor((2 * hat.a / us + hat.b) * u + hat.center);
        if (k < 0 || k > most) continue;
        if (us >= 0.07 && v <= hat.squeeze) return k;
        if (std::log(v * hat.scale / (hat.a / (us * us) + hat.b)) <= log_density(k)) return k;
    }
}

double poisson(Stream stream, double rate, double) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (rate == 0 || rate == infinity) return rate;
    if (rate > kMany) return std::rint(rate + std::sqrt(rate) * stream.normal());
    if (rate < 10) {  // arrivals within one unit of time
        const double stop = std::exp(-rate);
        double product = stream.unit(), k = 0;
        for (; product > stop; ++k) product *= stream.unit();
        return k;
    }
    const double b = 0.931 + 2.53 * std::sqrt(rate);
    const Hat hat{-0.059 + 0.02483 * b, b, rate + 0.43, 0.9277 - 3.6224 / (b - 2),
                  1.1239 + 1.1328 / (b - 3.4)};
    return transformed_rejection(stream, hat, infinity,
                                 [=](double k) { return log_poisson(k, rate); });
}

// The successes of n trials with a probability of at most 1/2.
double successes(Stream& stream, double n, double p) {
    const double mean = n * p;
    if (mean < 10) {  // the trials between successes
        const double rate = std::log1p(-p);
        double trials = 0, k = 0;
        while ((trials += std::ceil(std::log(stream.unit()) / rate)) <= n) ++k;
        return k;
    }
    const double deviation = std::sqrt(mean * (1 - p));
    if (n > kMany) return std::rint(mean + deviation * stream.normal());
    const double b = 1.15 + 2.53 * deviation, mode = std::floor((n + 1) * p);
    const Hat hat{-0.0873 + 0.0248 * b + 0.01 * p, b, mean + 0.5, 0.92 - 4.2 / b,
                  (2.83 + 5.1 / b) * deviation};
    const double top = log_binomial(mode, n, p);
    return transformed_rejection(stream, hat, n,
                                 [=](double k) { return log_binomial(k, n, p) - top; });
}

double binomial(Stream stream, double n, double p) {
    if (n <= 0 || p <= 0) return 0;
    if (p >= 1) return n;
    if (!(n > 0) || !(p > 0)) return n + p;  // NaN
    n = std::floor(n);
    return p <= 0.5 ? successes(stream, n, p) : n - successes(stream, n, 1 - p);
}

// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. In logarithms, because those of
// small shapes are smaller than any number.
double log_gamma(Stream stream, double shape, double) {
    if (!(shape >= 0)) return std::numeric_limits<double>::quiet_NaN();
    if (shape > kMany) return std::log(shape) + stream.normal() / std::sqrt(shape);
    if (shape < 1) {
        const double least = std::numeric_limits<double>::min();
        const double power = std::log(stream.unit()) / (shape < least ? least : shape);
        return power + log_gamma(stream, shape + 1, 0);
    }
    const double d = shape - 1 / 3.0, c = 1 / (3 * std::sqrt(d));
    for (;;) {
        const double x = stream.normal(), t = 1 + c * x;
        if (t <= 0) continue;
        const double log_v = 3 * std::log1p(c * x), u = stream.unit(), x2 = x * x;
        const bool certain = u < 1 - 0.0331 * x2 * x2;
        if (certain || std::log(u) < 0.5 * x2 + d * (1 - t * t * t + log_v))
            return std::log(d) + log_v;
    }
}

template <auto sample>
void each(const double* a, const double* b, double* out, int64_t n, uint64_t seed,
          uint64_t offset) {
    parallel_for(n, 256, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            out[i] = sample(Stream(seed, offset + static_cast<uint64_t>(i)), a[i], b ? b[i] : 0);
    });
}

}  // namespace

void fill_sampling(kernels::RandomKernels& k);
void fill_sampling(kernels::RandomKernels& k) {
    k.poisson = each<poisson>;
    k.binomial = each<binomial>;
    k.log_gamma = each<log_gamma>;
}

}  // namespace tapegrad::TAPEGRAD_ISA
