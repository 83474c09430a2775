#include "ops/normalization.h"

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// The mean of each row of n elements, and 1 / sqrt(variance + eps), as functions of x: the operator has computed
// their values.
struct RowMean {
    static constexpr auto node = "RowMeanBackward0";
    int64_t n;
    auto backward(auto g, auto x, auto) const { return expand(g / n, x.sizes()); }
};
struct RowRstd {
    static constexpr auto node = "RowRstdBackward0";
    static constexpr std::array arguments{"self", "mean"};
    int64_t n;
    auto backward(auto g, auto x, auto mean, auto y) const {
        return g * y * y / n * ((mean - x) * y);
    }
};
Tensor row_mean(const Tensor& x, const Tensor& mean, int64_t n) {
    return recorded(alias(mean), RowMean{n}, x);
}
Tensor row_rstd(const Tensor& x, const Tensor& mean, const Tensor& rstd, int64_t n) {
    return recorded(alias(rstd), RowRstd{n}, x, row_mean(x, mean, n));
}
TAPEGRAD_WORD(row_mean)
TAPEGRAD_WORD(row_rstd)
using rules::Text;
Text row_mean(const Text&, const Text& mean, int64_t) { return mean; }
Text row_rstd(const Text&, const Text&, const Text& rstd, int64_t) { return rstd; }

struct LayerNorm {
    static constexpr auto node = "NativeLayerNormBackward0";
    static constexpr std::array arguments{"input", "weight", "bias", "result1", "result2"};
    static constexpr bool reads_all = true;
    Dims normalized_shape, dims;  // the sizes of the last dimensions, and their numbers
    int64_t rows, n;
    bool has_weight;

    auto backward(auto g, auto x, auto weight, auto, auto known_mean, auto known_rstd, auto) const {
        return gradients(
            [=, this] {
                auto h = has_weight ? g * weight : g;
                auto rstd = row_rstd(x, known_mean, known_rstd, n);
                auto z = (x - row_mean(x, known_mean, n)) * rstd;
                return rstd * (h - mean(h, dims, true) - z * mean(h * z, dims, true));
            },
            [=, this] {
                auto z = (x - row_mean(x, known_mean, n)) * row_rstd(x, known_mean, known_rstd, n);
                return sum_to(g * z, normalized_shape);
            },
            [=, this] { return sum_to(g, normalized_shape); });
    }
    std::array<Tensor, 3> fused(const Tensor& g, const Tensor& x, const Tensor& weight,
                                const Tensor&, const Tensor& known_mean, const Tensor& known_rstd,
                                const Tensor&, const std::array<bool, 3>& wanted) const {
        if (!wanted[0] && !wanted[1]) return {};
        const Tensor grad = contiguous_values(g), data = contiguous_values(x),
                     factors = values_or_none(weight);
        const std::array<Tensor, 3> found{
            wanted[0] ? empty(x.sizes(), x.dtype()) : Tensor(),
            wanted[1] ? empty(normalized_shape, x.dtype()) : Tensor(),
            wanted[2] ? empty(normalized_shape, x.dtype()) : Tensor()};
        kernel_table().layer_norm.backward[x.dtype()](
            grad.data(), data.data(), data_or_null(factors), known_mean.data(), known_rstd.data(),
            data_or_null(found[0]), data_or_null(found[1]), data_or_null(found[2]), rows, n);
        return found;
    }
    void parameters(auto show) const { show("normalized_shape", normalized_shape); }
};

void check_parameter(const Tensor& input, const Tensor& parameter, const char* name,
                     const Dims& normalized_shape) {
    if (!parameter.defined()) return;
    if (!(parameter.sizes() == normalized_shape))
        fail("Expected ", name, " to be of same shape as normalized_shape, but got ", name,
             " of shape ", to_string(parameter.sizes()),
             " and normalized_shape = ", to_string(normalized_shape));
    if (parameter.dtype() != input.dtype())
        fail("mixed dtype (CPU): ",
             input.dtype() == DType::Float32 ? "expect parameter to have scalar type of Float"
                                             : "all inputs must share same datatype.",
             " Got ", scalar_type_name(input.dtype()), " for input and ",
             scalar_type_name(parameter.dtype()), " for ", name);
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
    const int first = input.dim() - normalized_shape.size();
    if (normalized_shape.empty())
        fail(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []");
    check_parameter(input, weight, "weight", normalized_shape);
    check_parameter(input, bias, "bias", normalized_shape);
    const std::span sizes(input.sizes());
    if (first < 0 || !(Dims(sizes.subspan(static_cast<size_t>(first))) == normalized_shape)) {
        const std::string shape = to_string(normalized_shape);
        fail("Given normalized_shape=", shape, ", expected input with shape [*, ", shape.substr(1),
             ", but got input of size", to_string(input.sizes()));
    }
    const auto kernel =
        kernel_table().layer_norm.forward.require(input.dtype(), "LayerNormKernelImpl");

    LayerNorm rule{normalized_shape, {}, 1, 1, weight.defined()};
    Dims statistics = input.sizes();
    for (int d = 0; d < input.dim(); ++d) {
        if (d < first) {
            rule.rows *= statistics[d];
        } else {
            rule.n *= statistics[d];
            rule.dims.push_back(d);
            statistics[d] = 1;
        }
    }
    const Tensor data = contiguous_values(input), factors = values_or_none(weight),
                 summands = values_or_none(bias);
    Tensor out = empty(input.sizes(), input.dtype());
    const Tensor mean = empty(statistics, input.dtype()), rstd = empty(statistics, input.dtype());
    kernel(data.data(), data_or_null(factors), data_or_null(summands), eps, out.data(), mean.data(),
           rstd.data(), rule.rows, rule.n);
    return recorded(std::move(out), rule, input, weight, bias, mean, rstd);
}

}  // namespace tapegrad
