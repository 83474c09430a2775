// Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block
// is a 128-bit counter under a 64-bit key and gives four words of 32 bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

// Encrypts the four words of a counter, each in the low half of a lane of 64 bits; what is above it in
// the result is not to be read. mul: the products of low halves.
template <class Lanes, class Mul>
TAPEGRAD_INLINE void philox_rounds(Lanes (&c)[4], uint64_t seed, Mul mul) {
    auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const Lanes p0 = mul(c[0], Lanes{} + 0xD2511F53u);
        const Lanes p1 = mul(c[2], Lanes{} + 0xCD9E8D57u);
        c[0] = (p1 >> 32) ^ c[1] ^ (Lanes{} + k0);
        c[1] = p1;
        c[2] = (p0 >> 32) ^ c[3] ^ (Lanes{} + k1);
        c[3] = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

// Eight consecutive blocks: the unit in which numbers are drawn. words[j][k] is word j of block k.
constexpr int kBlocks = 8;
struct alignas(64) Draw {
    uint32_t words[4][kBlocks];
};

// Numbers per draw, of 32 and of 64 random bits.
constexpr int kNarrow = 4 * kBlocks, kWide = 2 * kBlocks;

// The blocks from a counter on; the upper half of its 128 bits is 0.
TAPEGRAD_INLINE void philox(uint64_t counter, uint64_t seed, Draw& out) {
    constexpr int lanes = Native<double>::size;
    static_assert(kBlocks % lanes == 0);
    typedef uint32_t Narrow __attribute__((vector_size(4 * lanes)));
    for (int group = 0; group < kBlocks; group += lanes) {
        UIntD c[4] = {};
        for (int k = 0; k < lanes; ++k) c[0][k] = static_cast<uint64_t>(k);
        c[0] += counter + static_cast<uint64_t>(group);
        c[1] = c[0] >> 32;
        philox_rounds(c, seed, [](UIntD a, UIntD b) { return native_mul_low32(a, b); });
        for (int j = 0; j < 4; ++j) {
            const Narrow low = __builtin_convertvector(c[j], Narrow);
            std::memcpy(&out.words[j][group], &low, sizeof(low));
        }
    }
}

// A stream for one element that takes as many numbers as it happens to need: the blocks of its counter, with
// 1, 2, ... in the upper half.
class Stream {
public:
    Stream(uint64_t seed, uint64_t counter) : seed_(seed), counter_(counter) {}

    // Evenly on (0, 1), without the ends, in steps of 2**-32.
    double unit() {
        if (left_ == 0) draw();
        return (static_cast<double>(words_[--left_]) + 0.5) * 0x1p-32;
    }
    double normal() {  // Box and Muller
        const double radius = std::sqrt(-2 * std::log(unit()));
        return radius * std::cos(2 * math::kPi * unit());
    }

private:
    void draw() {
        constexpr uint64_t low = 0xffffffff;
        uint64_t c[4] = {counter_ & low, counter_ >> 32, ++block_, 0};
        philox_rounds(c, seed_, [](uint64_t a, uint64_t b) { return (a & low) * (b & low); });
        for (int j = 0; j < 4; ++j) words_[j] = static_cast<uint32_t>(c[j]);
        left_ = 4;
    }

    const uint64_t seed_, counter_;
    uint64_t block_ = 0;
    uint32_t words_[4] = {};
    int left_ = 0;
};

}  // namespace tapegrad::TAPEGRAD_ISA
