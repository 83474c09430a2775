// The functions that make tensors, with all options that their callers have.
#pragma once

#include "core/random.h"
#include "core/scalar.h"
#include "ops/memory_format.h"
#include "ops/options.h"

namespace tapegrad::factories {

Tensor zeros(const Dims& size, const TensorOptions& options);
Tensor ones(const Dims& size, const TensorOptions& options);
Tensor empty(const Dims& size, const LikeOptions& options);
Tensor full(const Dims& size, const Scalar& value, const TensorOptions& options);

// Of the size and, unless the options say otherwise, the dtype of x; in the order of dimensions of x.
Tensor zeros_like(const Tensor& x, const LikeOptions& options);
Tensor ones_like(const Tensor& x, const LikeOptions& options);
Tensor empty_like(const Tensor& x, const LikeOptions& options);
Tensor full_like(const Tensor& x, const Scalar& value, const LikeOptions& options);

// Of the dtype of x.
Tensor new_zeros(const Tensor& x, const Dims& size, const TensorOptions& options);
Tensor new_ones(const Tensor& x, const Dims& size, const TensorOptions& options);
Tensor new_empty(const Tensor& x, const Dims& size, const TensorOptions& options);
Tensor new_full(const Tensor& x, const Dims& size, const Scalar& value,
                const TensorOptions& options);

// Memory with the given strides, or with the dimensions in the given order, outermost first.
Tensor empty_strided(const Dims& size, const Dims& stride, const TensorOptions& options);
Tensor new_empty_strided(const Tensor& x, const Dims& size, const Dims& stride,
                         const TensorOptions& options);
Tensor empty_permuted(const Dims& size, const Dims& physical_layout, const TensorOptions& options);
// 0-d, of the default dtype unless the options say otherwise.
Tensor scalar_tensor(const Scalar& value, const TensorOptions& options);
// As arange, with the end included; deprecated.
Tensor range(const Scalar& start, const Scalar& end, const Scalar& step,
             const TensorOptions& options);

Tensor eye(int64_t rows, std::optional<int64_t> columns, const TensorOptions& options);
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step,
              const TensorOptions& options);
Tensor arange_to(const Scalar& end, const TensorOptions& options);
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps,
                const TensorOptions& options);
Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base,
                const TensorOptions& options);

Tensor rand(const Dims& size, Generator& generator, const TensorOptions& options);
Tensor randn(const Dims& size, Generator& generator, const TensorOptions& options);
Tensor rand_like(const Tensor& x, Generator& generator, const LikeOptions& options);
Tensor randn_like(const Tensor& x, Generator& generator, const LikeOptions& options);
Tensor randint(int64_t low, int64_t high, const Dims& size, Generator& generator,
               const TensorOptions& options);
Tensor randint_to(int64_t high, const Dims& size, Generator& generator,
                  const TensorOptions& options);
Tensor randint_like(const Tensor& x, int64_t low, int64_t high, Generator& generator,
                    const LikeOptions& options);
Tensor randint_like_to(const Tensor& x, int64_t high, Generator& generator,
                       const LikeOptions& options);
Tensor randperm(int64_t n, Generator& generator, const TensorOptions& options);
Tensor normal(double mean, double deviation, const Dims& size, Generator& generator,
              const TensorOptions& options);

}  // namespace tapegrad::factories
