#include "ops/activations.h"

#include "ops/elementwise.h"
#include "ops/joining.h"
#include "ops/overlap.h"
#include "ops/pointwise.h"
#include "ops/random.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"

namespace tapegrad {

namespace {
void check_parameter(const Tensor& x, double value) {
    check_convertible(value, x.is_floating() ? x.dtype() : default_float_type);
}
}  // namespace

Tensor leaky_relu(const Tensor& x, double negative_slope) {
    check_parameter(x, negative_slope);
    return unary(Unary::LeakyRelu, x, negative_slope);
}
const Tensor& leaky_relu_(const Tensor& x, double negative_slope) {
    check_parameter(x, negative_slope);
    return unary_in_place(Unary::LeakyRelu, x, negative_slope);
}
Tensor elu(const Tensor& x, double alpha) {
    check_parameter(x, alpha);
    return unary(Unary::Elu, x, alpha);
}
const Tensor& elu_(const Tensor& x, double alpha) {
    check_parameter(x, alpha);
    return unary_in_place(Unary::Elu, x, alpha);
}
Tensor softplus(const Tensor& x, double beta, double threshold) {
    check_parameter(x, beta);
    check_parameter(x, threshold);
    return unary(Unary::Softplus, x, beta, threshold);
}

void from_text(std::string_view text, Approximation& approximation) {
    if (text == "none") approximation = Approximation::None;
    else if (text == "tanh") approximation = Approximation::Tanh;
    else fail("approximate argument must be either none or tanh.");
}

Tensor gelu_with(const Tensor& x, Approximation approximation) {
    return unary(approximation == Approximation::Tanh ? Unary::GeluTanh : Unary::Gelu, x);
}

namespace {
void check_celu(const Tensor& x, double alpha) {
    if (alpha == 0) fail("ZeroDivisionError: alpha cannot be 0 for CELU");
    check_parameter(x, alpha);
}
}  // namespace

Tensor celu(const Tensor& x, double alpha) {
    check_celu(x, alpha);
    return unary(Unary::Celu, x, alpha);
}
const Tensor& celu_(const Tensor& x, double alpha) {
    check_celu(x, alpha);
    return unary_in_place(Unary::Celu, x, alpha);
}

namespace {

// A bound of integers, without its fraction.
Scalar whole(const Tensor& x, const Scalar& bound) {
    return x.is_floating() ? bound : Scalar(bound.to_int());
}
// Integers have no derivative: clamp and where serve them.
void check_hardtanh(const Tensor& x, const Scalar& low, const Scalar& high) {
    if (x.dtype() == DType::Bool) fail("Bool inputs not supported for hardtanh");
    if (x.dtype() == DType::UInt8 && (low.to_int() < 0 || high.to_int() < 0))
        fail("cannot do hardtanh on an unsigned type with negative limits");
    check_convertible(whole(x, low), x.dtype());
    check_convertible(whole(x, high), x.dtype());
}
Arg as_bound(const Tensor& x, const Scalar& bound) { return whole(x, bound).as(x.dtype()); }

}  // namespace

Tensor hardtanh(const Tensor& x, const Scalar& low, const Scalar& high) {
    if (low.to_double() > high.to_double())
        fail<ValueError>("min_val cannot be greater than max_val");
    check_hardtanh(x, low, high);
    if (x.is_floating()) return unary(Unary::Hardtanh, x, low.to_double(), high.to_double());
    const Arg min = as_bound(x, low), max = as_bound(x, high);
    return clamp(x, &min, &max);
}
const Tensor& hardtanh_(const Tensor& x, const Scalar& low, const Scalar& high) {
    check_hardtanh(x, low, high);
    if (x.is_floating())
        return unary_in_place(Unary::Hardtanh, x, low.to_double(), high.to_double());
    const Arg min = as_bound(x, low), max = as_bound(x, high);
    return clamp_(x, &min, &max);
}

Tensor softshrink(const Tensor& x, double lambd) {
    if (x.is_floating()) {
        const double most = largest_number(x.dtype());
        if (!(lambd >= 0 && lambd <= most))
            fail("lambda must be in range [0, ", most, "] for input dtype ",
                 scalar_type_name(x.dtype()), ", but found ", lambd);
    }
    return unary(Unary::Softshrink, x, lambd);
}
Tensor hardshrink(const Tensor& x, double lambd) {
    check_parameter(x, lambd);
    return unary(Unary::Hardshrink, x, lambd);
}

namespace {
void check_threshold(const Tensor& x, const Scalar& threshold, const Scalar& value) {
    if (x.dtype() == DType::Bool) refuse_dtype("threshold_cpu", x.dtype());
    check_convertible(threshold, x.dtype());
    check_convertible(value, x.dtype());
}
Tensor threshold_of_integers(const Tensor& x, const Scalar& threshold, const Scalar& value) {
    return where(x <= as_bound(x, threshold), as_bound(x, value), x);
}
}  // namespace

Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value) {
    check_threshold(x, threshold, value);
    if (x.is_floating())
        return unary(Unary::Threshold, x, threshold.to_double(), value.to_double());
    return threshold_of_integers(x, threshold, value);
}
const Tensor& threshold_(const Tensor& x, const Scalar& threshold, const Scalar& value) {
    check_threshold(x, threshold, value);
    if (x.is_floating())
        return unary_in_place(Unary::Threshold, x, threshold.to_double(), value.to_double());
    refuse_internal_overlap(x);
    return copy_(x, threshold_of_integers(x, threshold, value));
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
    if (weight.dtype() != x.dtype())
        fail("prelu: Type promoting not supported. Got ", scalar_type_name(x.dtype()), " and ",
             scalar_type_name(weight.dtype()));
    if (weight.dim() > 1)
        fail("prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ",
             weight.dim());
    const int64_t count = weight.numel();
    if (count != 1) {
        if (x.dim() == 0) fail("Not allow zero-dim input tensor.");
        const int64_t channels = x.dim() > 1 ? x.sizes()[1] : 1;
        if (channels != count)
            fail("Mismatch of parameter numbers and input channel size. Found parameter numbers = ",
                 count, " and channel size = ", channels, ".");
    }
    if (weight.dim() == 0) return binary(Binary::PreluKernel, x, weight);
    Dims sizes(x.dim(), 1);
    if (x.dim() > 0) sizes[x.dim() > 1 ? 1 : 0] = count;
    return binary(Binary::PreluKernel, x, reshape(weight, sizes));
}

namespace {

struct RreluWithNoise {
    static constexpr bool is_symmetric = true;
    static constexpr std::array arguments{"self", "noise"};
    double lower, upper;
    bool training, in_place = false;
    const char* node() const {
        return in_place ? "RreluWithNoiseBackward1" : "RreluWithNoiseBackward0";
    }
    auto backward(auto g, auto x, auto noise, auto) const {
        return training ? g * noise : where(x > 0, g, g * ((lower + upper) / 2));
    }
    void parameters(auto show) const { show("lower", lower, "upper", upper, "training", training); }
};

void check_rrelu(const Tensor& x, double lower, double upper) {
    if (lower - lower != 0) fail("rrelu: lower bound must be finite, got ", lower);
    if (upper - upper != 0) fail("rrelu: upper bound must be finite, got ", upper);
    if (!(lower <= upper)) fail("Lower bound should be less than or equal to the upper bound");
    if (!x.is_floating()) refuse_dtype("leaky_relu_cpu", x.dtype());
    check_parameter(x, (lower + upper) / 2);
}
Tensor slopes(const Tensor& x, double lower, double upper, bool training, Generator& generator) {
    GradMode off(false);
    if (!training) return {};
    const Tensor drawn = empty(x.sizes(), x.dtype());
    uniform_(drawn, lower, upper, generator);
    return where(x <= 0, drawn, 1.0);
}
Tensor rrelu_values(const Tensor& x, const Tensor& noise, double lower, double upper) {
    GradMode off(false);
    return noise.defined() ? x * noise : unary(Unary::LeakyRelu, x, (lower + upper) / 2);
}

}  // namespace

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Generator& generator) {
    check_rrelu(x, lower, upper);
    const Tensor noise = slopes(x, lower, upper, training, generator);
    return recorded(rrelu_values(x, noise, lower, upper), RreluWithNoise{lower, upper, training}, x,
                    noise);
}
const Tensor& rrelu_(const Tensor& x, double lower, double upper, bool training,
                     Generator& generator) {
    check_rrelu(x, lower, upper);
    const InPlace change(x);
    refuse_internal_overlap(x);
    const Tensor noise = slopes(x, lower, upper, training, generator);
    return change.apply(
        RreluWithNoise{lower, upper, training, true},
        [&] { copy_values(x, rrelu_values(x, noise, lower, upper)); }, noise);
}

namespace {

struct Halves {
    Tensor value, gate;
    Halves(const Tensor& x, int64_t dim)
        : value(narrow(x, dim, 0, x.sizes()[dim] / 2)),
          gate(narrow(x, dim, x.sizes()[dim] / 2, x.sizes()[dim] / 2)) {}
};

Tensor glu_gradient(const Tensor& g, const Tensor& x, int64_t dim) {
    const Halves halves(x, dim);
    const Tensor s = logistic(halves.gate);
    return concat2(g * s, g * (halves.value * (s * logistic(-halves.gate))), dim);
}
TAPEGRAD_WORD(glu_gradient)

struct Glu {
    static constexpr auto node = "GluBackward0";
    int64_t dim;
    auto backward(auto g, auto x, auto) const { return glu_gradient(g, x, dim); }
    auto forward(auto t, auto x, auto) const {
        const Halves halves(x, dim), moved(t, dim);
        const Tensor s = logistic(halves.gate);
        return moved.value * s + moved.gate * (halves.value * (s * logistic(-halves.gate)));
    }
    void parameters(auto show) const { show("dim", dim); }
};

}  // namespace

Tensor glu(const Tensor& x, int64_t dim_given) {
    if (x.dim() == 0) fail("glu does not support scalars because halving size must be even");
    const int64_t dim = wrap_dim(dim_given, x.dim());
    if (x.sizes()[dim] % 2 != 0)
        fail("Halving dimension must be even, but dimension ", dim, " is size ", x.sizes()[dim]);
    Tensor out;
    {
        GradMode off(false);
        const Halves halves(x, dim);
        out = pointwise(Pointwise::Glu, {&halves.value, &halves.gate}, x.dtype());
    }
    return recorded(std::move(out), Glu{dim}, x);
}

}  // namespace tapegrad
