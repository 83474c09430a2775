#include "ops/normalization.h"

#include <cmath>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/overlap.h"
#include "ops/rearranging.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// The mean of n elements, and 1 / sqrt(variance + eps), as functions of x: the operator has computed their values.
// Without a mean, 1 / sqrt(mean of squares + eps).
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
struct RowRms {
    static constexpr auto node = "RowRmsBackward0";
    int64_t n;
    auto backward(auto g, auto x, auto y) const { return g * y * y / n * (-x * y); }
};
Tensor row_mean(const Tensor& x, const Tensor& mean, int64_t n) {
    return recorded(alias(mean), RowMean{n}, x);
}
Tensor row_rstd(const Tensor& x, const Tensor& mean, const Tensor& rstd, int64_t n) {
    if (!mean.defined()) return recorded(alias(rstd), RowRms{n}, x);
    return recorded(alias(rstd), RowRstd{n}, x, row_mean(x, mean, n));
}
// (x - mean) * rstd; halves, because the difference of two numbers may be beyond all.
Tensor standardized(const Tensor& x, const Tensor& mean, const Tensor& rstd) {
    return (x * 0.5 - mean * 0.5) * rstd * 2;
}
TAPEGRAD_WORD(row_mean)
TAPEGRAD_WORD(row_rstd)
TAPEGRAD_WORD(standardized)
using rules::Text;
Text standardized(const Text& x, const Text& mean, const Text& rstd) { return (x - mean) * rstd; }
Text row_mean(const Text&, const Text& mean, int64_t) { return mean; }
Text row_rstd(const Text&, const Text&, const Text& rstd, int64_t) { return rstd; }

// (x - mean) * rstd * weight + bias, where x is seen in a shape in which statistics and parameters broadcast.
struct Normalization {
    static constexpr std::array arguments{"input", "weight", "bias", "result1", "result2"};
    static constexpr bool reads_all = true;
    const char* name;
    Dims shape;   // empty: as it is
    Dims dims;    // of the shape, which the statistics are taken over
    Dims affine;  // the shape in which weight and bias broadcast
    int64_t n;    // elements that a mean is of
    bool has_weight;
    bool centered;  // or of the mean square
    // The kernel: of rows, each parameter for `repeat` elements of them, or of channels.
    bool by_channel;
    kernels::RowSizes rows;
    int64_t repeat;
    kernels::BatchSizes batch;
    double eps;

    const char* node() const { return name; }

    auto backward(auto g, auto x, auto weight, auto, auto known_mean, auto known_rstd, auto) const {
        const auto z = [=, this] {
            auto seen_x = seen(x, shape);
            auto rstd = row_rstd(seen_x, known_mean, known_rstd, n);
            return centered ? standardized(seen_x, row_mean(seen_x, known_mean, n), rstd)
                            : seen_x * rstd;
        };
        return gradients(
            [=, this] {
                auto seen_x = seen(x, shape), seen_g = seen(g, shape);
                auto h = has_weight ? seen_g * seen(weight, affine) : seen_g;
                auto rstd = row_rstd(seen_x, known_mean, known_rstd, n);
                auto seen_z = z();
                auto rest = centered ? h - mean(h, dims, true) : h;
                auto result = rstd * (rest - seen_z * mean(h * seen_z, dims, true));
                return shape.empty() ? result : reshape(result, x.sizes());
            },
            [=, this] {
                auto sums = sum_to(seen(g, shape) * z(), affine);
                return shape.empty() ? sums : reshape(sums, parameter_sizes());
            },
            [=, this] {
                auto sums = sum_to(seen(g, shape), affine);
                return shape.empty() ? sums : reshape(sums, parameter_sizes());
            });
    }
    auto forward(auto x, auto weight, auto, auto known_mean, auto known_rstd, auto y) const {
        const auto rstd = [=, this] { return row_rstd(seen(x, shape), known_mean, known_rstd, n); };
        const auto z = [=, this] {
            const Tensor seen_x = seen(x, shape);
            return centered ? standardized(seen_x, row_mean(seen_x, known_mean, n), rstd())
                            : seen_x * rstd();
        };
        const auto scaled = [=, this](const Tensor& t, const Tensor& factor) {
            const Tensor product = factor.defined() ? t * seen(factor, affine) : t;
            return shape.empty() ? product : reshape(product, y.sizes());
        };
        return tangents(
            [=, this](auto t) {
                const Tensor seen_t = seen(t, shape), seen_z = z();
                const Tensor rest = centered ? seen_t - mean(seen_t, dims, true) : seen_t;
                return scaled(rstd() * (rest - seen_z * mean(seen_t * seen_z, dims, true)),
                              has_weight ? weight : Tensor());
            },
            [=](auto t) { return scaled(z(), t); },
            [=, this](auto t) {
                return shape.empty() ? t : reshape(expand(seen(t, affine), shape), y.sizes());
            });
    }
    std::array<Tensor, 3> fused(const Tensor& g, const Tensor& x, const Tensor& weight,
                                const Tensor&, const Tensor& known_mean, const Tensor& known_rstd,
                                const Tensor&, const std::array<bool, 3>& wanted) const {
        if (!wanted[0] && !wanted[1]) return {};
        const Tensor grad = contiguous_values(g), data = contiguous_values(x),
                     factors = values_for_rows(weight, repeat), mean = values_or_none(known_mean),
                     rstd = contiguous_values(known_rstd);
        Dims sizes = parameter_sizes();
        if (repeat > 1) sizes.push_back(repeat);
        std::array<Tensor, 3> found{wanted[0] ? empty(x.sizes(), x.dtype()) : Tensor(),
                                    wanted[1] ? empty(sizes, x.dtype()) : Tensor(),
                                    wanted[2] ? empty(sizes, x.dtype()) : Tensor()};
        void* to[] = {data_or_null(found[0]), data_or_null(found[1]), data_or_null(found[2])};
        const auto& table = kernel_table();
        if (by_channel)
            launch(table.batch_norm.backward[x.dtype()], grad.data(), data.data(),
                   data_or_null(factors), mean.data(), rstd.data(), to[0], to[1], to[2], batch);
        else
            launch(table.layer_norm.backward[x.dtype()], grad.data(), data.data(),
                   data_or_null(factors), data_or_null(mean), rstd.data(), to[0], to[1], to[2],
                   rows);
        if (repeat > 1)
            for (Tensor* parameter : {&found[1], &found[2]})
                if (parameter->defined()) *parameter = sum(*parameter, {1});
        return found;
    }

    void parameters(auto show) const {
        if (shape.empty()) show("normalized_shape", affine);
        else show("eps", eps);
    }

    // The parameters of channels, one value for each element of a row.
    static Tensor values_for_rows(const Tensor& parameter, int64_t repeat) {
        if (!parameter.defined() || repeat <= 1) return values_or_none(parameter);
        return contiguous_values(expand(unsqueeze(parameter, 1), {parameter.numel(), repeat}));
    }

private:
    Dims parameter_sizes() const { return shape.empty() ? affine : Dims{element_count(affine)}; }
    template <class T> T seen(const T& x, const Dims& as) const {
        return shape.empty() ? x : reshape(x, as);
    }
};

// With statistics that do not depend on the input.
struct NormalizationByConstants {
    static constexpr auto node = "NativeBatchNormBackward0";
    static constexpr std::array arguments{"input", "weight", "bias", "running_mean", "result2"};
    static constexpr bool reads_all = true;
    Dims channels;  // the shape in which they broadcast
    Dims others;    // the dimensions that are no channels
    bool has_weight;

    auto backward(auto g, auto x, auto weight, auto, auto known_mean, auto known_rstd, auto) const {
        return gradients(
            [=, this] {
                auto factor = has_weight ? known_rstd * weight : known_rstd;
                return g * reshape(factor, channels);
            },
            [=, this] {
                auto z = (x - reshape(known_mean, channels)) * reshape(known_rstd, channels);
                return sum(g * z, others, false);
            },
            [=, this] { return sum(g, others, false); });
    }
    auto forward(auto x, auto weight, auto, auto known_mean, auto known_rstd, auto) const {
        return tangents(
            [=, this](auto t) {
                return t * reshape(has_weight ? known_rstd * weight : known_rstd, channels);
            },
            [=, this](auto t) {
                const Tensor z =
                    (x - reshape(known_mean, channels)) * reshape(known_rstd, channels);
                return z * reshape(t, channels);
            },
            [=, this](auto t) { return reshape(t, channels); });
    }
};

// Parameters that stay float32 beside short floats, which are computed as float32 anyway.
bool keeps_float32(const Tensor& input, const Tensor& parameter) {
    return is_half(input.dtype()) && parameter.defined() && parameter.dtype() == DType::Float32;
}
Tensor as_float32(const Tensor& x) { return x.defined() ? to_dtype(x, DType::Float32) : x; }

void check_type(const Tensor& input, const Tensor& parameter, const char* name) {
    if (!parameter.defined() || parameter.dtype() == input.dtype()) return;
    fail("mixed dtype (CPU): ",
         input.dtype() == DType::Float32 ? "expect parameter to have scalar type of Float"
                                         : "all inputs must share same datatype.",
         " Got ", scalar_type_name(input.dtype()), " for input and ",
         scalar_type_name(parameter.dtype()), " for ", name);
}

void check_parameter(const Tensor& input, const Tensor& parameter, const char* name,
                     const Dims& normalized_shape) {
    if (!parameter.defined()) return;
    if (!(parameter.sizes() == normalized_shape))
        fail("Expected ", name, " to be of same shape as normalized_shape, but got ", name,
             " of shape ", to_string(parameter.sizes()),
             " and normalized_shape = ", to_string(normalized_shape));
    check_type(input, parameter, name);
}

// Of the last dimensions.
Normalization of_last(const char* node, const Tensor& input, const Dims& normalized_shape,
                      const Tensor& weight, const Tensor& bias, bool centered) {
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
    Normalization rule{node, {}, {}, normalized_shape, 1, weight.defined(), centered, false, {},
                       1,    {}, 0};
    int64_t rows = 1;
    for (int d = 0; d < input.dim(); ++d) {
        if (d < first) {
            rows *= input.sizes()[d];
        } else {
            rule.n *= input.sizes()[d];
            rule.dims.push_back(d);
        }
    }
    rule.rows = {rows, 1, rule.n};
    return rule;
}

Tensor normalized(const Normalization& rule, const Tensor& input, const Tensor& weight,
                  const Tensor& bias, double eps, Dims statistics, const char* kernel_name) {
    const auto kernel = kernel_table().layer_norm.forward.require(input.dtype(), kernel_name);
    for (const int64_t d : rule.dims) statistics[static_cast<int>(d)] = 1;
    const Tensor data = contiguous_values(input),
                 factors = Normalization::values_for_rows(weight, rule.repeat),
                 summands = Normalization::values_for_rows(bias, rule.repeat);
    Tensor out = empty(input.sizes(), input.dtype());
    const Tensor mean = rule.centered ? empty(statistics, input.dtype()) : Tensor(),
                 rstd = empty(statistics, input.dtype());
    launch(kernel, data.data(), data_or_null(factors), data_or_null(summands), eps, out.data(),
           data_or_null(mean), rstd.data(), rule.rows);
    return recorded(std::move(out), rule, input, weight, bias, mean, rstd);
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
    if (keeps_float32(input, weight) || keeps_float32(input, bias))
        return to_dtype(layer_norm(as_float32(input), normalized_shape, as_float32(weight),
                                   as_float32(bias), eps),
                        input.dtype());
    const Normalization rule =
        of_last("NativeLayerNormBackward0", input, normalized_shape, weight, bias, true);
    return normalized(rule, input, weight, bias, eps, input.sizes(), "LayerNormKernelImpl");
}

Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
    if (weight.defined() && weight.dtype() != input.dtype() && weight.is_floating() &&
        input.is_floating()) {
        const Tensor wide = is_half(input.dtype()) ? as_float32(input) : input;
        const Tensor plain = rms_norm(wide, normalized_shape, {}, eps);
        check_parameter(input, to_dtype(weight, input.dtype()), "weight", normalized_shape);
        return to_dtype(plain * weight, input.dtype());
    }
    const double smallest = visit_dtype(
        input.dtype(), []<class T>() -> double { return std::numeric_limits<T>::epsilon(); });
    const Normalization rule =
        of_last("FusedRmsNormBackward0", input, normalized_shape, weight, {}, false);
    return normalized(rule, input, weight, {}, eps.value_or(smallest), input.sizes(), "rms_norm");
}

Tensor group_norm(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
    if (keeps_float32(input, weight) || keeps_float32(input, bias))
        return to_dtype(
            group_norm(as_float32(input), groups, as_float32(weight), as_float32(bias), eps),
            input.dtype());
    if (input.dim() < 2)
        fail("Expected at least 2 dimensions for input tensor but received ", input.dim());
    const int64_t channels = input.sizes()[1];
    if (groups <= 0) fail("Expected num groups to be greater than 0, got ", groups);
    if (channels % groups != 0)
        fail(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            "shape ",
            to_string(input.sizes()), " and num_groups=", groups);
    for (const auto& [parameter, name] : {std::pair(&weight, "weight"), std::pair(&bias, "bias")}) {
        if (!parameter->defined()) continue;
        if (!(parameter->sizes() == Dims{channels}))
            fail("Expected ", name,
                 " to be a vector of size equal to the number of channels in input, but got ", name,
                 " of shape ", to_string(parameter->sizes()), " and input of shape ",
                 to_string(input.sizes()));
        check_type(input, *parameter, name);
    }
    int64_t inner = 1;
    for (int d = 2; d < input.dim(); ++d) inner = saturating_mul(inner, input.sizes()[d]);
    const int64_t samples = input.sizes()[0], of_group = channels / groups;
    const Dims shape{samples, groups, of_group, inner};
    Normalization rule{"NativeGroupNormBackward0",
                       shape,
                       {2, 3},
                       {1, groups, of_group, 1},
                       saturating_mul(of_group, inner),
                       weight.defined(),
                       true,
                       false,
                       {samples, groups, saturating_mul(of_group, inner)},
                       inner,
                       {},
                       eps};
    if (!weight.defined() && !bias.defined()) {
        rule.rows = {saturating_mul(samples, groups), 1, rule.n};
        rule.repeat = 1;
    }
    return normalized(rule, input, weight, bias, eps, shape, "GroupNormKernelImpl");
}

namespace {

// value = value * (1 - momentum) + observed * momentum, for each channel.
void update_running(const Tensor& running, const Tensor& observed, double momentum, double factor) {
    if (!running.defined()) return;
    const Tensor values = contiguous_values(running);
    visit_dtype(values.dtype(), [&]<class T>() {
        if constexpr (is_floating_type<T>)
            launch(
                [share = static_cast<T>(momentum), rest = static_cast<T>(1 - momentum),
                 scale = static_cast<T>(factor), n = values.numel()](const T* from, T* to) {
                    for (int64_t c = 0; c < n; ++c)
                        to[c] = static_cast<T>(share * (from[c] * scale) + rest * to[c]);
                },
                observed.data<T>(), values.data<T>());
    });
    if (!values.is_same(running)) copy_values(running, values);
    running.bump_version();
}

// Both, before one is changed.
void check_writable(const Tensor& running_mean, const Tensor& running_var) {
    for (const Tensor* running : {&running_mean, &running_var}) {
        if (!running->defined()) continue;
        check_inplace(*running, false);
        refuse_internal_overlap(*running);
    }
}

Tensor rsqrt_of(const Tensor& variance, double eps) {
    const GradMode off(false);
    return rsqrt(contiguous_values(variance) + eps);
}

void check_channels(const Tensor& input, const Tensor& given, const char* name, int64_t channels) {
    if (!given.defined()) return;
    if (given.numel() != channels)
        fail(name, " should contain ", channels, " elements not ", given.numel());
    check_type(input, given, name);
}

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var, bool training,
                  double momentum, double eps) {
    for (const Tensor* parameter : {&weight, &bias, &running_mean, &running_var})
        if (keeps_float32(input, *parameter))
            return to_dtype(batch_norm(as_float32(input), as_float32(weight), as_float32(bias),
                                       running_mean, running_var, training, momentum, eps),
                            input.dtype());
    const int64_t channels = input.size(1);
    if (!training)
        for (const auto& [given, name] :
             {std::pair(&running_mean, "running_mean"), std::pair(&running_var, "running_var")})
            if (!given->defined()) fail(name, " must be defined in evaluation mode");
    check_channels(input, running_mean, "running_mean", channels);
    check_channels(input, running_var, "running_var", channels);
    check_channels(input, weight, "weight", channels);
    check_channels(input, bias, "bias", channels);
    const auto& table = kernel_table().batch_norm;
    table.forward.require(input.dtype(), "batch_norm");
    if (training) check_writable(running_mean, running_var);

    int64_t inner = 1;
    Dims others{0};
    Dims broadcast(input.dim(), 1);
    broadcast[1] = channels;
    for (int d = 2; d < input.dim(); ++d) {
        inner = saturating_mul(inner, input.sizes()[d]);
        others.push_back(d);
    }
    const kernels::BatchSizes sizes{input.sizes()[0], channels, inner};
    const Tensor data = contiguous_values(input), factors = values_or_none(weight),
                 summands = values_or_none(bias);
    Tensor out = empty(input.sizes(), input.dtype());
    if (!training) {
        const Tensor mean = contiguous_values(running_mean), rstd = rsqrt_of(running_var, eps);
        launch(table.apply[input.dtype()], data.data(), data_or_null(factors),
               data_or_null(summands), mean.data(), rstd.data(), out.data(), sizes);
        return recorded(std::move(out),
                        NormalizationByConstants{broadcast, others, weight.defined()}, input,
                        weight, bias, mean, rstd);
    }
    const Dims shape{sizes.outer, channels, inner}, statistics{1, channels, 1};
    const Tensor mean = empty(statistics, input.dtype()), rstd = empty(statistics, input.dtype()),
                 variance = empty(statistics, input.dtype());
    launch(table.forward[input.dtype()], data.data(), data_or_null(factors), data_or_null(summands),
           eps, out.data(), mean.data(), rstd.data(), variance.data(), sizes);
    const int64_t n = saturating_mul(sizes.outer, inner);
    update_running(running_mean, mean, momentum, 1);
    update_running(running_var, variance, momentum,
                   static_cast<double>(n) / static_cast<double>(n - 1));
    const Normalization rule{"NativeBatchNormBackward0",
                             shape,
                             {0, 2},
                             statistics,
                             n,
                             weight.defined(),
                             true,
                             true,
                             {},
                             1,
                             sizes,
                             eps};
    return recorded(std::move(out), rule, input, weight, bias, mean, rstd);
}

Tensor instance_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                     const Tensor& running_mean, const Tensor& running_var, bool use_input_stats,
                     double momentum, double eps) {
    if (!use_input_stats && !(running_mean.defined() && running_var.defined()))
        fail("Expected running_mean and running_var to be defined when use_input_stats is false");
    if (use_input_stats) check_writable(running_mean, running_var);
    // Each sample's channels are channels of one sample.
    const int64_t samples = input.size(0), channels = input.size(1);
    Dims shape = input.sizes();
    shape[0] = 1;
    shape[1] = saturating_mul(samples, channels);
    const auto repeated = [&](const Tensor& x) { return x.defined() ? repeat(x, {samples}) : x; };
    const Tensor means = repeated(running_mean), variances = repeated(running_var);
    const Tensor out = batch_norm(reshape(input, shape), repeated(weight), repeated(bias), means,
                                  variances, use_input_stats, momentum, eps);
    if (use_input_stats) {
        const GradMode off(false);
        for (const auto& [running, new_values] :
             {std::pair(&running_mean, &means), std::pair(&running_var, &variances)})
            if (running->defined())
                copy_(*running, mean(reshape(*new_values, {samples, channels}), {0}));
    }
    return reshape(out, input.sizes());
}

}  // namespace tapegrad
