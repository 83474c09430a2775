#include "python/tensor_attributes.h"

#include "autograd/cuts.h"
#include "autograd/variable.h"
#include "ops/elementwise.h"
#include "ops/split.h"
#include "ops/views.h"
#include "python/casters.h"
#include "python/errors.h"
#include "python/hooks.h"
#include "python/interpreter.h"
#include "python/node_object.h"
#include "python/replay.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

PyObject* to_bool(bool value) { return PyBool_FromLong(value); }

PyObject* get_grad(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        note_external(x);
        if (!x->grad && !x.is_leaf() && !x->retains_grad && x.requires_grad()) [[unlikely]] {
            constexpr const char* message =
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you "
                "access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
                "more information.";
            if (run_python([] { return PyErr_WarnEx(PyExc_UserWarning, message, 1); }) < 0)
                return nullptr;
        }
        return wrap(x.grad());
    });
}

int set_grad(PyObject* self, PyObject* value, void*) {
    return guarded([&]() -> int {
        const Tensor x = unwrap(self);
        note_external(x);
        if (!value || value == Py_None) {
            if (x->grad && find_site) make_extra(x).cleared_at = current_site();
            x->grad.reset();
            return 0;
        }
        if (!is_tensor(value))
            fail<TypeError>("assigned grad expected to be a Tensor or None but got grad of type ",
                            Py_TYPE(value)->tp_name);
        const Tensor grad = unwrap(value);
        if (grad.is_same(x)) fail("can't assign Variable as its own grad");
        if (grad.dtype() != x.dtype())
            fail("attempting to assign a gradient with dtype '", scalar_type_name(grad.dtype()),
                 "' to a tensor with dtype '", scalar_type_name(x.dtype()),
                 "'. Please ensure that the gradient and the tensor have the same dtype");
        if (!(grad.sizes() == x.sizes()))
            fail("attempting to assign a gradient of size '", to_string(grad.sizes()),
                 "' to a tensor of size '", to_string(x.sizes()),
                 "'. Please ensure that the gradient and the tensor are the same size");
        x->grad = Ref<TensorImpl>(grad.impl());
        return 0;
    });
}

PyObject* get_requires_grad(PyObject* self, void*) { return to_bool(wants_gradient(unwrap(self))); }
int set_requires_grad_attribute(PyObject* self, PyObject* value, void*) {
    return guarded([&]() -> int {
        if (!value || !PyBool_Check(value)) fail<TypeError>("requires_grad must be a bool");
        set_requires_grad(unwrap(self), value == Py_True);
        return 0;
    });
}

PyObject* get_grad_fn(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        Ref<Node> node = grad_fn(unwrap(self));
        if (node) track_object(self);  // what Python hangs on the node may lead back to the tensor
        return wrap_node(node);
    });
}
int set_grad_fn(PyObject* self, PyObject* value, void*) {
    return guarded([&]() -> int {
        if (value != Py_None) fail<TypeError>("_grad_fn can be only set to None");
        detach_in_place(unwrap(self));
        return 0;
    });
}

PyObject* get_is_leaf(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return to_bool(!grad_fn(unwrap(self))); });
}
PyObject* get_retains_grad(PyObject* self, void*) { return to_bool(unwrap(self)->retains_grad); }
PyObject* get_output_nr(PyObject* self, void*) {
    return PyLong_FromUnsignedLong(unwrap(self)->output_nr);
}
PyObject* get_version(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        if (x->inference) fail("Inference tensors do not track version counter.");
        return PyLong_FromUnsignedLong(Storage::changes(x.version()));
    });
}
PyObject* get_base(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        return wrap(is_view(x) ? extra_of(x)->base : Tensor());
    });
}
PyObject* get_shape(PyObject* self, void*) {
    return guarded([&] { return wrap_size(unwrap(self).sizes()); });
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(unwrap(self).dim()); }
PyObject* get_itemsize(PyObject* self, void*) {
    return PyLong_FromSize_t(unwrap(self).item_size());
}
PyObject* get_nbytes(PyObject* self, void*) {
    const Tensor x = unwrap(self);
    // More than an int64 where one element stands for many.
    const auto numel = py::reinterpret_steal<py::object>(PyLong_FromLongLong(x.numel()));
    const auto item = py::reinterpret_steal<py::object>(PyLong_FromSize_t(x.item_size()));
    return numel && item ? PyNumber_Multiply(numel.ptr(), item.ptr()) : nullptr;
}
PyObject* get_dtype(PyObject* self, void*) { return Py_NewRef(dtype_object(unwrap(self).dtype())); }
PyObject* get_T(PyObject* self, void*) {
    note_external(unwrap(self));
    return guarded([&] { return wrap(reversed(unwrap(self))); });
}
PyObject* get_mT(PyObject* self, void*) {
    note_external(unwrap(self));
    return guarded([&] { return wrap(matrix_transpose(unwrap(self))); });
}

// The same memory outside of the tape, with a version counter of its own.
PyObject* get_data(PyObject* self, void*) {
    return guarded([&] {
        const Tensor x = unwrap(self);
        note_external(x);
        note_cut(".data", x);
        return wrap(Tensor(new TensorImpl(x.shape(), x.dtype(), Storage::alias(x.storage()),
                                          x->data, x->inference)));
    });
}
int set_data(PyObject* self, PyObject* value, void*) {
    return guarded([&]() -> int {
        const Tensor x = unwrap(self);
        if (!value || !is_tensor(value))
            fail<TypeError>("Variable data has to be a tensor, but got ",
                            value ? Py_TYPE(value)->tp_name : "nothing");
        refuse_replay("an assignment to .data");
        replace_data(x, unwrap(value));
        return 0;
    });
}

// What is put in there may lead back to the tensor.
PyObject* get_dict(PyObject* self, void*) {
    track_object(self);
    return PyObject_GenericGetDict(self, nullptr);
}
int set_dict(PyObject* self, PyObject* value, void*) {
    track_object(self);
    return PyObject_GenericSetDict(self, value, nullptr);
}

// The docs tables have their docstrings.
PyGetSetDef attributes[] = {
    {"__dict__", get_dict, set_dict, nullptr, nullptr},
    {"grad", get_grad, set_grad, nullptr, nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad_attribute, nullptr, nullptr},
    {"grad_fn", get_grad_fn, set_grad_fn, nullptr, nullptr},
    {"_grad_fn", get_grad_fn, set_grad_fn, nullptr, nullptr},
    {"is_leaf", get_is_leaf, nullptr, nullptr, nullptr},
    {"retains_grad", get_retains_grad, nullptr, nullptr, nullptr},
    {"output_nr", get_output_nr, nullptr, nullptr, nullptr},
    {"_version", get_version, nullptr, "How often the memory was changed in place.", nullptr},
    {"_base", get_base, nullptr, "The tensor whose memory this view shows, or None.", nullptr},
    {"shape", get_shape, nullptr, nullptr, nullptr},
    {"ndim", get_ndim, nullptr, nullptr, nullptr},
    {"itemsize", get_itemsize, nullptr, nullptr, nullptr},
    {"nbytes", get_nbytes, nullptr, nullptr, nullptr},
    {"dtype", get_dtype, nullptr, nullptr, nullptr},
    {"T", get_T, nullptr, nullptr, nullptr},
    {"mT", get_mT, nullptr, nullptr, nullptr},
    {"data", get_data, set_data, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

PyGetSetDef* tensor_getset() { return attributes; }

void track_object(PyObject* object) {
    if (!PyObject_GC_IsTracked(object)) PyObject_GC_Track(object);
}

}  // namespace tapegrad::python
