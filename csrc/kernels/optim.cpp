#include "kernels/optim.h"

#include <cmath>

#include "core/parallel.h"
#include "simd/pack.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

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

// What precedes every rule: the sign and weight decay of the gradient, and decay of the parameter itself.
struct Common {
    double maximize, weight_decay, keep;
};

// A rule's members are its coefficients, in the order in which Python gives them after those of Common.
// `next` takes the parameter, the gradient and the state, and gives the parameter after the step.

struct Sgd {
    static constexpr int states = 0;
    double lr;
    template <class P> P next(P p, P g, P&, P&, P&) const { return fma(P(-lr), g, p); }
};

struct SgdMomentum {
    static constexpr int states = 1;
    double lr, momentum, gain, nesterov;
    template <class P> P next(P p, P g, P& buffer, P&, P&) const {
        buffer = fma(P(momentum), buffer, P(gain) * g);
        return fma(P(-lr), nesterov != 0 ? fma(P(nesterov), buffer, g) : buffer, p);
    }
};

// The moving averages of gradients and of their squares.
struct Moments {
    double beta1, beta2;
    template <class P> void update(P g, P& mean, P& square) const {
        mean = lerp(mean, g, 1 - beta1);
        square = fma(P(beta2), square, P(1 - beta2) * g * g);
    }
};

template <bool amsgrad> struct AdamRule {
    static constexpr int states = 2 + amsgrad;
    Moments moments;
    double step_size, root_scale, eps;
    template <class P> P next(P p, P g, P& mean, P& square, P& largest) const {
        moments.update(g, mean, square);
        largest = amsgrad ? maximum(largest, square) : square;
        return p - P(step_size) * mean / fma(sqrt(largest), P(root_scale), P(eps));
    }
};
using Adam = AdamRule<false>;
using Amsgrad = AdamRule<true>;

template <bool centered, bool with_momentum> struct RmspropRule {
    static constexpr int states = 1 + centered + with_momentum;
    double lr, alpha, eps, momentum;
    template <class P> P next(P p, P g, P& square, P& second, P& third) const {
        square = fma(P(alpha), square, P(1 - alpha) * g * g);
        P spread = square;
        if constexpr (centered) {
            second = lerp(second, g, 1 - alpha);
            spread =
                max(P(0), square - second * second);  // rounding may take it below 0; NaN stays
        }
        P change = g / (sqrt(spread) + P(eps));
        if constexpr (with_momentum) {
            P& buffer = centered ? third : second;
            buffer = change = fma(P(momentum), buffer, change);
        }
        return fma(P(-lr), change, p);
    }
};
using Rmsprop = RmspropRule<false, false>;
using RmspropMomentum = RmspropRule<false, true>;
using RmspropCentered = RmspropRule<true, false>;
using RmspropCenteredMomentum = RmspropRule<true, true>;

struct Adagrad {
    static constexpr int states = 1;
    double rate, eps;
    template <class P> P next(P p, P g, P& sum, P&, P&) const {
        sum = fma(g, g, sum);
        return p - P(rate) * g / (sqrt(sum) + P(eps));
    }
};

struct Adadelta {
    static constexpr int states = 2;
    double lr, rho, eps;
    template <class P> P next(P p, P g, P& square, P& change_square, P&) const {
        square = fma(P(rho), square, P(1 - rho) * g * g);
        const P change = sqrt(change_square + P(eps)) / sqrt(square + P(eps)) * g;
        change_square = fma(P(rho), change_square, P(1 - rho) * change * change);
        return fma(P(-lr), change, p);
    }
};

struct Adamax {
    static constexpr int states = 2;
    double beta1, beta2, rate, eps;
    template <class P> P next(P p, P g, P& mean, P& largest, P&) const {
        mean = lerp(mean, g, 1 - beta1);
        largest = maximum(P(beta2) * largest, abs(g) + P(eps));
        return p - P(rate) * mean / largest;
    }
};

struct Nadam {
    static constexpr int states = 2;
    Moments moments;
    double gradient_rate, mean_rate, square_scale, eps;
    template <class P> P next(P p, P g, P& mean, P& square, P&) const {
        moments.update(g, mean, square);
        const P rest = P(mean_rate) * mean;
        return p - fma(P(gradient_rate), g, rest) / (sqrt(square * P(square_scale)) + P(eps));
    }
};

struct Radam {
    static constexpr int states = 2;
    Moments moments;
    double rate, rectified, eps;
    template <class P> P next(P p, P g, P& mean, P& square, P&) const {
        moments.update(g, mean, square);
        const P change = P(rate) * mean;
        return p - (rectified != 0 ? change / (sqrt(square) + P(eps)) : change);
    }
};

struct Rprop {
    static constexpr int states = 2;
    double shrink, grow, smallest, largest;
    template <class P> P next(P p, P g, P& previous, P& size, P&) const {
        const P turn = g * previous;
        const P factor = where(turn > 0, P(grow), where(turn < 0, P(shrink), P(1)));
        size = minimum(maximum(size * factor, P(smallest)), P(largest));
        previous = where(turn < 0, P(0), g);
        return p - sign(previous) * size;
    }
};

struct Asgd {
    static constexpr int states = 1;
    double eta, mu;
    template <class P> P next(P p, P g, P& average, P&, P&) const {
        p = fma(P(-eta), g, p);
        average = mu == 1 ? p : fma(p - average, P(mu), average);
        return p;
    }
};

template <class T, class Rule> void step(char* const* data, int64_t n, const double* coefficients) {
    using P = Pack<T>;
    Common common;
    Rule rule;
    __builtin_memcpy(&common, coefficients, sizeof common);
    __builtin_memcpy(&rule, coefficients + sizeof common / sizeof(double), sizeof rule);
    auto at_column = [data](int column) { return reinterpret_cast<T*>(data[column]); };
    T *const param = at_column(0), *const grad = at_column(1);
    T* const first = Rule::states > 0 ? at_column(2) : nullptr;
    T* const second = Rule::states > 1 ? at_column(3) : nullptr;
    T* const third = Rule::states > 2 ? at_column(4) : nullptr;
    update<T>(n, [=](auto at) __attribute__((always_inline)) {
        P p = at(param), g = at(grad), a(0), b(0), c(0);
        if (common.maximize != 0) g = -g;
        if (common.weight_decay != 0) g = fma(P(common.weight_decay), p, g);
        if constexpr (Rule::states > 0) a = at(first);
        if constexpr (Rule::states > 1) b = at(second);
        if constexpr (Rule::states > 2) c = at(third);
        at.put(param, rule.next(p * P(common.keep), g, a, b, c));
        if constexpr (Rule::states > 0) at.put(first, a);
        if constexpr (Rule::states > 1) at.put(second, b);
        if constexpr (Rule::states > 2) at.put(third, c);
    });
}

template <class Rule> void fill_rule(kernels::OptimRuleKernels& k) {
    k.step[DType::Float32] = step<float, Rule>;
    k.step[DType::Float64] = step<double, Rule>;
    k.states = Rule::states;
    k.coefficients = (sizeof(Common) + sizeof(Rule)) / sizeof(double);
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

}  // namespace

void fill(kernels::OptimKernels& k) {
    k = {};
    k.scale[DType::Float32] = scale<float>;
    k.scale[DType::Float64] = scale<double>;
    int rule = 0;
#define TAPEGRAD_FILL_RULE(Rule, name) fill_rule<Rule>(k.rules[rule++]);
    TAPEGRAD_OPTIM_RULES(TAPEGRAD_FILL_RULE)
#undef TAPEGRAD_FILL_RULE
}

}  // namespace tapegrad::TAPEGRAD_ISA
