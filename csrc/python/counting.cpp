#include "ops/counting.h"
#include "ops/searching.h"
#include "ops/unique.h"
#include "python/bind.h"

namespace tapegrad::python {

// The values alone, or with what else was asked for.
template <> struct Result<Distinct> {
    static constexpr const char* stub = "Any";
    static PyObject* wrap(const Distinct& found, const Call&) {
        std::vector<Tensor> parts{found.values};
        for (const Tensor* part : {&found.inverse, &found.counts})
            if (part->defined()) parts.push_back(*part);
        return parts.size() == 1 ? python::wrap(parts[0]) : wrap_tuple(parts);
    }
};

void bind_counting(PyObject* m) {
    // Sorted in any case.
    def<"unique">(m, [](const Tensor& x, bool, bool inverse, bool counts,
                        std::optional<int64_t> dim) { return unique(x, inverse, counts, dim); });
    def<"unique_consecutive">(m, unique_consecutive);
    def<"bincount">(m, bincount).without_out();
    def<"histc">(m, histc).out_has(kSameType);
    using Bins =
        std::pair<Tensor, Tensor>(const Tensor&, int64_t, const std::optional<std::vector<double>>&,
                                  const std::optional<Tensor>&, bool);
    using Edges =
        std::pair<Tensor, Tensor>(const Tensor&, const Tensor&, const std::optional<Tensor>&, bool);
    def<"histogram">(m, overload<Edges>(histogram), overload<Bins>(histogram)).out_has(kSameType);
    def_function<"searchsorted">(m, searchsorted).out_has(kSameType);
    def_function<"bucketize">(m, bucketize).out_has(kSameType);
}

}  // namespace tapegrad::python
