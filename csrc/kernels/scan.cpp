// Cumulative sums and products. Floats are accumulated in double, one element after the other.
#include "kernels/reduce.h"
#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

template <class T>
using ScanAcc = std::conditional_t<kIsFloat<T>, double, uint64_t>;  // unsigned: wraps without fuss

struct Add {
    template <class A> TAPEGRAD_INLINE static A apply(A a, A b) { return a + b; }
};
struct Multiply {
    template <class A> TAPEGRAD_INLINE static A apply(A a, A b) { return a * b; }
};

template <class T, class Op, bool kReverse>
void scan(const void* xv, void* outv, int64_t outer, int64_t n, int64_t inner) {
    using Acc = ScanAcc<T>;
    const auto* x = static_cast<const T*>(xv);
    auto* out = static_cast<T*>(outv);
    if (outer == 0 || n == 0 || inner == 0) return;
    if (inner == 1) {
        for_items(outer, 2 * n, [&](int64_t begin, int64_t end) {
            for (int64_t o = begin; o < end; ++o) {
                const T* from = x + o * n;
                T* to = out + o * n;
                int64_t i = kReverse ? n - 1 : 0;
                Acc acc = static_cast<Acc>(from[i]);
                to[i] = from[i];
                for (int64_t step = 1; step < n; ++step) {
                    i += kReverse ? -1 : 1;
                    acc = Op::apply(acc, static_cast<Acc>(from[i]));
                    to[i] = static_cast<T>(acc);
                }
            }
        });
        return;
    }
    constexpr int64_t kStrip = 128;  // narrow: scans have no blocks of rows to share out
    const int64_t strips = ceil_div(inner, kStrip);
    for_items(outer * strips, n * min_of(inner, kStrip), [&](int64_t begin, int64_t end) {
        alignas(64) Acc acc[kStrip];
        for (int64_t i = begin; i < end; ++i) {
            const int64_t o = i / strips, first = i % strips * kStrip;
            const int64_t width = min_of(kStrip, inner - first);
            for (int64_t step = 0; step < n; ++step) {
                const int64_t row = kReverse ? n - 1 - step : step;
                const T* from = x + (o * n + row) * inner + first;
                T* to = out + (o * n + row) * inner + first;
                for (int64_t j = 0; j < width; ++j) {
                    const Acc v = static_cast<Acc>(from[j]);
                    acc[j] = step == 0 ? v : Op::apply(acc[j], v);
                    to[j] = static_cast<T>(acc[j]);
                }
            }
        }
    });
}

}  // namespace

void fill_scan(kernels::ReduceKernels& k) {
    kernels::each_type<uint8_t, int32_t, int64_t, float, double>([&]<class T>(DType dtype) {
        k.cumsum[dtype] = scan<T, Add, false>;
        k.reverse_cumsum[dtype] = scan<T, Add, true>;
        k.cumprod[dtype] = scan<T, Multiply, false>;
    });
}

}  // namespace tapegrad::TAPEGRAD_ISA
