#include "ops/ranks.h"
#include "ops/quantiles.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <class Q, bool kSkipNan> struct Quantile {
    static Tensor of(const Tensor& x, const Q& q, std::optional<int64_t> dim, bool keepdim,
                     BetweenRanks interpolation) {
        return quantile(x, q, dim, keepdim, interpolation, kSkipNan);
    }
};

}  // namespace

void bind_ranks(PyObject* m) {
    using OverAll = Tensor(const Tensor&);
    using Along = std::pair<Tensor, Tensor>(const Tensor&, int64_t, bool);
    def<"median">(m, overload<OverAll>(median), overload<Along>(median))
        .out_has(kSameType | kOfPairs);
    def<"nanmedian">(m, overload<OverAll>(nanmedian), overload<Along>(nanmedian))
        .out_has(kSameType | kOfPairs);
    def<"mode">(m, mode).out_has(kSameType);
    def<"quantile">(m, Quantile<Tensor, false>::of, Quantile<double, false>::of).out_has(kSameType);
    def<"nanquantile">(m, Quantile<Tensor, true>::of, Quantile<double, true>::of)
        .out_has(kSameType);
    def<"kthvalue">(m, kthvalue).out_has(kSameType | kApart);
}

}  // namespace tapegrad::python
