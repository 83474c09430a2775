#include "ops/random.h"

#include "ops/factories.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

Tensor bernoulli_of(const Tensor& x, std::optional<double> p, Generator& generator) {
    return TensorOptions().finish(p ? bernoulli(x, *p, generator) : bernoulli(x, generator));
}
Tensor multinomial_of(const Tensor& weights, int64_t count, bool replacement,
                      Generator& generator) {
    return TensorOptions().finish(multinomial(weights, count, replacement, generator));
}

// Normal numbers around the values of a tensor, or with deviations from one.
Tensor normal_around(const Tensor& mean, const Arg& deviation, Generator& generator) {
    return TensorOptions().finish(normal(mean, deviation, generator));
}
Tensor normal_with(double mean, const Tensor& deviation, Generator& generator) {
    return TensorOptions().finish(normal(mean, deviation, generator));
}

}  // namespace

void bind_random(PyObject* m) {
    def_function<"rand">(m, factories::rand);
    def_function<"randn">(m, factories::randn);
    def_function<"rand_like">(m, factories::rand_like).without_out();
    def_function<"randn_like">(m, factories::randn_like).without_out();
    def_function<"randint">(m, factories::randint_to, factories::randint);
    def_function<"randint_like">(m, factories::randint_like_to, factories::randint_like)
        .without_out();
    def_function<"randperm">(m, factories::randperm);
    def_function<"normal">(m, normal_around, normal_with, normal_with, factories::normal);
    def<"bernoulli">(m, bernoulli_of);
    def<"multinomial">(m, multinomial_of).out_has(kSameType);
    def_method<"uniform_">(m, uniform_);
    def_method<"normal_">(m, normal_);
    def_method<"exponential_">(m, exponential_);
    def_method<"geometric_">(m, geometric_);
    def_method<"cauchy_">(m, cauchy_);
    def_method<"log_normal_">(m, log_normal_);
    def_method<"bernoulli_">(m, bernoulli_);
    def_method<"random_">(
        m, overload<const Tensor&(const Tensor&, Generator&)>(random_),
        [](const Tensor& x, int64_t to, Generator& generator) -> const Tensor& {
            return random_(x, 0, to, generator);
        },
        overload<const Tensor&(const Tensor&, int64_t, int64_t, Generator&)>(random_));
}

}  // namespace tapegrad::python
