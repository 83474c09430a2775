#include "kernels/attention.h"

#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::AttentionRows;

enum class Masked { No, Added, Allowed };

// The scaled and masked scores, in place; the maximum of those that are numbers.
template <class T, Masked kMask>
TAPEGRAD_INLINE T masked_row(T* x, int64_t n, T scale, const T* added, const uint8_t* allowed) {
    using P = Pack<T>;
    const P lowest = static_cast<T>(-__builtin_inf());
    P most = lowest;
    for_packs<T>(n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        P v = load_lanes(x + i, lanes) * P(scale);
        if constexpr (kMask == Masked::Added) v = v + load_lanes(added + i, lanes);
        if constexpr (kMask == Masked::Allowed) {
            const auto keep =
                lanes == P::size ? Mask<T>::load(allowed + i) : Mask<T>::load(allowed + i, lanes);
            v = where(keep, v, lowest);
        }
        if (kMask != Masked::No || scale != T(1)) store_lanes(x + i, v, lanes);
        if (lanes != P::size) v = fill_from(v, lanes, static_cast<T>(-__builtin_inf()));
        most = max(v, most);
    });
    return hmax(most);
}

// exp(x - maximum) over its sum; zeros where every element is masked. A row with NaN becomes NaN.
template <class T> TAPEGRAD_INLINE void finish_row(T* x, int64_t n, T most) {
    using P = Pack<T>;
    if (most == static_cast<T>(-__builtin_inf())) {
        T value = 0;
        for (int64_t i = 0; i < n; ++i)
            if (x[i] != x[i]) value = x[i];
        for (int64_t i = 0; i < n; ++i) x[i] = value;
        return;
    }
    const P shift = most;
    P total = 0;
    for_packs<T>(n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        P e = exp_fast<false>(load_lanes(x + i, lanes) - shift);
        store_lanes(x + i, e, lanes);
        if (lanes != P::size) e = fill_from(e, lanes, T(0));
        total += e;
    });
    const P factor = 1 / sum(total);
    for_packs<T>(n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        store_lanes(x + i, load_lanes(x + i, lanes) * factor, lanes);
    });
}

template <class T> void softmax(void* scores, const AttentionRows& r) {
    T* x = static_cast<T*>(scores);
    const T* added = static_cast<const T*>(r.added);
    const uint8_t* allowed = r.allowed;
    const T scale = static_cast<T>(r.scale);
    Scratch<T> copied(added && r.mask_column != 1 ? r.n : 0);
    Scratch<uint8_t> copied_flags(allowed && r.mask_column != 1 ? r.n : 0);
    for (int64_t row = 0; row < r.rows; ++row, x += r.n) {
        int64_t n = r.n;
        if (r.causal && r.first_row + row + 1 < n) n = r.first_row + row + 1;
        T most;
        if (added) {
            const T* from = added + row * r.mask_row;
            if (r.mask_column != 1) {
                for (int64_t i = 0; i < n; ++i) copied.data()[i] = from[i * r.mask_column];
                from = copied.data();
            }
            most = masked_row<T, Masked::Added>(x, n, scale, from, nullptr);
        } else if (allowed) {
            const uint8_t* from = allowed + row * r.mask_row;
            if (r.mask_column != 1) {
                for (int64_t i = 0; i < n; ++i) copied_flags.data()[i] = from[i * r.mask_column];
                from = copied_flags.data();
            }
            most = masked_row<T, Masked::Allowed>(x, n, scale, nullptr, from);
        } else {
            most = masked_row<T, Masked::No>(x, n, scale, nullptr, nullptr);
        }
        finish_row(x, n, most);
        for (int64_t i = n; i < r.n; ++i) x[i] = 0;
    }
}

template <class T>
void softmax_backward(const void* p_given, void* grad, int64_t rows, int64_t n, double scale) {
    using P = Pack<T>;
    const T* p = static_cast<const T*>(p_given);
    T* g = static_cast<T*>(grad);
    const P factor = static_cast<T>(scale);
    for (int64_t row = 0; row < rows; ++row, p += n, g += n) {
        P total = 0;
        for_packs<T>(n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            total = fma(load_lanes(p + i, lanes), load_lanes(g + i, lanes), total);
        });
        const P inner = sum(total);
        for_packs<T>(n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
            const P y = load_lanes(p + i, lanes) * (load_lanes(g + i, lanes) - inner);
            store_lanes(g + i, y * factor, lanes);
        });
    }
}

}  // namespace

void fill(kernels::AttentionKernels& k);

void fill(kernels::AttentionKernels& k) {
    k.softmax[DType::Float32] = softmax<float>;
    k.softmax[DType::Float64] = softmax<double>;
    k.softmax_backward[DType::Float32] = softmax_backward<float>;
    k.softmax_backward[DType::Float64] = softmax_backward<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA
