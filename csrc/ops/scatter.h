#pragma once

#include <string>
#include <string_view>

#include "ops/arg.h"

namespace tapegrad {

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
const Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
// The same to zeros of these sizes, for a source of the index's sizes.
Tensor zeros_scatter_add(const Dims& sizes, int64_t dim, const Tensor& index, const Tensor& source);
// What is done with the value of a place that is written to. Without include_self the values that were
// there count only where nothing is written.
enum class Reduce { Sum, Prod, Mean, Amax, Amin };
void from_text(std::string_view text, Reduce& reduce);
std::string as_text(Reduce reduce);  // as formulas show it: "'prod'"
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
// The same for whole slices, of which an index names the places; no sums.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    Reduce reduce, bool include_self);
const Tensor& index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                            Reduce reduce, bool include_self);
// The older form of it, which has no derivative: a sum or a product.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source, Reduce reduce);
const Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source,
                       Reduce reduce);

}  // namespace tapegrad
