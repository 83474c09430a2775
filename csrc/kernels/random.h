// Random numbers from a counter-based generator: the i-th number of a call is a function of
// (seed, offset, i) alone, whatever the number of threads and the width of the vectors.
// After a call the caller moves the generator's offset on by counters_used(n).
#pragma once

#include <cstdint>

#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// How far a call that draws n numbers moves the offset, whatever it draws.
constexpr uint64_t counters_used(int64_t n) {
    return n <= 0 ? 0 : (static_cast<uint64_t>(n) + 15) / 16 * 8;
}

using RandomFn = void (*)(void* out, int64_t n, uint64_t seed, uint64_t offset, double a, double b);
// Numbers with one or two parameters each, in double precision. Takes a counter for each.
using SampleFn = void (*)(const double* a, const double* b, double* out, int64_t n, uint64_t seed,
                          uint64_t offset);
using RandomIntFn = void (*)(void* out, int64_t n, uint64_t seed, uint64_t offset, int64_t low,
                             int64_t high);
using BernoulliFn = void (*)(const void* p, void* out, int64_t n, uint64_t seed, uint64_t offset);
// x and out may be the same. mask: 1 where the element was kept.
using DropoutFn = void (*)(const void* x, void* out, uint8_t* mask, int64_t n, uint64_t seed,
                           uint64_t offset, double p);
using DropoutBackwardFn = void (*)(const void* g, const uint8_t* mask, void* out, int64_t n,
                                   double p);

// Null where a dtype makes no sense.
struct RandomKernels {
    DTypeTable<RandomFn> uniform;      // [a, b): 24 random bits for float32, 53 for float64
    DTypeTable<RandomFn> normal;       // mean a, standard deviation b
    DTypeTable<RandomFn> bernoulli;    // 1 with probability a, else 0; b is not used
    DTypeTable<RandomFn> exponential;  // of rate a, more than 0; b is not used
    DTypeTable<RandomFn> cauchy;       // of median a and scale b
    // Trials of probability a up to the first success, for every dtype; b is not used.
    DTypeTable<RandomFn> geometric;
    SampleFn poisson;    // of rate a
    SampleFn binomial;   // of a trials with probability b
    SampleFn log_gamma;  // logarithms of gamma variates of shape a
    // Probabilities one by one; p and out have the same floating dtype.
    DTypeTable<BernoulliFn> bernoulli_each;
    DTypeTable<RandomIntFn> randint;  // low <= value < high, for every dtype
    DTypeTable<DropoutFn> dropout;    // keep ? x / (1 - p) : 0, kept with probability 1 - p
    DTypeTable<DropoutBackwardFn> dropout_backward;  // mask ? g / (1 - p) : 0
    // A random permutation of 0 .. n - 1.
    void (*permutation)(int64_t* out, int64_t n, uint64_t seed, uint64_t offset);
};

}  // namespace tapegrad::kernels
