#include "ops/reductions.h"

#include <limits>

#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/views.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// dim=None, an int or several.
using OptionalDims = std::optional<IntList>;
const Dims kAll{};
const Dims& dims_of(const OptionalDims& dims) { return dims ? dims->dims : kAll; }

// An empty list of dimensions means all, as None does.
py::object return_type(const char* name) {
    return py::module_::import("tapegrad.return_types").attr(name);
}

template <class F> void bind_dims(py::module_& m, const char* name, F reduce) {
    def_both(
        m, name,
        [reduce](const Tensor& x, const OptionalDims& dim, bool keepdim, OptionalDType dtype) {
            return reduce(x, dims_of(dim), keepdim, dtype);
        },
        py::arg("dim") = py::none(), py::arg("keepdim") = false, py::kw_only(),
        py::arg("dtype") = py::none());
}

void bind_extreme(py::module_& m, Extreme which, const char* name, const char* over_dims,
                  const char* arg_name, Binary pairwise) {
    def_both(m, name, [which](const Tensor& x) { return extreme(which, x); });
    def_both(
        m, name,
        [which, name](const Tensor& x, int64_t dim, bool keepdim) {
            auto [values, indices] = extreme_with_index(which, x, dim, keepdim);
            return return_type(name)(py::make_tuple(values, indices));
        },
        py::arg("dim"), py::arg("keepdim") = false);
    def_both(
        m, name,
        [pairwise](const Tensor& x, const Tensor& other) { return binary(pairwise, x, other); },
        py::arg("other"));
    def_both(
        m, over_dims,
        [which](const Tensor& x, const OptionalDims& dim, bool keepdim) {
            return extremes(which, x, dims_of(dim), keepdim);
        },
        py::arg("dim") = py::none(), py::arg("keepdim") = false);
    def_both(
        m, arg_name,
        [which](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
            return arg_extreme(which, x, dim, keepdim);
        },
        py::arg("dim") = py::none(), py::arg("keepdim") = false);
}

// std and var: over all with or without Bessel's correction, or over dimensions.
template <class F> void bind_spread(py::module_& m, const char* name, F spread) {
    def_both(
        m, name,
        [spread](const Tensor& x, bool unbiased) { return spread(x, kAll, unbiased, false); },
        py::arg("unbiased"));
    def_both(
        m, name,
        [spread](const Tensor& x, const OptionalDims& dim, bool unbiased, bool keepdim) {
            return spread(x, dims_of(dim), unbiased, keepdim);
        },
        py::arg("dim"), py::arg("unbiased"), py::arg("keepdim") = false);
    def_both(
        m, name,
        [spread](const Tensor& x, const OptionalDims& dim, std::optional<double> correction,
                 bool keepdim) { return spread(x, dims_of(dim), correction.value_or(1), keepdim); },
        py::arg("dim") = py::none(), py::kw_only(), py::arg("correction") = py::none(),
        py::arg("keepdim") = false);
}

double norm_order(const py::object& p) {
    if (p.is_none()) return 2;
    if (py::isinstance<py::str>(p)) {
        const std::string name = py::str(p);
        if (name == "fro") return 2;
        fail("norm: order '", name, "' is not supported");
    }
    return p.cast<double>();
}

}  // namespace

void bind_reductions(py::module_& m) {
    bind_dims(m, "sum", sum);
    bind_dims(m, "mean", mean);
    def_both(
        m, "prod", [](const Tensor& x, OptionalDType dtype) { return prod(x, dtype); },
        py::kw_only(), py::arg("dtype") = py::none());
    def_both(
        m, "prod",
        [](const Tensor& x, int64_t dim, bool keepdim, OptionalDType dtype) {
            return prod(x, dim, keepdim, dtype);
        },
        py::arg("dim"), py::arg("keepdim") = false, py::kw_only(), py::arg("dtype") = py::none());
    bind_spread(m, "var", var);
    bind_spread(m, "std", stddev);
    def_both(
        m, "norm",
        [](const Tensor& x, const py::object& p, const OptionalDims& dim, bool keepdim,
           OptionalDType) { return norm(x, norm_order(p), dims_of(dim), keepdim); },
        py::arg("p") = "fro", py::arg("dim") = py::none(), py::arg("keepdim") = false,
        py::arg("dtype") = py::none());
    def_both(
        m, "logsumexp",
        [](const Tensor& x, const IntList& dim, bool keepdim) {
            return logsumexp(x, dim.dims, keepdim);
        },
        py::arg("dim"), py::arg("keepdim") = false);
    bind_extreme(m, Extreme::Max, "max", "amax", "argmax", Binary::Maximum);
    bind_extreme(m, Extreme::Min, "min", "amin", "argmin", Binary::Minimum);
    def_both(
        m, "any",
        [](const Tensor& x, const OptionalDims& dim, bool keepdim) {
            return any(x, dims_of(dim), keepdim);
        },
        py::arg("dim") = py::none(), py::arg("keepdim") = false);
    def_both(
        m, "all",
        [](const Tensor& x, const OptionalDims& dim, bool keepdim) {
            return all(x, dims_of(dim), keepdim);
        },
        py::arg("dim") = py::none(), py::arg("keepdim") = false);
    def_both(
        m, "count_nonzero",
        [](const Tensor& x, const OptionalDims& dim) { return count_nonzero(x, dims_of(dim)); },
        py::arg("dim") = py::none());
    def_both(m, "cumsum", cumsum, py::arg("dim"), py::kw_only(), py::arg("dtype") = py::none());
    def_both(m, "cumprod", cumprod, py::arg("dim"), py::kw_only(), py::arg("dtype") = py::none());
    def_both(
        m, "sum_to_size",
        [](const Tensor& x, const IntList& size) {
            if (!is_expandable_to(size.dims, x.sizes()))
                fail("size {", to_string(size.dims), "} is not expandable to size {",
                     to_string(x.sizes()), "}.");
            return sum_to(x, size.dims);
        },
        py::arg("size"));
    def_both(
        m, "sort",
        [](const Tensor& x, int64_t dim, bool descending, bool) {
            auto [values, indices] = sort(x, dim, descending);
            return return_type("sort")(py::make_tuple(values, indices));
        },
        py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = false);
    def_both(
        m, "argsort",
        [](const Tensor& x, int64_t dim, bool descending, bool) {
            return sort(x, dim, descending).second;
        },
        py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = false);
    def_both(
        m, "topk",
        [](const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {
            if (x.dtype() == DType::Bool) fail("topk does not support bool dtypes on CPU");
            if (x.dim() && (k < 0 || k > x.size(dim))) fail("selected index k out of range");
            auto [values, indices] = sort(x, dim, largest);
            if (x.dim() == 0) return return_type("topk")(py::make_tuple(values, indices));
            return return_type("topk")(
                py::make_tuple(narrow(values, dim, 0, k), narrow(indices, dim, 0, k)));
        },
        py::arg("k"), py::arg("dim") = -1, py::arg("largest") = true, py::arg("sorted") = true);
}

}  // namespace tapegrad::python
