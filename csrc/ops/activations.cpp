#include "ops/activations.h"

#include "ops/elementwise.h"

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
Tensor elu(const Tensor& x, double alpha) {
    check_parameter(x, alpha);
    return unary(Unary::Elu, x, alpha);
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

}  // namespace tapegrad
