#include "ops/extremes.h"

#include "autograd/cuts.h"
#include "ops/elementwise.h"
#include "ops/quantiles.h"
#include "ops/running.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

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
    static std::pair<Tensor, Tensor> running(const Tensor& x, int64_t dim) {
        return running_extreme(E, x, dim);
    }
    static Tensor index(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
        note_cut(E == Extreme::Max ? "argmax()" : "argmin()", x);
        return arg_extreme(E, x, dim, keepdim);
    }
};

}  // namespace

void bind_extremes(PyObject* m) {
    using Max = Extremes<Extreme::Max>;
    using Min = Extremes<Extreme::Min>;
    // A tensor is no dimension here, also where it could be read as an int.
    def<"max">(m, Max::over_all, Max::of_two, Max::along).out_has(kSameType | kApart | kOfPairs);
    def<"min">(m, Min::over_all, Min::of_two, Min::along).out_has(kSameType | kApart | kOfPairs);
    def<"aminmax">(m, aminmax).out_has(kSameType);
    def<"cummax">(m, Max::running).out_has(kSameType);
    def<"cummin">(m, Min::running).out_has(kSameType);
    def<"amax">(m, Max::along_dims).out_has(kSameType);
    def<"amin">(m, Min::along_dims).out_has(kSameType);
    def<"argmax">(m, Max::index).out_has(kSameType);
    def<"argmin">(m, Min::index).out_has(kSameType);
}

}  // namespace tapegrad::python
