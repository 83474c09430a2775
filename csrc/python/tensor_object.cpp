#include "python/tensor_object.h"

#include <pybind11/pytypes.h>
#include <structmember.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "autograd/cuts.h"
#include "autograd/variable.h"
#include "ops/arithmetic.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/reductions.h"
#include "ops/split.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/errors.h"
#include "python/numpy.h"
#include "python/replay.h"
#include "python/slot.h"
#include "python/tensor_attributes.h"
#include "python/torch_function.h"

namespace py = pybind11;

namespace tapegrad::python {

PyTypeObject* tensor_type = nullptr;

namespace {

TensorObject* as_object(PyObject* object) { return reinterpret_cast<TensorObject*>(object); }

// ----------------------------------------------------------------------- life of the objects

// Freed objects of exactly this type, for reuse: most results live only until the next operation. They
// keep their type, and have neither attributes nor weak references.
#ifdef Py_TRACE_REFS
constexpr int kIdleObjects = 0;
#else
constexpr int kIdleObjects = 256;
#endif
TensorObject* idle_objects[kIdleObjects];
int idle_count = 0;

PyObject* new_object(PyTypeObject* type, Tensor&& tensor) {
    TensorObject* object;
    if (type == tensor_type && idle_count > 0) {
        object = idle_objects[--idle_count];
        Py_SET_REFCNT(reinterpret_cast<PyObject*>(object), 1);
        allow_finalizer(
            reinterpret_cast<PyObject*>(object));  // its former life may have used it up
    } else {
        if (type != tensor_type) note_subclass(type);
        object = type == tensor_type ? PyObject_GC_New(TensorObject, type)
                                     : as_object(type->tp_alloc(type, 0));
        if (!object) throw py::error_already_set();
        object->dict = nullptr;
        object->weak_references = nullptr;
    }
    new (&object->tensor) Tensor(std::move(tensor));
    object->tensor->python_object = object;
    return reinterpret_cast<PyObject*>(object);
}

// A tensor that C++ still holds keeps its Python object where that carries more than the tensor: a
// subclass or attributes. The tensor then owns the object instead of the other way around.
bool worth_keeping(PyObject* self) {
    const TensorObject* object = as_object(self);
    return object->tensor && object->tensor->references > 1 &&
           (Py_TYPE(self) != tensor_type || object->dict);
}

void tensor_finalize(PyObject* self) {
    if (!worth_keeping(self)) return;
    TensorImpl* impl = as_object(self)->impl();
    impl->python_owned = true;
    Py_INCREF(self);
    impl->release();
}

void tensor_dealloc(PyObject* self) {
    TensorObject* object = as_object(self);
    PyTypeObject* type = Py_TYPE(self);
    if (type == tensor_type && object->dict && worth_keeping(self) &&
        PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (object->weak_references) PyObject_ClearWeakRefs(self);
    Py_CLEAR(object->dict);
    if (TensorImpl* impl = object->tensor.detach()) {
        if (impl->python_object == object) impl->python_object = nullptr;
        impl->release();
    }
    if (type == tensor_type && idle_count < kIdleObjects) {
        idle_objects[idle_count++] = object;
        return;
    }
    type->tp_free(self);
    Py_DECREF(type);
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
    TensorObject* object = as_object(self);
    Py_VISIT(object->dict);
    Py_VISIT(Py_TYPE(self));
    // Hooks are seen as this object's own only while nobody in C++ holds the tensor too.
    if (object->tensor && object->tensor->references == 1)
        return traverse_hooks(object->tensor, visit, arg);
    return 0;
}

int tensor_clear(PyObject* self) {
    TensorObject* object = as_object(self);
    Py_CLEAR(object->dict);
    if (object->tensor && object->tensor->references == 1) clear_hooks(object->tensor);
    return 0;
}

// An attribute may lead back to the tensor: a cycle that only the collector can find.
int tensor_setattr(PyObject* self, PyObject* name, PyObject* value) {
    const int result = PyObject_GenericSetAttr(self, name, value);
    if (as_object(self)->dict) track_object(self);
    return result;
}

// A tensor that owns its Python object is gone: the object goes with it.
void release_owned_object(void* python_object) {
    TensorObject* object = static_cast<TensorObject*>(python_object);
    object->tensor.detach();
    Py_DECREF(reinterpret_cast<PyObject*>(object));
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* { return construct_tensor(type, args, kwargs); });
}

// ----------------------------------------------------------------------------- operators

// What is no tensor and no number may be an array, or give the result itself.
PyObject* with_others(PyObject* left, PyObject* right, binaryfunc op) {
    return take_note(left, right) ? op(left, right) : through_numpy(left, right, op);
}
template <class F>
PyObject* two_operands(PyObject* left, PyObject* right, binaryfunc on_arrays, F f) {
    return guarded([&]() -> PyObject* {
        Arg a(0), b(0);
        if (!read_operand(left, a) || !read_operand(right, b)) {
            if (PyErr_Occurred()) return nullptr;
            return with_others(left, right, on_arrays);
        }
        return wrap(f(a, b));
    });
}

template <Binary Op, binaryfunc OnArrays> PyObject* binary_slot(PyObject* left, PyObject* right) {
    return two_operands(left, right, OnArrays,
                        [](const Arg& a, const Arg& b) { return binary(Op, a, b); });
}
template <Integer Op, binaryfunc OnArrays> PyObject* integer_slot(PyObject* left, PyObject* right) {
    return two_operands(left, right, OnArrays,
                        [](const Arg& a, const Arg& b) { return integer_binary(Op, a, b); });
}
// number / tensor is a product with the reciprocal, as in PyTorch.
PyObject* divide_slot(PyObject* left, PyObject* right) {
    return two_operands(left, right, PyNumber_TrueDivide, [](const Arg& a, const Arg& b) {
        if (a.is_tensor()) return binary(Binary::Div, a, b);
        return unary(Unary::Reciprocal, b.tensor()) * a;
    });
}
PyObject* array_power(PyObject* left, PyObject* right) {
    return PyNumber_Power(left, right, Py_None);
}
PyObject* power_slot(PyObject* left, PyObject* right, PyObject* modulus) {
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    return two_operands(left, right, array_power, power);
}
PyObject* matmul_slot(PyObject* left, PyObject* right) {
    return guarded([&] {
        if (!is_tensor(left) || !is_tensor(right))
            return with_others(left, right, PyNumber_MatrixMultiply);
        return wrap(matmul(unwrap(left), unwrap(right)));
    });
}

// x += y: the tensor itself is the result. Anything but a tensor, a number or an array leaves it to +.
template <class F> PyObject* in_place(PyObject* self, PyObject* other, binaryfunc again, F f) {
    return guarded([&]() -> PyObject* {
        Arg b(0);
        Tensor values;
        if (!read_operand(other, b)) {
            if (PyErr_Occurred()) return nullptr;
            if (take_note(self, other)) return again(self, other);
            if (!may_be_array(other)) Py_RETURN_NOTIMPLEMENTED;
            values = array_operand(unwrap(self), other);
            b = Arg(values);
        }
        f(unwrap(self), b);
        Py_INCREF(self);
        return self;
    });
}
template <Binary Op, binaryfunc Again>
PyObject* binary_in_place_slot(PyObject* self, PyObject* other) {
    return in_place(self, other, Again,
                    [](const Tensor& a, const Arg& b) { binary_in_place(Op, a, b); });
}
template <Integer Op, binaryfunc Again>
PyObject* integer_in_place_slot(PyObject* self, PyObject* other) {
    return in_place(self, other, Again,
                    [](const Tensor& a, const Arg& b) { integer_in_place(Op, a, b); });
}
PyObject* power_in_place(PyObject* self, PyObject* other) {
    return PyNumber_InPlacePower(self, other, Py_None);
}
PyObject* power_in_place_slot(PyObject* self, PyObject* other, PyObject*) {
    return in_place(self, other, power_in_place, power_);
}

template <Unary Op> PyObject* unary_slot(PyObject* self) {
    return guarded([&] { return wrap(unary(Op, unwrap(self))); });
}
PyObject* invert_slot(PyObject* self) {
    return guarded([&]() -> PyObject* { return wrap(bitwise_not(unwrap(self))); });
}
PyObject* positive_slot(PyObject* self) {
    Py_INCREF(self);
    return self;
}

int bool_slot(PyObject* self) {
    return guarded([&]() -> int { return is_nonzero(unwrap(self)); });
}
// The only element, as Python's own conversions have it.
py::object element_of(PyObject* self) {
    const Tensor& x = unwrap(self);
    if (x.numel() != 1)
        fail<ValueError>("only one element tensors can be converted to Python scalars");
    note_cut("the conversion to a number of Python's", x);
    return py::reinterpret_steal<py::object>(item(x));
}
PyObject* float_slot(PyObject* self) {
    return guarded([&]() -> PyObject* {
        static bool warned = false;  // once, as PyTorch does
        if (unwrap(self).requires_grad() && thread_state.grad_enabled &&
            !std::exchange(warned, true))
            warn(
                "Converting a tensor with requires_grad=True to a scalar may lead to unexpected "
                "behavior.\nConsider using tensor.detach() first.");
        return PyNumber_Float(element_of(self).ptr());
    });
}
PyObject* int_slot(PyObject* self) {
    return guarded([&] { return PyNumber_Long(element_of(self).ptr()); });
}
PyObject* index_slot(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        if (x.is_floating() || x.numel() != 1)
            fail<TypeError>(
                "only integer tensors of a single element can be converted to an index");
        py::object value = py::reinterpret_steal<py::object>(item(x));
        return PyNumber_Long(value.ptr());
    });
}

void note_compared(const Arg& arg) {
    if (arg.is_tensor()) note_cut("a comparison", arg.tensor());
}
PyObject* compare_slot(PyObject* left, PyObject* right, int op) {
    constexpr Comparison comparisons[] = {Comparison::Lt, Comparison::Le, Comparison::Eq,
                                          Comparison::Ne, Comparison::Gt, Comparison::Ge};
    return guarded([&]() -> PyObject* {
        Arg a(0), b(0);
        if (!read_operand(left, a) || !read_operand(right, b)) {
            if (PyErr_Occurred()) return nullptr;
            return take_note(left, right) ? PyObject_RichCompare(left, right, op)
                                          : compare_through_numpy(left, right, op);
        }
        note_compared(a);
        note_compared(b);
        return wrap(compare(comparisons[op], a, b));
    });
}

Py_hash_t hash_slot(PyObject* self) { return _Py_HashPointer(self); }

Py_ssize_t length_slot(PyObject* self) {
    return guarded([&]() -> Py_ssize_t {
        const Tensor x = unwrap(self);
        if (x.dim() == 0) fail<TypeError>("len() of a 0-d tensor");
        return static_cast<Py_ssize_t>(x.sizes()[0]);
    });
}

PyObject* iterate_slot(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Tensor x = unwrap(self);
        if (x.dim() == 0) fail<TypeError>("iteration over a 0-d tensor");
        if (is_replay_recorded()) [[unlikely]]
            note_externals(self);
        const auto rows = py::reinterpret_steal<py::object>(wrap_tuple(unbind(x, 0)));
        return PyObject_GetIter(rows.ptr());
    });
}

}  // namespace

PyObject* wrap(Tensor tensor) {
    if (!tensor.defined()) Py_RETURN_NONE;
    TensorImpl* impl = tensor.impl();
    if (PyObject* existing = static_cast<PyObject*>(impl->python_object)) {
        if (impl->python_owned) {  // back to the usual direction: the object owns the tensor
            allow_finalizer(existing);
            impl->python_owned = false;
            impl->retain();
            return existing;
        }
        Py_INCREF(existing);
        return existing;
    }
    return wrap_as(tensor_type, std::move(tensor));
}

PyObject* wrap_as(PyTypeObject* type, Tensor tensor) {
    if (is_replay_recorded()) [[unlikely]]
        replay::recorder()->note_made(tensor);
    return new_object(type, std::move(tensor));
}

bool to_scalar(PyObject* object, Scalar& result) {
    if (PyFloat_Check(object)) {
        result = Scalar(PyFloat_AS_DOUBLE(object));
        return true;
    }
    if (PyBool_Check(object)) {
        result = Scalar(object == Py_True);
        return true;
    }
    if (PyLong_Check(object)) {
        int overflow;
        const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
        if (overflow == 0) {
            result = Scalar(static_cast<int64_t>(value));
        } else {
            if (overflow < 0) PyLong_AsLongLong(object);  // for the error
            else result = Scalar(uint64_t{PyLong_AsUnsignedLongLong(object)});
        }
        if (PyErr_Occurred()) throw py::error_already_set();
        return true;
    }
    // NumPy's scalars: np.float32(2) * x. Arrays are left to NumPy.
    const char* module = Py_TYPE(object)->tp_name;
    if (std::strncmp(module, "numpy.", 6) == 0 && std::strcmp(module, "numpy.ndarray") != 0) {
        py::object value =
            py::reinterpret_steal<py::object>(PyObject_CallMethod(object, "item", nullptr));
        if (!value) throw py::error_already_set();
        if (value.ptr() != object && (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())))
            return to_scalar(value.ptr(), result);
    }
    return false;
}

void define_tensor_type(PyObject* module) {
    static PyMemberDef members[] = {
        {"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, dict), READONLY, nullptr},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weak_references), READONLY,
         nullptr},
        {nullptr, 0, 0, 0, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, slot(tensor_new)},
        {Py_tp_dealloc, slot(tensor_dealloc)},
        {Py_tp_finalize, slot(tensor_finalize)},
        {Py_tp_traverse, slot(tensor_traverse)},
        {Py_tp_clear, slot(tensor_clear)},
        {Py_tp_setattro, slot(tensor_setattr)},
        {Py_tp_members, members},
        {Py_tp_getset, tensor_getset()},
        {Py_tp_richcompare, slot(compare_slot)},
        {Py_tp_hash, slot(hash_slot)},
        {Py_tp_iter, slot(iterate_slot)},
        {Py_nb_add, slot(binary_slot<Binary::Add, PyNumber_Add>)},
        {Py_nb_subtract, slot(binary_slot<Binary::Sub, PyNumber_Subtract>)},
        {Py_nb_multiply, slot(binary_slot<Binary::Mul, PyNumber_Multiply>)},
        {Py_nb_true_divide, slot(divide_slot)},
        {Py_nb_remainder, slot(binary_slot<Binary::Remainder, PyNumber_Remainder>)},
        {Py_nb_floor_divide, slot(integer_slot<Integer::FloorDivide, PyNumber_FloorDivide>)},
        {Py_nb_power, slot(power_slot)},
        {Py_nb_matrix_multiply, slot(matmul_slot)},
        {Py_nb_and, slot(integer_slot<Integer::BitwiseAnd, PyNumber_And>)},
        {Py_nb_or, slot(integer_slot<Integer::BitwiseOr, PyNumber_Or>)},
        {Py_nb_xor, slot(integer_slot<Integer::BitwiseXor, PyNumber_Xor>)},
        {Py_nb_lshift, slot(integer_slot<Integer::LeftShift, PyNumber_Lshift>)},
        {Py_nb_rshift, slot(integer_slot<Integer::RightShift, PyNumber_Rshift>)},
        {Py_nb_inplace_add, slot(binary_in_place_slot<Binary::Add, PyNumber_InPlaceAdd>)},
        {Py_nb_inplace_subtract, slot(binary_in_place_slot<Binary::Sub, PyNumber_InPlaceSubtract>)},
        {Py_nb_inplace_multiply, slot(binary_in_place_slot<Binary::Mul, PyNumber_InPlaceMultiply>)},
        {Py_nb_inplace_true_divide,
         slot(binary_in_place_slot<Binary::Div, PyNumber_InPlaceTrueDivide>)},
        {Py_nb_inplace_remainder,
         slot(binary_in_place_slot<Binary::Remainder, PyNumber_InPlaceRemainder>)},
        {Py_nb_inplace_floor_divide,
         slot(integer_in_place_slot<Integer::FloorDivide, PyNumber_InPlaceFloorDivide>)},
        {Py_nb_inplace_power, slot(power_in_place_slot)},
        {Py_nb_inplace_and, slot(integer_in_place_slot<Integer::BitwiseAnd, PyNumber_InPlaceAnd>)},
        {Py_nb_inplace_or, slot(integer_in_place_slot<Integer::BitwiseOr, PyNumber_InPlaceOr>)},
        {Py_nb_inplace_xor, slot(integer_in_place_slot<Integer::BitwiseXor, PyNumber_InPlaceXor>)},
        {Py_nb_inplace_lshift,
         slot(integer_in_place_slot<Integer::LeftShift, PyNumber_InPlaceLshift>)},
        {Py_nb_inplace_rshift,
         slot(integer_in_place_slot<Integer::RightShift, PyNumber_InPlaceRshift>)},
        {Py_nb_negative, slot(unary_slot<Unary::Neg>)},
        {Py_nb_absolute, slot(unary_slot<Unary::Abs>)},
        {Py_nb_positive, slot(positive_slot)},
        {Py_nb_invert, slot(invert_slot)},
        {Py_nb_bool, slot(bool_slot)},
        {Py_nb_float, slot(float_slot)},
        {Py_nb_int, slot(int_slot)},
        {Py_nb_index, slot(index_slot)},
        {Py_mp_length, slot(length_slot)},
        {Py_mp_subscript, slot(get_item)},
        {Py_mp_ass_subscript, slot(set_item)},
        {Py_sq_length, slot(length_slot)},
        {Py_bf_getbuffer, slot(get_buffer)},
        {Py_bf_releasebuffer, slot(release_buffer)},
        {0, nullptr},
    };
    static PyType_Spec spec = {
        "tapegrad.Tensor",
        sizeof(TensorObject),
        0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        slots,
    };
    PyObject* type = PyType_FromSpec(&spec);
    if (!type) throw py::error_already_set();
    tensor_type = reinterpret_cast<PyTypeObject*>(type);
    // Messages of the interpreter name the type without its module, as for a class written in Python.
    py::setattr(type, "__name__", py::str("Tensor"));
    TensorImpl::release_python_object = release_owned_object;
    if (PyModule_AddObjectRef(module, "Tensor", type) < 0) throw py::error_already_set();
}

void add_method(PyMethodDef* definition) {
    PyObject* method = PyDescr_NewMethod(tensor_type, definition);
    if (!method || PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type),
                                          definition->ml_name, method) < 0)
        throw py::error_already_set();
    Py_DECREF(method);
}

}  // namespace tapegrad::python
