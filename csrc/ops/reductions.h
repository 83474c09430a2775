// Reductions over all, one or several dimensions. dims empty: over all.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "replay/recorder.h"

namespace tapegrad {

using OptionalDType = std::optional<DType>;

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim = false, OptionalDType dtype = {});
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim = false, OptionalDType dtype = {});
Tensor prod(const Tensor& x, OptionalDType dtype);
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, OptionalDType dtype);
Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim);
Tensor stddev(const Tensor& x, const Dims& dims, double correction, bool keepdim);
// With the mean as the second result.
std::vector<Tensor> var_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim);
std::vector<Tensor> std_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim);
Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim);
// The order of a norm as its callers name it: a number, "fro" for 2, as is none, or "nuc".
struct NormOrder {
    double p;
    bool nuclear = false, frobenius = false;
};
void from_text(std::string_view text, NormOrder& order);
Tensor norm_of(const Tensor& x, const std::optional<NormOrder>& order, const Dims& dims,
               bool keepdim, OptionalDType dtype);
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim);
Tensor any(const Tensor& x, const Dims& dims, bool keepdim);
Tensor all(const Tensor& x, const Dims& dims, bool keepdim);
Tensor count_nonzero(const Tensor& x, const Dims& dims);
bool all_values(const Tensor& x);
bool any_values(const Tensor& x);
// Of a tensor of one element.
bool is_nonzero(const Tensor& x);
// Calls refuse(), which raises and captures no tensors, unless all are true.
template <class F> void require_all(const Tensor& flags, F refuse) {
    launch(checking([refuse](const Tensor& given) {
               if (!all_values(given)) refuse();
           }),
           reads(flags));
}

// The type that sums, products and scans of x have: integers are added as int64.
DType sum_type(const Tensor& x, OptionalDType dtype);

}  // namespace tapegrad
