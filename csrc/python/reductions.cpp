#include "ops/reductions.h"
#include "ops/extremes.h"
#include "ops/scans.h"
#include "ops/sort.h"

#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/views.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// The forms of std and var.
template <Tensor (*F)(const Tensor&, const Dims&, double, bool)> struct Spread {
    static Tensor corrected(const Tensor& x, const Dims& dims, std::optional<double> correction,
                            bool keepdim) {
        return F(x, dims, correction.value_or(1), keepdim);
    }
    static Tensor over_all(const Tensor& x, bool unbiased) { return F(x, {}, unbiased, false); }
    static Tensor along(const Tensor& x, const std::optional<Dims>& dims, bool unbiased,
                        bool keepdim) {
        return F(x, dims.value_or(Dims()), unbiased, keepdim);
    }
};

template <Extreme E> struct Extremes {
    static Tensor over_all(const Tensor& x) { return extreme(E, x); }
    static std::pair<Tensor, Tensor> along(const Tensor& x, int64_t dim, bool keepdim) {
        return extreme_with_index(E, x, dim, keepdim);
    }
    static Tensor of_two(const Tensor& x, const Tensor& other) {
        return binary(E == Extreme::Max ? Binary::Maximum : Binary::Minimum, x, other);
    }
    static Tensor along_dims(const Tensor& x, const Dims& dims, bool keepdim) {
        return extremes(E, x, dims, keepdim);
    }
    static Tensor index(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
        return arg_extreme(E, x, dim, keepdim);
    }
};

}  // namespace

void bind_reductions(PyObject* m) {
    using Max = Extremes<Extreme::Max>;
    using Min = Extremes<Extreme::Min>;
    using Var = Spread<var>;
    using Std = Spread<stddev>;
    def<"sum">(m, sum);
    def<"mean">(m, mean);
    def<"prod">(m, overload<Tensor(const Tensor&, OptionalDType)>(prod),
                overload<Tensor(const Tensor&, int64_t, bool, OptionalDType)>(prod));
    def<"var">(m, Var::corrected, Var::over_all, Var::along);
    def<"std">(m, Std::corrected, Std::over_all, Std::along);
    def<"norm">(m, norm_of);
    def<"logsumexp">(m, logsumexp);
    def<"max">(m, Max::over_all, Max::along, Max::of_two);
    def<"min">(m, Min::over_all, Min::along, Min::of_two);
    def<"amax">(m, Max::along_dims);
    def<"amin">(m, Min::along_dims);
    def<"argmax">(m, Max::index);
    def<"argmin">(m, Min::index);
    def<"any">(m, any);
    def<"all">(m, all);
    def<"count_nonzero">(m, count_nonzero).without_out();
    def<"cumsum">(m, cumsum);
    def<"cumprod">(m, cumprod);
    def<"sum_to_size">(m, sum_to_size).without_out();
    def<"sort">(m, sort);
    def<"argsort">(m, argsort).without_out();
    def<"topk">(m, topk);
    def<"is_nonzero">(m, is_nonzero);
}

}  // namespace tapegrad::python
