// The gradient of amax and amin: that of the result, shared evenly among the elements that equal it.
#include "kernels/reduce.h"
#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::Ties;

template <class T> struct Shares {
    T hit, miss;
};

// What `count` elements get that equal a result, and the others.
template <class T> TAPEGRAD_INLINE Shares<T> shares(T grad, double count, Ties ties) {
    const T divisor = static_cast<T>(count);
    return {grad / divisor, ties == Ties::Masked ? T(0) : grad * T(0) / divisor};
}

// Writes the shares of a block and returns how many elements are hits.
template <class T>
inline double share_block(const T* x, T result, Shares<T> share, Ties ties, T* out, int64_t n) {
    using P = Pack<T>;
    const P target(result), hit(share.hit), miss(share.miss);
    P count = 0;
    const auto run = [&](const auto& is_hit) {
        int64_t i = 0;
        for (; i + P::size <= n; i += P::size) {
            const Mask<T> hits = is_hit(P::load(x + i));
            count += where(hits, P(1), P(0));
            where(hits, hit, miss).store(out + i);
        }
        if (i < n) {
            const Mask<T> hits = is_hit(P::load(x + i, n - i));
            count += fill_from(where(hits, P(1), P(0)), n - i, T(0));
            where(hits, hit, miss).store(out + i, n - i);
        }
    };
    if (ties == Ties::Masked && result != result) run(TAPEGRAD_LAMBDA(P v) { return isnan(v); });
    else run(TAPEGRAD_LAMBDA(P v) { return v == target; });
    return static_cast<double>(sum(count));
}

// One pass over x suffices where a result belongs to one element, as nearly always; only blocks with
// hits are written again.
template <class T>
void extreme_backward(const void* gradv, const void* xv, const void* resultv, void* outv,
                      int64_t outer, int64_t n, Ties ties) {
    const auto *grad = static_cast<const T*>(gradv), *x = static_cast<const T*>(xv),
               *result = static_cast<const T*>(resultv);
    auto* out = static_cast<T*>(outv);
    if (outer == 0 || n == 0) return;
    const int64_t blocks = ceil_div(n, kRowBlock);
    const auto share_one = [=](int64_t i, double count) {
        const auto [o, b] = divide(i, blocks);
        const int64_t first = b * kRowBlock, at = o * n + first;
        return share_block(x + at, result[o], shares(grad[o], count, ties), ties, out + at,
                           min_of(kRowBlock, n - first));
    };
    if (blocks == 1) {
        for_items(outer, n, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o)
                if (const double count = share_one(o, 1); count != 1) share_one(o, count);
        });
        return;
    }
    Scratch<double> scratch(outer * blocks), totals(outer);
    double *hits = scratch.data(), *total = totals.data();
    for_items(outer * blocks, kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) hits[i] = share_one(i, 1);
    });
    bool shared = false;
    for (int64_t o = 0; o < outer; ++o) {
        total[o] = 0;
        for (int64_t b = 0; b < blocks; ++b) total[o] += hits[o * blocks + b];
        shared |= total[o] != 1;
    }
    if (!shared) return;
    for_items(outer * blocks, kRowBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const double count = total[i / blocks];
            if (count == 0 || (count != 1 && hits[i] > 0)) share_one(i, count);
        }
    });
}

}  // namespace

void fill_extreme_backward(kernels::ReduceKernels& k) {
    k.extreme_backward[DType::Float32] = extreme_backward<float>;
    k.extreme_backward[DType::Float64] = extreme_backward<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA
