#include "ops/reductions.h"
#include "ops/quantiles.h"
#include "ops/views.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// The forms of std and var, and of both with the mean.
template <auto F> struct Spread {
    static auto corrected(const Tensor& x, const Dims& dims, std::optional<double> correction,
                          bool keepdim) {
        return F(x, dims, correction.value_or(1), keepdim);
    }
    static auto over_all(const Tensor& x, bool unbiased) { return F(x, Dims(), unbiased, false); }
    static auto along(const Tensor& x, const std::optional<Dims>& dims, bool unbiased,
                      bool keepdim) {
        return F(x, dims.value_or(Dims()), unbiased, keepdim);
    }
};

// Other reductions take no dimensions at all for all of them: here each element is asked.
template <auto F> Tensor question(const Tensor& x, const std::optional<Dims>& dims, bool keepdim) {
    if (!dims || !dims->empty() || x.dim() == 0) return F(x, dims.value_or(Dims()), keepdim);
    return F(unsqueeze(x, 0), Dims{0}, false);
}

}  // namespace

void bind_reductions(PyObject* m) {
    using Var = Spread<var>;
    using Std = Spread<stddev>;
    def<"sum">(m, sum);
    def<"mean">(m, mean);
    def<"nansum">(m, nansum);
    def<"nanmean">(m, nanmean);
    def<"prod">(m, overload<Tensor(const Tensor&, OptionalDType)>(prod),
                overload<Tensor(const Tensor&, int64_t, bool, OptionalDType)>(prod));
    def<"var">(m, Var::corrected, Var::over_all, Var::along);
    def<"std">(m, Std::corrected, Std::over_all, Std::along);
    using VarMean = Spread<var_mean>;
    using StdMean = Spread<std_mean>;
    def_function<"var_mean">(m, VarMean::corrected, VarMean::over_all, VarMean::along);
    def_function<"std_mean">(m, StdMean::corrected, StdMean::over_all, StdMean::along);
    def<"norm">(m, norm_of).out_has(kSameType);
    def<"logsumexp">(m, logsumexp);
    def<"any">(m, question<any>).out_has(kBools);
    def<"all">(m, question<all>).out_has(kBools);
    def<"count_nonzero">(m, count_nonzero).without_out();
    def<"is_nonzero">(m, is_nonzero);
}

}  // namespace tapegrad::python
