// layer_norm and its gradients against loops in long double, and the same bits at 1, 2, 3 and 8 threads.
#include "kernels/layer_norm.h"

#include <utility>

#include "checks.h"

namespace tapegrad::TAPEGRAD_ISA {
void fill(kernels::LayerNormKernels&);
}  // namespace tapegrad::TAPEGRAD_ISA

using namespace tapegrad;

namespace {

kernels::LayerNormKernels layer_norm;

template <class T>
void check_layer_norm(int64_t rows, int64_t n, DType dtype, bool affine, double offset) {
    const double eps = 1e-5;
    auto x = make<T>(rows * n, Values::Plain);
    for (auto& v : x) v += static_cast<T>(offset);
    const auto grad = make<T>(rows * n, Values::Plain), weight = make<T>(n, Values::Plain),
               bias = make<T>(n, Values::Plain);
    const T *w = affine ? weight.data() : nullptr, *b = affine ? bias.data() : nullptr;
    Guarded<T> mean(rows), rstd(rows);
    const auto out = run<T>("layer_norm", rows * n, rows * n, [&](T* to) {
        layer_norm.forward[dtype](x.data(), w, b, eps, to, mean.data(), rstd.data(), {rows, 1, n});
    });
    const auto backward = [&](T* grad_x, T* grad_weight, T* grad_bias) {
        layer_norm.backward[dtype](grad.data(), x.data(), w, mean.data(), rstd.data(), grad_x,
                                   grad_weight, grad_bias, {rows, 1, n});
    };
    const auto grad_x = run<T>("layer_norm grad_x", rows * n, rows * n,
                               [&](T* to) { backward(to, nullptr, nullptr); });
    const auto grad_parameters = run<T>("layer_norm grad_weight", 2 * n, rows * n,
                                        [&](T* to) { backward(nullptr, to, to + n); });
    Guarded<T> all(rows * n), bias_alone(n);
    backward(all.data(), bias_alone.data(), nullptr);
    backward(nullptr, nullptr, bias_alone.data());
    if (std::memcmp(all.data(), grad_x.memory.data(), size_t(rows * n) * sizeof(T)) != 0 ||
        std::memcmp(bias_alone.data(), grad_parameters.memory.data() + n, size_t(n) * sizeof(T)) !=
            0)
        report("layer_norm's gradients depend on which ones are wanted");
    if (!mean.intact() || !rstd.intact()) report("layer_norm wrote behind its statistics");

    using Wide = long double;
    std::vector<Wide> sums(static_cast<size_t>(2 * n), 0), doubts = sums;  // of the parameters
    const auto count = static_cast<Wide>(n);
    for (int64_t r = 0; r < rows && n > 0; ++r) {
        const auto value = [&](int64_t k) { return Wide(x[static_cast<size_t>(r * n + k)]); };
        const auto factor = [&](int64_t k) {
            return affine ? Wide(weight[static_cast<size_t>(k)]) : Wide(1);
        };
        const auto gradient = [&](int64_t k) { return Wide(grad[static_cast<size_t>(r * n + k)]); };
        Wide center = 0, squares = 0, h = 0, hz = 0, sizes = 0;
        for (int64_t k = 0; k < n; ++k) center += value(k) / count;
        for (int64_t k = 0; k < n; ++k) squares += (value(k) - center) * (value(k) - center);
        const Wide scale = 1 / std::sqrt(squares / count + Wide(eps));
        const auto z = [&](int64_t k) { return (value(k) - center) * scale; };
        // How exact z is: the mean is known to double.
        const Wide lost = scale * Wide(offset + 3) * Wide(kEps<double>);
        const auto doubt = [&](int64_t k) { return (1 + std::fabs(z(k))) * Wide(kEps<T>) + lost; };
        for (int64_t k = 0; k < n; ++k) {
            const Wide one = gradient(k) * factor(k);
            h += one / count;
            hz += one * z(k) / count;
            sizes += std::fabs(one) * (1 + std::fabs(z(k))) / count;
        }
        expect_close("mean", r, mean[r], double(center), rounding<T>(double(center), offset + 3));
        expect_close("rstd", r, rstd[r], double(scale), rounding<T>(double(scale), 1e3));
        for (int64_t k = 0; k < n; ++k) {
            const int64_t at = r * n + k;
            const Wide one = gradient(k) * factor(k), last = affine ? Wide(bias[size_t(k)]) : 0;
            expect_close("layer_norm", at, out[at], double(z(k) * factor(k) + last),
                         double(doubt(k) * std::fabs(factor(k)) * 2 + std::fabs(last) * kEps<T>));
            expect_close("layer_norm grad_x", at, grad_x[at], double(scale * (one - h - z(k) * hz)),
                         double(scale * (std::fabs(one) * kEps<T> + sizes * doubt(k)) * 8));
            sums[size_t(k)] += gradient(k) * z(k);
            sums[size_t(n + k)] += gradient(k);
            doubts[size_t(k)] += std::fabs(gradient(k)) * doubt(k) * 2;
            doubts[size_t(n + k)] += std::fabs(gradient(k)) * Wide(kEps<T>) * 2;
        }
    }
    for (int64_t k = 0; k < 2 * n; ++k)
        expect_close("layer_norm grad_weight and grad_bias", k, grad_parameters[k],
                     double(sums[size_t(k)]), double(doubts[size_t(k)]));
}

}  // namespace

int main() {
    TAPEGRAD_ISA::fill(layer_norm);
    std::vector<std::pair<int64_t, int64_t>> tables{
        {130, 4100}, {3, 40000}, {1000, 33}, {300, 300}};
    for (int64_t rows : {0, 1, 3, 17, 64})
        for (int64_t n : {0, 1, 2, 3, 10, 16, 17, 33, 500}) tables.emplace_back(rows, n);
    for (const auto& [rows, n] : tables)
        for (bool affine : {false, true})
            for (double offset : {0.0, 1000.0}) {
                context = "rows " + std::to_string(rows) + ", n = " + std::to_string(n);
                check_layer_norm<float>(rows, n, DType::Float32, affine, offset);
                check_layer_norm<double>(rows, n, DType::Float64, affine, offset);
            }
    return summary();
}
