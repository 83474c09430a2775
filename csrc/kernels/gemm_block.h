// The innermost loops of a matrix product: blocks of C held in registers.
#pragma once

#include <utility>

#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

// Register budget: kBlockRows x 2 accumulators, 2 vectors of B, one broadcast element of A.
#if defined(TAPEGRAD_AVX512)
inline constexpr int kBlockRows = 12;
#elif defined(__aarch64__)
inline constexpr int kBlockRows = 8;
#elif defined(TAPEGRAD_AVX2)
inline constexpr int kBlockRows = 6;
#else
inline constexpr int kBlockRows = 4;  // mul and add apart need a register more
#endif
// Few rows leave room for twice the columns.
inline constexpr int kWideRows = kBlockRows / 2;

// What the blocks of one panel of columns share.
template <class T> struct Panel {
    int64_t k;
    int64_t a_row, a_col;
    const T* b;  // row l of the panel starts at b + l * b_row
    int64_t b_row;
    int64_t c_row;
    const T* bias;  // of the panel's columns, or null
    bool accumulate;
    int64_t width;  // columns; those of the last vector may be fewer than its lanes
};

// How a block finds its operands.
enum class Reads {
    InPlace,  // B as it lies: its last vector reaches only last_columns
    Whole,    // whole vectors of B may be read
    Packed,   // the same, and A is a copy: A(i, l) = a[l * rows + i]
};

// Cache lines that a packed block asks for while it computes, besides those of A and C: kPrefetches for
// every kUnroll of l, `step` apart, and `turn` further after every `run` steps.
inline constexpr int kUnroll = 4, kPrefetches = 2;
template <class T> struct Prefetch {
    const T* at;
    int64_t step, turn;
    int64_t run;
};

// Columns of the last of `vectors` vectors.
template <class T> TAPEGRAD_INLINE int64_t last_columns(int64_t width, int vectors) {
    return width - (vectors - 1) * Pack<T>::size;
}

#if defined(TAPEGRAD_AVX512)
// a * b + c with one element of a from memory, as a single instruction.
template <class T> TAPEGRAD_INLINE Pack<T> broadcast_fma(const T& a, Pack<T> b, Pack<T> c) {
    if constexpr (sizeof(T) == 4)
        asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c.v) : "v"(b.v), "m"(a));
    else asm("vfmadd231pd %2%{1to8%}, %1, %0" : "+v"(c.v) : "v"(b.v), "m"(a));
    return c;
}
#endif

// C(rows x width) = A(rows x k) B(k x width).
template <class T, int kRows, int kVectors, Reads kReads>
void block(const Panel<T>& p, const T* a, T* c, const Prefetch<T>* fetch) {
    using P = Pack<T>;
    constexpr int W = P::size;
    constexpr bool kPartial = kReads == Reads::InPlace, kPacked = kReads == Reads::Packed;
    const int64_t last = last_columns<T>(p.width, kVectors);
    P acc[kRows][kVectors];

    const T* b = p.b;
    const int64_t c_row = p.c_row;
    const int64_t a_row = kPacked ? 1 : p.a_row, a_col = kPacked ? kRows : p.a_col;
    const int64_t b_row = kPacked ? kVectors * W : p.b_row;
    // Rows are addressed from every fourth one, so that the pointers fit into registers.
    constexpr int kStep = kPacked ? kRows : 4, kPointers = (kRows + kStep - 1) / kStep;
    const T* from[kPointers];
#pragma GCC unroll 4
    for (int q = 0; q < kPointers; ++q) from[q] = a + kStep * q * a_row;

    const auto step = [&]() __attribute__((always_inline)) {
        P bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
            bv[v] = kPartial && v == kVectors - 1 ? P::load(b + v * W, last) : P::load(b + v * W);
        b += b_row;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
            const T& element = from[r / kStep][r % kStep * a_row];
#if defined(TAPEGRAD_AVX512)
            // Fewer instructions than with a broadcast on its own: 7 to 15 % where two threads share a
            // core. Not in all rows: the loads would not keep up.
            if (r % 4 < 3) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; ++v)
                    acc[r][v] = broadcast_fma(element, bv[v], acc[r][v]);
                continue;
            }
#endif
            const P av(element);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
        }
#pragma GCC unroll 4
        for (int q = 0; q < kPointers; ++q) from[q] += a_col;
    };
    if constexpr (kPacked) {
        // Unrolling spares counting and prefetching: 1 to 3 %. A is fetched ahead into the
        // first-level cache, which B fills: 1 to 4 %.
        constexpr int kLine = 64 / sizeof(T), kAhead = 8;
        Prefetch<T> prefetch = *fetch;
        int64_t l = p.k, run = prefetch.run;
        // C is fetched a row at a time: all at once would fill the line buffers (3 to 4 %).
        const T *c_at = c, *const c_last = c + (kRows - 1) * c_row;
        for (; l >= kUnroll; l -= kUnroll) {
#pragma GCC unroll 4
            for (int i = 0; i < kPrefetches; ++i) {
                __builtin_prefetch(prefetch.at, 0, 2);
                prefetch.at += prefetch.step;
            }
#pragma GCC unroll 4
            for (int v = 0; v < kVectors * W; v += kLine) __builtin_prefetch(c_at + v, 1);
            c_at = c_at == c_last ? c_at : c_at + c_row;
#pragma GCC unroll 8
            for (int i = 0; i < kUnroll * kRows; i += kLine)
                __builtin_prefetch(from[0] + kAhead * kRows + i);
#pragma GCC unroll 4
            for (int i = 0; i < kUnroll; ++i) step();
            run -= kPrefetches;
            if (run <= 0) {
                run = prefetch.run;
                prefetch.at += prefetch.turn;
            }
        }
        for (; l > 0; --l) step();
    } else {
        for (int64_t l = p.k; l > 0; --l) step();
    }

    if (p.bias) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
            const P bias =
                v == kVectors - 1 ? P::load(p.bias + v * W, last) : P::load(p.bias + v * W);
#pragma GCC unroll 16
            for (int r = 0; r < kRows; ++r) acc[r][v] += bias;
        }
    }
    if (p.accumulate) {
        const T* row = c;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, row += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v)
                acc[r][v] += v == kVectors - 1 ? P::load(row + v * W, last) : P::load(row + v * W);
    }
    if (last == W) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, c += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v].store(c + v * W);
    } else {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r, c += c_row)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v)
                if (v == kVectors - 1) acc[r][v].store(c + v * W, last);
                else acc[r][v].store(c + v * W);
    }
}

// Only packed blocks take a Prefetch.
template <class T> using BlockFn = void (*)(const Panel<T>&, const T* a, T* c, const Prefetch<T>*);

template <class T, int kVectors, Reads kReads, class Rows> struct BlockTable;

template <class T, int kVectors, Reads kReads, int... kRow>
struct BlockTable<T, kVectors, kReads, std::integer_sequence<int, kRow...>> {
    static constexpr BlockFn<T> fn[] = {block<T, kRow + 1, kVectors, kReads>...};
};

// table[rows - 1]
template <class T, int kVectors> TAPEGRAD_INLINE const BlockFn<T>* block_table(bool in_place) {
    using Rows = std::make_integer_sequence<int, kVectors == 4 ? kWideRows : kBlockRows>;
    return in_place ? BlockTable<T, kVectors, Reads::InPlace, Rows>::fn
                    : BlockTable<T, kVectors, Reads::Whole, Rows>::fn;
}
template <class T, int kVectors> TAPEGRAD_INLINE const BlockFn<T>* packed_table() {
    using Rows = std::make_integer_sequence<int, kBlockRows>;
    return BlockTable<T, kVectors, Reads::Packed, Rows>::fn;
}

}  // namespace tapegrad::TAPEGRAD_ISA
