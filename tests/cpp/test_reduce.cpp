// Reductions, softmax, cross-entropy and optimiser steps against naive loops in double, and the
// same bits at 1, 2, 3 and 8 threads. `--bench` prints times instead.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "checks.h"
#include "kernels/cross_entropy.h"
#include "kernels/optim.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"

namespace tapegrad::TAPEGRAD_ISA {
void fill(kernels::ReduceKernels&);
void fill(kernels::SoftmaxKernels&);
void fill(kernels::CrossEntropyKernels&);
void fill(kernels::OptimKernels&);
}  // namespace tapegrad::TAPEGRAD_ISA

using namespace tapegrad;

namespace {

kernels::ReduceKernels reduce;
kernels::SoftmaxKernels softmax;
kernels::CrossEntropyKernels cross_entropy;
kernels::OptimKernels optim;

struct Shape {
    int64_t outer, n, inner;
    int64_t size() const { return outer * n * inner; }
    int64_t results() const { return outer * inner; }
    int64_t at(int64_t result, int64_t i) const {
        return (result / inner * n + i) * inner + result % inner;
    }
    std::string text() const {
        return "[" + std::to_string(outer) + ", " + std::to_string(n) + ", " +
               std::to_string(inner) + "]";
    }
};

template <class T> void check_reductions(Shape s, DType dtype, Values values) {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    const bool is_float = std::is_floating_point_v<T>;
    const auto x = make<T>(s.size(), values, dtype == DType::Bool);
    const auto call = [&](auto kernel) {
        return [&, kernel](auto* out) { kernel(x.data(), out, s.outer, s.n, s.inner); };
    };
    const auto sum = run<Sum>("sum", s.results(), s.size(), call(reduce.sum[dtype]));
    const auto prod = run<Sum>("prod", s.results(), s.size(), call(reduce.prod[dtype]));
    const auto any = run<uint8_t>("any", s.results(), s.size(), call(reduce.any[dtype]));
    const auto all = run<uint8_t>("all", s.results(), s.size(), call(reduce.all[dtype]));
    const auto nonzero =
        run<int64_t>("count_nonzero", s.results(), s.size(), call(reduce.count_nonzero[dtype]));
    const bool some = s.n > 0;
    Guarded<T> amax(0), amin(0), max_value(0), min_value(0);
    Guarded<int64_t> max_at(0), min_at(0), max_only(0);
    if (some) {
        amax = run<T>("amax", s.results(), s.size(), call(reduce.amax[dtype]));
        amin = run<T>("amin", s.results(), s.size(), call(reduce.amin[dtype]));
        const auto arg = [&](auto kernel, Guarded<T>& value) {
            value = Guarded<T>(s.results());
            return [&, kernel](int64_t* out) {
                kernel(x.data(), value.data(), out, s.outer, s.n, s.inner);
            };
        };
        max_at = run<int64_t>("max_index", s.results(), s.size(),
                              arg(reduce.max_index[dtype], max_value));
        min_at = run<int64_t>("min_index", s.results(), s.size(),
                              arg(reduce.min_index[dtype], min_value));
        max_only = run<int64_t>("max_index", s.results(), s.size(), [&](int64_t* out) {
            reduce.max_index[dtype](x.data(), nullptr, out, s.outer, s.n, s.inner);
        });
        if (!max_value.intact() || !min_value.intact())
            report("arg reduction wrote behind its values");
    }
    Guarded<T> sum_abs(0), squares(0), mean_squares(0), norm(0), norm3(0), lse(0), mean(0), m2(0);
    if (is_float) {
        sum_abs = run<T>("sum_abs", s.results(), s.size(), call(reduce.sum_abs[dtype]));
        squares = run<T>("sum_squares", s.results(), s.size(), call(reduce.sum_squares[dtype]));
        mean_squares =
            run<T>("mean_squares", s.results(), s.size(), call(reduce.mean_squares[dtype]));
        norm = run<T>("norm2", s.results(), s.size(), call(reduce.norm2[dtype]));
        norm3 = run<T>("norm", s.results(), s.size(), [&](T* out) {
            reduce.norm[dtype](x.data(), 3, out, s.outer, s.n, s.inner);
        });
        lse = run<T>("logsumexp", s.results(), s.size(), call(reduce.logsumexp[dtype]));
        mean = run<T>("mean", s.results(), s.size(), call(reduce.mean[dtype]));
        m2 = run<T>("spread", s.results(), s.size(), [&](T* out) {
            reduce.spread[dtype](x.data(), out, s.outer, s.n, s.inner, 1,
                                 kernels::Spread::Variance);
        });
    }
    Guarded<T> cumsum(0), suffix(0), cumprod(0);
    if (dtype != DType::Bool) {
        cumsum = run<T>("cumsum", s.size(), s.size(), call(reduce.cumsum[dtype]));
        suffix = run<T>("reverse_cumsum", s.size(), s.size(), call(reduce.reverse_cumsum[dtype]));
        cumprod = run<T>("cumprod", s.size(), s.size(), call(reduce.cumprod[dtype]));
    }

    for (int64_t r = 0; r < s.results(); ++r) {
        const auto value = [&](int64_t i) { return x[static_cast<size_t>(s.at(r, i))]; };
        long double total = 0, magnitude = 0, total_squares = 0, total_cubes = 0;
        double product = 1;
        uint64_t wrapping_product = 1, wrapping_sum = 0;
        int64_t count = 0, largest = 0, smallest = 0;
        for (int64_t i = 0; i < s.n; ++i) {
            const T v = value(i);
            total += v;
            magnitude += std::fabs(static_cast<double>(v));
            total_squares += static_cast<long double>(v) * v;
            total_cubes += std::fabs(static_cast<long double>(v) * v * v);
            product *= static_cast<double>(v);
            wrapping_product *= static_cast<uint64_t>(static_cast<int64_t>(is_float ? T(0) : v));
            wrapping_sum += static_cast<uint64_t>(static_cast<int64_t>(is_float ? T(0) : v));
            count += v != 0;
            const T a = value(largest), b = value(smallest);
            if (a == a && (v > a || v != v)) largest = i;
            if (b == b && (v < b || v != v)) smallest = i;
        }
        const double sum_of = static_cast<double>(total), size_of = static_cast<double>(magnitude);
        ++checks;
        if (!is_float) {
            if (static_cast<uint64_t>(static_cast<int64_t>(sum[r])) != wrapping_sum) report("sum");
            if (static_cast<uint64_t>(static_cast<int64_t>(prod[r])) != wrapping_product)
                report("prod");
        } else {
            const double limit = static_cast<double>(std::numeric_limits<T>::max());
            if (!(std::fabs(sum_of) > limit && std::isfinite(sum_of)))
                expect_close("sum", r, sum[r], sum_of, rounding<T>(sum_of, size_of));
            if (values == Values::Plain)
                expect_close(
                    "prod", r, prod[r], static_cast<T>(product),
                    std::fabs(product) * (kEps<T> + 4e-16 * static_cast<double>(s.n)) + 1e-44);
        }
        if (any[r] != (count > 0) || all[r] != (count == s.n) || nonzero[r] != count)
            report("any, all or count_nonzero");
        if (some) {
            const T a = value(largest), b = value(smallest);
            expect_close("amax", r, static_cast<double>(amax[r]), static_cast<double>(a), 0);
            expect_close("amin", r, static_cast<double>(amin[r]), static_cast<double>(b), 0);
            expect_close("max value", r, static_cast<double>(max_value[r]), static_cast<double>(a),
                         0);
            expect_close("min value", r, static_cast<double>(min_value[r]), static_cast<double>(b),
                         0);
            if (max_at[r] != largest || max_only[r] != largest) report("max_index");
            if (min_at[r] != smallest) report("min_index");
        }
        if (is_float) {
            const double norm_of = static_cast<double>(static_cast<T>(std::sqrt(total_squares)));
            const double squares_of = static_cast<double>(static_cast<T>(total_squares));
            expect_close("sum_abs", r, sum_abs[r], static_cast<T>(size_of),
                         rounding<T>(size_of, size_of));
            expect_close("sum_squares", r, squares[r], squares_of,
                         rounding<T>(squares_of, squares_of));
            expect_close("norm2", r, norm[r], norm_of, rounding<T>(norm_of, norm_of));
            const auto share = static_cast<long double>(s.n);
            const auto mean_of = static_cast<double>(static_cast<T>(total_squares / share));
            expect_close("mean_squares", r, mean_squares[r], mean_of,
                         rounding<T>(mean_of, mean_of));
            const auto norm3_of = static_cast<double>(static_cast<T>(std::cbrt(total_cubes)));
            expect_close("norm", r, norm3[r], norm3_of, rounding<T>(norm3_of, norm3_of * 10));
            const double top = some ? static_cast<double>(value(largest)) : -kInf;
            long double exps = 0, deviations = 0;
            const double center = sum_of / static_cast<double>(s.n);
            for (int64_t i = 0; i < s.n; ++i) {
                exps += std::exp(static_cast<double>(value(i)) - (std::isinf(top) ? 0 : top));
                const long double v = static_cast<double>(value(i)) - center;
                deviations += v * v;
            }
            const double lse_of = static_cast<double>(std::log(exps) + (std::isinf(top) ? 0 : top));
            expect_close("logsumexp", r, lse[r], lse_of, (std::fabs(lse_of) + 1) * kEps<T> * 8);
            if (values == Values::Plain && some) {
                expect_close("mean", r, mean[r], center,
                             rounding<T>(center, size_of / static_cast<double>(s.n)));
                expect_close("m2", r, m2[r], static_cast<double>(deviations),
                             rounding<T>(static_cast<double>(deviations), size_of * 9));
            } else if (!std::isfinite(sum_of) && !std::isnan(m2[r])) {
                report("m2 should be NaN");
            }
        }
        if (dtype != DType::Bool) {
            double forward = 0, backward = 0, running = 1;
            T wrapped = 0, wrapped_product = 1;
            double reach = 0, product_reach = 0;
            for (int64_t i = 0; i < s.n; ++i) {
                const T v = value(i);
                if constexpr (std::is_floating_point_v<T>) {
                    if (values != Values::Plain) break;
                    forward += v;
                    reach += std::fabs(v);
                    running *= v;
                    product_reach += 4e-16;
                    expect_close("cumsum", i, cumsum[s.at(r, i)], forward,
                                 rounding<T>(forward, reach));
                    expect_close("cumprod", i, cumprod[s.at(r, i)], static_cast<T>(running),
                                 std::fabs(running) * (kEps<T> + product_reach) + 1e-44);
                    backward = 0;
                    if (i == 0 || i == s.n - 1 || i == s.n / 2) {
                        for (int64_t k = s.n - 1; k >= i; --k) backward += value(k);
                        expect_close("reverse_cumsum", i, suffix[s.at(r, i)], backward,
                                     rounding<T>(backward, size_of));
                    }
                } else {
                    using U = std::make_unsigned_t<std::conditional_t<sizeof(T) == 1, uint32_t, T>>;
                    wrapped = static_cast<T>(static_cast<U>(wrapped) + static_cast<U>(v));
                    wrapped_product =
                        static_cast<T>(static_cast<U>(wrapped_product) * static_cast<U>(v));
                    if (cumsum[s.at(r, i)] != wrapped) report("cumsum");
                    if (cumprod[s.at(r, i)] != wrapped_product) report("cumprod");
                    const T rest = static_cast<T>(wrapping_sum - static_cast<uint64_t>(wrapped) +
                                                  static_cast<uint64_t>(v));
                    if (suffix[s.at(r, i)] != rest) report("reverse_cumsum");
                }
            }
        }
    }
}

template <class T> void check_softmax(Shape s, DType dtype, Values values, double spread) {
    auto x = make<T>(s.size(), values);
    for (auto& v : x) v = static_cast<T>(v * spread);
    const auto grad = make<T>(s.size(), Values::Plain);
    const auto call = [&](auto kernel) {
        return [&, kernel](T* out) { kernel(x.data(), out, s.outer, s.n, s.inner); };
    };
    auto y = run<T>("softmax", s.size(), s.size(), call(softmax.softmax[dtype]));
    auto z = run<T>("log_softmax", s.size(), s.size(), call(softmax.log_softmax[dtype]));
    const auto back = [&](auto kernel, Guarded<T>& result) {
        return
            [&, kernel](T* out) { kernel(grad.data(), result.data(), out, s.outer, s.n, s.inner); };
    };
    const auto gy =
        run<T>("softmax_backward", s.size(), s.size(), back(softmax.softmax_backward[dtype], y));
    const auto gz = run<T>("log_softmax_backward", s.size(), s.size(),
                           back(softmax.log_softmax_backward[dtype], z));
    auto in_place = x;
    softmax.softmax[dtype](in_place.data(), in_place.data(), s.outer, s.n, s.inner);
    if (s.size() && std::memcmp(in_place.data(), y.data(), in_place.size() * sizeof(T)) != 0)
        report("softmax in place");
    for (int64_t r = 0; r < s.results(); ++r) {
        const auto value = [&](int64_t i) {
            return static_cast<double>(x[static_cast<size_t>(s.at(r, i))]);
        };
        double top = -kInf, sizes = 0, dot_size = 0;
        long double total = 0, dot = 0, grads = 0;
        for (int64_t i = 0; i < s.n; ++i)
            if (!(value(i) <= top)) top = value(i);
        for (int64_t i = 0; i < s.n; ++i)
            total += std::exp(static_cast<long double>(value(i) - top));
        for (int64_t i = 0; i < s.n; ++i) {
            const double g = grad[static_cast<size_t>(s.at(r, i))];
            dot += g * static_cast<double>(y[s.at(r, i)]);
            dot_size += std::fabs(g * static_cast<double>(y[s.at(r, i)]));
            grads += g;
            sizes += std::fabs(g);
        }
        const bool special = std::isinf(top) || std::isnan(total);
        for (int64_t i = 0; i < s.n; ++i) {
            const int64_t at = s.at(r, i);
            const double g = grad[static_cast<size_t>(at)];
            if (special) {  // a NaN or +inf, or nothing but -inf
                if (!std::isnan(y[at]) || !std::isnan(z[at])) report("softmax needs NaN");
                continue;
            }
            const auto p = static_cast<double>(std::exp(value(i) - top) / total);
            const double log_total = static_cast<double>(std::log(total)),
                         l = value(i) - top - log_total;
            expect_close("softmax", at, y[at], p, p * kEps<T> * 16 + std::numeric_limits<T>::min());
            expect_close("log_softmax", at, z[at], l, (std::fabs(l) + log_total + 1) * kEps<T> * 8);
            if (values != Values::Plain) continue;
            const double want_y = static_cast<double>(y[at]) * (g - static_cast<double>(dot));
            const double p_of_z = std::exp(static_cast<double>(z[at]));
            expect_close(
                "softmax_backward", at, gy[at], want_y,
                static_cast<double>(y[at]) * (std::fabs(g) + dot_size * 4) * kEps<T> * 4 + 1e-44);
            expect_close("log_softmax_backward", at, gz[at],
                         g - p_of_z * static_cast<double>(grads),
                         (std::fabs(g) + p_of_z * sizes) * kEps<T> * 8);
        }
    }
}

template <class T>
void check_cross_entropy(int64_t rows, int64_t classes, DType dtype, bool weighted,
                         double smoothing, double spread) {
    auto x = make<T>(rows * classes, Values::Plain);
    for (auto& v : x) v = static_cast<T>(v * spread + 10 * spread);
    std::vector<T> weight(static_cast<size_t>(classes));
    for (auto& w : weight) w = static_cast<T>(uniform(0, 2));
    const auto scale = make<T>(rows, Values::Plain);
    std::vector<int64_t> target(static_cast<size_t>(rows));
    for (auto& t : target)
        t = random_bits() % 6 == 0
                ? -100
                : static_cast<int64_t>(random_bits() % static_cast<uint64_t>(classes));
    const void* w = weighted ? weight.data() : nullptr;
    const kernels::CrossEntropyOptions options{-100, smoothing};
    Guarded<T> row_weight(rows), normalizer(rows);
    const auto loss = run<T>("cross_entropy", rows, rows * classes, [&](T* out) {
        if (cross_entropy.forward[dtype](x.data(), target.data(), w, options, out,
                                         row_weight.data(), normalizer.data(), rows, classes) != -1)
            report("cross_entropy refused a target");
    });
    const auto grad = run<T>("cross_entropy_backward", rows * classes, rows * classes, [&](T* out) {
        cross_entropy.backward[dtype](x.data(), target.data(), w, options, normalizer.data(),
                                      scale.data(), out, rows, classes);
    });
    if (!row_weight.intact() || !normalizer.intact())
        report("cross_entropy wrote behind its results");
    double all_weights = 0;
    for (const T v : weight) all_weights += weighted ? static_cast<double>(v) : 1.0;
    for (int64_t r = 0; r < rows; ++r) {
        const int64_t t = target[static_cast<size_t>(r)];
        const auto weight_of = [&](int64_t k) {
            return weighted ? static_cast<double>(weight[static_cast<size_t>(k)]) : 1.0;
        };
        const auto value = [&](int64_t k) {
            return static_cast<double>(x[static_cast<size_t>(r * classes + k)]);
        };
        double top = -kInf, total = 0, smooth_size = 0;
        long double smooth = 0;
        for (int64_t k = 0; k < classes; ++k) top = std::max(top, value(k));
        for (int64_t k = 0; k < classes; ++k) total += std::exp(value(k) - top);
        const double log_total = std::log(total);
        for (int64_t k = 0; k < classes; ++k) {
            smooth -= weight_of(k) * (value(k) - top - log_total);
            smooth_size += std::fabs(weight_of(k) * (value(k) - top - log_total));
        }
        const bool ignored = t == -100;
        const double each = smoothing / static_cast<double>(classes);
        const double nll = ignored ? 0 : -weight_of(t) * (value(t) - top - log_total);
        const double want =
            ignored ? 0 : (1 - smoothing) * nll + each * static_cast<double>(smooth);
        expect_close("loss", r, loss[r], want,
                     (std::fabs(nll) + each * smooth_size + log_total + 1) * kEps<T> * 4);
        expect_close("row weight", r, row_weight[r], ignored ? 0 : weight_of(t), 0);
        if (!ignored)
            expect_close("normalizer", r, normalizer[r], top + log_total,
                         (std::fabs(top) + log_total) * kEps<T> * 2);
        for (int64_t k = 0; k < classes; ++k) {
            const double p = std::exp(value(k) - top) / total, s = scale[static_cast<size_t>(r)];
            const double target_part = ignored ? 0 : (1 - smoothing) * weight_of(t);
            const double g = ignored ? 0
                                     : s * (p * (target_part + each * all_weights) -
                                            each * weight_of(k) - (k == t ? target_part : 0));
            expect_close(
                "grad", r * classes + k, grad[r * classes + k], g,
                std::fabs(s) * (p + each * weight_of(k) + (k == t)) * 3 * kEps<T> * 8 + 1e-38);
        }
    }
    if (rows > 1) {
        target[1] = classes;
        target[0] = -100;
        const auto before = normalizer.memory;
        auto out = loss;
        if (cross_entropy.forward[dtype](x.data(), target.data(), w, options, out.data(),
                                         row_weight.data(), normalizer.data(), rows, classes) != 1)
            report("cross_entropy accepted a target out of range");
        if (std::memcmp(out.data(), loss.memory.data(), out.memory.size() * sizeof(T)) != 0)
            report("cross_entropy wrote before refusing");
    }
}

// What the optimisers' rules are checked with; csrc/kernels/optim.cpp has their coefficients.
struct SgdOptions {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize, first_step;
};
struct AdamOptions {
    double lr, beta1, beta2, eps, weight_decay;
    bool decoupled, amsgrad, maximize;
    double step;
};
struct RmspropOptions {
    double lr, alpha, eps, weight_decay, momentum;
    bool centered, maximize;
};

void optim_step(const std::string& rule, DType dtype, std::vector<const void*> arrays, int64_t n,
                const std::vector<double>& coefficients) {
    static const std::vector<std::string> names = {
#define TAPEGRAD_NAME(Rule, name) name,
        TAPEGRAD_OPTIM_RULES(TAPEGRAD_NAME)
#undef TAPEGRAD_NAME
    };
    const auto place = std::find(names.begin(), names.end(), rule) - names.begin();
    const kernels::OptimRuleKernels& kernels = optim.rules[place];
    if (arrays.size() != static_cast<size_t>(kernels.states) + 2 ||
        coefficients.size() != static_cast<size_t>(kernels.coefficients))
        report("a rule of an optimiser wants other arguments");
    std::vector<char*> data;
    for (const void* array : arrays) data.push_back(static_cast<char*>(const_cast<void*>(array)));
    kernels.step[dtype](data.data(), n, coefficients.data());
}

void sgd_step(DType dtype, std::vector<const void*> arrays, int64_t n, const SgdOptions& o) {
    if (o.momentum == 0)
        return optim_step("sgd", dtype, arrays, n, {double(o.maximize), o.weight_decay, 1, o.lr});
    optim_step("sgd_momentum", dtype, arrays, n,
               {double(o.maximize), o.weight_decay, 1, o.lr, o.first_step ? 0 : o.momentum,
                o.first_step ? 1 : 1 - o.dampening, o.nesterov ? o.momentum : 0});
}

void adam_step(DType dtype, std::vector<const void*> arrays, int64_t n, const AdamOptions& o) {
    optim_step(o.amsgrad ? "amsgrad" : "adam", dtype, arrays, n,
               {double(o.maximize), o.decoupled ? 0 : o.weight_decay,
                o.decoupled ? 1 - o.lr * o.weight_decay : 1, o.beta1, o.beta2,
                o.lr / (1 - std::pow(o.beta1, o.step)),
                1 / std::sqrt(1 - std::pow(o.beta2, o.step)), o.eps});
}

void rmsprop_step(DType dtype, std::vector<const void*> arrays, int64_t n,
                  const RmspropOptions& o) {
    const std::string centered = o.centered ? "_centered" : "";
    optim_step("rmsprop" + centered + (o.momentum != 0 ? "_momentum" : ""), dtype, arrays, n,
               {double(o.maximize), o.weight_decay, 1, o.lr, o.alpha, o.eps, o.momentum});
}

template <class T> void check_optim(int64_t n, DType dtype) {
    const auto p = make<T>(n, Values::Plain), g = make<T>(n, Values::Plain);
    auto positive = make<T>(n, Values::Plain), larger = make<T>(n, Values::Plain);
    auto average = make<T>(n, Values::Plain);
    // Twice the square of any average or more: the variance of a centered step does not cancel.
    for (auto& v : positive) v = v * v + T(20);
    for (auto& v : larger) v = v * v + T(10);
    // One call works on `arrays` arrays side by side in a buffer, so that all of them are compared.
    const auto step = [&](const char* name, std::vector<const std::vector<T>*> arrays, auto&& f) {
        return run<T>(name, n * static_cast<int64_t>(arrays.size()), n, [&](T* out) {
            for (size_t a = 0; a < arrays.size(); ++a)
                std::copy(arrays[a]->begin(), arrays[a]->end(), out + static_cast<int64_t>(a) * n);
            f(out);
        });
    };
    const auto expect = [&](const char* name, int64_t i, double got, double want) {
        expect_close(name, i, got, want, (std::fabs(want) + 4) * kEps<T> * 4);
    };
    for (int variant = 0; variant < 16; ++variant) {
        const bool bit0 = variant & 1, bit1 = variant & 2, bit2 = variant & 4, bit3 = variant & 8;
        const SgdOptions so{0.1,
                            bit0 ? 0.9 : 0.0,
                            bit1 && bit0 ? 0.3 : 0.0,
                            bit2 ? 0.01 : 0.0,
                            bit3 && bit0 && !bit1,
                            bit3,
                            bit2 && bit0};
        const auto sgd = step("sgd", {&p, &average}, [&](T* out) {
            std::vector<const void*> arrays{out, g.data()};
            if (bit0) arrays.push_back(out + n);
            sgd_step(dtype, arrays, n, so);
        });
        const AdamOptions ao{0.1,  0.9, bit1 ? 0.4 : 0.999, 1e-8, bit2 ? 0.01 : 0.0, bit3, bit0,
                             bit1, 7.0};
        const auto adam = step("adam", {&p, &average, &positive, &larger}, [&](T* out) {
            std::vector<const void*> arrays{out, g.data(), out + n, out + 2 * n};
            if (bit0) arrays.push_back(out + 3 * n);
            adam_step(dtype, arrays, n, ao);
        });
        const RmspropOptions ro{0.1, 0.9, 1e-8, bit2 ? 0.01 : 0.0, bit0 ? 0.9 : 0.0, bit1, bit3};
        const auto rms = step("rmsprop", {&p, &positive, &average, &average}, [&](T* out) {
            std::vector<const void*> arrays{out, g.data(), out + n};
            if (bit1) arrays.push_back(out + 2 * n);
            if (bit0) arrays.push_back(out + 3 * n);
            rmsprop_step(dtype, arrays, n, ro);
        });
        for (int64_t i = 0; i < n; ++i) {
            const auto k = static_cast<size_t>(i);
            const double pi = p[k], ai = average[k], vi = positive[k], li = larger[k];
            {
                double gi =
                    (so.maximize ? -1.0 : 1.0) * static_cast<double>(g[k]) + so.weight_decay * pi;
                if (bit0) {
                    const double b =
                        so.first_step ? gi : so.momentum * ai + (1 - so.dampening) * gi;
                    expect("sgd buffer", i, sgd[n + i], b);
                    gi = so.nesterov ? gi + so.momentum * b : b;
                }
                expect("sgd", i, sgd[i], pi - so.lr * gi);
            }
            {
                const double decay = ao.decoupled ? 0 : ao.weight_decay;
                const double gi =
                    (ao.maximize ? -1.0 : 1.0) * static_cast<double>(g[k]) + decay * pi;
                const double start = ao.decoupled ? pi * (1 - ao.lr * ao.weight_decay) : pi;
                const double m = ao.beta1 * ai + (1 - ao.beta1) * gi;
                const double v = ao.beta2 * vi + (1 - ao.beta2) * gi * gi;
                const double top = bit0 ? std::max(v, li) : v;
                expect("exp_avg", i, adam[n + i], m);
                expect("exp_avg_sq", i, adam[2 * n + i], v);
                expect("max_exp_avg_sq", i, adam[3 * n + i], bit0 ? top : li);
                const double root = std::sqrt(top) / std::sqrt(1 - std::pow(ao.beta2, ao.step));
                expect("adam", i, adam[i],
                       start - ao.lr / (1 - std::pow(ao.beta1, ao.step)) * m / (root + ao.eps));
            }
            {
                const double gi =
                    (ro.maximize ? -1.0 : 1.0) * static_cast<double>(g[k]) + ro.weight_decay * pi;
                const double v = ro.alpha * vi + (1 - ro.alpha) * gi * gi;
                const double m = ro.alpha * ai + (1 - ro.alpha) * gi;
                expect("square_avg", i, rms[n + i], v);
                if (bit1) expect("grad_avg", i, rms[2 * n + i], m);
                double change = gi / (std::sqrt(bit1 ? v - m * m : v) + ro.eps);
                if (bit0) change += ro.momentum * ai;
                if (bit0) expect("rmsprop buffer", i, rms[3 * n + i], change);
                expect("rmsprop", i, rms[i], pi - ro.lr * change);
            }
        }
    }
    const auto scaled = step("scale", {&p}, [&](T* out) { optim.scale[dtype](out, 0.25, n); });
    for (int64_t i = 0; i < n; ++i)
        expect("scale", i, scaled[i], 0.25 * static_cast<double>(p[static_cast<size_t>(i)]));
}

// Whatever the scale, if the result can be represented it is right: in rows, in columns and in blocks.
template <class T> void check_range(DType dtype, std::initializer_list<double> scales) {
    using Wide = long double;
    for (double scale_given : scales)
        for (int64_t copies : {1, 3000})
            for (int64_t inner : {1, 3}) {
                const T scale = static_cast<T>(scale_given);
                const double pattern[] = {3, -4, 0, 2};
                const int64_t n = 4 * copies;
                std::vector<T> x(static_cast<size_t>(n * inner));
                for (size_t i = 0; i < x.size(); ++i)
                    x[i] = static_cast<T>(pattern[i / static_cast<size_t>(inner) % 4]) * scale;
                const Wide count = static_cast<Wide>(n), unit = scale;
                const auto expect = [&](const char* name, Wide want, auto kernel) {
                    if (want > static_cast<Wide>(std::numeric_limits<T>::max())) return;
                    std::vector<T> out(static_cast<size_t>(inner));
                    kernel(x.data(), out.data(), 1, n, inner);
                    context = std::string("scale ") + std::to_string(std::log10(scale_given));
                    for (T v : out)
                        expect_close(name, n, v, static_cast<double>(want),
                                     static_cast<double>(want) * 16 * kEps<T> +
                                         static_cast<double>(std::numeric_limits<T>::denorm_min()));
                };
                expect("mean", unit / 4, reduce.mean[dtype]);
                expect("mean_squares", 29 * unit * unit / 4, reduce.mean_squares[dtype]);
                expect("norm2", std::sqrt(29 * count / 4) * unit, reduce.norm2[dtype]);
                for (double p : {0.5, 1.5, 3.0, 20.0}) {
                    const Wide powers = std::pow(Wide(3), Wide(p)) + std::pow(Wide(4), Wide(p)) +
                                        std::pow(Wide(2), Wide(p));
                    expect("norm", std::pow(powers * count / 4, 1 / Wide(p)) * unit,
                           [&](const void* from, void* to, int64_t o, int64_t k, int64_t i) {
                               reduce.norm[dtype](from, p, to, o, k, i);
                           });
                }
                const Wide squares = 115 * count / 16, freedom = count - 1;
                for (bool root : {false, true})
                    expect(root ? "deviation" : "variance",
                           root ? std::sqrt(squares / freedom) * unit
                                : squares / freedom * unit * unit,
                           [&](const void* from, void* to, int64_t o, int64_t k, int64_t i) {
                               reduce.spread[dtype](
                                   from, to, o, k, i, static_cast<double>(freedom),
                                   root ? kernels::Spread::Deviation : kernels::Spread::Variance);
                           });
            }
}

void check_accuracy() {
    context = "accuracy";
    const int64_t n = 10'000'000;
    const std::vector<float> x(static_cast<size_t>(n), 0.1f);
    float total = 0;
    for (Shape s : {Shape{1, n, 1}, Shape{1, n / 4, 4}, Shape{1, n / 1000, 1000}}) {
        std::vector<float> out(static_cast<size_t>(s.results()));
        reduce.sum[DType::Float32](x.data(), out.data(), s.outer, s.n, s.inner);
        for (float v : out)
            expect_close("sum of 0.1f", 0, v,
                         static_cast<float>(static_cast<double>(0.1f) * double(s.n)), 0);
        total = out[0];
    }
    const std::vector<double> y(static_cast<size_t>(n), 0.1);
    double sum = 0;
    reduce.sum[DType::Float64](y.data(), &sum, 1, n, 1);
    expect_close("sum of 0.1", 0, sum, 1e6, 1e6 * 1e-15);
    check_range<float>(DType::Float32, {1e-44, 1e-40, 1e-30, 1e-10, 1, 1e10, 1e30, 6e37});
    check_range<double>(DType::Float64, {5e-324, 1e-320, 1e-200, 1e-100, 1, 1e100, 1e200, 3e307});
    (void)total;
}

void check_shapes(const std::vector<Shape>& shapes) {
    for (const Shape& s : shapes) {
        for (Values values : {Values::Plain, Values::Special}) {
            context = s.text() + (values == Values::Special ? " special" : "");
            check_reductions<float>(s, DType::Float32, values);
            check_reductions<double>(s, DType::Float64, values);
            check_softmax<float>(s, DType::Float32, values, 1);
            check_softmax<double>(s, DType::Float64, values, 30);
        }
        context = s.text() + " integers";
        check_reductions<uint8_t>(s, DType::Bool, Values::Plain);
        check_reductions<uint8_t>(s, DType::UInt8, Values::Plain);
        check_reductions<int32_t>(s, DType::Int32, Values::Plain);
        check_reductions<int64_t>(s, DType::Int64, Values::Plain);
    }
}

// --- times ---------------------------------------------------------------------------------------

double seconds(const std::function<void()>& f, int repeats) {
    double best = kInf;  // others may be using the machine
    for (int i = 0; i < repeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::min(best, time.count());
    }
    return best;
}

void print_time(const char* name, double bytes, const std::function<void()>& f) {
    std::printf("%-34s", name);
    for (int threads : {1, 2}) {
        set_num_threads(threads);
        f();
        const double t = seconds(f, 60);
        std::printf("  %d: %8.3f ms %6.1f GB/s", threads, t * 1e3, bytes / t * 1e-9);
    }
    std::printf("\n");
}

void bench() {
    const DType f32 = DType::Float32;
    const int64_t rows = 4096, columns = 1024, n = rows * columns;
    auto x = make<float>(n, Values::Plain), y = x, z = x, w = x;
    std::vector<float> out(4096), more(4096);
    std::vector<int64_t> at(4096);
    const double size = static_cast<double>(n) * 4;
    const auto reductions = [&](const char* name, auto kernel) {
        const std::string label = name;
        print_time((label + " (4096,1024) dim 0").c_str(), size,
                   [&] { kernel(x.data(), out.data(), 1, rows, columns); });
        print_time((label + " (4096,1024) dim 1").c_str(), size,
                   [&] { kernel(x.data(), out.data(), rows, columns, 1); });
        print_time((label + " (4096,1024) all").c_str(), size,
                   [&] { kernel(x.data(), out.data(), 1, n, 1); });
    };
    reductions("sum", reduce.sum[f32]);
    reductions("amax", reduce.amax[f32]);
    reductions("norm2", reduce.norm2[f32]);
    reductions("logsumexp", reduce.logsumexp[f32]);
    reductions("max_index", [&](const void* a, void* b, int64_t o, int64_t k, int64_t i) {
        reduce.max_index[f32](a, b, at.data(), o, k, i);
    });
    reductions("mean", reduce.mean[f32]);
    reductions("norm of order 3", [&](const void* a, void* b, int64_t o, int64_t k, int64_t i) {
        reduce.norm[f32](a, 3, b, o, k, i);
    });
    reductions("spread", [&](const void* a, void* b, int64_t o, int64_t k, int64_t i) {
        reduce.spread[f32](a, b, o, k, i, 1, kernels::Spread::Deviation);
    });
    print_time("sum [1e6, 3] dim 0", 12e6,
               [&] { reduce.sum[f32](x.data(), out.data(), 1, 1000000, 3); });
    print_time("sum (128,1024) dim 0", 128 * 1024 * 4,
               [&] { reduce.sum[f32](x.data(), out.data(), 1, 128, 1024); });
    print_time("cumsum (4096,1024) dim 1", 2 * size,
               [&] { reduce.cumsum[f32](x.data(), y.data(), rows, columns, 1); });
    for (int dim : {1, 0}) {
        const int64_t o = dim ? rows : 1, k = dim ? columns : rows, i = dim ? 1 : columns;
        const std::string where = dim ? " dim 1" : " dim 0";
        print_time(("softmax forward" + where).c_str(), 2 * size,
                   [&] { softmax.softmax[f32](x.data(), y.data(), o, k, i); });
        print_time(("softmax forward + backward" + where).c_str(), 5 * size, [&] {
            softmax.softmax[f32](x.data(), y.data(), o, k, i);
            softmax.softmax_backward[f32](w.data(), y.data(), z.data(), o, k, i);
        });
        print_time(("log_softmax forward + backward" + where).c_str(), 5 * size, [&] {
            softmax.log_softmax[f32](x.data(), y.data(), o, k, i);
            softmax.log_softmax_backward[f32](w.data(), y.data(), z.data(), o, k, i);
        });
    }
    std::vector<int64_t> target(4096, 7);
    std::vector<float> loss(4096), weights(4096), normalizer(4096);
    const auto loss_step = [&](int64_t count, int64_t classes) {
        cross_entropy.forward[f32](x.data(), target.data(), nullptr, {}, loss.data(),
                                   weights.data(), normalizer.data(), count, classes);
        cross_entropy.backward[f32](x.data(), target.data(), nullptr, {}, normalizer.data(),
                                    loss.data(), y.data(), count, classes);
    };
    print_time("cross_entropy f + b (4096,1024)", 3 * size, [&] { loss_step(rows, columns); });
    print_time("cross_entropy f + b (128,10)", 3 * 5120, [&] { loss_step(128, 10); });
    std::vector<float> p(1000000, 1), g(1000000, 0.1f), m(1000000, 0), v(1000000, 0);
    for (int64_t count : {1000000, 100000, 4000})
        print_time(("adam " + std::to_string(count)).c_str(), static_cast<double>(count) * 28, [&] {
            adam_step(f32, {p.data(), g.data(), m.data(), v.data()}, count,
                      {1e-3, 0.9, 0.999, 1e-8, 0, false, false, false, 1});
        });
    print_time("sgd momentum 1000000", 20e6, [&] {
        sgd_step(f32, {p.data(), g.data(), m.data()}, 1000000,
                 {1e-3, 0.9, 0, 0, false, false, false});
    });
    for (int64_t count : {1, 4, 16, 64, 1024}) {
        const int repeats = 100000;
        set_num_threads(2);
        const double t = seconds(
            [&] {
                for (int i = 0; i < repeats; ++i)
                    reduce.sum[f32](x.data() + i % 8, out.data(), 1, count, 1);
            },
            5);
        std::printf("sum of %-5lld %6.1f ns\n", static_cast<long long>(count), t / repeats * 1e9);
    }
}

}  // namespace

int main(int argc, char** argv) {
    TAPEGRAD_ISA::fill(reduce);
    TAPEGRAD_ISA::fill(softmax);
    TAPEGRAD_ISA::fill(cross_entropy);
    TAPEGRAD_ISA::fill(optim);
    if (argc > 1 && std::string(argv[1]) == "--bench") {
        bench();
        return 0;
    }
    // --quick: one shape in eight, for sanitizers.
    const size_t step = argc > 1 && std::string(argv[1]) == "--quick" ? 8 : 1;
    std::vector<Shape> shapes;
    const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 1000, 4097};
    for (int64_t o : sizes)
        for (int64_t n : sizes)
            for (int64_t i : sizes)
                if (std::max<int64_t>(o, 1) * std::max<int64_t>(n, 1) * std::max<int64_t>(i, 1) <=
                    (std::max({o, n, i}) < 1000 ? 1100 : 9000))
                    shapes.push_back({o, n, i});
    for (Shape s :
         {Shape{1, 300001, 1}, Shape{3, 40000, 1}, Shape{1, 3000, 100}, Shape{1, 70001, 3},
          Shape{2, 300, 700}, Shape{1, 1, 100000}, Shape{100000, 1, 1}, Shape{4097, 33, 1},
          Shape{1, 33, 4097}, Shape{1000, 64, 3}, Shape{1, 1000, 1000}, Shape{30000, 3, 3}})
        shapes.push_back(s);
    std::vector<Shape> chosen;
    for (size_t i = 0; i < shapes.size(); i += step) chosen.push_back(shapes[i]);
    check_shapes(chosen);
    for (int64_t rows : {0, 1, 3, 17, 64, 1000})
        for (int64_t classes : {1, 2, 3, 10, 16, 17, 33, 1000})
            for (int variant = 0; variant < 4; ++variant) {
                context = "rows " + std::to_string(rows) + ", classes " + std::to_string(classes);
                const bool weighted = variant & 1;
                const double smoothing = variant & 2 ? 0.1 : 0.0;
                check_cross_entropy<float>(rows, classes, DType::Float32, weighted, smoothing, 3);
                check_cross_entropy<double>(rows, classes, DType::Float64, weighted, smoothing,
                                            100);
            }
    for (int64_t n : {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 1000, 40000}) {
        context = "n = " + std::to_string(n);
        check_optim<float>(n, DType::Float32);
        check_optim<double>(n, DType::Float64);
    }
    check_accuracy();
    return summary();
}
