#include "kernels/recurrent.h"

#include "kernels/gemm_pack.h"
#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

template <class T> TAPEGRAD_INLINE Pack<T> lanes_or_zero(const T* p, int64_t at, int64_t lanes) {
    return p ? load_lanes(p + at, lanes) : Pack<T>(0);
}

template <class T>
void lstm(void* gates, void* c, void* c_before, void* tanh_c, void* out, int64_t rows, int64_t n) {
    using P = Pack<T>;
    T *g = static_cast<T*>(gates), *state = static_cast<T*>(c), *h = static_cast<T*>(out);
    T *before = static_cast<T*>(c_before), *squashed = static_cast<T*>(tanh_c);
    for (int64_t row = 0; row < rows; ++row, g += 4 * n) {
        const int64_t at = row * n;
        for_packs<T>(n, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
            const P i = sigmoid(load_lanes(g + k, lanes)),
                    f = sigmoid(load_lanes(g + n + k, lanes));
            const P x = tanh(load_lanes(g + 2 * n + k, lanes));
            const P o = sigmoid(load_lanes(g + 3 * n + k, lanes));
            const P old = load_lanes(state + at + k, lanes);
            const P now = fma(f, old, i * x), seen = tanh(now);
            store_lanes(g + k, i, lanes);
            store_lanes(g + n + k, f, lanes);
            store_lanes(g + 2 * n + k, x, lanes);
            store_lanes(g + 3 * n + k, o, lanes);
            store_lanes(state + at + k, now, lanes);
            store_lanes(h + at + k, o * seen, lanes);
            if (before) store_lanes(before + at + k, old, lanes);
            if (squashed) store_lanes(squashed + at + k, seen, lanes);
        });
    }
}

template <class T>
void lstm_backward(const void* gates, const void* c_before, const void* tanh_c,
                   const void* grad_out, const void* grad_h, void* grad_c, void* grad_gates,
                   int64_t rows, int64_t n) {
    using P = Pack<T>;
    const T *g = static_cast<const T*>(gates), *before = static_cast<const T*>(c_before),
            *squashed = static_cast<const T*>(tanh_c), *from_out = static_cast<const T*>(grad_out),
            *from_h = static_cast<const T*>(grad_h);
    T *state = static_cast<T*>(grad_c), *to = static_cast<T*>(grad_gates);
    for (int64_t row = 0; row < rows; ++row, g += 4 * n, to += 4 * n) {
        const int64_t at = row * n;
        for_packs<T>(n, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
            const P i = load_lanes(g + k, lanes), f = load_lanes(g + n + k, lanes);
            const P x = load_lanes(g + 2 * n + k, lanes), o = load_lanes(g + 3 * n + k, lanes);
            const P seen = load_lanes(squashed + at + k, lanes);
            const P dh =
                load_lanes(from_h + at + k, lanes) + lanes_or_zero(from_out, at + k, lanes);
            const P dc = fma(dh * o, 1 - seen * seen, load_lanes(state + at + k, lanes));
            store_lanes(to + k, dc * x * (i * (1 - i)), lanes);
            store_lanes(to + n + k, dc * load_lanes(before + at + k, lanes) * (f * (1 - f)), lanes);
            store_lanes(to + 2 * n + k, dc * i * (1 - x * x), lanes);
            store_lanes(to + 3 * n + k, dh * seen * (o * (1 - o)), lanes);
            store_lanes(state + at + k, dc * f, lanes);
        });
    }
}

template <class T>
void gru(void* gates, const void* hidden, const void* before, void* out, int64_t rows, int64_t n) {
    using P = Pack<T>;
    T *g = static_cast<T*>(gates), *h = static_cast<T*>(out);
    const T *part = static_cast<const T*>(hidden), *old = static_cast<const T*>(before);
    for (int64_t row = 0; row < rows; ++row, g += 3 * n) {
        const int64_t at = row * n;
        for_packs<T>(n, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
            const P r = sigmoid(load_lanes(g + k, lanes)),
                    z = sigmoid(load_lanes(g + n + k, lanes));
            const P x =
                tanh(fma(r, load_lanes(part + at + k, lanes), load_lanes(g + 2 * n + k, lanes)));
            store_lanes(g + k, r, lanes);
            store_lanes(g + n + k, z, lanes);
            store_lanes(g + 2 * n + k, x, lanes);
            store_lanes(h + at + k, fma(z, load_lanes(old + at + k, lanes) - x, x), lanes);
        });
    }
}

template <class T>
void gru_backward(const void* gates, const void* hidden, const void* before, const void* grad_out,
                  void* grad_h, void* grad_gates, void* grad_hidden, int64_t rows, int64_t n) {
    using P = Pack<T>;
    const T *g = static_cast<const T*>(gates), *part = static_cast<const T*>(hidden),
            *old = static_cast<const T*>(before), *from_out = static_cast<const T*>(grad_out);
    T *state = static_cast<T*>(grad_h), *to = static_cast<T*>(grad_gates),
      *to_part = static_cast<T*>(grad_hidden);
    for (int64_t row = 0; row < rows; ++row, g += 3 * n, to += 3 * n) {
        const int64_t at = row * n;
        for_packs<T>(n, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
            const P r = load_lanes(g + k, lanes), z = load_lanes(g + n + k, lanes);
            const P x = load_lanes(g + 2 * n + k, lanes), h = load_lanes(part + at + k, lanes);
            const P dh = load_lanes(state + at + k, lanes) + lanes_or_zero(from_out, at + k, lanes);
            const P dx = dh * (1 - z) * (1 - x * x), inner = dx * r;
            store_lanes(to + k, dx * h * (r * (1 - r)), lanes);
            store_lanes(to + n + k, dh * (load_lanes(old + at + k, lanes) - x) * (z * (1 - z)),
                        lanes);
            store_lanes(to + 2 * n + k, dx, lanes);
            store_lanes(to_part + at + k, inner, lanes);
            store_lanes(state + at + k, dh * z, lanes);
        });
    }
}

template <class T, bool kRelu> void rnn(void* gates, int64_t count) {
    T* g = static_cast<T*>(gates);
    for_packs<T>(count, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
        const Pack<T> x = load_lanes(g + k, lanes);
        store_lanes(g + k, kRelu ? maximum(x, Pack<T>(0)) : tanh(x), lanes);
    });
}

template <class T, bool kRelu>
void rnn_backward(const void* gates, const void* grad_out, const void* grad_h, void* grad_gates,
                  int64_t count) {
    using P = Pack<T>;
    const T *h = static_cast<const T*>(gates), *from_out = static_cast<const T*>(grad_out),
            *from_h = static_cast<const T*>(grad_h);
    T* to = static_cast<T*>(grad_gates);
    for_packs<T>(count, [=](int64_t k, int64_t lanes) __attribute__((always_inline)) {
        const P y = load_lanes(h + k, lanes);
        const P d = load_lanes(from_h + k, lanes) + lanes_or_zero(from_out, k, lanes);
        store_lanes(to + k, kRelu ? where(y > 0, d, P(0)) : d * (1 - y * y), lanes);
    });
}

template <class T> void transpose(const void* x, int64_t rows, int64_t columns, void* out) {
    pack_panel(static_cast<const T*>(x), 1, columns, columns, rows, static_cast<T*>(out), rows);
}

}  // namespace

void fill(kernels::RecurrentKernels& k);

void fill(kernels::RecurrentKernels& k) {
    const auto set = [&]<class T>(DType dtype) {
        k.lstm[dtype] = lstm<T>;
        k.lstm_backward[dtype] = lstm_backward<T>;
        k.gru[dtype] = gru<T>;
        k.gru_backward[dtype] = gru_backward<T>;
        k.tanh[dtype] = rnn<T, false>;
        k.relu[dtype] = rnn<T, true>;
        k.tanh_backward[dtype] = rnn_backward<T, false>;
        k.relu_backward[dtype] = rnn_backward<T, true>;
        k.transpose[dtype] = transpose<T>;
    };
    set.template operator()<float>(DType::Float32);
    set.template operator()<double>(DType::Float64);
}

}  // namespace tapegrad::TAPEGRAD_ISA
