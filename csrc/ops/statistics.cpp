#include "ops/statistics.h"

#include <limits>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/scans.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// ------------------------------------------------------------------------------- covariances

namespace {

void check_weights(const char* name, const Tensor& weights, bool integral, int64_t observations) {
    if (weights.dim() > 1)
        fail("cov(): expected ", name, " to have one or fewer dimensions but got ", name, " with ",
             weights.dim(), " dimensions");
    const bool fits = integral ? is_integral(weights.dtype()) : weights.is_floating();
    if (!fits)
        fail("cov(): expected ", name, " to have ", integral ? "integral" : "floating point",
             " dtype but got ", name, " with ", scalar_type_name(weights.dtype()), " dtype");
    if (weights.numel() != observations)
        fail("cov(): expected ", name,
             " to have the same numel as there are observations in the input but got ",
             weights.numel(), " != ", observations);
    const GradMode off(false);
    require_all(logical_not(weights < 0), [name] { fail("cov(): ", name, " cannot be negative"); });
}

double number_of(const Tensor& x) { return to_number(x).to_double(); }

}  // namespace

Tensor cov(const Tensor& x_given, int64_t correction, const std::optional<Tensor>& fweights,
           const std::optional<Tensor>& aweights) {
    if (x_given.dim() > 2)
        fail("cov(): expected input to have two or fewer dimensions but got an input with ",
             x_given.dim(), " dimensions");
    if (x_given.dtype() == DType::Bool) fail("cov(): bool dtype is not supported for input");
    const Tensor wide = x_given.is_floating() ? x_given : to_dtype(x_given, default_float_type);
    const Tensor x = wide.dim() < 2 ? reshape(wide, {1, wide.numel()}) : wide;
    const int64_t observations = x.sizes()[1];
    if (fweights) check_weights("fweights", *fweights, true, observations);
    if (aweights) check_weights("aweights", *aweights, false, observations);
    const bool weighted = fweights || aweights;
    const Tensor w = !weighted              ? Tensor()
                     : fweights && aweights ? *fweights * *aweights
                     : fweights             ? *fweights
                                            : *aweights;
    const auto scaled = [&](const Tensor& t) { return weighted ? t * w : t; };
    Tensor total = weighted ? sum(w, {}) : scalar_tensor(observations, DType::Int64);
    {
        const GradMode off(false);
        if (weighted && number_of(total) == 0)
            fail("cov(): weights sum to zero, can't be normalized");
    }
    const Tensor mean = sum(scaled(x), {1}) / total;
    // What the squares are divided by: fewer than the observations, as their mean is taken from them.
    Tensor divisor = aweights && correction != 0
                         ? total - (correction * sum(w * *aweights, {})) / total
                         : total - correction;
    const bool too_few =
        weighted ? number_of(detach(divisor)) <= 0 : observations - correction <= 0;
    if (too_few) {
        warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "number of observations.");
        divisor = zeros_like(divisor);
    }
    const Tensor centred = x - unsqueeze(mean, 1);
    const Tensor products = mm(centred, to_dtype(t(scaled(centred)), centred.dtype()));
    return squeeze(products / divisor);
}

Tensor corrcoef(const Tensor& x) {
    if (x.dim() > 2)
        fail("corrcoef(): expected input to have two or fewer dimensions but got an input with ",
             x.dim(), " dimensions");
    const Tensor c = cov(x, 1, {}, {});
    if (c.dim() == 0) return c / c;
    const Tensor deviation = sqrt(diagonal(c, 0, 0, 1));
    const Tensor scaled = c / unsqueeze(deviation, -1) / unsqueeze(deviation, 0);
    // Rounding may lead out of the range.
    const Arg low(-1), high(1);
    return clamp(scaled, &low, &high);
}

// ------------------------------------------------------------------------------- trapezoids

namespace {

void check_samples(const char* name, const Tensor& y, const Tensor* x) {
    if (y.dtype() == DType::Bool)
        fail(name, ": received a bool input for `y`, but bool is not supported");
    if (x && x->dtype() == DType::Bool)
        fail(name, ": received a bool input for `x`, but bool is not supported");
}

// The differences of neighbouring places, so that they broadcast with y.
Tensor steps(const char* name, const Tensor& y, const Tensor& x, int64_t dim) {
    Tensor places = x;
    if (x.dim() == 1) {
        if (x.numel() != y.size(dim))
            fail(name, ": There must be one `x` value for each sample point");
        Dims sizes(y.dim(), 1);
        sizes[wrap_dim(dim, y.dim())] = x.numel();
        places = reshape(x, sizes);
    } else if (x.dim() < y.dim()) {
        Dims sizes(y.dim() - x.dim(), 1);
        for (int64_t size : x.sizes()) sizes.push_back(size);
        places = reshape(x, sizes);
    }
    constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
    return slice(places, dim, 1, kEnd, 1) - slice(places, dim, 0, -1, 1);
}

Tensor neighbours(const Tensor& y, int64_t dim) {
    constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
    return slice(y, dim, 0, -1, 1) + slice(y, dim, 1, kEnd, 1);
}

// Without samples the area is zero, of no dimension at all an error.
bool has_none(const Tensor& y, int64_t dim) { return y.size(dim) == 0; }
Tensor nothing(const Tensor& y, int64_t dim) {
    Dims sizes = y.sizes();
    sizes.erase(wrap_dim(dim, y.dim()));
    return zeros(sizes, y.dtype());
}

}  // namespace

Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
    dim = wrap_dim(dim, y.dim(), false);  // a dimension of y, also where x has more
    if (has_none(y, dim)) return nothing(y, dim);
    check_samples("trapezoid", y, &x);
    return sum(neighbours(y, dim) * steps("trapezoid", y, x, dim), {dim}) / Arg(2.0);
}

Tensor trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
    if (has_none(y, dim)) return nothing(y, dim);
    check_samples("trapezoid", y, nullptr);
    return (sum(y, {dim}) * Arg(2) - select(y, dim, 0) - select(y, dim, -1)) *
           Arg(dx.to_double() / 2);
}

Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
    check_samples("cumulative_trapezoid", y, &x);
    dim = wrap_dim(dim, y.dim(), false);
    return cumsum(steps("cumulative_trapezoid", y, x, dim) * neighbours(y, dim) / Arg(2.0), dim,
                  {});
}

Tensor cumulative_trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
    check_samples("cumulative_trapezoid", y, nullptr);
    return cumsum(neighbours(y, dim) * Arg(dx.to_double() / 2), dim, {});
}

}  // namespace tapegrad
