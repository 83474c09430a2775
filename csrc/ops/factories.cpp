#include "ops/factories.h"

#include <cmath>

#include "autograd/grad_mode.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/offsets.h"
#include "ops/random.h"

namespace tapegrad::factories {
namespace {

Tensor filled(Tensor out, const Scalar& value, const TensorOptions& options) {
    fill_values(out, value);
    return options.finish(std::move(out));
}

Tensor uninitialised_like(const Tensor& x, const LikeOptions& options) {
    return tapegrad::empty_like(x, options.resolve(x.dtype()), options.format);
}

// Memory as it comes; but any byte is a number, and not any is a bool.
template <class Options> Tensor unset(Tensor out, const Options& options) {
    if (out.dtype() == DType::Bool) fill_values(out, 0);
    return options.finish(std::move(out));
}

Tensor full_of(const Dims& size, const Scalar& value, DType otherwise,
               const TensorOptions& options) {
    const DType dtype = options.resolve(otherwise);
    check_convertible(value, dtype);
    return options.finish(tapegrad::full(size, value, dtype));
}

}  // namespace

Tensor zeros(const Dims& size, const TensorOptions& options) {
    return filled(tapegrad::empty(size, options.resolve(default_float_type)), 0, options);
}
Tensor ones(const Dims& size, const TensorOptions& options) {
    return filled(tapegrad::empty(size, options.resolve(default_float_type)), 1, options);
}
Tensor empty(const Dims& size, const LikeOptions& options) {
    return unset(tapegrad::empty(size, options.resolve(default_float_type),
                                 options.format.value_or(MemoryFormat::Contiguous)),
                 options);
}
Tensor full(const Dims& size, const Scalar& value, const TensorOptions& options) {
    const DType dtype = value.is_floating() ? default_float_type : value.kind();
    return full_of(size, value, dtype, options);
}

Tensor zeros_like(const Tensor& x, const LikeOptions& options) {
    return filled(uninitialised_like(x, options), 0, options);
}
Tensor ones_like(const Tensor& x, const LikeOptions& options) {
    return filled(uninitialised_like(x, options), 1, options);
}
Tensor empty_like(const Tensor& x, const LikeOptions& options) {
    return unset(uninitialised_like(x, options), options);
}
Tensor full_like(const Tensor& x, const Scalar& value, const LikeOptions& options) {
    check_convertible(value, options.resolve(x.dtype()));
    return filled(uninitialised_like(x, options), value, options);
}

Tensor new_zeros(const Tensor& x, const Dims& size, const TensorOptions& options) {
    return filled(tapegrad::empty(size, options.resolve(x.dtype())), 0, options);
}
Tensor new_ones(const Tensor& x, const Dims& size, const TensorOptions& options) {
    return filled(tapegrad::empty(size, options.resolve(x.dtype())), 1, options);
}
Tensor new_empty(const Tensor& x, const Dims& size, const TensorOptions& options) {
    return unset(tapegrad::empty(size, options.resolve(x.dtype())), options);
}
Tensor new_full(const Tensor& x, const Dims& size, const Scalar& value,
                const TensorOptions& options) {
    return full_of(size, value, x.dtype(), options);
}

namespace {

Tensor strided(const Dims& size, const Dims& stride, DType otherwise,
               const TensorOptions& options) {
    const DType dtype = options.resolve(otherwise);
    if (size.size() != stride.size())
        fail("dimensionality of sizes (", size.size(), ") must match dimensionality of strides (",
             stride.size(), ")");
    for (int d = 0; d < size.size(); ++d) {
        if (size[d] < 0)
            fail("Trying to create tensor with negative dimension ", size[d], ": ",
                 to_string(size));
        if (stride[d] < 0) refuse_storage_size(size, stride);
    }
    const Tensor memory = tapegrad::empty({extent_of(size, stride)}, dtype);
    return unset(alias(memory, size, stride, 0), options);
}

}  // namespace

Tensor empty_strided(const Dims& size, const Dims& stride, const TensorOptions& options) {
    return strided(size, stride, default_float_type, options);
}
Tensor new_empty_strided(const Tensor& x, const Dims& size, const Dims& stride,
                         const TensorOptions& options) {
    return strided(size, stride, x.dtype(), options);
}

Tensor empty_permuted(const Dims& size, const Dims& physical_layout, const TensorOptions& options) {
    const int dim = size.size();
    if (physical_layout.size() != dim)
        fail(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            "len(size) = ",
            dim, " is not equal to len(physical_layout) = ", physical_layout.size());
    Dims outermost_first(dim), strides(dim, -1);
    for (int i = 0; i < dim; ++i) {
        const int64_t d = physical_layout[i];
        if (d < 0 || d >= dim)
            fail("Dimension out of range (expected to be between 0 and ", dim - 1, ", but got ", d,
                 " at index ", i,
                 ").  NB: negative dims not currently supported; file an issue if "
                 "you want it.");
        outermost_first[i] = size[static_cast<int>(d)];
    }
    const Dims dense = contiguous_strides(outermost_first);
    for (int i = 0; i < dim; ++i) {
        int64_t& stride = strides[static_cast<int>(physical_layout[i])];
        if (stride >= 0) fail("Duplicate dim not allowed");
        stride = dense[i];
    }
    return empty_strided(size, strides, options);
}

Tensor scalar_tensor(const Scalar& value, const TensorOptions& options) {
    return full_of({}, value, default_float_type, options);
}

Tensor range(const Scalar& start, const Scalar& end, const Scalar& step,
             const TensorOptions& options) {
    warn(
        "tapegrad.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use tapegrad.arange, which produces "
        "values in [start, end).");
    return options.finish(tapegrad::range(start, end, step, options.resolve(default_float_type)));
}

Tensor eye(int64_t rows, std::optional<int64_t> columns, const TensorOptions& options) {
    const DType dtype = options.resolve(default_float_type);
    return options.finish(tapegrad::eye(rows, columns.value_or(rows), dtype));
}

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step,
              const TensorOptions& options) {
    const bool floating = start.is_floating() || end.is_floating() || step.is_floating();
    const DType dtype = options.resolve(floating ? default_float_type : DType::Int64);
    return options.finish(tapegrad::arange(start, end, step, dtype));
}
Tensor arange_to(const Scalar& end, const TensorOptions& options) {
    return arange(0, end, 1, options);
}

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps,
                const TensorOptions& options) {
    const DType dtype = options.resolve(default_float_type);
    return options.finish(tapegrad::linspace(start, end, steps, dtype));
}

Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base,
                const TensorOptions& options) {
    const DType dtype = options.resolve(default_float_type);
    if (dtype == DType::Bool)
        fail<NotImplementedError>("\"logspace_cpu\" not implemented for 'Bool'");
    const GradMode off(false);
    const Tensor exponents =
        tapegrad::linspace(start.as(dtype), end.as(dtype), steps, DType::Float64);
    return options.finish(cast_values(binary(Binary::Pow, base, exponents), dtype));
}

Tensor rand(const Dims& size, Generator& generator, const TensorOptions& options) {
    return options.finish(tapegrad::rand(size, options.resolve(default_float_type), generator));
}
Tensor randn(const Dims& size, Generator& generator, const TensorOptions& options) {
    return options.finish(tapegrad::randn(size, options.resolve(default_float_type), generator));
}
Tensor rand_like(const Tensor& x, Generator& generator, const LikeOptions& options) {
    return options.finish(uniform_(uninitialised_like(x, options), 0, 1, generator));
}
Tensor randn_like(const Tensor& x, Generator& generator, const LikeOptions& options) {
    return options.finish(normal_(uninitialised_like(x, options), 0, 1, generator));
}
Tensor randint(int64_t low, int64_t high, const Dims& size, Generator& generator,
               const TensorOptions& options) {
    const DType dtype = options.resolve(DType::Int64);
    return options.finish(tapegrad::randint(low, high, size, dtype, generator));
}
Tensor randint_to(int64_t high, const Dims& size, Generator& generator,
                  const TensorOptions& options) {
    return randint(0, high, size, generator, options);
}
Tensor randint_like(const Tensor& x, int64_t low, int64_t high, Generator& generator,
                    const LikeOptions& options) {
    const DType dtype = options.resolve(x.dtype());
    const Tensor out = tapegrad::randint(low, high, x.sizes(), dtype, generator);
    return options.finish(options.format ? to_copy(out, dtype, false, options.format) : out);
}
Tensor randint_like_to(const Tensor& x, int64_t high, Generator& generator,
                       const LikeOptions& options) {
    return randint_like(x, 0, high, generator, options);
}
Tensor randperm(int64_t n, Generator& generator, const TensorOptions& options) {
    return options.finish(tapegrad::randperm(n, options.resolve(DType::Int64), generator));
}
Tensor normal(double mean, double deviation, const Dims& size, Generator& generator,
              const TensorOptions& options) {
    const DType dtype = options.resolve(default_float_type);
    return options.finish(tapegrad::normal(mean, deviation, size, dtype, generator));
}

}  // namespace tapegrad::factories
