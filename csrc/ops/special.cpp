#include "ops/special.h"

#include <cmath>

#include "ops/arithmetic.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/overlap.h"
#include "ops/pointwise.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// The density of the gamma distribution.
struct GammaPdf {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "GammaPdfBackward0";
    static constexpr std::array arguments{"a", "x"};
    auto backward(auto g, auto a, auto x, auto y) const {
        return gradients([=] { return g * (y * (log(x) - digamma(a))); },
                         [=] { return g * (y * ((a - 1) / x - 1)); });
    }
};
Tensor gamma_pdf(const Tensor& a, const Tensor& x) {
    const DType dtype = compute_type(a, x, Domain::FloatOnly);
    return recorded(pointwise(Pointwise::GammaPdf, {&a, &x}, dtype), GammaPdf{}, a, x);
}
TAPEGRAD_WORD(gamma_pdf)

struct Zeta {
    static constexpr bool is_symmetric = true;
    static constexpr std::array arguments{"self", "other"};
    const char* name;
    const char* node() const { return name; }
    auto backward(auto g, auto s, auto x, auto) const {
        return gradients([=] { return underivable(g, "zeta"); },
                         [=] { return g * (-s * zeta(s + 1, x)); });
    }
};
// The order is a number.
struct ZetaOfNumber {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "SpecialZetaBackward1";
    static constexpr std::array arguments{"other"};
    double self;
    auto backward(auto g, auto x, auto) const { return g * (-self * zeta(self + 1, x)); }
    void parameters(auto show) const { show("self", self); }
};
struct Igamma {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "IgammaBackward0";
    static constexpr std::array arguments{"self", "other"};
    auto backward(auto g, auto a, auto x, auto) const {
        return gradients([=] { return underivable(g, "igamma: input"); },
                         [=] { return g * gamma_pdf(a, x); });
    }
};
struct Igammac {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "IgammacBackward0";
    static constexpr std::array arguments{"self", "other"};
    auto backward(auto g, auto a, auto x, auto) const {
        return gradients([=] { return underivable(g, "igammac: input"); },
                         [=] { return -g * gamma_pdf(a, x); });
    }
};

template <class Rule> const Tensor& gamma_in_place(Pointwise op, const Tensor& a, const Tensor& x) {
    const InPlace change(a, x);
    refuse_overlaps(a, x);
    const DType dtype = compute_type(a, x, Domain::FloatOnly);
    check_in_place_result(a, broadcast_shape(a, x), dtype);
    const Tensor result = pointwise(op, {&a, &x}, dtype);
    return change.apply(Rule{}, [&] { copy_values(a, result); }, x);
}

}  // namespace

Tensor zeta(const Arg& order, const Arg& x) {
    require_tensor("special_zeta", order, x);
    const DType dtype = compute_type(order, x, Domain::Floats);
    const auto as_tensor = [&](const Arg& arg) {
        return arg.is_tensor() ? arg.tensor() : scalar_tensor(arg.scalar(), dtype);
    };
    const Tensor s = as_tensor(order), q = as_tensor(x);
    Tensor out = pointwise(Pointwise::Zeta, {&s, &q}, dtype);
    if (!order.is_tensor())
        return recorded(std::move(out), ZetaOfNumber{order.scalar().to_double()}, x.tensor());
    const char* node = x.is_tensor() ? "SpecialZetaBackward0" : "SpecialZetaBackward2";
    return recorded(std::move(out), Zeta{node}, s, q);
}

Tensor igamma(const Tensor& a, const Tensor& x) {
    const DType dtype = compute_type(a, x, Domain::FloatOnly);
    return recorded(pointwise(Pointwise::Igamma, {&a, &x}, dtype), Igamma{}, a, x);
}
Tensor igammac(const Tensor& a, const Tensor& x) {
    const DType dtype = compute_type(a, x, Domain::FloatOnly);
    return recorded(pointwise(Pointwise::Igammac, {&a, &x}, dtype), Igammac{}, a, x);
}
const Tensor& igamma_(const Tensor& a, const Tensor& x) {
    return gamma_in_place<Igamma>(Pointwise::Igamma, a, x);
}
const Tensor& igammac_(const Tensor& a, const Tensor& x) {
    return gamma_in_place<Igammac>(Pointwise::Igammac, a, x);
}

Tensor polygamma(double n, const Tensor& x) { return unary(Unary::Polygamma, x, n); }

namespace {
double checked_order(int64_t n) {
    if (n < 0) fail("polygamma(n, x) does not support negative n.");
    return static_cast<double>(n);
}
}  // namespace

Tensor polygamma_of(int64_t n, const Tensor& x) { return polygamma(checked_order(n), x); }
const Tensor& polygamma_of_(int64_t n, const Tensor& x) {
    return unary_in_place(Unary::Polygamma, x, checked_order(n));
}

namespace {

// The sum of f(x - j / 2) for j below p.
Tensor sum_of_halves(Unary f, const Tensor& x, int64_t p) {
    Tensor sum = unary(f, x);
    for (int64_t j = 1; j < p; ++j) sum = sum + unary(f, x - 0.5 * static_cast<double>(j));
    return sum;
}
Tensor multivariate_digamma(const Tensor& x, int64_t p) {
    return cast_like(sum_of_halves(Unary::Digamma, to_dtype(x, wide_of(x.dtype())), p), x);
}
TAPEGRAD_WORD(multivariate_digamma)

struct Mvlgamma {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "MvlgammaBackward0";
    int64_t p;
    auto backward(auto g, auto x, auto) const { return g * multivariate_digamma(x, p); }
    void parameters(auto show) const { show("p", p); }
};

void check_mvlgamma(const Tensor& x, int64_t p) {
    if (x.dtype() == DType::Bool) fail("The input tensor may not be a boolean tensor.");
    if (p < 1) fail("p has to be greater than or equal to 1");
    if (p > int64_t{1} << 20)
        fail("mvlgamma: p of ", p, " is too large: it counts the terms of a sum");
}
// In single precision at least: it is rounded to a narrow type once.
Tensor mvlgamma_values(const Tensor& x, int64_t p) {
    GradMode off(false);
    const double count = static_cast<double>(p);
    const DType dtype = x.is_floating() ? x.dtype() : default_float_type;
    const Tensor sum = sum_of_halves(Unary::Lgamma, to_dtype(x, wide_of(dtype)), p);
    return to_dtype(sum + count * (count - 1) / 4 * std::log(formulas::kPi), dtype);
}

}  // namespace

Tensor mvlgamma(const Tensor& x, int64_t p) {
    check_mvlgamma(x, p);
    return recorded(mvlgamma_values(x, p), Mvlgamma{p}, x);
}
const Tensor& mvlgamma_(const Tensor& x, int64_t p) {
    check_mvlgamma(x, p);
    const InPlace change(x);
    refuse_internal_overlap(x);
    const Tensor result = mvlgamma_values(x, p);
    check_in_place_result(x, x.sizes(), result.dtype());
    return change.apply(Mvlgamma{p}, [&] { copy_values(x, result); });
}

// A negative eps is none, as in PyTorch.
static void check_eps(const Tensor& x, std::optional<double> eps) {
    if (eps) check_convertible(*eps, x.is_floating() ? x.dtype() : default_float_type);
}
Tensor logit_within(const Tensor& x, std::optional<double> eps) {
    check_eps(x, eps);
    return eps && *eps >= 0 ? unary(Unary::LogitEps, x, *eps) : unary(Unary::Logit, x);
}
const Tensor& logit_within_(const Tensor& x, std::optional<double> eps) {
    check_eps(x, eps);
    return eps && *eps >= 0 ? unary_in_place(Unary::LogitEps, x, *eps)
                            : unary_in_place(Unary::Logit, x);
}

namespace {

struct Frexp {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "FrexpBackward0";
    static constexpr std::array arguments{"self", "exponent"};
    auto backward(auto g, auto, auto exponent, auto) const { return ldexp(g, -exponent); }
};

}  // namespace

std::pair<Tensor, Tensor> frexp(const Tensor& x) {
    if (!x.is_floating()) fail("tapegrad.frexp() only supports floating-point dtypes");
    const Tensor values = contiguous_values(x);
    Tensor mantissa = empty(x.sizes(), x.dtype());
    const Tensor exponent = empty(x.sizes(), DType::Int32);
    visit_dtype(x.dtype(), [&]<class T>() {
        launch(
            [n = x.numel()](const T* from, T* to, int32_t* powers) {
                for (int64_t i = 0; i < n; ++i) {
                    int power = 0;
                    to[i] = static_cast<T>(std::frexp(static_cast<double>(from[i]), &power));
                    powers[i] = std::isfinite(static_cast<double>(from[i])) ? power : 0;
                }
            },
            values.data<T>(), mantissa.data<T>(), exponent.data<int32_t>());
    });
    return {recorded(std::move(mantissa), Frexp{}, x, exponent), exponent};
}

Tensor float_power(const Arg& x, const Arg& exponent) {
    require_tensor("float_power", x, exponent);
    const auto as_double = [](const Arg& arg) {
        return arg.is_tensor() ? to_dtype(arg.tensor(), DType::Float64) : Tensor();
    };
    const Tensor base = as_double(x), power = as_double(exponent);
    if (!base.defined()) return binary(Binary::Pow, x.scalar().to_double(), power);
    if (!power.defined()) return pow(base, Scalar(exponent.scalar().to_double()));
    return binary(Binary::Pow, base, power);
}
const Tensor& float_power_(const Tensor& x, const Arg& exponent) {
    if (x.dtype() != DType::Float64)
        fail("the base given to float_power_ has dtype ", scalar_type_name(x.dtype()),
             " but the operation's result requires dtype Double");
    if (!exponent.is_tensor()) return pow_(x, Scalar(exponent.scalar().to_double()));
    return binary_in_place(Binary::Pow, x, to_dtype(exponent.tensor(), DType::Float64));
}

namespace {
void check_heaviside(const Tensor& x, const Tensor& values) {
    if (x.dtype() != values.dtype())
        fail("heaviside is not yet implemented for tensors with different dtypes.");
}
}  // namespace

Tensor heaviside_of(const Tensor& x, const Tensor& values) {
    check_heaviside(x, values);
    return integer_binary(Integer::Heaviside, x, values);
}
const Tensor& heaviside_of_(const Tensor& x, const Tensor& values) {
    check_heaviside(x, values);
    return integer_in_place(Integer::Heaviside, x, values);
}

Tensor isreal(const Tensor& x) { return full(x.sizes(), true, DType::Bool); }

}  // namespace tapegrad
