// Selecting and writing by index tensors and masks.
#pragma once

#include <string_view>
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
// Writes into out what index_put_ does: no tape, no checks of overlap, no version.
void put_values(const Tensor& out, const std::vector<Tensor>& indices, const Tensor& values);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);
const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Arg& value);
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);
Tensor masked_select(const Tensor& x, const Tensor& mask);
Tensor nonzero(const Tensor& x);
// One vector of coordinates per dimension.
std::vector<Tensor> nonzero_coordinates(const Tensor& x);

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
const Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
// What is done with the value of a place that is written to. Without include_self the values that were
// there count only where nothing is written.
enum class Reduce { Sum, Prod, Mean, Amax, Amin };
void from_text(std::string_view text, Reduce& reduce);
// What scatter calls two of these.
enum class Accumulate { Add, Multiply };
void from_text(std::string_view text, Accumulate& accumulate);
inline Reduce reduce_of(Accumulate accumulate) {
    return accumulate == Accumulate::Add ? Reduce::Sum : Reduce::Prod;
}
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                      Reduce reduce, bool include_self);
const Tensor& scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index,
                              const Tensor& source, Reduce reduce, bool include_self);
// The older form of it, which has no derivative: a sum or a product.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source, Reduce reduce);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source,
                       Reduce reduce);
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
const Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         const Scalar& alpha = 1);
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
const Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);

// Sorted values along dim and where they were; stable, NaN counts as the largest value.
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending);
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest);
Tensor argsort(const Tensor& x, int64_t dim, bool descending);

}  // namespace tapegrad
