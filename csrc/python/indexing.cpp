#include "ops/indexing.h"
#include "ops/gather.h"
#include "ops/index_select.h"
#include "ops/index_write.h"
#include "ops/joining.h"
#include "ops/masks.h"
#include "ops/nonzero.h"
#include "ops/rearranging.h"
#include "ops/scatter.h"
#include "ops/triangles.h"

#include "python/bind.h"

namespace tapegrad::python {
namespace {

// A list of index tensors, in which None takes a dimension whole.
std::vector<Tensor> index_list(const py::sequence& indices) {
    std::vector<Tensor> result;
    for (py::handle index : indices)
        result.push_back(index.is_none() ? Tensor() : index.cast<Tensor>());
    return result;
}

Reduce reduce_of(const std::string& name) {
    constexpr std::pair<const char*, Reduce> known[] = {
        {"sum", Reduce::Sum},   {"prod", Reduce::Prod}, {"mean", Reduce::Mean},
        {"amax", Reduce::Amax}, {"amin", Reduce::Amin}, {"max", Reduce::Amax},
        {"min", Reduce::Amin}};
    for (const auto& [text, reduce] : known)
        if (name == text) return reduce;
    fail("reduce argument must be either sum, prod, mean, amax or amin, got ", name);
}

// Of the older form: scatter(..., reduce=).
Reduce old_reduce_of(const std::string& name) {
    if (name == "add") return Reduce::Sum;
    if (name == "multiply") return Reduce::Prod;
    fail("reduce argument must be either add or multiply.");
}

}  // namespace

void bind_indexing(py::module_& m) {
    def_both(
        m, "gather",
        [](const Tensor& x, int64_t dim, const Tensor& index, bool) {
            return gather(x, dim, index);
        },
        py::arg("dim"), py::arg("index"), py::kw_only(), py::arg("sparse_grad") = false);
    def_both(
        m, "scatter",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& source) {
            return scatter(x, dim, index, source);
        },
        py::arg("dim"), py::arg("index"), py::arg("src"));
    def_both(
        m, "scatter",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
            return scatter(x, dim, index, value);
        },
        py::arg("dim"), py::arg("index"), py::arg("value"));
    def_method(
        "scatter_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& source) {
            return scatter_(x, dim, index, source);
        },
        py::arg("dim"), py::arg("index"), py::arg("src"));
    def_method(
        "scatter_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
            return scatter_(x, dim, index, value);
        },
        py::arg("dim"), py::arg("index"), py::arg("value"));
    def_both(
        m, "scatter",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& source,
           const std::string& reduce) {
            return scatter(x, dim, index, source, old_reduce_of(reduce));
        },
        py::arg("dim"), py::arg("index"), py::arg("src"), py::kw_only(), py::arg("reduce"));
    def_both(
        m, "scatter",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
           const std::string& reduce) {
            return scatter(x, dim, index, value, old_reduce_of(reduce));
        },
        py::arg("dim"), py::arg("index"), py::arg("value"), py::kw_only(), py::arg("reduce"));
    def_method(
        "scatter_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& source,
           const std::string& reduce) {
            return scatter_(x, dim, index, source, old_reduce_of(reduce));
        },
        py::arg("dim"), py::arg("index"), py::arg("src"), py::kw_only(), py::arg("reduce"));
    def_method(
        "scatter_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
           const std::string& reduce) {
            return scatter_(x, dim, index, value, old_reduce_of(reduce));
        },
        py::arg("dim"), py::arg("index"), py::arg("value"), py::kw_only(), py::arg("reduce"));
    def_both(
        m, "scatter_reduce",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
           const std::string& reduce, bool include_self) {
            return scatter_reduce(x, dim, index, source, reduce_of(reduce), include_self);
        },
        py::arg("dim"), py::arg("index"), py::arg("src"), py::arg("reduce"), py::kw_only(),
        py::arg("include_self") = true);
    def_method(
        "scatter_reduce_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
           const std::string& reduce, bool include_self) {
            return scatter_reduce_(x, dim, index, source, reduce_of(reduce), include_self);
        },
        py::arg("dim"), py::arg("index"), py::arg("src"), py::arg("reduce"), py::kw_only(),
        py::arg("include_self") = true);
    def_both(m, "scatter_add", scatter_add, py::arg("dim"), py::arg("index"), py::arg("src"));
    def_method("scatter_add_", scatter_add_, py::arg("dim"), py::arg("index"), py::arg("src"));
    def_both(m, "index_select", index_select, py::arg("dim"), py::arg("index"));
    def_both(m, "index_add", index_add, py::arg("dim"), py::arg("index"), py::arg("source"),
             py::kw_only(), py::arg("alpha") = 1);
    def_method("index_add_", index_add_, py::arg("dim"), py::arg("index"), py::arg("source"),
               py::kw_only(), py::arg("alpha") = 1);
    def_both(m, "index_copy", index_copy, py::arg("dim"), py::arg("index"), py::arg("source"));
    def_method("index_copy_", index_copy_, py::arg("dim"), py::arg("index"), py::arg("source"));
    def_both(
        m, "index_fill",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& value) {
            return index_fill(x, dim, index, value);
        },
        py::arg("dim"), py::arg("index"), py::arg("value"));
    def_method(
        "index_fill_",
        [](const Tensor& x, int64_t dim, const Tensor& index, const Value& value) {
            return index_fill_(x, dim, index, value);
        },
        py::arg("dim"), py::arg("index"), py::arg("value"));
    def_both(m, "masked_scatter", masked_scatter, py::arg("mask"), py::arg("source"));
    def_method("masked_scatter_", masked_scatter_, py::arg("mask"), py::arg("source"));
    def_both(
        m, "masked_fill",
        [](const Tensor& x, const Tensor& mask, const Value& value) {
            return masked_fill(x, mask, value);
        },
        py::arg("mask"), py::arg("value"));
    def_method(
        "masked_fill_",
        [](const Tensor& x, const Tensor& mask, const Value& value) {
            return masked_fill_(x, mask, value);
        },
        py::arg("mask"), py::arg("value"));
    def_both(m, "masked_select", masked_select, py::arg("mask"));
    def_both(
        m, "nonzero",
        [](const Tensor& x, bool as_tuple) -> py::object {
            const Tensor positions = nonzero(x);
            if (!as_tuple) return py::cast(positions);
            py::tuple result(static_cast<size_t>(x.dim()));
            for (int i = 0; i < x.dim(); ++i)
                result[static_cast<size_t>(i)] =
                    alias(positions, {positions.sizes()[0]}, {positions.strides()[0]}, i);
            return result;
        },
        py::kw_only(), py::arg("as_tuple") = false);
    def_both(
        m, "index_put",
        [](const Tensor& x, const py::sequence& indices, const Tensor& values, bool accumulate) {
            return index_put(x, index_list(indices), values, accumulate);
        },
        py::arg("indices"), py::arg("values"), py::arg("accumulate") = false);
    def_method(
        "index_put_",
        [](const Tensor& x, const py::sequence& indices, const Tensor& values, bool accumulate) {
            return index_put_(x, index_list(indices), values, accumulate);
        },
        py::arg("indices"), py::arg("values"), py::arg("accumulate") = false);
    for (const char* name : {"cat", "concat", "concatenate"})
        m.def(
            name, [](const std::vector<Tensor>& tensors, int64_t dim) { return cat(tensors, dim); },
            py::arg("tensors"), py::arg("dim") = 0);
    m.def(
        "stack",
        [](const std::vector<Tensor>& tensors, int64_t dim) { return stack(tensors, dim); },
        py::arg("tensors"), py::arg("dim") = 0);
    def_both(
        m, "roll",
        [](const Tensor& x, const IntList& shifts, const std::optional<IntList>& dims) {
            return roll(x, shifts.dims, dims ? dims->dims : Dims());
        },
        py::arg("shifts"), py::arg("dims") = py::none());
    def_method("tril_", tril_, py::arg("diagonal") = 0);
    def_method("triu_", triu_, py::arg("diagonal") = 0);
    def_both(m, "tril", tril, py::arg("diagonal") = 0);
    def_both(m, "triu", triu, py::arg("diagonal") = 0);
    def_both(m, "diag", diag, py::arg("diagonal") = 0);
}

}  // namespace tapegrad::python
