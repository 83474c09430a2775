#include "kernels/random.h"

#include <limits>
#include <type_traits>

#include "core/parallel.h"
#include "kernels/philox.h"
#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

namespace {

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

// On (0, 1], never 0 and with more random bits, because small numbers become the tails.
TAPEGRAD_INLINE void to_open_unit(const Draw& draw, float* out) {
    const uint32_t* w = &draw.words[0][0];
    for (int i = 0; i < kNarrow; ++i)
        out[i] = (static_cast<float>(static_cast<int32_t>(w[i] >> 1)) + 0.5f) * 0x1p-31f;
}
TAPEGRAD_INLINE void to_open_unit(const Draw& draw, double* out) {
    to_unit(draw, out);
    for (int i = 0; i < kWide; ++i) out[i] += 0x1p-54;
}

template <class T> TAPEGRAD_INLINE void copy_out(const T* from, T* to, int count, int full) {
    if (count == full) std::memcpy(to, from, sizeof(T) * static_cast<size_t>(full));
    else
        for (int i = 0; i < count; ++i) to[i] = from[i];
}

// The nearest number that an integer type has.
template <class T> TAPEGRAD_INLINE T saturated(double x) {
    if constexpr (std::is_integral_v<T>) {
        constexpr T most = std::numeric_limits<T>::max();
        return x >= static_cast<double>(most) ? most : static_cast<T>(x);
    } else {
        return static_cast<T>(x);
    }
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
        to_open_unit(draw, u);
        for (int i = 0; i < half; i += P::size) {
            const P radius = spread * sqrt(max(P(0), -2 * log(P::load(u + i))));
            const auto [c, s] = cos_sin_turns(P::load(u + half + i));
            fma(radius, c, center).store(u + i);
            fma(radius, s, center).store(u + half + i);
        }
        copy_out(u, to + begin, count, size);
    });
}

// The function of a number on (0, 1] that f is, for each number.
template <class T, class F>
TAPEGRAD_INLINE void transformed(void* out, int64_t n, uint64_t seed, uint64_t offset, F f) {
    constexpr int size = kPerDrawOf<T>;
    T* to = static_cast<T*>(out);
    for_draws<size>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        alignas(64) T u[size];
        to_open_unit(draw, u);
        for (int i = 0; i < size; i += Pack<T>::size) f(Pack<T>::load(u + i)).store(u + i);
        copy_out(u, to + begin, count, size);
    });
}

// Never 0: numbers of this distribution are divided by.
template <class T>
void exponential(void* out, int64_t n, uint64_t seed, uint64_t offset, double rate, double) {
    constexpr double least = std::numeric_limits<T>::epsilon() / 4;
    transformed<T>(out, n, seed, offset,
                   [=](Pack<T> u) { return max(-log(u), Pack<T>(least)) / Pack<T>(rate); });
}

template <class T>
void cauchy(void* out, int64_t n, uint64_t seed, uint64_t offset, double median, double spread) {
    transformed<T>(out, n, seed, offset, [=](Pack<T> u) {
        // The angle on half a turn from its ends on: that of the nearer end is small and exact.
        const auto upper = u > Pack<T>(0.5);
        const auto [c, s] = cos_sin_turns(where(upper, 1 - u, u) * 0.5);
        const Pack<T> size = Pack<T>(spread) * c / max(s, Pack<T>(0x1p-60));
        return Pack<T>(median) + where(upper, size, -size);
    });
}

// How many trials of probability p a success takes.
template <class T>
void geometric(void* out, int64_t n, uint64_t seed, uint64_t offset, double p, double) {
    T* to = static_cast<T*>(out);
    const Pack<double> rate(std::log1p(-p));
    for_draws<kWide>(n, seed, offset, [=](const Draw& draw, int64_t begin, int count) {
        alignas(64) double u[kWide];
        to_open_unit(draw, u);
        for (int i = 0; i < kWide; i += Pack<double>::size)
            max(ceil(log(Pack<double>::load(u + i)) / rate), Pack<double>(1)).store(u + i);
        for (int i = 0; i < count; ++i) to[begin + i] = saturated<T>(u[i]);
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
void fill_sampling(kernels::RandomKernels& k);

void fill(kernels::RandomKernels& k) {
    kernels::each_type<bool, uint8_t, int32_t, int64_t, float, double>([&]<class T>(DType dtype) {
        k.bernoulli[dtype] = bernoulli<T>;
        k.randint[dtype] = randint<T>;
        k.geometric[dtype] = geometric<T>;
    });
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.uniform[dtype] = uniform<T>;
        k.normal[dtype] = normal<T>;
        k.exponential[dtype] = exponential<T>;
        k.cauchy[dtype] = cauchy<T>;
        k.bernoulli_each[dtype] = bernoulli_each<T>;
        k.dropout[dtype] = dropout<T>;
        k.dropout_backward[dtype] = dropout_backward<T>;
    });
    k.permutation = permutation;
    fill_sampling(k);
}

}  // namespace tapegrad::TAPEGRAD_ISA
