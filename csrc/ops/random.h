// Tensors of random numbers. What a call draws depends on the generator's state and the call alone, not on
// threads or the machine.
#pragma once

#include <optional>

#include "core/random.h"
#include "ops/arg.h"

namespace tapegrad {

// Uniform in [0, 1), and normal with mean 0 and deviation 1; floating dtypes.
Tensor rand(const Dims& sizes, DType dtype, Generator& generator);
Tensor randn(const Dims& sizes, DType dtype, Generator& generator);
// Integers in [low, high), of any dtype that holds them.
Tensor randint(int64_t low, int64_t high, const Dims& sizes, DType dtype, Generator& generator);
Tensor randperm(int64_t n, DType dtype, Generator& generator);
// Normal numbers, one for each mean and deviation, broadcast; at least one is a tensor.
Tensor normal(const Arg& mean, const Arg& deviation, Generator& generator);
Tensor normal(double mean, double deviation, const Dims& sizes, DType dtype, Generator& generator);
// 1 with the probability that x holds, or p in the shape of x; else 0.
Tensor bernoulli(const Tensor& x, Generator& generator);
Tensor bernoulli(const Tensor& x, double p, Generator& generator);

const Tensor& uniform_(const Tensor& x, double low, double high, Generator& generator);
const Tensor& normal_(const Tensor& x, double mean, double deviation, Generator& generator);
const Tensor& exponential_(const Tensor& x, double rate, Generator& generator);
const Tensor& cauchy_(const Tensor& x, double median, double spread, Generator& generator);
const Tensor& log_normal_(const Tensor& x, double mean, double deviation, Generator& generator);
const Tensor& geometric_(const Tensor& x, double p, Generator& generator);
const Tensor& bernoulli_(const Tensor& x, const Arg& p, Generator& generator);
const Tensor& random_(const Tensor& x, int64_t low, int64_t high, Generator& generator);
// Over all values of an integer dtype from 0 on; for floats over the integers that it holds exactly.
const Tensor& random_(const Tensor& x, Generator& generator);

// Indices drawn with probabilities proportional to the weights in the last dimension.
Tensor multinomial(const Tensor& weights, int64_t count, bool replacement, Generator& generator);

// The state as a uint8 tensor of 16 bytes, and back.
Tensor generator_state(const Generator& generator);
void set_generator_state(Generator& generator, const Tensor& state);

}  // namespace tapegrad
