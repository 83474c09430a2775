#include "kernels/reduce.h"

#include "kernels/moments.h"
#include "kernels/scaled.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::Spread;

// --- operations ----------------------------------------------------------------------------------

template <class T> struct SumAbsOp : Adding<T> {
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        if constexpr (std::is_same_v<V, double>) return __builtin_fabs(*p);
        else return abs(Adding<T>::template value<V>(p));
    }
};

template <class T> struct NanSumOp : Adding<T> {
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        const V v = Adding<T>::template value<V>(p);
        if constexpr (std::is_same_v<V, double>) return v == v ? v : 0;
        else return where(isnan(v), V(0), v);
    }
};

// Sums that are divided by how many terms they have, or by 1. What differs in `result` alone is one type with
// numbers in it: each type is all of the loops once more.
template <class Sum> struct MeanOf : Sum {
    double count = 1;
    TAPEGRAD_INLINE typename Sum::Out result(double a) const {
        return static_cast<typename Sum::Out>(a / count);
    }
};

template <class T> struct SquaresOp : SumSquaresOp<T> {
    double count = 1;
    bool root = false;
    TAPEGRAD_INLINE T result(double a) const {
        return static_cast<T>(root ? __builtin_sqrt(a) : a / count);
    }
};

template <class T> struct Norm3Op : Adding<T> {
    template <class V> TAPEGRAD_INLINE V load(const T* x, int64_t) const {
        const V v = Adding<T>::template value<V>(x);
        if constexpr (std::is_same_v<V, double>) return v * v * __builtin_fabs(v);
        else return v * v * abs(v);
    }
    TAPEGRAD_INLINE T result(double a) const { return static_cast<T>(root(a, 3)); }
};

// Not inlined: the loops around it are unrolled many times, and a power costs far more than a call.
template <class T> [[gnu::noinline]] Pack<double> power(Pack<double> x, Pack<double> p) {
    return sizeof(T) == 4 ? math::pow_f32(x, p) : pow(x, p);
}

// Sums between 2^-kBits and 2^kBits are right: powers of float32 end at 2^-200 and 2^200.
template <class T> struct PowerNormOp : Adding<T> {
    static constexpr double kBits = (sizeof(T) == 4) ? 100 : 960;
    double p;
    template <class V> TAPEGRAD_INLINE V load(const T* x, int64_t) const {
        using P = Pack<double>;
        const P y = power<T>(abs(P(Adding<T>::template value<V>(x))), P(p));
        if constexpr (std::is_same_v<V, double>) return y[0];
        else return y;
    }
    TAPEGRAD_INLINE T result(double a) const { return static_cast<T>(root(a, p)); }
};

template <class T> struct ProdOp : Accumulating<T> {
    using Acc = SumAcc<T>;
    static constexpr Acc kIdentity = 1;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        return Accumulating<T>::template value<V>(p);
    }
    template <class V> TAPEGRAD_INLINE V combine(V a, V b) const { return a * b; }
    template <class P> TAPEGRAD_INLINE Acc fold(P a) const { return product(a); }
};

// Truth values are gathered in integers as wide as the elements, so that lanes stay in place.
template <class T>
using Flag = std::conditional_t<sizeof(T) == 1, uint8_t,
                                std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

// Whether any is not zero; inverted: whether all are not.
template <class T> struct AnyOp {
    using In = T;
    using Acc = Flag<T>;
    using Out = uint8_t;
    static constexpr bool kVector = false;
    static constexpr Acc kIdentity = 0;
    Acc inverted;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        return static_cast<Acc>((*p != 0) ^ inverted);
    }
    TAPEGRAD_INLINE Acc combine(Acc a, Acc b) const { return static_cast<Acc>(a | b); }
    TAPEGRAD_INLINE uint8_t result(Acc a) const { return static_cast<uint8_t>(a ^ inverted); }
};

// The largest integer; flipped by -1, which turns their order around: the smallest.
template <class T> struct IntegerExtremeOp : MaxOp<T> {
    T flip;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        return static_cast<T>(*p ^ flip);
    }
    TAPEGRAD_INLINE T result(T a) const { return static_cast<T>(a ^ flip); }
};

template <class T> struct CountOp {
    using In = T;
    using Acc = uint64_t;
    using Out = int64_t;
    static constexpr bool kVector = false;
    static constexpr Acc kIdentity = 0;
    template <class V> TAPEGRAD_INLINE V load(const T* p, int64_t) const {
        return static_cast<Acc>(*p != 0);
    }
    TAPEGRAD_INLINE Acc combine(Acc a, Acc b) const { return a + b; }
    TAPEGRAD_INLINE int64_t result(Acc a) const { return static_cast<int64_t>(a); }
};

// --- from blocks to whole arrays -----------------------------------------------------------------

// The result of partial results, which are destroyed.
template <class Op>
TAPEGRAD_INLINE typename Op::Out of_partials(const Op& op, typename Op::Acc* p, int64_t blocks) {
    pairwise(blocks, [&](int64_t i, int64_t j, int64_t) { p[i] = op.combine(p[i], p[j]); });
    return op.result(p[0]);
}

template <class Op>
void reduce_rows(const Op& op, const typename Op::In* x, typename Op::Out* out, int64_t outer,
                 int64_t n) {
    using Acc = typename Op::Acc;
    const int64_t blocks = ceil_div(n, kRowBlock);
    if (blocks == 1) {
        for_items(outer, n, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o)
                out[o] = op.result(reduce_block(op, x + o * n, n));
        });
        return;
    }
    Scratch<Acc> scratch(outer * blocks);
    Acc* partial = scratch.data();
    for_items(outer * blocks, kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t o = i / blocks, first = i % blocks * kRowBlock;
            partial[i] = reduce_block(op, x + o * n + first, min_of(kRowBlock, n - first));
        }
    });
    for_items(outer, blocks, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o)
            out[o] = of_partials(op, partial + o * blocks, blocks);
    });
}

template <class Op>
void reduce_middle(const Op& op, const typename Op::In* x, typename Op::Out* out, int64_t outer,
                   int64_t n, int64_t inner) {
    using Acc = typename Op::Acc;
    const ColumnPlan plan(n, inner);
    const int64_t strips = plan.strips, blocks = plan.blocks;
    const int64_t item = min_of(n, plan.block_rows) * min_of(inner, kColStrip);
    Scratch<Acc> scratch(blocks > 1 ? outer * blocks * inner : 0);
    Acc* partial = scratch.data();
    for_items(outer * blocks * strips, item, [&](int64_t begin, int64_t end) {
        alignas(64) Acc local[kColStrip];
        for (int64_t i = begin; i < end; ++i) {
            const auto [ob, s] = divide(i, strips);
            const auto [o, b] = divide(ob, blocks);
            const int64_t r = b * plan.block_rows, j = s * kColStrip;
            const int64_t rows = min_of(plan.block_rows, n - r),
                          width = min_of(kColStrip, inner - j);
            const auto* from = x + (o * n + r) * inner + j;
            reduce_column_block(op, plan, from, rows, inner, width, local);
            if (blocks == 1) {
                auto* to = out + o * inner + j;
                for (int64_t k = 0; k < width; ++k) to[k] = op.result(local[k]);
            } else {
                std::memcpy(partial + ob * inner + j, local,
                            static_cast<size_t>(width) * sizeof(Acc));
            }
        }
    });
    if (blocks == 1) return;
    for_items(outer * strips, blocks * min_of(inner, kColStrip), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const auto [o, s] = divide(i, strips);
            const int64_t first = s * kColStrip;
            const int64_t width = min_of(kColStrip, inner - first);
            Acc* p = partial + o * blocks * inner + first;
            pairwise(blocks, [&](int64_t a, int64_t b, int64_t) {
                Acc* __restrict to = p + a * inner;
                const Acc* __restrict from = p + b * inner;
                for (int64_t k = 0; k < width; ++k) to[k] = op.combine(to[k], from[k]);
            });
            auto* to = out + o * inner + first;
            for (int64_t k = 0; k < width; ++k) to[k] = op.result(p[k]);
        }
    });
}

template <class Op>
void reduce(const Op& op, const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    const auto* from = static_cast<const typename Op::In*>(x);
    auto* to = static_cast<typename Op::Out*>(out);
    if (outer == 0 || inner == 0) return;
    if (n == 0) {
        if constexpr (requires { Op::kIdentity; })
            for (int64_t i = 0; i < outer * inner; ++i) to[i] = op.result(Op::kIdentity);
        return;
    }
    if (inner == 1) reduce_rows(op, from, to, outer, n);
    else reduce_middle(op, from, to, outer, n, inner);
}

template <class Op> void reduce(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    reduce(Op(), x, out, outer, n, inner);
}

// --- means and norms -----------------------------------------------------------------------------

// Computes those results again that are not between two limits: f(result, where it comes from).
template <class T, class F>
void repair(const void* xv, void* outv, int64_t outer, int64_t n, int64_t inner, double low,
            double high, const F& f) {
    const auto* x = static_cast<const T*>(xv);
    auto* out = static_cast<T*>(outv);
    if (n == 0) return;
    for_items(outer * inner, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            if (!(out[i] > low && out[i] < high))
                out[i] =
                    static_cast<T>(f(Line<T>{x + i / inner * n * inner + i % inner, n, inner}));
    });
}

template <class T> void add_up(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    if constexpr (kIsFloat<T>) reduce(MeanOf<SumOp<T>>(), x, out, outer, n, inner);
    else reduce<SumOp<T>>(x, out, outer, n, inner);
}
template <class T, bool kAll>
void truth(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    reduce(AnyOp<T>{kAll}, x, out, outer, n, inner);
}
template <class T, bool kLargest>
void extreme(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    if constexpr (!kIsFloat<T>)
        reduce(IntegerExtremeOp<T>{{}, static_cast<T>(kLargest ? 0 : -1)}, x, out, outer, n, inner);
    else if constexpr (kLargest) reduce<MaxOp<T>>(x, out, outer, n, inner);
    else reduce<MinOp<T>>(x, out, outer, n, inner);
}

// Floats are added and squared in double, which has the range.
template <class T> void mean(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    reduce(MeanOf<SumOp<T>>{{}, static_cast<double>(n)}, x, out, outer, n, inner);
    if constexpr (std::is_same_v<T, double>)
        repair<T>(x, out, outer, n, inner, -__builtin_inf(), __builtin_inf(),
                  [](Line<T> line) { return scaled_mean(line); });
}

template <class T, bool kMean>
void squares(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    const double count = kMean ? static_cast<double>(n) : 1;
    reduce(SquaresOp<T>{{}, count, false}, x, out, outer, n, inner);
    if constexpr (std::is_same_v<T, double>)
        repair<T>(x, out, outer, n, inner, 1e-280, __builtin_inf(), [=](Line<T> line) {
            const double each = scaled_norm(line) / __builtin_sqrt(count);
            return each * each;
        });
}

template <class T> void norm2(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    reduce(SquaresOp<T>{{}, 1, true}, x, out, outer, n, inner);
    if constexpr (std::is_same_v<T, double>)
        repair<T>(x, out, outer, n, inner, 1e-140, 1e150,
                  [](Line<T> line) { return scaled_norm(line); });
}

template <class T>
void norm(const void* x, double p, void* out, int64_t outer, int64_t n, int64_t inner) {
    const auto run = [&](const auto& op, double bits) {
        reduce(op, x, out, outer, n, inner);
        const double limit = __builtin_exp2(bits / __builtin_fabs(p));
        repair<T>(x, out, outer, n, inner, 1 / limit, limit,
                  [=](Line<T> line) { return scaled_norm(line, p); });
    };
    if (p == 3) run(Norm3Op<T>(), 960);
    else run(PowerNormOp<T>{{}, p}, PowerNormOp<T>::kBits);
}

// --- variance and deviation ----------------------------------------------------------------------

// What becomes of the squared deviations of a row.
template <class T> struct SpreadOf {
    double divisor;
    Spread spread;
    TAPEGRAD_INLINE T operator()(Moments m, Line<T> line) const {
        const bool root = spread == Spread::Deviation;
        if constexpr (std::is_same_v<T, double>) {
            if (!(m.m2 > 1e-280 && m.m2 < 1e300)) [[unlikely]] {
                const ScaledMoments scaled = scaled_moments(line);
                const double variance = scaled.m2 / divisor;
                return root ? __builtin_ldexp(__builtin_sqrt(variance), scaled.exponent)
                            : __builtin_ldexp(variance, 2 * scaled.exponent);
            }
        }
        const double variance = m.m2 / divisor;
        return static_cast<T>(root ? __builtin_sqrt(variance) : variance);
    }
};

template <class T>
void spread(const void* xv, void* outv, int64_t outer, int64_t n, int64_t inner, double divisor,
            Spread which) {
    const auto* x = static_cast<const T*>(xv);
    auto* out = static_cast<T*>(outv);
    const SpreadOf<T> result{divisor, which};
    if (outer == 0 || inner == 0) return;
    if (n == 0) {
        for (int64_t i = 0; i < outer * inner; ++i) out[i] = static_cast<T>(__builtin_nan(""));
    } else if (inner == 1) {
        moments_of_rows(x, outer, n,
                        [=](int64_t o, Moments m) { out[o] = result(m, {x + o * n, n, 1}); });
    } else {
        moments_of_columns(x, outer, n, inner, [=](int64_t o, int64_t j, Moments m) {
            out[o * inner + j] = result(m, {x + o * n * inner + j, n, inner});
        });
    }
}

// --- log(sum(exp)) -------------------------------------------------------------------------------

template <class T>
void logsumexp(const void* xv, void* outv, int64_t outer, int64_t n, int64_t inner) {
    using P = Pack<T>;
    const auto* x = static_cast<const T*>(xv);
    auto* out = static_cast<T*>(outv);
    const int64_t count = outer * inner;
    Scratch<T> scratch(2 * count);
    T *maximum = scratch.data(), *total = maximum + count;
    normalizers(x, maximum, total, outer, n, inner);
    parallel_for(count, 4096, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i += P::size) {
            const int64_t lanes = min_of(P::size, end - i);
            const P m = P::load(maximum + i, lanes), s = P::load(total + i, lanes);
            (log(s) + finite_or_zero(m)).store(out + i, lanes);
        }
    });
}

// --- totals --------------------------------------------------------------------------------------

template <auto kOp> kernels::TotalKernel total(kernels::ReduceFn whole) {
    using Op = decltype(kOp(int64_t{}));
    return {whole,
            [](const void* x, int64_t n, double* partial) {
                *partial = reduce_block(kOp(n), static_cast<const typename Op::In*>(x), n);
            },
            [](double* partials, int64_t n, void* out) {
                *static_cast<typename Op::Out*>(out) =
                    of_partials(kOp(n), partials, ceil_div(n, kRowBlock));
            }};
}

// Of float64, what may overflow on the way is computed again from the data: repair().
void fill_totals(kernels::ReduceKernels& k) {
    kernels::TotalKernel* to = k.totals;
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        *to++ = total<[](int64_t) { return MeanOf<SumOp<T>>(); }>(k.sum[dtype]);
        *to++ = total<[](int64_t) { return NanSumOp<T>(); }>(k.nansum[dtype]);
        *to++ = total<[](int64_t) { return SumAbsOp<T>(); }>(k.sum_abs[dtype]);
    });
    using Squares = SquaresOp<float>;
    constexpr DType f32 = DType::Float32;
    *to++ = total<[](int64_t n) { return MeanOf<SumOp<float>>{{}, static_cast<double>(n)}; }>(
        k.mean[f32]);
    *to++ = total<[](int64_t) { return Squares(); }>(k.sum_squares[f32]);
    *to++ = total<[](int64_t n) { return Squares{{}, static_cast<double>(n), false}; }>(
        k.mean_squares[f32]);
    *to++ = total<[](int64_t) { return Squares{{}, 1, true}; }>(k.norm2[f32]);
}

}  // namespace

void fill(kernels::ReduceKernels& k) {
    k = {};
    const auto set = [&]<class T>(DType dtype) {
        k.sum[dtype] = add_up<T>;
        k.prod[dtype] = reduce<ProdOp<T>>;
        k.amax[dtype] = extreme<T, true>;
        k.amin[dtype] = extreme<T, false>;
        k.any[dtype] = truth<T, false>;
        k.all[dtype] = truth<T, true>;
        k.count_nonzero[dtype] = reduce<CountOp<T>>;
    };
    kernels::each_type<uint8_t, int32_t, int64_t, float, double>(set);
    set.operator()<uint8_t>(DType::Bool);
    kernels::each_type<float, double>([&]<class T>(DType dtype) {
        k.mean[dtype] = mean<T>;
        k.mean_squares[dtype] = squares<T, true>;
        k.nansum[dtype] = reduce<NanSumOp<T>>;
        k.sum_abs[dtype] = reduce<SumAbsOp<T>>;
        k.sum_squares[dtype] = squares<T, false>;
        k.norm2[dtype] = norm2<T>;
        k.norm[dtype] = norm<T>;
        k.logsumexp[dtype] = logsumexp<T>;
        k.spread[dtype] = spread<T>;
    });
    fill_totals(k);
    fill_arg_reduce(k);
    fill_extreme_backward(k);
    fill_scan(k);
}

}  // namespace tapegrad::TAPEGRAD_ISA
