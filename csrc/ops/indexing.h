// Selecting and writing by index tensors and masks.
#pragma once

#include <utility>
#include <vector>

#include "ops/arg.h"
#include "ops/joining.h"

namespace tapegrad {

// x[i0, i1, ...] with integer or bool tensors; an undefined one takes the whole dimension. A mask takes as
// many dimensions of x as it has itself.
Tensor index(const Tensor& x, const std::vector<Tensor>& indices);
const Tensor& index_put_(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                         bool accumulate);
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Arg& value);
Tensor masked_select(const Tensor& x, const Tensor& mask);
Tensor nonzero(const Tensor& x);
// One vector of coordinates per dimension.
std::vector<Tensor> nonzero_coordinates(const Tensor& x);

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
const Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);

// Sorted values along dim and where they were; stable, NaN counts as the largest value.
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending);
Tensor argsort(const Tensor& x, int64_t dim, bool descending);

}  // namespace tapegrad
