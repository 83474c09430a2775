#include "ops/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/overlap.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

using kernels::counters_used;
using State = Generator::State;

const kernels::RandomKernels& random_kernels() { return kernel_table().random; }

// Calls draw(memory, n, state) for contiguous memory that becomes the content of x.
template <class F> void fill_random(const Tensor& x, Generator& generator, F draw) {
    const int64_t n = x.numel();
    const Tensor target = x.is_contiguous() ? x : empty(x.sizes(), x.dtype());
    launch(drawing([n, draw, numbers = Ref<Generator>(&generator)](void* to) {
               const State state = numbers->reserve(counters_used(n));
               if (n > 0) draw(to, n, state);
           }),
           target.data());
    if (!target.is_same(x)) copy_values(x, target);
}

// Random values do not depend on what was there, nor smoothly on a probability.
struct DrawnEach {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "BernoulliBackward1";
    static constexpr std::array arguments{"self", "p"};
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=] { return zero_like(g); }, [=] { return zero_like(g); });
    }
};

void check_uniform(DType dtype, double low, double high) {
    if (!is_floating(dtype)) refuse_dtype("check_uniform_bounds", dtype);
    const double largest = visit_dtype(
        dtype, []<class T>() { return static_cast<double>(std::numeric_limits<T>::max()); });
    if (!(std::abs(low) <= largest)) fail("from is out of bounds for ", cpp_type_name(dtype));
    if (!(std::abs(high) <= largest)) fail("to is out of bounds for ", cpp_type_name(dtype));
    if (!(low <= high))
        fail("uniform_ expects to return a [from, to) range, but found from=", low, " > to=", high);
    if (!(high - low <= largest))
        fail("uniform_ expects to-from <= std::numeric_limits<", scalar_type_name(dtype),
             ">::max(), but found to=", high, " and from=", low,
             " which result in to-from to exceed the limit");
}

void check_normal(DType dtype, double deviation) {
    if (!(deviation >= 0)) fail("normal expects std >= 0.0, but found std ", deviation);
    if (!is_floating(dtype)) refuse_dtype("normal_kernel_cpu", dtype);
}

void check_integers(DType dtype, int64_t low, int64_t high) {
    if (low >= high)
        fail("random_ expects 'from' to be less than 'to', but got from=", low, " >= to=", high);
    visit_dtype(dtype, [&]<class T>() {
        if constexpr (sizeof(T) < 4 || std::is_same_v<T, int32_t>) {
            if constexpr (std::is_same_v<T, BFloat16>) return;  // holds, or nearly, what int64 does
            const auto smallest = static_cast<double>(std::numeric_limits<T>::lowest()),
                       largest = static_cast<double>(std::numeric_limits<T>::max());
            if (low < smallest || low > largest)
                fail("from is out of bounds for ", cpp_type_name(dtype));
            if (high - 1 > largest) fail("to - 1 is out of bounds for ", cpp_type_name(dtype));
        }
    });
}

// The last integer up to which a type holds all.
template <class T> constexpr int64_t last_integer() {
    if constexpr (is_floating_type<T>) return int64_t{1} << std::numeric_limits<T>::digits;
    else return static_cast<int64_t>(std::numeric_limits<T>::max());
}

void check_probability(double p) {
    if (!(p >= 0 && p <= 1)) fail("bernoulli_ expects p to be in [0, 1], but got p=", p);
}

void check_probabilities(const Tensor& p) {
    if (!p.is_floating()) refuse_dtype("bernoulli_tensor_cpu_p_", p.dtype());
    const Tensor values = contiguous_values(p);
    visit_dtype(p.dtype(), [&]<class T>() {
        launch(checking([n = values.numel()](const T* data) {
                   bool inside = true;
                   for (int64_t i = 0; i < n; ++i) inside &= data[i] >= T(0) && data[i] <= T(1);
                   if (!inside) fail("Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
               }),
               values.data<T>());
    });
}

// What takes two parameters, or one and 0.
void fill_by(const kernels::DTypeTable<kernels::RandomFn>& table, const Tensor& x, double a,
             double b, Generator& generator) {
    fill_random(x, generator,
                [=, draw = table[x.dtype()]](void* out, int64_t n, const State& state) {
                    draw(out, n, state.seed, state.offset, a, b);
                });
}

void fill_integers(const Tensor& x, int64_t low, int64_t high, Generator& generator) {
    const auto randint = random_kernels().randint[x.dtype()];
    fill_random(x, generator, [=](void* out, int64_t n, const State& state) {
        randint(out, n, state.seed, state.offset, low, high);
    });
}

// Draws in the type of the probabilities, which have the shape of the result.
Tensor draw_each(const Tensor& p, Generator& generator) {
    const Tensor values = contiguous_values(p);
    const Tensor out = empty(p.sizes(), p.dtype());
    launch(drawing([n = p.numel(), numbers = Ref<Generator>(&generator),
                    draw = random_kernels().bernoulli_each[p.dtype()]](const void* each, void* to) {
               const State state = numbers->reserve(counters_used(n));
               if (n > 0) draw(each, to, n, state.seed, state.offset);
           }),
           values.data(), out.data());
    return out;
}

template <class Write> const Tensor& in_place(const Tensor& x, const char* node, Write write) {
    const InPlace change(x);
    refuse_internal_overlap(x);
    return change.apply(Overwritten{node}, write);
}
const Tensor& drawn_in_place(const Tensor& x, const char* node,
                             const kernels::DTypeTable<kernels::RandomFn>& table, double a,
                             double b, Generator& generator) {
    return in_place(x, node, [&] { fill_by(table, x, a, b, generator); });
}

void check_positive(const char* function, const char* parameter, double value) {
    if (!(value > 0))
        fail(function, " expects ", parameter, " > 0.0, but found ", parameter, "=", value);
}
void check_continuous(DType dtype, const char* distribution) {
    if (!is_floating(dtype))
        fail(distribution,
             " distribution is a continuous probability distribution. dtype must be a floating "
             "point but you specified ",
             scalar_type_name(dtype));
}

}  // namespace

// ------------------------------------------------------------------------------- fresh tensors

Tensor rand(const Dims& sizes, DType dtype, Generator& generator) {
    check_uniform(dtype, 0, 1);
    Tensor out = empty(sizes, dtype);
    fill_by(random_kernels().uniform, out, 0, 1, generator);
    return out;
}

Tensor randn(const Dims& sizes, DType dtype, Generator& generator) {
    return normal(0, 1, sizes, dtype, generator);
}

Tensor normal(double mean, double deviation, const Dims& sizes, DType dtype, Generator& generator) {
    check_normal(dtype, deviation);
    Tensor out = empty(sizes, dtype);
    fill_by(random_kernels().normal, out, mean, deviation, generator);
    return out;
}

Tensor normal(const Arg& mean, const Arg& deviation, Generator& generator) {
    GradMode off(false);
    if (!deviation.is_tensor()) {
        check_normal(DType::Float32, deviation.scalar().to_double());
    } else {
        const Tensor values = contiguous_values(deviation, DType::Float64);
        launch(checking([n = values.numel()](const double* given) {
                   for (int64_t i = 0; i < n; ++i)
                       if (!(given[i] >= 0)) fail("normal expects all elements of std >= 0.0");
               }),
               values.data<double>());
    }
    const Tensor zero = scalar_tensor(0.0, DType::Float32);
    const Tensor& first = mean.is_tensor() ? mean.tensor() : zero;
    const Tensor& second = deviation.is_tensor() ? deviation.tensor() : zero;
    const DType dtype = mean.is_tensor() && deviation.is_tensor() ? result_type(mean, deviation)
                        : mean.is_tensor()                        ? first.dtype()
                                                                  : second.dtype();
    const Tensor out = randn(broadcast(first.sizes(), second.sizes()), dtype, generator);
    binary_in_place(Binary::Mul, out, deviation);
    binary_in_place(Binary::Add, out, mean);
    return out;
}

Tensor randint(int64_t low, int64_t high, const Dims& sizes, DType dtype, Generator& generator) {
    check_integers(dtype, low, high);
    Tensor out = empty(sizes, dtype);
    fill_integers(out, low, high, generator);
    return out;
}

Tensor randperm(int64_t n, DType dtype, Generator& generator) {
    const Tensor out = empty({n}, DType::Int64);
    const int64_t last = visit_dtype(dtype, []<class T>() -> int64_t { return last_integer<T>(); });
    if (dtype == DType::Bool) refuse_dtype("randperm", dtype);
    if (n - 1 > last)
        fail("n is too large for result tensor type: '", scalar_type_name(dtype), "'");
    fill_random(out, generator, [](void* to, int64_t count, const State& state) {
        random_kernels().permutation(static_cast<int64_t*>(to), count, state.seed, state.offset);
    });
    return cast_values(out, dtype);
}

Tensor bernoulli(const Tensor& x, Generator& generator) {
    check_probabilities(x);
    return recorded(draw_each(x, generator), Overwritten{"BernoulliBackward0"}, x);
}

Tensor bernoulli(const Tensor& x, double p, Generator& generator) {
    check_probability(p);
    Tensor out = empty(x.sizes(), x.dtype());
    fill_by(random_kernels().bernoulli, out, p, 0, generator);
    return out;
}

// ------------------------------------------------------------------------------------ in place

const Tensor& uniform_(const Tensor& x, double low, double high, Generator& generator) {
    check_uniform(x.dtype(), low, high);
    return drawn_in_place(x, "UniformBackward0", random_kernels().uniform, low, high, generator);
}

const Tensor& normal_(const Tensor& x, double mean, double deviation, Generator& generator) {
    check_normal(x.dtype(), deviation);
    return drawn_in_place(x, "NormalBackward0", random_kernels().normal, mean, deviation,
                          generator);
}

const Tensor& exponential_(const Tensor& x, double rate, Generator& generator) {
    check_positive("exponential_", "lambda", rate);
    check_continuous(x.dtype(), "Exponential");
    return drawn_in_place(x, "ExponentialBackward0", random_kernels().exponential, rate, 0,
                          generator);
}

const Tensor& cauchy_(const Tensor& x, double median, double spread, Generator& generator) {
    check_positive("cauchy_", "sigma", spread);
    check_continuous(x.dtype(), "Cauchy");
    return drawn_in_place(x, "CauchyBackward0", random_kernels().cauchy, median, spread, generator);
}

const Tensor& log_normal_(const Tensor& x, double mean, double deviation, Generator& generator) {
    check_positive("log_normal_", "std", deviation);
    if (!x.is_floating()) refuse_dtype("log_normal_cpu", x.dtype());
    return in_place(x, "LogNormalBackward0", [&] {
        GradMode off(false);
        copy_values(x, exp(normal(mean, deviation, x.sizes(), x.dtype(), generator)));
    });
}

const Tensor& geometric_(const Tensor& x, double p, Generator& generator) {
    if (!(p > 0 && p < 1)) fail("geometric_ expects p to be in (0, 1), but got p=", p);
    return drawn_in_place(x, "GeometricBackward0", random_kernels().geometric, p, 0, generator);
}

const Tensor& random_(const Tensor& x, int64_t low, int64_t high, Generator& generator) {
    check_integers(x.dtype(), low, high);
    return in_place(x, "RandomBackward0", [&] { fill_integers(x, low, high, generator); });
}

const Tensor& random_(const Tensor& x, Generator& generator) {
    const int64_t high =
        visit_dtype(x.dtype(), []<class T>() { return saturating_add(last_integer<T>(), 1); });
    return in_place(x, "RandomBackward2", [&] { fill_integers(x, 0, high, generator); });
}

const Tensor& bernoulli_(const Tensor& x, const Arg& p, Generator& generator) {
    if (!p.is_tensor()) {
        const double probability = p.scalar().to_double();
        check_probability(probability);
        return drawn_in_place(x, "BernoulliBackward2", random_kernels().bernoulli, probability, 0,
                              generator);
    }
    const InPlace change(x, p);
    refuse_internal_overlap(x);
    refuse_partial_overlap(x, p.tensor());
    check_probabilities(p.tensor());
    Tensor each;
    {
        GradMode off(false);
        each = expand(p.tensor(), x.sizes());
    }
    const auto write = [&] { copy_values(x, draw_each(each, generator)); };
    if (!x.is_floating()) return change.apply(Ref<Node>(), write);
    return change.apply(DrawnEach{}, write, p);
}

// --------------------------------------------------------------------------------- multinomial

namespace {

// The weights of one row as running sums; raises where they are no distribution.
void running_sums(const double* weights, int64_t categories, std::vector<double>& sums) {
    double total = 0;
    for (int64_t i = 0; i < categories; ++i) {
        if (!(weights[i] >= 0) || std::isinf(weights[i]))
            fail("probability tensor contains either `inf`, `nan` or element < 0");
        sums[static_cast<size_t>(i)] = total += weights[i];
    }
    if (!(total > 0)) fail("invalid multinomial distribution (sum of probabilities <= 0)");
}

void draw_with_replacement(const double* uniform, const std::vector<double>& sums, int64_t* out,
                           int64_t count) {
    // The first sum that is as large as the total: rounding must not lead past it.
    const auto end = std::lower_bound(sums.begin(), sums.end(), sums.back());
    for (int64_t i = 0; i < count; ++i)
        out[i] = std::upper_bound(sums.begin(), end, uniform[i] * sums.back()) - sums.begin();
}

// Exponential arrival times with the weights as rates: the first to arrive are the draws, in order.
void draw_without_replacement(const double* uniform, const double* weights, int64_t categories,
                              int64_t* out, int64_t count) {
    std::vector<std::pair<double, int64_t>> arrivals;
    for (int64_t i = 0; i < categories; ++i) {
        const double time = weights[i] > 0 ? -std::log1p(-uniform[i]) / weights[i]
                                           : std::numeric_limits<double>::infinity();
        arrivals.emplace_back(time, i);
    }
    std::partial_sort(arrivals.begin(), arrivals.begin() + count, arrivals.end());
    for (int64_t i = 0; i < count; ++i) out[i] = arrivals[static_cast<size_t>(i)].second;
}

}  // namespace

Tensor multinomial(const Tensor& weights, int64_t count, bool replacement, Generator& generator) {
    if (!weights.is_floating())
        fail("multinomial only supports floating-point dtypes for input, got: ",
             scalar_type_name(weights.dtype()));
    if (weights.dim() != 1 && weights.dim() != 2) fail("prob_dist must be 1 or 2 dim");
    if (count <= 0) fail("cannot sample n_sample <= 0 samples");
    const int64_t categories = weights.sizes().back(),
                  rows = weights.dim() == 2 ? weights.sizes()[0] : 1;
    if (!replacement && count > categories)
        fail("cannot sample n_sample > prob_dist.size(-1) samples without replacement");
    const Tensor values = contiguous_values(weights, DType::Float64);
    Dims sizes = weights.sizes();
    sizes[sizes.size() - 1] = count;
    Tensor out = empty(sizes, DType::Int64);
    if (rows > 0 && categories == 0)
        fail("invalid multinomial distribution (sum of probabilities <= 0)");
    launch(checking([=](const double* all) {
               std::vector<double> sums(static_cast<size_t>(rows > 0 ? categories : 0));
               for (int64_t row = 0; row < rows; ++row)
                   running_sums(all + row * categories, categories, sums);
           }),
           values.data<double>());
    const int64_t drawn = replacement ? count : categories;
    const Tensor uniform = rand({rows, drawn}, DType::Float64, generator);
    launch(
        [=](const double* all, const double* random, int64_t* chosen) {
            std::vector<double> sums(static_cast<size_t>(rows > 0 ? categories : 0));
            for (int64_t row = 0; row < rows; ++row) {
                const double* row_weights = all + row * categories;
                const double* numbers = random + row * drawn;
                int64_t* to = chosen + row * count;
                if (replacement) {
                    running_sums(row_weights, categories, sums);
                    draw_with_replacement(numbers, sums, to, count);
                } else {
                    draw_without_replacement(numbers, row_weights, categories, to, count);
                }
            }
        },
        values.data<double>(), uniform.data<double>(), out.data<int64_t>());
    return out;
}

// --------------------------------------------------------------------------------------- state

Tensor generator_state(const Generator& generator) {
    refuse_replay("the state of a random generator, as a tensor");
    Tensor state = empty({static_cast<int64_t>(sizeof(State))}, DType::UInt8);
    std::memcpy(state.data(), &generator.state(), sizeof(State));
    return state;
}

void set_generator_state(Generator& generator, const Tensor& state_given) {
    if (state_given.dtype() != DType::UInt8)
        fail<TypeError>("RNG state must be a tapegrad.ByteTensor");
    refuse_replay("the state of a random generator, which is set");
    const Tensor bytes = contiguous_values(state_given);
    if (bytes.numel() != static_cast<int64_t>(sizeof(State))) fail("RNG state is wrong size");
    State state;
    std::memcpy(&state, bytes.data(), sizeof(State));
    generator.set_state(state);
}

}  // namespace tapegrad
