// Positions of extreme values.
#include "kernels/reduce.h"
#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

// Whether v replaces b as the extreme: it is beyond b, or the first NaN.
template <bool kMax, class T> TAPEGRAD_INLINE bool replaces(T v, T b) {
    if constexpr (kIsFloat<T>) return (kMax ? !(v <= b) : !(v >= b)) & (b == b);
    else return kMax ? v > b : v < b;
}

template <class T> TAPEGRAD_INLINE bool same(T a, T b) {
    if constexpr (kIsFloat<T>) return (a == b) | ((a != a) & (b != b));
    else return a == b;
}

// The first position of a value that is known to be there.
template <class T> int64_t find(const T* x, T value, int64_t n) {
    constexpr int64_t kStep = 64;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        bool found = false;
        if constexpr (kIsFloat<T>) {
            using P = Pack<T>;
            Mask<T> hit(false);
            if (value != value) {
                for (int64_t k = 0; k < kStep; k += P::size) hit = hit | isnan(P::load(x + i + k));
            } else {
                for (int64_t k = 0; k < kStep; k += P::size)
                    hit = hit | (P::load(x + i + k) == P(value));
            }
            found = hit.any();
        } else {
            T hit = 0;
            for (int64_t k = 0; k < kStep; ++k) hit = static_cast<T>(hit | (x[i + k] == value));
            found = hit != 0;
        }
        if (found) break;
    }
    while (!same(x[i], value)) ++i;
    return i;
}

template <class T, bool kMax> using ExtremeOp = std::conditional_t<kMax, MaxOp<T>, MinOp<T>>;

template <class T, bool kMax> int64_t row_position(const T* x, int64_t n) {
    if (n <= 16) {
        int64_t best = 0;
        for (int64_t i = 1; i < n; ++i)
            if (replaces<kMax>(x[i], x[best])) best = i;
        return best;
    }
    return find(x, reduce_block(ExtremeOp<T, kMax>(), x, n), n);
}

template <class T, bool kMax>
void rows(const T* x, T* values, int64_t* indices, int64_t outer, int64_t n) {
    const auto put = [=](int64_t o, int64_t position) {
        indices[o] = position;
        if (values) values[o] = x[o * n + position];
    };
    const int64_t blocks = ceil_div(n, kRowBlock);
    if (blocks == 1) {
        for_items(outer, n, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o) put(o, row_position<T, kMax>(x + o * n, n));
        });
        return;
    }
    // The extreme of each block; the position is found in the first block that has the best one.
    Scratch<T> scratch(outer * blocks);
    T* partial = scratch.data();
    for_items(outer * blocks, kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t o = i / blocks, first = i % blocks * kRowBlock;
            partial[i] =
                reduce_block(ExtremeOp<T, kMax>(), x + o * n + first, min_of(kRowBlock, n - first));
        }
    });
    for_items(outer, blocks + kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
            const T* p = partial + o * blocks;
            const int64_t best = row_position<T, kMax>(p, blocks), first = best * kRowBlock;
            put(o, first + find(x + o * n + first, p[best], min_of(kRowBlock, n - first)));
        }
    });
}

// Row numbers within a block have the width of the elements, so that lanes stay in place: floats
// count in floats, and kColRows fits into a byte.
template <class T>
using Index = std::conditional_t<kIsFloat<T>, T, std::conditional_t<sizeof(T) == 1, uint8_t, T>>;

template <bool kMax, class T> TAPEGRAD_INLINE void step(T v, Index<T> r, T& b, Index<T>& k) {
    const bool take = replaces<kMax>(v, b);
    b = take ? v : b;
    k = take ? r : k;
}
template <bool kMax, class T> TAPEGRAD_INLINE void step(Pack<T> v, T r, Pack<T>& b, Pack<T>& k) {
    const Mask<T> take = ~(kMax ? v <= b : v >= b) & (b == b);
    b = where(take, v, b);
    k = where(take, Pack<T>(r), k);
}

// Takes kRows rows from number r on into best and index; V is T or Pack<T>.
template <int kRows, bool kMax, class V, class T>
TAPEGRAD_INLINE void take_rows(const T* x, int64_t stride, int64_t r, V& best, V& index) {
    for (int k = 0; k < kRows; ++k) {
        const auto number = static_cast<Index<T>>(r + k);
        if constexpr (std::is_same_v<V, T>) step<kMax>(x[k * stride], number, best, index);
        else step<kMax>(V::load(x + k * stride), number, best, index);
    }
}

template <int kRows, bool kMax, class T>
TAPEGRAD_INLINE void take_row_group(const T* __restrict x, int64_t stride, int64_t r, int64_t width,
                                    T* __restrict best, Index<T>* __restrict index) {
    int64_t j = 0;
    if constexpr (kIsFloat<T>) {
        using P = Pack<T>;
        for (; j + P::size <= width; j += P::size) {
            P b = P::load(best + j), k = P::load(index + j);
            take_rows<kRows, kMax>(x + j, stride, r, b, k);
            b.store(best + j);
            k.store(index + j);
        }
    }
    for (; j < width; ++j) {
        T b = best[j];
        Index<T> k = index[j];
        take_rows<kRows, kMax>(x + j, stride, r, b, k);
        best[j] = b;
        index[j] = k;
    }
}

template <class T, bool kMax>
void column_block(const T* x, int64_t n, int64_t stride, int64_t width, T* best, Index<T>* index) {
    for (int64_t j = 0; j < width; ++j) {
        best[j] = x[j];
        index[j] = 0;
    }
    int64_t r = 1;
    for (; r + 4 <= n; r += 4)
        take_row_group<4, kMax>(x + r * stride, stride, r, width, best, index);
    for (; r < n; ++r) take_row_group<1, kMax>(x + r * stride, stride, r, width, best, index);
}

template <class T, bool kMax>
void columns(const T* x, T* values, int64_t* indices, int64_t outer, int64_t n, int64_t inner) {
    const int64_t strips = ceil_div(inner, kColStrip), blocks = ceil_div(n, kColRows);
    const int64_t item = min_of(n, kColRows) * min_of(inner, kColStrip);
    Scratch<T> best_scratch(blocks > 1 ? outer * blocks * inner : 0);
    Scratch<uint8_t> index_scratch(blocks > 1 ? outer * blocks * inner : 0);
    T* block_best = best_scratch.data();
    uint8_t* block_index = index_scratch.data();
    for_items(outer * blocks * strips, item, [&](int64_t begin, int64_t end) {
        alignas(64) T best[kColStrip];
        alignas(64) Index<T> index[kColStrip];
        for (int64_t i = begin; i < end; ++i) {
            const auto [ob, s] = divide(i, strips);
            const auto [o, b] = divide(ob, blocks);
            const int64_t r = b * kColRows, j = s * kColStrip, width = min_of(kColStrip, inner - j);
            column_block<T, kMax>(x + (o * n + r) * inner + j, min_of(kColRows, n - r), inner,
                                  width, best, index);
            const int64_t to = ob * inner + j;
            if (blocks == 1) {
                for (int64_t k = 0; k < width; ++k)
                    indices[to + k] = static_cast<int64_t>(index[k]);
                if (values) std::memcpy(values + to, best, static_cast<size_t>(width) * sizeof(T));
            } else {
                for (int64_t k = 0; k < width; ++k)
                    block_index[to + k] = static_cast<uint8_t>(index[k]);
                std::memcpy(block_best + to, best, static_cast<size_t>(width) * sizeof(T));
            }
        }
    });
    if (blocks == 1) return;
    for_items(outer * inner, blocks, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t from = i / inner * blocks * inner + i % inner;
            T best = block_best[from];
            int64_t block = 0;
            for (int64_t b = 1; b < blocks; ++b) {
                const T v = block_best[from + b * inner];
                if (replaces<kMax>(v, best)) {
                    best = v;
                    block = b;
                }
            }
            indices[i] = block * kColRows + block_index[from + block * inner];
            if (values) values[i] = best;
        }
    });
}

template <class T, bool kMax>
void arg_reduce(const void* xv, void* valuesv, int64_t* indices, int64_t outer, int64_t n,
                int64_t inner) {
    const auto* x = static_cast<const T*>(xv);
    auto* values = static_cast<T*>(valuesv);
    if (outer == 0 || n == 0 || inner == 0) return;
    if (inner == 1) rows<T, kMax>(x, values, indices, outer, n);
    else columns<T, kMax>(x, values, indices, outer, n, inner);
}

}  // namespace

void fill_arg_reduce(kernels::ReduceKernels& k) {
    const auto set = [&]<class T>(DType dtype) {
        k.max_index[dtype] = arg_reduce<T, true>;
        k.min_index[dtype] = arg_reduce<T, false>;
    };
    kernels::each_type<uint8_t, int32_t, int64_t, float, double>(set);
    set.operator()<uint8_t>(DType::Bool);
}

}  // namespace tapegrad::TAPEGRAD_ISA
