// x[index] and x[index] = value: basic indexing makes views; tensors, lists and masks select.
#include <vector>

#include "ops/copy.h"
#include "ops/elementwise_operands.h"
#include "ops/indexing.h"
#include "ops/nonzero.h"
#include "ops/reshape.h"
#include "ops/views.h"
#include "python/errors.h"
#include "python/module.h"
#include "python/numpy.h"
#include "python/python_data.h"
#include "python/replay.h"

namespace tapegrad::python {
namespace {

[[noreturn]] void refuse_index(PyObject* item) {
    fail<IndexError>(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        "indices (got ",
        Py_TYPE(item)->tp_name, ")");
}

// A (nested) sequence of ints or bools, or an array of integers of any width, as an index tensor.
Tensor index_tensor(py::handle item) {
    if (is_tensor(item.ptr())) return unwrap(item.ptr());
    py::object data = py::reinterpret_borrow<py::object>(item);
    if (is_array(item.ptr())) {
        const auto kind = item.attr("dtype").attr("kind").cast<std::string>();
        const auto size = item.attr("dtype").attr("itemsize").cast<int>();
        if ((kind == "i" || kind == "u") && !(kind == "u" && size == 1))
            data = item.attr("astype")("int64");
    }
    const Tensor made = tensor_from_data(data.ptr(), std::nullopt, true);
    return made.numel() == 0 && !is_array(item.ptr()) ? to_dtype(made, DType::Int64) : made;
}

// Whether an item stands for an index tensor; texts are sequences too, and no indices.
bool is_sequence_index(PyObject* item) {
    if (PyList_Check(item) || PyTuple_Check(item)) return true;
    return PySequence_Check(item) && !is_tensor(item) && !is_array(item);
}

// The items of an index. A list that holds more than numbers is one for each dimension, as a tuple is.
std::vector<py::object> items_of(PyObject* index) {
    constexpr Py_ssize_t kMostDimensions = 32;  // longer lists can only be one index
    const auto whole = py::reinterpret_borrow<py::object>(index);
    if (PyUnicode_Check(index) || PyBytes_Check(index))
        fail<TypeError>("new(): invalid data type '", Py_TYPE(index)->tp_name, "'");
    if (!is_sequence_index(index)) return {whole};
    if (!PyTuple_Check(index) && PySequence_Size(index) >= kMostDimensions) return {whole};
    std::vector<py::object> items;
    bool several = PyTuple_Check(index);
    for (py::handle item : py::reinterpret_borrow<py::sequence>(index)) {
        several |= is_tensor(item.ptr()) || PySequence_Check(item.ptr()) ||
                   PySlice_Check(item.ptr()) || item.ptr() == Py_Ellipsis || item.is_none();
        items.push_back(py::reinterpret_borrow<py::object>(item));
    }
    return several ? items : std::vector{whole};
}

// Whether an item selects with a tensor (so that the result is a copy).
bool is_advanced(PyObject* item) {
    if (is_tensor(item)) return unwrap(item).dim() > 0 || is_mask(unwrap(item));
    return is_sequence_index(item) || is_array(item);
}

Tensor apply_slice(const Tensor& x, int64_t dim, PyObject* item) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(item, &start, &stop, &step) < 0) throw py::error_already_set();
    if (step <= 0) fail<ValueError>("step must be greater than zero");
    return slice(x, dim, start, stop, step);
}

// How many dimensions of the tensor an item takes up.
int consumed(PyObject* item) {
    if (item == Py_None || item == Py_Ellipsis || PyBool_Check(item)) return 0;
    if (is_tensor(item)) {
        if (is_mask(unwrap(item))) return unwrap(item).dim();
    } else if (is_sequence_index(item) || is_array(item)) {
        const Tensor t = index_tensor(item);
        if (t.dtype() == DType::Bool) return t.dim();
    }
    return 1;
}

// Whether a slice takes all of a dimension, as it is written.
bool takes_all(PyObject* item, int64_t length) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(item, &start, &stop, &step) < 0) throw py::error_already_set();
    return start == 0 && step == 1 && stop >= length;
}

struct Selection {
    Tensor view;                  // after the basic items
    std::vector<Tensor> indices;  // for what remains; empty: nothing remains
};

// to_write: a slice that takes all makes no view, so that the tensor itself is written.
Selection apply_index(const Tensor& x, PyObject* index, bool to_write) {
    // The two most frequent forms first.
    int64_t number;
    if (PyLong_CheckExact(index) && to_integer(index, number)) {
        if (x.dim() == 0)
            fail<IndexError>(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
        return {select(x, 0, number), {}};
    }
    if (x.dim() == 0 && PySlice_Check(index))
        fail<IndexError>("slice() cannot be applied to a 0-dim tensor.");
    const std::vector<py::object> items = items_of(index);
    int taken = 0, ellipses = 0;
    for (const py::object& item : items) {
        taken += consumed(item.ptr());
        ellipses += item.ptr() == Py_Ellipsis;
    }
    if (ellipses > 1) fail<IndexError>("an index can only have a single ellipsis ('...')");
    if (taken > x.dim()) fail<IndexError>("too many indices for tensor of dimension ", x.dim());

    Selection result{x, {}};
    Tensor& view = result.view;
    int dim = 0;       // of the view
    int real_dim = 0;  // of x, which messages name
    int further =
        0;  // dimensions of masks beyond the first ones, which have no place among the indices
    auto set_index = [&](const Tensor& t) {
        if (t.dtype() == DType::UInt8)
            warn(
                "indexing with dtype tapegrad.uint8 is now deprecated, please use a dtype "
                "tapegrad.bool instead.");
        result.indices.resize(static_cast<size_t>(dim - further));
        result.indices.push_back(t);
        const int dims = is_mask(t) ? std::max(t.dim(), 1) : 1;
        dim += dims;
        further += dims - 1;
    };
    for (const py::object& object : items) {
        PyObject* item = object.ptr();
        const int own_dim = real_dim;
        real_dim += item == Py_Ellipsis ? x.dim() - taken : consumed(item);
        if (PySlice_Check(item)) {
            if (!to_write || !takes_all(item, view.sizes()[dim]))
                view = apply_slice(view, dim, item);
            ++dim;
        } else if (item == Py_Ellipsis) {
            dim += x.dim() - taken;
        } else if (item == Py_None) {
            view = unsqueeze(view, dim++);
        } else if (PyBool_Check(item)) {
            // A bool is a mask over a new dimension.
            view = unsqueeze(view, dim);
            Tensor mask = empty({1}, DType::Bool);
            fill_values(mask, item == Py_True);
            set_index(mask);
        } else if (is_advanced(item)) {
            const Tensor t = index_tensor(item);
            if (t.dim() == 0 && is_mask(t)) {
                view = unsqueeze(view, dim);
                set_index(reshape(to_dtype(t, DType::Bool), {1}));
            } else {
                set_index(t);
            }
        } else if (to_integer(item, number)) {
            const int64_t size = x.sizes()[own_dim];
            if (number < -size || number >= size)
                fail<IndexError>("index ", number, " is out of bounds for dimension ", own_dim,
                                 " with size ", size);
            view = select(view, dim, number);
        } else {
            if (is_tensor(item))
                fail<IndexError>("tensors used as indices must be long, int, byte or bool tensors");
            refuse_index(item);
        }
    }
    return result;
}

// Whether the indices are one mask and nothing else.
bool is_only_mask(const std::vector<Tensor>& indices) {
    int masks = 0, others = 0;
    for (const Tensor& t : indices)
        if (t.defined()) (is_mask(t) ? masks : others) += 1;
    return masks == 1 && others == 0;
}

// The value of an assignment as a tensor of the target's type.
Tensor value_tensor(PyObject* value, DType dtype) {
    if (is_tensor(value)) return unwrap(value);
    Scalar scalar(0);
    if (to_scalar(value, scalar)) {
        // As in PyTorch, what is beyond a half precision type becomes infinite here.
        if (is_half(dtype)) return cast_values(scalar_tensor(scalar, DType::Float64), dtype);
        return scalar_tensor(scalar, dtype);
    }
    try {
        return py::module_::import("tapegrad._C")
            .attr("as_tensor")(py::handle(value), py::arg("dtype") = dtype)
            .cast<Tensor>();
    } catch (const py::error_already_set&) {
        fail<TypeError>("can't assign a ", Py_TYPE(value)->tp_name, " to a tapegrad.",
                        scalar_type_name(dtype), "Tensor");
    }
}

// Leading dimensions of size 1 that the target does not have are dropped, as in NumPy.
Tensor trimmed(const Tensor& value, int target_dims) {
    Dims sizes = value.sizes();
    while (sizes.size() > target_dims && sizes[0] == 1) sizes.erase(0);
    return sizes.size() == value.dim() ? value : reshape(value, sizes);
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* item) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        if (is_replay_recorded()) [[unlikely]]
            note_externals(self, item);
        const Selection selection = apply_index(x, item, false);
        if (!selection.indices.empty()) return wrap(index(selection.view, selection.indices));
        return wrap(selection.view.is_same(x) ? view_alias(x) : selection.view);
    });
}

int set_item(PyObject* self, PyObject* item, PyObject* value) {
    return guarded([&]() -> int {
        if (!value) fail<TypeError>("Tensor does not support deleting items");
        const Tensor x = unwrap(self);
        if (is_replay_recorded()) [[unlikely]]
            note_externals(self, item, value);
        const Tensor source = value_tensor(value, x.dtype());
        const Selection selection = apply_index(x, item, true);
        if (!selection.indices.empty()) {
            const std::vector<Tensor>& indices = selection.indices;
            Tensor values = trimmed(source, 0);
            // One value under a mask fills, and is converted as such.
            if (values.numel() == 1 && is_only_mask(indices)) {
                check_value(values, x.dtype());
                values = to_dtype(values, x.dtype());
            }
            index_put_(selection.view, indices, values, false);
            return 0;
        }
        const Tensor& target = selection.view;
        const Tensor fitting = trimmed(source, target.dim());
        if (fitting.dim() == 0) fill_(target, fitting);
        else
            copy_(target,
                  fitting.sizes() == target.sizes() ? fitting : expand(fitting, target.sizes()));
        return 0;
    });
}

}  // namespace tapegrad::python
