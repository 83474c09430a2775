#include "ops/creation.h"

#include <cmath>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

constexpr int64_t kGrain = 32768;

[[noreturn]] void refuse_direction() {
    fail("upper bound and lower bound inconsistent with step sign");
}

template <class T> void check_direction(T start, T end, T step) {
    if (!(step > 0 || step < 0)) fail("step must be nonzero");
    if constexpr (std::is_floating_point_v<T>)
        if (!std::isfinite(start) || !std::isfinite(end))
            fail("unsupported range: ", start, " -> ", end);
    if (step > 0 ? start > end : start < end) refuse_direction();
}

// How often a step fits between two numbers, and whether something is left; no difference of int64 values
// overflows here.
struct WholeSteps {
    uint64_t count;
    bool rest;
    WholeSteps(int64_t start, int64_t end, int64_t step) {
        const uint64_t distance =
            step > 0 ? uint64_t(end) - uint64_t(start) : uint64_t(start) - uint64_t(end);
        const uint64_t width = step > 0 ? uint64_t(step) : 0 - uint64_t(step);
        count = distance / width;
        rest = distance % width != 0;
    }
};

int64_t integer_count(int64_t start, int64_t end, int64_t step) {
    if (start == end) return 0;
    if (step == 0) fail<ValueError>("step must be nonzero");  // its fraction was cut off
    const WholeSteps steps(start, end, step);
    const uint64_t count = steps.count + steps.rest;
    if (count > uint64_t(INT64_MAX)) fail("invalid size, possible overflow?");
    return static_cast<int64_t>(count);
}

int64_t real_count(double start, double end, double step) {
    const double count = std::ceil((end - start) / step);
    if (!(count >= 0 && count < 9223372036854775808.0)) fail("invalid size, possible overflow?");
    return static_cast<int64_t>(count);
}

// start, start + step, ...; integers wrap, floats are rounded once.
Tensor progression(const Scalar& start, const Scalar& step, int64_t count, DType dtype) {
    Tensor out = empty({count}, dtype);
    visit_dtype(dtype, [&]<class T>() {
        launch(
            [=](T* to) {
                parallel_for(count, kGrain, [&](int64_t begin, int64_t finish) {
                    if constexpr (is_floating_type<T>) {
                        const double first = start.to_double(), width = step.to_double();
                        for (int64_t i = begin; i < finish; ++i)
                            to[i] = static_cast<T>(first + width * static_cast<double>(i));
                    } else {
                        const uint64_t first = static_cast<uint64_t>(start.to_int()),
                                       width = static_cast<uint64_t>(step.to_int());
                        for (int64_t i = begin; i < finish; ++i)
                            to[i] = static_cast<T>(first + width * static_cast<uint64_t>(i));
                    }
                });
            },
            out.data<T>());
    });
    return out;
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype) {
    if (dtype == DType::Bool) refuse_dtype("arange_cpu", dtype);
    bool fractions = false;
    for (const Scalar* number : {&start, &end, &step})
        fractions = fractions || number->is_floating() || number->is_large();
    if (fractions) check_direction(start.to_double(), end.to_double(), step.to_double());
    else check_direction(start.to_int(), end.to_int(), step.to_int());
    if (!is_floating(dtype))
        for (const Scalar* number : {&start, &end, &step}) check_convertible(*number, DType::Int64);
    // As in PyTorch int64 cuts fractions off first, and smaller integers count the steps before that.
    const int64_t count = !fractions || dtype == DType::Int64
                              ? integer_count(start.to_int(), end.to_int(), step.to_int())
                              : real_count(start.to_double(), end.to_double(), step.to_double());
    return progression(start, step, count, dtype);
}

Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype) {
    if (dtype == DType::Bool) refuse_dtype("range_cpu", dtype);
    check_direction(start.to_double(), end.to_double(), step.to_double());
    if (is_floating(dtype)) {
        const double steps = std::floor((end.to_double() - start.to_double()) / step.to_double());
        if (!(steps < 0x1p62)) fail("invalid size, possible overflow?");
        return progression(start, step, static_cast<int64_t>(steps) + 1, dtype);
    }
    for (const Scalar* number : {&start, &end, &step}) check_convertible(*number, DType::Int64);
    // With the end, where a step leads there.
    const int64_t first = start.to_int(), last = end.to_int(), width = step.to_int();
    if (width == 0) fail("step must be nonzero");  // its fraction was cut off
    if (width > 0 ? first > last : first < last) refuse_direction();
    const uint64_t steps = WholeSteps(first, last, width).count;
    if (steps >= uint64_t(INT64_MAX)) fail("invalid size, possible overflow?");
    return progression(start, step, static_cast<int64_t>(steps) + 1, dtype);
}

Tensor linspace(const Scalar& start_given, const Scalar& end_given, int64_t steps, DType dtype) {
    if (steps < 0) fail("number of steps must be non-negative");
    if (dtype == DType::Bool) refuse_dtype("linspace_cpu", dtype);
    // Of no values there is no end, and of one no second.
    const Scalar start = steps > 0 ? start_given.as(dtype) : 0,
                 end = steps > 1 ? end_given.as(dtype) : start;
    Tensor out = empty({steps}, dtype);
    const double first = start.to_double(), last = end.to_double();
    const double width = steps > 1 ? (last - first) / static_cast<double>(steps - 1) : 0;
    visit_dtype(dtype, [&]<class T>() {
        launch(
            [=](T* to) {
                parallel_for(steps, kGrain, [&](int64_t begin, int64_t finish) {
                    // From both ends towards the middle: the values are symmetric and the ends exact.
                    for (int64_t i = begin; i < finish; ++i)
                        to[i] =
                            static_cast<T>(i < (steps + 1) / 2
                                               ? first + width * static_cast<double>(i)
                                               : last - width * static_cast<double>(steps - 1 - i));
                });
                if (steps > 1) {  // also where integers have more digits than a double
                    to[0] = start.to<T>();
                    to[steps - 1] = end.to<T>();
                }
            },
            out.data<T>());
    });
    return out;
}

Tensor eye(int64_t rows, int64_t columns, DType dtype) {
    if (rows < 0) fail("n must be greater or equal to 0, got ", rows);
    if (columns < 0) fail("m must be greater or equal to 0, got ", columns);
    Tensor out = zeros({rows, columns}, dtype);
    const int64_t count = rows < columns ? rows : columns;
    visit_dtype(dtype, [&]<class T>() {
        launch(
            [count, columns](T* to) {
                for (int64_t i = 0; i < count; ++i) to[i * (columns + 1)] = T(1);
            },
            out.data<T>());
    });
    return out;
}

}  // namespace tapegrad
