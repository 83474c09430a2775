#include "ops/sampling.h"

#include <limits>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/pointwise.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/softmax.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

TAPEGRAD_WORD(standard_gamma_grad)
TAPEGRAD_WORD(dirichlet_grad)

struct Binomial {
    static constexpr auto node = "BinomialBackward0";
    static constexpr std::array arguments{"count", "prob"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return underivable(g, "binomial: count"); },
                         [=] { return underivable(g, "binomial: prob"); });
    }
};
struct StandardGamma {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "StandardGammaBackward0";
    auto backward(auto g, auto shape, auto y) const { return g * standard_gamma_grad(shape, y); }
};
struct SampleDirichlet {
    static constexpr auto node = "SampleDirichletBackward0";
    auto backward(auto g, auto alpha, auto y) const {
        auto total = sum(alpha, Dims{-1}, true);
        return dirichlet_grad(y, alpha, total) * (g - sum(g * y, Dims{-1}, true));
    }
};
struct StandardGammaGrad {
    static constexpr auto node = "StandardGammaGradBackward0";
    static constexpr std::array arguments{"self", "output"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return underivable(g, "_standard_gamma_grad: self"); },
                         [=] { return underivable(g, "_standard_gamma_grad: output"); });
    }
};
struct DirichletGrad {
    static constexpr auto node = "DirichletGradBackward0";
    static constexpr std::array arguments{"x", "alpha", "total"};
    auto backward(auto g, auto, auto, auto, auto) const {
        return gradients([=] { return underivable(g, "_dirichlet_grad: x"); },
                         [=] { return underivable(g, "_dirichlet_grad: alpha"); },
                         [=] { return underivable(g, "_dirichlet_grad: total"); });
    }
};

Tensor in_doubles(const Tensor& x) { return contiguous_values(x, DType::Float64); }

// One variate for each parameter, which are doubles, as doubles.
Tensor draw_each(kernels::SampleFn sample, const Tensor& a, const Tensor* b, Generator& generator) {
    Tensor out = empty(a.sizes(), DType::Float64);
    launch(drawing([sample, n = a.numel(), numbers = Ref<Generator>(&generator)](
                       const double* first, const double* second, double* to) {
               const Generator::State state = numbers->reserve(static_cast<uint64_t>(n));
               if (n > 0) sample(first, second, to, n, state.seed, state.offset);
           }),
           a.data<double>(), b ? b->data<double>() : nullptr, out.data<double>());
    return out;
}

// The smallest normal number, and the last number before 1: densities are finite there.
double smallest_number(DType dtype) {
    return visit_dtype(
        dtype, []<class T>() { return static_cast<double>(std::numeric_limits<T>::min()); });
}
double last_before_one(DType dtype) {
    return visit_dtype(dtype, []<class T>() {
        return 1 - static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
    });
}

}  // namespace

Tensor poisson(const Tensor& rates, Generator& generator) {
    if (!rates.is_floating()) refuse_dtype("poisson_cpu", rates.dtype());
    const Tensor values = in_doubles(rates);
    launch(checking([n = values.numel()](const double* rate) {
               for (int64_t i = 0; i < n; ++i)
                   if (!(rate[i] >= 0))
                       fail("invalid Poisson rate, expected rate to be non-negative");
           }),
           values.data<double>());
    const Tensor drawn = draw_each(kernel_table().random.poisson, values, nullptr, generator);
    return recorded(cast_values(drawn, rates.dtype()), Overwritten{"PoissonBackward0"}, rates);
}

Tensor binomial(const Tensor& count, const Tensor& p, Generator& generator) {
    const auto check = [](const Tensor& x, const char* name) {
        if (!x.is_floating())
            fail<ValueError>("binomial only supports floating-point dtypes for ", name,
                             ", got: ", scalar_type_name(x.dtype()));
    };
    check(count, "count");
    check(p, "prob");
    if (p.dtype() != count.dtype())
        fail("Found dtype ", scalar_type_name(p.dtype()), " but expected ",
             scalar_type_name(count.dtype()));
    const Dims shape = broadcast(count.sizes(), p.sizes());
    Tensor trials, chances;
    {
        GradMode off(false);
        trials = in_doubles(expand(count, shape));
        chances = in_doubles(expand(p, shape));
    }
    const Tensor drawn = draw_each(kernel_table().random.binomial, trials, &chances, generator);
    return recorded(cast_values(drawn, count.dtype()), Binomial{}, count, p);
}

Tensor standard_gamma(const Tensor& shapes, Generator& generator) {
    if (!shapes.is_floating()) refuse_dtype("gamma_cpu", shapes.dtype());
    Tensor result;
    {
        GradMode off(false);
        const Tensor logs =
            draw_each(kernel_table().random.log_gamma, in_doubles(shapes), nullptr, generator);
        const Arg least(smallest_number(shapes.dtype()));
        result = cast_values(clamp(exp(logs), &least, nullptr), shapes.dtype());
    }
    return recorded(std::move(result), StandardGamma{}, shapes);
}

Tensor sample_dirichlet(const Tensor& concentrations, Generator& generator) {
    const DType dtype = concentrations.dtype();
    if (!is_floating(dtype)) refuse_dtype("dirichlet", dtype);
    Tensor result;
    {
        GradMode off(false);
        const Tensor logs = draw_each(kernel_table().random.log_gamma, in_doubles(concentrations),
                                      nullptr, generator);
        const Arg least(smallest_number(dtype)), most(last_before_one(dtype));
        result = cast_values(clamp(softmax(logs, -1), &least, &most), dtype);
    }
    return recorded(std::move(result), SampleDirichlet{}, concentrations);
}

Tensor standard_gamma_grad(const Tensor& shape, const Tensor& x) {
    const DType dtype = compute_type(shape, x, Domain::FloatOnly);
    return recorded(pointwise(Pointwise::GammaSlope, {&shape, &x}, dtype), StandardGammaGrad{},
                    shape, x);
}

Tensor dirichlet_grad(const Tensor& x, const Tensor& concentration, const Tensor& total) {
    const DType dtype = compute_type(x, concentration, Domain::FloatOnly);
    return recorded(pointwise(Pointwise::BetaSlope, {&x, &concentration, &total}, dtype),
                    DirichletGrad{}, x, concentration, total);
}

}  // namespace tapegrad
