#include "ops/views.h"
#include "ops/as_strided.h"
#include "ops/rearranging.h"
#include "ops/reshape.h"
#include "ops/split.h"

#include "ops/copy.h"
#include "ops/indexing.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// Sizes given as one sequence or as several ints: x.view(2, 3), x.view((2, 3)).
Dims sizes_from(const py::args& args, const char* name) {
    pybind11::detail::make_caster<IntList> caster;
    if (args.size() == 1 && caster.load(args[0], true)) return static_cast<IntList&>(caster).dims;
    Dims dims;
    for (py::handle argument : args) {
        int64_t value;
        if (!to_integer(argument.ptr(), value))
            fail<TypeError>(name, "(): sizes must be ints, not ", Py_TYPE(argument.ptr())->tp_name);
        dims.push_back(value);
    }
    return dims;
}

template <class F> void bind_varargs(const char* name, F f) {
    def_method(name, [name, f](const Tensor& x, const py::args& args) {
        return f(x, sizes_from(args, name));
    });
}

// The sizes of the parts when x is cut into parts of one size.
Dims parts_of_size(const Tensor& x, int64_t size, int64_t dim) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    if (size < 0) fail("split expects split_size be non-negative, but got split_size=", size);
    const int64_t total = x.size(dim);
    if (size == 0 && total > 0)
        fail("split_size can only be 0 if dimension size is 0, but got dimension size of ", total);
    Dims sizes;
    for (int64_t start = 0; start < total || sizes.empty(); start += std::max<int64_t>(size, 1))
        sizes.push_back(std::min(size, total - start));
    return sizes;
}

py::tuple as_tuple(const std::vector<Tensor>& tensors) { return py::tuple(py::cast(tensors)); }

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
    if (x.dim() == 0) fail("chunk expects at least a 1-dimensional tensor");
    if (chunks <= 0) fail("chunk expects `chunks` to be greater than 0, got: ", chunks);
    const int64_t size = (x.size(dim) + chunks - 1) / chunks;
    if (size == 0) return split(x, Dims(static_cast<int>(chunks), 0), dim, true);
    return split(x, parts_of_size(x, size, dim), dim, true);
}

}  // namespace

void bind_views(py::module_& m) {
    bind_varargs("view", [](const Tensor& x, const Dims& sizes) { return view(x, sizes); });
    bind_varargs("reshape", [](const Tensor& x, const Dims& sizes) { return reshape(x, sizes); });
    bind_varargs("expand", [](const Tensor& x, const Dims& sizes) { return expand(x, sizes); });
    bind_varargs("permute", [](const Tensor& x, const Dims& dims) { return permute(x, dims); });
    bind_varargs("repeat", [](const Tensor& x, const Dims& repeats) { return repeat(x, repeats); });
    bind_varargs("flip", [](const Tensor& x, const Dims& dims) { return flip(x, dims); });
    m.def(
        "reshape", [](const Tensor& x, const IntList& shape) { return reshape(x, shape.dims); },
        py::arg("input"), py::arg("shape"));
    m.def(
        "permute", [](const Tensor& x, const IntList& dims) { return permute(x, dims.dims); },
        py::arg("input"), py::arg("dims"));
    m.def(
        "flip", [](const Tensor& x, const IntList& dims) { return flip(x, dims.dims); },
        py::arg("input"), py::arg("dims"));
    m.def(
        "tile",
        [](const Tensor& x, const IntList& dims) {
            Dims repeats = dims.dims;
            while (repeats.size() < x.dim()) repeats.insert(0, 1);
            return repeat(x, repeats);
        },
        py::arg("input"), py::arg("dims"));
    def_method(
        "view_as", [](const Tensor& x, const Tensor& other) { return view(x, other.sizes()); },
        py::arg("other"));
    def_method(
        "reshape_as",
        [](const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); },
        py::arg("other"));
    def_method(
        "expand_as", [](const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); },
        py::arg("other"));
    m.def(
        "broadcast_to", [](const Tensor& x, const IntList& size) { return expand(x, size.dims); },
        py::arg("input"), py::arg("size"));
    m.def("broadcast_shapes", [](const py::args& shapes) {
        Dims result;
        for (py::handle shape : shapes) result = broadcast(result, shape.cast<IntList>().dims);
        return result;
    });
    m.def("broadcast_tensors", [](const py::args& tensors) {
        Dims shape;
        for (py::handle t : tensors) shape = broadcast(shape, t.cast<Tensor>().sizes());
        std::vector<Tensor> result;
        for (py::handle t : tensors) result.push_back(expand(t.cast<Tensor>(), shape));
        return as_tuple(result);
    });
    def_both(m, "transpose", transpose, py::arg("dim0"), py::arg("dim1"));
    def_both(m, "swapaxes", transpose, py::arg("axis0"), py::arg("axis1"));
    def_both(m, "t", [](const Tensor& x) { return t(x); });
    def_both(
        m, "movedim",
        [](const Tensor& x, const IntList& source, const IntList& destination) {
            return movedim(x, source.dims, destination.dims);
        },
        py::arg("source"), py::arg("destination"));
    def_both(m, "flatten", flatten, py::arg("start_dim") = 0, py::arg("end_dim") = -1);
    def_both(m, "ravel", [](const Tensor& x) { return reshape(x, {-1}); });
    def_both(
        m, "unflatten",
        [](const Tensor& x, int64_t dim, const IntList& sizes) {
            return unflatten(x, dim, sizes.dims);
        },
        py::arg("dim"), py::arg("sizes"));
    def_both(m, "squeeze", [](const Tensor& x) { return squeeze(x); });
    def_both(
        m, "squeeze", [](const Tensor& x, const IntList& dim) { return squeeze(x, dim.dims); },
        py::arg("dim"));
    def_both(m, "unsqueeze", unsqueeze, py::arg("dim"));
    def_both(m, "select", select, py::arg("dim"), py::arg("index"));
    def_both(m, "narrow", narrow, py::arg("dim"), py::arg("start"), py::arg("length"));
    def_both(m, "diagonal", diagonal, py::arg("offset") = 0, py::arg("dim1") = 0,
             py::arg("dim2") = 1);
    def_both(
        m, "as_strided",
        [](const Tensor& x, const IntList& size, const IntList& stride,
           std::optional<int64_t> offset) { return as_strided(x, size.dims, stride.dims, offset); },
        py::arg("size"), py::arg("stride"), py::arg("storage_offset") = py::none());
    def_both(
        m, "split",
        [](const Tensor& x, int64_t size, int64_t dim) {
            return as_tuple(split(x, parts_of_size(x, size, dim), dim, true));
        },
        py::arg("split_size"), py::arg("dim") = 0);
    def_both(
        m, "split",
        [](const Tensor& x, const Dims& sizes, int64_t dim) {
            return as_tuple(split(x, sizes, dim));
        },
        py::arg("split_size"), py::arg("dim") = 0);
    def_both(
        m, "chunk",
        [](const Tensor& x, int64_t chunks, int64_t dim) {
            return as_tuple(chunk(x, chunks, dim));
        },
        py::arg("chunks"), py::arg("dim") = 0);
    def_both(
        m, "unbind", [](const Tensor& x, int64_t dim) { return as_tuple(unbind(x, dim)); },
        py::arg("dim") = 0);
    def_both(m, "atleast_1d", [](const Tensor& x) { return x.dim() ? x : reshape(x, {1}); });
    m.def("detach", detach, py::arg("input"));

    // What a tensor says of its memory.
    def_method("size", [](const Tensor& x) { return x.sizes(); });
    def_method("size", [](const Tensor& x, int64_t dim) { return x.size(dim); }, py::arg("dim"));
    def_method("stride", [](const Tensor& x) {
        py::tuple strides(static_cast<size_t>(x.dim()));
        for (int d = 0; d < x.dim(); ++d) strides[static_cast<size_t>(d)] = x.strides()[d];
        return strides;
    });
    def_method(
        "stride",
        [](const Tensor& x, int64_t dim) { return x.strides()[wrap_dim(dim, x.dim(), false)]; },
        py::arg("dim"));
    def_method("storage_offset", [](const Tensor& x) { return x.storage_offset(); });
    def_method("dim", [](const Tensor& x) { return x.dim(); });
    def_method("ndimension", [](const Tensor& x) { return x.dim(); });
    def_both(m, "numel", [](const Tensor& x) { return x.numel(); });
    def_method("nelement", [](const Tensor& x) { return x.numel(); });
    def_method("element_size", [](const Tensor& x) { return x.item_size(); });
    def_method("data_ptr", [](const Tensor& x) {
        return x.numel() ? reinterpret_cast<uintptr_t>(x.data()) : 0;
    });
    def_method(
        "is_contiguous", [](const Tensor& x, py::object) { return x.is_contiguous(); },
        py::arg("memory_format") = py::none());
    def_both(m, "is_floating_point", [](const Tensor& x) { return x.is_floating(); });
    def_both(m, "is_complex", [](const Tensor&) { return false; });
    def_both(m, "is_nonzero", [](const Tensor& x) {
        if (x.numel() != 1)
            fail("Boolean value of Tensor with ", x.numel() ? "more than one value" : "no values",
                 " is ambiguous");
        return visit_dtype(x.dtype(), [&]<class T>() { return *x.data<T>() != T(0); });
    });
}

}  // namespace tapegrad::python
