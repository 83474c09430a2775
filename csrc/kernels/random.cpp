#include "kernels/random.h"

#include "core/parallel.h"
#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace {

// --- Philox4x32-10 -------------------------------------------------------------------------------
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block is
// a 64-bit counter under a 64-bit key and gives four words of 32 bits.

// Eight consecutive blocks: the unit in which numbers are drawn. words[j][k] is word j of block k.
constexpr int kBlocks = 8;
struct alignas(64) Draw {
    uint32_t words[4][kBlocks];
};

// Numbers per draw, of 32 and of 64 random bits.
constexpr int kNarrow = 4 * kBlocks, kWide = 2 * kBlocks;

TAPEGRAD_INLINE void philox(uint64_t counter, uint64_t seed, Draw& out) {
    constexpr int lanes = Native<double>::size;
    static_assert(kBlocks % lanes == 0);
    typedef uint32_t Narrow __attribute__((vector_size(4 * lanes)));
    for (int group = 0; group < kBlocks; group += lanes) {
        UIntD c0, c1, c2{}, c3{};
        for (int k = 0; k < lanes; ++k) c0[k] = static_cast<uint64_t>(k);
        c0 += counter + static_cast<uint64_t>(group);
        c1 = c0 >> 32;
        // Only the low half of a lane counts; what is above it is never read.
        auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
        for (int round = 0; round < 10; ++round) {
            const UIntD p0 = native_mul_low32(c0, UIntD{} + 0xD2511F53u);
            const UIntD p1 = native_mul_low32(c2, UIntD{} + 0xCD9E8D57u);
            c0 = (p1 >> 32) ^ c1 ^ (UIntD{} + k0);
            c1 = p1;
            c2 = (p0 >> 32) ^ c3 ^ (UIntD{} + k1);
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        const UIntD c[4] = {c0, c1, c2, c3};
        for (int j = 0; j < 4; ++j) {
            const Narrow low = __builtin_convertvector(c[j], Narrow);
            std::memcpy(&out.words[j][group], &low, sizeof(low));
        }
    }
}

__extension__ typedef unsigned __int128 UInt128;

// A 64-bit word times the width of a range, high half: a number in [0, width) whose bias is below
// 2**-64 times the width (Lemire, "Fast random integer generation in an interval", 2019).
TAPEGRAD_INLINE uint64_t in_range(uint64_t word, uint64_t width) {
    return static_cast<uint64_t>((static_cast<UInt128>(word) * width) >> 64);
}

// Words of 64 bits are joined from words 2j and 2j + 1 of a block.
TAPEGRAD_INLINE uint64_t wide_word(const Draw& draw, int i) {
    const int j = i / kBlocks * 2, k = i % kBlocks;
    return static_cast<uint64_t>(draw.words[j][k]) << 32 | draw.words[j + 1][k];
}

// Calls f(draw, begin, count) for each unit of `per_draw` numbers out of n, from several threads.
template <int kPerDraw, class F>
TAPEGRAD_INLINE void for_draws(int64_t n, uint64_t seed, uint64_t offset, F f) {
    constexpr int64_t grain = int64_t{kPerDraw} * 256;
    parallel_for(n, grain, [=](int64_t begin, int64_t end) {
        Draw draw;
        for (int64_t i = begin; i < end; i += kPerDraw) {
            philox(offset + static_cast<uint64_t>(i / kPerDraw) * kBlocks, seed, draw);
            f(draw, i, end - i < kPerDraw ? static_cast<int>(end - i) : kPerDraw);
        }
    });
}

// --- numbers out of words ------------------------------------------------------------------------

template <class T> inline constexpr int kPerDrawOf = sizeof(T) == 4 ? kNarrow : kWide;

// Evenly on [0, 1), in steps of 2**-24 and 2**-53.
TAPEGRAD_INLINE void to_unit(const Draw& draw, float* out) {
    const uint32_t* w = &draw.words[0][0];
    for (int i = 0; i < kNarrow; ++i)
        out[i] = static_cast<float>(static_cast<int32_t>(w[i] >> 8)) * 0x1p-24f;
}
TAPEGRAD_INLINE void to_unit(const Draw& draw, double* out) {
    for (int i = 0; i < kWide; ++i) {
        // 52 bits under the exponent of 1 and the 53rd as half a step.
        const uint64_t w = wide_word(draw, i) >> 11;
        const uint64_t bits = (w >> 1) | 0x3ff0000000000000;
        double x;
        std::memcpy(&x, &bits, sizeof(x));
        out[i] = (x - 1) + static_cast<double>(static_cast<int32_t>(w & 1)) * 0x1p-53;
    }
}

template <class T> TAPEGRAD_INLINE void copy_out(const T* from, T* to, int count, int full) {
    if (count == full) std::memcpy(to, from, sizeof(T) * static_cast<size_t>(full));
    else
        for (int i = 0; i < count; ++i) to[i] = from[i];
}

template <class T>
void uniform(void* out, int64_t n, uint64_t seed, uint64_t offset, double a, double b) {
    constexpr int size = kPerDrawOf<T>;
    T* to = static_cast<T*>(out);
    const Pack<T> low(a), high(b), width(b - a);
    for_draws<size>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        alignas(64) T u[size];
        to_unit(draw, u);
        for (int i = 0; i < size; i += Pack<T>::size) {
            const auto x = low + Pack<T>::load(u + i) * width;
            where(x < high, x, low).store(u + i);  // rounding must not reach the open end
        }
        copy_out(u, to + begin, count, size);
    });
}

// Box and Muller, "A note on the generation of random normal deviates", 1958: from u and v even on
// (0, 1), sqrt(-2 log u) times the cosine and the sine of 2 pi v. The first half of a draw gives u
// and the cosines, the second half v and the sines.
template <class T> struct CosSin {
    Pack<T> cos, sin;
};
// The cosine and sine of 2 pi v for v in [0, 1].
template <class T> TAPEGRAD_INLINE CosSin<T> cos_sin_turns(Pack<T> v) {
    using P = Pack<T>;
    const P quarter = round(v * 4);
    const P r = (v - quarter * 0.25) * 0x1.921fb54442d18p2;
    const P z = r * r;
    P s, c;
    if constexpr (sizeof(T) == 4) {
        s = math::poly(z, -0x1.555546p-3, 0x1.110756p-7, -0x1.994b4p-13);
        c = math::poly(z, 0x1.55554ap-5, -0x1.6c0c82p-10, 0x1.99ff4ep-16);
    } else {
        s = math::poly(z, -0x1.5555555555549p-3, 0x1.111111110f842p-7, -0x1.a01a019c0a292p-13,
                       0x1.71de3570fc547p-19, -0x1.ae5e60c318de7p-26, 0x1.5d915d8807451p-33);
        c = math::poly(z, 0x1.555555555554cp-5, -0x1.6c16c16c15140p-10, 0x1.a01a019cab769p-16,
                       -0x1.27e4f805352ecp-22, 0x1.1ee9e891817d3p-29, -0x1.8facd1a7c1854p-37);
    }
    s = fma(r * z, s, r);
    c = fma(z * z, c, fma(z, P(-0.5), P(1)));
    const auto n = math::low_bits(quarter);
    const auto odd = math::test_bits<P>(n, 1);
    const P x = where(odd, s, c), y = where(odd, c, s);
    return {where(math::test_bits<P>(n + 1, 2), -x, x), where(math::test_bits<P>(n, 2), -y, y)};
}

template <class T>
void normal(void* out, int64_t n, uint64_t seed, uint64_t offset, double mean, double deviation) {
    constexpr int size = kPerDrawOf<T>, half = size / 2;
    using P = Pack<T>;
    T* to = static_cast<T*>(out);
    const P center(mean), spread(deviation);
    for_draws<size>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        alignas(64) T u[size];
        if constexpr (sizeof(T) == 4) {
            // More bits than a uniform number has: small u are the tails. Never 0.
            const uint32_t* w = &draw.words[0][0];
            for (int i = 0; i < size; ++i)
                u[i] = (static_cast<float>(static_cast<int32_t>(w[i] >> 1)) + 0.5f) * 0x1p-31f;
        } else {
            to_unit(draw, u);
            for (int i = 0; i < size; ++i) u[i] += 0x1p-54;
        }
        for (int i = 0; i < half; i += P::size) {
            const P radius = spread * sqrt(max(P(0), -2 * log(P::load(u + i))));
            const auto [c, s] = cos_sin_turns(P::load(u + half + i));
            fma(radius, c, center).store(u + i);
            fma(radius, s, center).store(u + half + i);
        }
        copy_out(u, to + begin, count, size);
    });
}

// A word below this is an event of probability p.
uint64_t threshold(double p) {
    return p >= 1 ? uint64_t{1} << 32 : static_cast<uint64_t>(p * 0x1p32);
}

template <class T>
void bernoulli(void* out, int64_t n, uint64_t seed, uint64_t offset, double p, double) {
    T* to = static_cast<T*>(out);
    const bool always = p >= 1;
    const auto limit = static_cast<uint32_t>(threshold(p));
    for_draws<kNarrow>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        T buffer[kNarrow];
        const uint32_t* w = &draw.words[0][0];
        for (int i = 0; i < kNarrow; ++i) buffer[i] = static_cast<T>(always | (w[i] < limit));
        copy_out(buffer, to + begin, count, kNarrow);
    });
}

template <class T>
void bernoulli_each(const void* p, void* out, int64_t n, uint64_t seed, uint64_t offset) {
    constexpr int size = kPerDrawOf<T>;
    const T* from = static_cast<const T*>(p);
    T* to = static_cast<T*>(out);
    for_draws<size>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        T u[size];
        to_unit(draw, u);
        for (int i = 0; i < count; ++i) to[begin + i] = static_cast<T>(u[i] < from[begin + i]);
    });
}

template <class T>
void randint(void* out, int64_t n, uint64_t seed, uint64_t offset, int64_t low, int64_t high) {
    T* to = static_cast<T*>(out);
    const uint64_t width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    for_draws<kWide>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        for (int i = 0; i < count; ++i) {
            const uint64_t value = static_cast<uint64_t>(low) + in_range(wide_word(draw, i), width);
            to[begin + i] = static_cast<T>(static_cast<int64_t>(value));
        }
    });
}

// --- dropout -------------------------------------------------------------------------------------

template <class T> T dropout_scale(double p) { return p < 1 ? static_cast<T>(1 / (1 - p)) : T(0); }

template <class T>
void dropout(const void* x, void* out, uint8_t* mask, int64_t n, uint64_t seed, uint64_t offset,
             double p) {
    const T* from = static_cast<const T*>(x);
    T* to = static_cast<T*>(out);
    const bool never = p >= 1;
    const auto limit = static_cast<uint32_t>(threshold(p));
    const Pack<T> scale(dropout_scale<T>(p));
    for_draws<kNarrow>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        uint8_t kept[kNarrow];
        const uint32_t* w = &draw.words[0][0];
        for (int i = 0; i < kNarrow; ++i) kept[i] = !never & (w[i] >= limit);
        copy_out(kept, mask + begin, count, kNarrow);
        for (int i = 0; i < count; i += Pack<T>::size) {
            const int64_t m = count - i;
            const auto keep = Mask<T>::load(kept + i);
            if (m >= Pack<T>::size)
                where(keep, Pack<T>::load(from + begin + i) * scale, 0).store(to + begin + i);
            else
                where(keep, Pack<T>::load(from + begin + i, m) * scale, 0).store(to + begin + i, m);
        }
    });
}

template <class T>
void dropout_backward(const void* g, const uint8_t* mask, void* out, int64_t n, double p) {
    const T* from = static_cast<const T*>(g);
    T* to = static_cast<T*>(out);
    const Pack<T> scale(dropout_scale<T>(p));
    parallel_for(n, int64_t{1} << 15, [=](int64_t begin, int64_t end) {
        constexpr int size = Pack<T>::size;
        int64_t i = begin;
        for (; i + size <= end; i += size)
            where(Mask<T>::load(mask + i), Pack<T>::load(from + i) * scale, 0).store(to + i);
        const int64_t m = end - i;
        if (m > 0)
            where(Mask<T>::load(mask + i, m), Pack<T>::load(from + i, m) * scale, 0)
                .store(to + i, m);
    });
}

// Fisher and Yates' shuffle, one 64-bit word per place.
void permutation(int64_t* out, int64_t n, uint64_t seed, uint64_t offset) {
    for (int64_t i = 0; i < n; ++i) out[i] = i;
    Draw draw;
    for (int64_t i = 0; i < n - 1; ++i) {
        const int place = static_cast<int>(i % kWide);
        if (place == 0) philox(offset + static_cast<uint64_t>(i / kWide) * kBlocks, seed, draw);
        const auto left = static_cast<uint64_t>(n - i);
        const int64_t j = i + static_cast<int64_t>(in_range(wide_word(draw, place), left));
        const int64_t moved = out[i];
        out[i] = out[j];
        out[j] = moved;
    }
}

}  // namespace

void fill(kernels::RandomKernels& k);

void fill(kernels::RandomKernels& k) {
    kernels::each_type<bool, uint8_t, int32_t, int64_t, float, double>([&]<class T>(DType dtype) {
        k.bernoulli[dtype] = bernoulli<T>;
        k.randint[dtype] = randint<T>;
    });
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.uniform[dtype] = uniform<T>;
        k.normal[dtype] = normal<T>;
        k.bernoulli_each[dtype] = bernoulli_each<T>;
        k.dropout[dtype] = dropout<T>;
        k.dropout_backward[dtype] = dropout_backward<T>;
    });
    k.permutation = permutation;
}

}  // namespace tapegrad::TAPEGRAD_ISA
