#include "kernels/optim.h"

#include <cmath>

#include "core/parallel.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::AdamOptions;
using kernels::RmspropOptions;
using kernels::SgdOptions;

constexpr int64_t kGrain = 32768;

// The elements of one pack: at(p) loads them from array p, at.put(p, v) stores them.
template <class T> struct Whole {
    int64_t i;
    TAPEGRAD_INLINE Pack<T> operator()(const T* p) const { return Pack<T>::load(p + i); }
    TAPEGRAD_INLINE void put(T* p, Pack<T> v) const { v.store(p + i); }
};
template <class T> struct Part {
    int64_t i, lanes;
    TAPEGRAD_INLINE Pack<T> operator()(const T* p) const { return Pack<T>::load(p + i, lanes); }
    TAPEGRAD_INLINE void put(T* p, Pack<T> v) const { v.store(p + i, lanes); }
};

// Calls f(at) for all packs of arrays of length n.
template <class T, class F> TAPEGRAD_INLINE void update(int64_t n, const F& f) {
    constexpr int64_t W = Pack<T>::size;
    parallel_for(n, kGrain, [f](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + W <= end; i += W) f(Whole<T>{i});
        if (i < end) f(Part<T>{i, end - i});
    });
}

// start + (end - start) * weight, exact at both ends.
template <class T> TAPEGRAD_INLINE Pack<T> lerp(Pack<T> start, Pack<T> end, double weight) {
    if (weight < 0.5) return fma(Pack<T>(weight), end - start, start);
    return end - (end - start) * Pack<T>(1 - weight);
}

// The gradient with sign and weight decay.
template <class T>
TAPEGRAD_INLINE Pack<T> effective_gradient(Pack<T> g, Pack<T> p, bool maximize, double decay) {
    if (maximize) g = -g;
    if (decay != 0) g = fma(Pack<T>(decay), p, g);
    return g;
}

template <class T>
void sgd_step(void* paramv, const void* gradv, void* bufferv, int64_t n,
              const SgdOptions& options) {
    using P = Pack<T>;
    auto *param = static_cast<T*>(paramv), *buffer = static_cast<T*>(bufferv);
    const auto* grad = static_cast<const T*>(gradv);
    const SgdOptions o = options;
    update<T>(n, [=](auto at) __attribute__((always_inline)) {
        const P p = at(param);
        P g = effective_gradient(at(grad), p, o.maximize, o.weight_decay);
        if (buffer) {
            P b = g;
            if (!o.first_step) b = fma(P(o.momentum), at(buffer), P(1 - o.dampening) * g);
            at.put(buffer, b);
            g = o.nesterov ? fma(P(o.momentum), b, g) : b;
        }
        at.put(param, fma(P(-o.lr), g, p));
    });
}

template <class T>
void adam_step(void* paramv, const void* gradv, void* averagev, void* squarev, void* maximumv,
               int64_t n, const AdamOptions& options) {
    using P = Pack<T>;
    auto *param = static_cast<T*>(paramv), *average = static_cast<T*>(averagev);
    auto *square = static_cast<T*>(squarev), *maximum_square = static_cast<T*>(maximumv);
    const auto* grad = static_cast<const T*>(gradv);
    const AdamOptions o = options;
    const double correction1 = 1 - std::pow(o.beta1, o.step);
    const double correction2 = 1 - std::pow(o.beta2, o.step);
    const double step_size = o.lr / correction1, root_scale = 1 / std::sqrt(correction2);
    const double keep = o.decoupled ? 1 - o.lr * o.weight_decay : 1.0;
    const double decay = o.decoupled ? 0.0 : o.weight_decay;
    update<T>(n, [=](auto at) __attribute__((always_inline)) {
        const P p = at(param);
        const P g = effective_gradient(at(grad), p, o.maximize, decay);
        const P m = lerp(at(average), g, 1 - o.beta1);
        const P v = fma(P(o.beta2), at(square), P(1 - o.beta2) * g * g);
        at.put(average, m);
        at.put(square, v);
        P largest = v;
        if (maximum_square) {
            largest = maximum(at(maximum_square), v);
            at.put(maximum_square, largest);
        }
        const P denominator = fma(sqrt(largest), P(root_scale), P(o.eps));
        at.put(param, p * P(keep) - P(step_size) * m / denominator);
    });
}

template <class T>
void rmsprop_step(void* paramv, const void* gradv, void* squarev, void* averagev, void* bufferv,
                  int64_t n, const RmspropOptions& options) {
    using P = Pack<T>;
    auto *param = static_cast<T*>(paramv), *square = static_cast<T*>(squarev);
    auto *average = static_cast<T*>(averagev), *buffer = static_cast<T*>(bufferv);
    const auto* grad = static_cast<const T*>(gradv);
    const RmspropOptions o = options;
    update<T>(n, [=](auto at) __attribute__((always_inline)) {
        const P p = at(param);
        const P g = effective_gradient(at(grad), p, o.maximize, o.weight_decay);
        const P v = fma(P(o.alpha), at(square), P(1 - o.alpha) * g * g);
        at.put(square, v);
        P spread = v;
        if (average) {
            const P mean = lerp(at(average), g, 1 - o.alpha);
            at.put(average, mean);
            spread = max(P(0), v - mean * mean);  // rounding may take it below 0; NaN stays
        }
        P change = g / (sqrt(spread) + P(o.eps));
        if (buffer) {
            change = fma(P(o.momentum), at(buffer), change);
            at.put(buffer, change);
        }
        at.put(param, fma(P(-o.lr), change, p));
    });
}

// In two steps where the factor, as a T, would be subnormal and lack digits.
template <class T> void scale(void* xv, double factor, int64_t n) {
    auto* x = static_cast<T*>(xv);
    const bool tiny = std::fabs(factor) < (sizeof(T) == 4 ? 0x1p-100 : 0x1p-960);
    const double first = tiny ? 0x1p-64 : 1, second = factor / first;
    update<T>(n, [=](auto at) __attribute__((always_inline)) {
        at.put(x, at(x) * Pack<T>(first) * Pack<T>(second));
    });
}

template <class T> void fill_dtype(kernels::OptimKernels& k, DType dtype) {
    k.sgd_step[dtype] = sgd_step<T>;
    k.adam_step[dtype] = adam_step<T>;
    k.rmsprop_step[dtype] = rmsprop_step<T>;
    k.scale[dtype] = scale<T>;
}

}  // namespace

void fill(kernels::OptimKernels& k) {
    k = {};
    fill_dtype<float>(k, DType::Float32);
    fill_dtype<double>(k, DType::Float64);
}

}  // namespace tapegrad::TAPEGRAD_ISA
