// Building blocks of the reductions: what is added to what inside one block of rows or columns, and
// how the results of blocks are combined. All of it depends on shapes only, never on threads.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

#include "core/parallel.h"
#include "kernels/reduce.h"
#include "simd/math.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {

inline constexpr int64_t kRowBlock = kernels::kTotalBlock;  // of a row: one partial result
inline constexpr int64_t kFusedRow = 32768;  // a row up to here stays in the cache between passes
inline constexpr int64_t kColRows = 128;     // rows of a column block
inline constexpr int64_t kColStrip = 512;    // columns that are accumulated at a time
inline constexpr int64_t kWork = 65536;      // elements that are worth a thread of their own

template <class T> inline constexpr bool kIsFloat = std::is_floating_point_v<T>;

inline int64_t ceil_div(int64_t a, int64_t b) { return a <= b ? a > 0 : (a + b - 1) / b; }
inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

struct Division {
    int64_t quotient, remainder;
};
// Most shapes have one block or one strip, and a division costs as much as a short row.
TAPEGRAD_INLINE Division divide(int64_t a, int64_t b) {
    if (b == 1) return {a, 0};
    return {a / b, a % b};
}

// f(begin, end) over [0, count) in parallel, each item being work for `each` elements.
template <class F> TAPEGRAD_INLINE void for_items(int64_t count, int64_t each, const F& f) {
    if (count * each < 2 * kWork) f(int64_t{0}, count);
    else parallel_for(count, max_of(1, kWork / max_of(1, each)), f);
}

// Temporary array: on the stack when small.
template <class T> class Scratch {
public:
    explicit Scratch(int64_t count) {
        const size_t bytes = static_cast<size_t>(count) * sizeof(T);
        if (bytes > sizeof(small_)) large_ = ::operator new(bytes);
    }
    ~Scratch() {
        if (large_) ::operator delete(large_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return reinterpret_cast<T*>(large_ ? large_ : static_cast<void*>(small_)); }

private:
    void* large_ = nullptr;
    alignas(64) unsigned char small_[1024];
};

// Calls f(offset, lanes) for packs over [0, width).
template <class T, class F> TAPEGRAD_INLINE void for_packs(int64_t width, const F& f) {
    constexpr int64_t W = Pack<T>::size;
    int64_t i = 0;
    for (; i + W <= width; i += W) f(i, W);
    if (i < width) f(i, width - i);
}

// Keeps the test out of the loop: for_packs calls with the constant W but for the last pack.
template <class T> TAPEGRAD_INLINE Pack<T> load_lanes(const T* p, int64_t lanes) {
    return lanes == Pack<T>::size ? Pack<T>::load(p) : Pack<T>::load(p, lanes);
}
template <class T> TAPEGRAD_INLINE void store_lanes(T* p, Pack<T> v, int64_t lanes) {
    if (lanes == Pack<T>::size) v.store(p);
    else v.store(p, lanes);
}

// Pack<double>::size values of x as doubles.
TAPEGRAD_INLINE Pack<double> load_wide(const double* x) { return Pack<double>::load(x); }
TAPEGRAD_INLINE Pack<double> load_wide(const float* x) {
#if defined(TAPEGRAD_AVX512)
    return Pack<double>((VecD)_mm512_maskz_cvtps_pd(kLanesD, _mm256_loadu_ps(x)));
#elif defined(TAPEGRAD_AVX2)
    return Pack<double>((VecD)_mm256_cvtps_pd(_mm_loadu_ps(x)));
#else
    return Pack<double>(VecD{x[0], x[1]});
#endif
}

TAPEGRAD_INLINE void add_wide(double* to, Pack<double> v) {
    (Pack<double>::load(to) + v).store(to);
}
TAPEGRAD_INLINE void add_wide(double* to, Pack<float> v) {
    add_wide(to, Pack<double>(native_widen_low(v.v)));
    add_wide(to + Pack<double>::size, Pack<double>(native_widen_high(v.v)));
}

// Lanes from n on become `fill`.
template <class T> TAPEGRAD_INLINE Pack<T> fill_from(Pack<T> x, int64_t n, T fill) {
    return where(Pack<T>::iota() < Pack<T>(n), x, Pack<T>(fill));
}

// Calls f(first row, how many) for groups of rows; "how many" is a constant, 4 or 1.
template <class F> TAPEGRAD_INLINE void for_row_groups(int64_t rows, const F& f) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) f(r, std::integral_constant<int, 4>());
    for (; r < rows; ++r) f(r, std::integral_constant<int, 1>());
}

// Rows of 1024 floats begin on new pages, where the processor's own prefetching starts over; so the
// next row (or what lies behind the last one, which does no harm) is asked for while this one is
// being worked on, and so is the place for its result.
TAPEGRAD_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
TAPEGRAD_INLINE void prefetch_for_writing(const void* p) { __builtin_prefetch(p, 1); }

// An operation has: In, Acc, Out; kVector (packs of Acc, for floats); load<V>(p, j), the
// contribution of *p (column j) as a V, which is Acc or Pack<Acc>; combine(a, b) of either; fold
// (pack) -> Acc; result(Acc) -> Out.

template <int kRows, class V, class Op>
TAPEGRAD_INLINE V load_rows(const Op& op, const typename Op::In* x, int64_t stride, int64_t j) {
    if constexpr (kRows == 1) {
        return op.template load<V>(x, j);
    } else {
        return op.combine(load_rows<kRows / 2, V>(op, x, stride, j),
                          load_rows<kRows / 2, V>(op, x + kRows / 2 * stride, stride, j));
    }
}

// A short stretch, n >= 1.
template <class Op>
TAPEGRAD_INLINE typename Op::Acc reduce_few(const Op& op, const typename Op::In* x, int64_t n) {
    using Acc = typename Op::Acc;
    Acc a = op.template load<Acc>(x, 0);
    int64_t i = 1;
    if (n >= 4) {  // four chains, because additions wait for one another
        Acc b = op.template load<Acc>(x + 1, 0);
        Acc c = op.template load<Acc>(x + 2, 0);
        Acc d = op.template load<Acc>(x + 3, 0);
        for (i = 4; i + 4 <= n; i += 4) {
            a = op.combine(a, op.template load<Acc>(x + i, 0));
            b = op.combine(b, op.template load<Acc>(x + i + 1, 0));
            c = op.combine(c, op.template load<Acc>(x + i + 2, 0));
            d = op.combine(d, op.template load<Acc>(x + i + 3, 0));
        }
        a = op.combine(op.combine(a, b), op.combine(c, d));
    }
    for (; i < n; ++i) a = op.combine(a, op.template load<Acc>(x + i, 0));
    return a;
}

// A block of a row, n >= 1. Chains of additions stay short: those of one stretch of kStretch
// elements are closed before the next one begins.
template <class Op>
inline typename Op::Acc reduce_block(const Op& op, const typename Op::In* x, int64_t n) {
    using Acc = typename Op::Acc;
    if constexpr (Op::kVector) {
        using P = Pack<Acc>;
        constexpr int64_t W = P::size, kStretch = 128 * W;
        if (n <= 16 || n < 2 * W) return reduce_few(op, x, n);
        const auto at = [&](int64_t k) __attribute__((always_inline)) {
            return op.template load<P>(x + k, 0);
        };
        P total = at(0);
        int64_t i = W;
        for (bool first = true; i + 4 * W <= n; first = false) {
            if (first) i = 0;
            P a = at(i), b = at(i + W), c = at(i + 2 * W), d = at(i + 3 * W);
            const int64_t end = min_of(n, i + kStretch);
            for (i += 4 * W; i + 4 * W <= end; i += 4 * W) {
                a = op.combine(a, at(i));
                b = op.combine(b, at(i + W));
                c = op.combine(c, at(i + 2 * W));
                d = op.combine(d, at(i + 3 * W));
            }
            const P stretch = op.combine(op.combine(a, b), op.combine(c, d));
            total = first ? stretch : op.combine(total, stretch);
        }
        for (; i + W <= n; i += W) total = op.combine(total, at(i));
        const Acc folded = op.fold(total);
        return i < n ? op.combine(folded, reduce_few(op, x + i, n - i)) : folded;
    } else {
        // Exact arithmetic: the compiler may vectorise it in any order.
        Acc a = op.template load<Acc>(x, 0);
        for (int64_t i = 1; i < n; ++i) a = op.combine(a, op.template load<Acc>(x + i, 0));
        return a;
    }
}

// acc[j] (+)= kRows rows.
template <int kRows, bool kFirst, class Op>
inline void accumulate_rows(const Op& op, const typename Op::In* __restrict x, int64_t stride,
                            int64_t width, typename Op::Acc* __restrict acc) {
    using Acc = typename Op::Acc;
    int64_t j = 0;
    if constexpr (Op::kVector) {
        using P = Pack<Acc>;
        for (; j + P::size <= width; j += P::size) {
            P v = load_rows<kRows, P>(op, x + j, stride, j);
            if constexpr (!kFirst) v = op.combine(P::load(acc + j), v);
            v.store(acc + j);
        }
    }
    for (; j < width; ++j) {
        const Acc v = load_rows<kRows, Acc>(op, x + j, stride, j);
        if constexpr (kFirst) acc[j] = v;
        else acc[j] = op.combine(acc[j], v);
    }
}

// acc[j] = the reduction of column j over `rows` >= 1 rows.
template <class Op>
inline void reduce_columns(const Op& op, const typename Op::In* x, int64_t rows, int64_t stride,
                           int64_t width, typename Op::Acc* acc) {
    // Exact arithmetic, that of most types, does with fewer rows at a time, and so with less code.
    constexpr int kMany = Op::kVector ? 8 : 4;
    int64_t r = 0;
    if (rows >= kMany) {
        accumulate_rows<kMany, true>(op, x, stride, width, acc);
        for (r = kMany; r + kMany <= rows; r += kMany)
            accumulate_rows<kMany, false>(op, x + r * stride, stride, width, acc);
    } else {
        accumulate_rows<1, true>(op, x, stride, width, acc);
        r = 1;
    }
    if (kMany == 8 && r + 4 <= rows) {
        accumulate_rows<4, false>(op, x + r * stride, stride, width, acc);
        r += 4;
    }
    for (; r < rows; ++r) accumulate_rows<1, false>(op, x + r * stride, stride, width, acc);
}

// Pairwise over `count` >= 1 partial results (destroying them): merge(i, j, length) adds partial j
// to partial i, each of which stands for up to `length` blocks.
template <class Merge> TAPEGRAD_INLINE void pairwise(int64_t count, const Merge& merge) {
    for (int64_t s = 1; s < count; s *= 2)
        for (int64_t i = 0; i + s < count; i += 2 * s) merge(i, i + s, s);
}

// Adds rows of partial sums, `stride` apart, to the first one.
template <class T>
TAPEGRAD_INLINE void add_up_rows(T* p, int64_t rows, int64_t stride, int64_t width) {
    pairwise(rows, [=](int64_t a, int64_t b, int64_t) {
        for (int64_t j = 0; j < width; ++j) p[a * stride + j] += p[b * stride + j];
    });
}

// How [n, inner] is cut into blocks of rows and strips of columns. Where rows are short, `lines` of
// them are read as one, so that packs are full.
struct ColumnPlan {
    int64_t lines, block_rows, blocks, strips;
    ColumnPlan(int64_t n, int64_t inner)
        : lines(max_of(1, min_of(64 / inner, n))),
          block_rows(kColRows * lines),
          blocks(ceil_div(n, block_rows)),
          strips(ceil_div(inner, kColStrip)) {}
};

// One strip of one block, at most kColStrip columns wide. acc has room for max(64, width).
template <class Op>
void reduce_column_block(const Op& op, const ColumnPlan& plan, const typename Op::In* x,
                         int64_t rows, int64_t inner, int64_t width, typename Op::Acc* acc) {
    const int64_t joined = rows / plan.lines;
    if (plan.lines == 1 || joined == 0) {
        reduce_columns(op, x, rows, inner, width, acc);
        return;
    }
    // Here inner == width.
    reduce_columns(op, x, joined, plan.lines * inner, plan.lines * inner, acc);
    for (int64_t i = inner; i < plan.lines * inner; ++i)
        acc[i % inner] = op.combine(acc[i % inner], acc[i]);
    for (int64_t r = joined * plan.lines; r < rows; ++r)
        accumulate_rows<1, false>(op, x + r * inner, inner, inner, acc);
}

// --- operations that several files use -----------------------------------------------------------

template <class T>
using SumAcc = std::conditional_t<kIsFloat<T>, double, uint64_t>;  // unsigned: wraps without fuss
template <class T> using SumOut = std::conditional_t<kIsFloat<T>, T, int64_t>;

template <class T> struct Accumulating {
    using In = T;
    using Acc = SumAcc<T>;
    using Out = SumOut<T>;
    static constexpr bool kVector = kIsFloat<T>;
    template <class V> TAPEGRAD_INLINE static V value(const T* p) {
        if constexpr (!std::is_same_v<V, Acc>) return load_wide(p);
        else if constexpr (kIsFloat<T>) return *p;
        else return static_cast<Acc>(static_cast<int64_t>(*p));
    }
    TAPEGRAD_INLINE Out result(Acc a) const { return static_cast<Out>(a); }
};

template <class T> struct Adding : Accumulating<T> {
    using Acc = SumAcc<T>;
    static constexpr Acc kIdentity = 0;
    template <class V> TAPEGRAD_INLINE V combine(V a, V b) const { return a + b; }
    template <class P> TAPEGRAD_INLINE Acc fold(P a) const { return sum(a); }
};

template <class T> struct SumOp : Adding<T> {
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        return Adding<T>::template value<V>(p);
    }
};

template <class T> struct OneOf {
    using In = T;
    using Acc = T;
    using Out = T;
    static constexpr bool kVector = kIsFloat<T>;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        if constexpr (std::is_same_v<V, T>) return *p;
        else return V::load(p);
    }
    TAPEGRAD_INLINE T result(T a) const { return a; }
};

template <class T> struct MaxOp : OneOf<T> {
    template <class V> TAPEGRAD_INLINE V combine(V a, V b) const {
        if constexpr (!std::is_same_v<V, T>) return maximum(a, b);
        else if constexpr (kIsFloat<T>) return a > b || a != a ? a : b;
        else return a > b ? a : b;
    }
    template <class P> TAPEGRAD_INLINE T fold(P a) const {
        return isnan(a).any() ? static_cast<T>(__builtin_nan("")) : hmax(a);
    }
};

template <class T> struct MinOp : OneOf<T> {
    template <class V> TAPEGRAD_INLINE V combine(V a, V b) const {
        if constexpr (!std::is_same_v<V, T>) return minimum(a, b);
        else if constexpr (kIsFloat<T>) return a < b || a != a ? a : b;
        else return a < b ? a : b;
    }
    template <class P> TAPEGRAD_INLINE T fold(P a) const {
        return isnan(a).any() ? static_cast<T>(__builtin_nan("")) : hmin(a);
    }
};

// --- the stable sum of exponentials --------------------------------------------------------------

// What is subtracted before exp: the maximum, or 0 where that is infinite (inf - inf is NaN).
template <class T> TAPEGRAD_INLINE T finite_or_zero(T m) { return __builtin_isinf(m) ? T(0) : m; }
template <class T> TAPEGRAD_INLINE Pack<T> finite_or_zero(Pack<T> m) {
    return where(isinf(m), Pack<T>(0), m);
}

template <class T> struct SumSquaresOp : Adding<T> {
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        const V v = Adding<T>::template value<V>(p);
        return v * v;
    }
};

// exp(x) within 2 ulp, in three quarters of the time of exp. NaN stays NaN, -inf gives 0; without
// kHigh, +inf gives NaN.
template <bool kHigh, class T> TAPEGRAD_INLINE Pack<T> exp_fast(Pack<T> x) {
    using P = Pack<T>;
    if constexpr (kHigh) x = min(P(math::kExpHigh<T>), x);
    x = max(P(math::kExpLow<T>), x);
    constexpr double magic = math::kIntegerMagic<P>;  // rounds to an integer
    const P n = fma(x, P(math::kLog2E), P(magic)) - P(magic);
    constexpr bool kFloat = sizeof(T) == 4;
    const P a = fma(n, P(kFloat ? -0x1.62p-1 : -0x1.62e42feep-1), x);
    const P r = fma(n, P(kFloat ? -0x1.c85fep-10 : -0x1.a39ef35793c76p-33), a);
    return math::scale(fma(fma(math::exp_poly(r), r, P(1)), r, P(1)), n);
}

template <class T> TAPEGRAD_INLINE T log_one(T x) { return log(Pack<T>(x))[0]; }

// The maximum of a row, n >= 1; NaN may or may not win.
template <class T> TAPEGRAD_INLINE T row_max(const T* x, int64_t n) {
    using P = Pack<T>;
    constexpr int64_t W = P::size;
    P a = -P::infinity(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        a = max(P::load(x + i), a);
        b = max(P::load(x + i + W), b);
        c = max(P::load(x + i + 2 * W), c);
        d = max(P::load(x + i + 3 * W), d);
    }
    for (; i + W <= n; i += W) a = max(P::load(x + i), a);
    if (i < n)
        b = max(fill_from(P::load(x + i, n - i), n - i, static_cast<T>(-__builtin_inf())), b);
    return hmax(max(max(a, b), max(c, d)));
}

// Sum of f(i, pack of the W elements from i on), where f's lanes beyond n are 0 (f gets how many
// lanes count). Packs are added up in chunks, chunks in double.
template <class T, class F> TAPEGRAD_INLINE double row_sum(int64_t n, const F& f) {
    using P = Pack<T>;
    constexpr int64_t W = P::size, kChunk = 1024;
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t end = min_of(n, begin + kChunk);
        P a = 0, b = 0, c = 0, d = 0;
        int64_t i = begin;
        for (; i + 4 * W <= end; i += 4 * W) {
            a += f(i, W);
            b += f(i + W, W);
            c += f(i + 2 * W, W);
            d += f(i + 3 * W, W);
        }
        for (; i + W <= end; i += W) a += f(i, W);
        if (i < end) b += f(i, end - i);
        total += sum((a + b) + (c + d));
    }
    return total;
}

// Sum of exp(x - shift).
template <bool kHigh, class T> TAPEGRAD_INLINE double row_sum_exp(const T* x, int64_t n, T shift) {
    using P = Pack<T>;
    return row_sum<T>(n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        if (lanes == P::size) return exp_fast<kHigh>(P::load(x + i) - P(shift));
        return fill_from(exp_fast<kHigh>(P::load(x + i, lanes) - P(shift)), lanes, T(0));
    });
}

// Maximum and sum of exp(x - maximum) along n: [outer, inner] each. Defined in softmax.cpp.
template <class T>
void normalizers(const T* x, T* maximum, T* sum_exp, int64_t outer, int64_t n, int64_t inner);
extern template void normalizers(const float*, float*, float*, int64_t, int64_t, int64_t);
extern template void normalizers(const double*, double*, double*, int64_t, int64_t, int64_t);

// arg_reduce.cpp, extreme_backward.cpp and scan.cpp: their part of the table.
void fill_arg_reduce(kernels::ReduceKernels& k);
void fill_extreme_backward(kernels::ReduceKernels& k);
void fill_scan(kernels::ReduceKernels& k);

}  // namespace tapegrad::TAPEGRAD_ISA
