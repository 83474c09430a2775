#include "python/numpy.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "autograd/cuts.h"
#include "autograd/variable.h"
#include "core/checked.h"
#include "ops/copy.h"
#include "python/errors.h"
#include "python/module.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

constexpr const char* kDetachFirst =
    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.";

// Everything of NumPy that is looked up by name, once.
struct Names {
    py::object generic = py::module_::import("numpy").attr("generic");
};

const Names& names() {
    static const Names* found = new Names;  // outlives the interpreter on purpose
    return *found;
}

std::optional<DType> find_dtype(const py::dtype& dtype) {
    const auto size = dtype.itemsize();
    switch (dtype.kind()) {
        case 'b': return DType::Bool;
        case 'u':
            if (size == 1) return DType::UInt8;
            break;
        case 'i':
            if (size == 1) return DType::Int8;
            if (size == 2) return DType::Int16;
            if (size == 4) return DType::Int32;
            if (size == 8) return DType::Int64;
            break;
        case 'f':
            if (size == 2) return DType::Float16;
            if (size == 4) return DType::Float32;
            if (size == 8) return DType::Float64;
            break;
        default: break;
    }
    return std::nullopt;
}

DType require_dtype(const py::dtype& dtype) {
    if (auto found = find_dtype(dtype)) return *found;
    const py::object type = dtype.attr("type");
    fail<TypeError>("can't convert np.ndarray of type ",
                    reinterpret_cast<PyTypeObject*>(type.ptr())->tp_name,
                    ". The only supported types are: float64, float32, float16, int64, int32, "
                    "int16, int8, uint8, "
                    "and bool.");
}

py::dtype to_numpy_dtype(DType dtype) {
    return visit_dtype(dtype, []<class T>() -> py::dtype {
        if constexpr (std::is_same_v<T, BFloat16>)
            fail<TypeError>("Got unsupported ScalarType BFloat16");  // NumPy has no such type
        else if constexpr (std::is_same_v<T, Half>) return py::dtype("float16");
        else return py::dtype::of<T>();
    });
}

// Sizes and strides of an array, in elements.
void read_layout(const py::array& array, Dims& sizes, Dims& strides) {
    const int count = static_cast<int>(array.ndim());
    const py::ssize_t item = array.itemsize();
    sizes.resize(count);
    strides.resize(count);
    for (int i = 0; i < count; ++i) {
        sizes[i] = array.shape(i);
        const py::ssize_t stride = array.strides(i);
        if (stride < 0)
            fail<ValueError>(
                "At least one stride in the given numpy array is negative, and tensors with "
                "negative strides are not currently supported. (You can probably work around this "
                "by making a copy of your array  with array.copy().) ");
        if (item == 0 || stride % item != 0)
            fail<ValueError>(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy "
                "array to reallocate the memory.");
        strides[i] = stride / item;
    }
}

void release_object(void* owner) {
    if (Py_IsInitialized()) Py_DECREF(static_cast<PyObject*>(owner));
}

Tensor from_numpy(const py::handle& array) {
    if (!is_array(array.ptr()))
        fail<TypeError>("expected np.ndarray (got ", Py_TYPE(array.ptr())->tp_name, ")");
    return convert_array(array, false);
}

py::object array_method(const Tensor& self, const py::object& dtype, const py::object& copy) {
    if (recording(self)) fail(kDetachFirst);
    py::object array = to_array(self);
    const bool must_copy = !copy.is_none() && copy.cast<bool>(),
               may_copy = copy.is_none() || must_copy;
    if (!dtype.is_none()) {
        const py::dtype wanted = py::dtype::from_args(dtype);
        if (!wanted.equal(array.attr("dtype"))) {
            if (!may_copy)
                fail<ValueError>("Unable to avoid copy while creating an array as requested.");
            return array.attr("astype")(wanted);
        }
    }
    return must_copy ? py::object(array.attr("copy")()) : array;
}

py::object numpy_method(const Tensor& self, bool force) {
    if (recording(self) && !force) fail(kDetachFirst);
    note_cut("numpy()", self);
    return to_array(self);
}

// Raises for what torch.frombuffer refuses, in its words; the number of elements otherwise.
int64_t frombuffer_count(const Py_buffer& view, int64_t item, int64_t count, int64_t offset) {
    const int64_t length = view.len;
    if (length == 0 || count == 0)
        fail<ValueError>("both buffer length (", length, ") and count (", count, ") must not be 0");
    if (offset < 0 || offset >= length)
        fail<ValueError>("offset (", offset,
                         " bytes) must be non-negative and no greater than buffer length (", length,
                         " bytes) minus 1");
    if (count < 0) {
        if ((length - offset) % item != 0)
            fail<ValueError>("buffer length (", length - offset, " bytes) after offset (", offset,
                             " bytes) must be a multiple of element size (", item, ")");
        return (length - offset) / item;
    }
    if (count > (length - offset) / item)
        fail<ValueError>("requested buffer length (", count, " * ", item, " bytes) after offset (",
                         offset, " bytes) must not be greater than actual buffer length (", length,
                         " bytes)");
    return count;
}

struct ReleaseBuffer {
    void operator()(Py_buffer* view) const {
        if (Py_IsInitialized()) PyBuffer_Release(view);
        delete view;
    }
};

int64_t integer_argument(const py::handle& value, const char* name) {
    int64_t result;
    if (!to_integer(value.ptr(), result))
        fail<TypeError>("frombuffer(): argument '", name, "' must be int, not ",
                        Py_TYPE(value.ptr())->tp_name);
    return result;
}

Tensor frombuffer(const py::handle& object, DType dtype, const py::handle& count_given,
                  const py::handle& offset_given, bool requires_grad) {
    const int64_t count = integer_argument(count_given, "count"),
                  offset = integer_argument(offset_given, "offset");
    if (!PyObject_CheckBuffer(object.ptr()))
        fail<ValueError>("object does not implement Python buffer protocol.");
    auto raw = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(object.ptr(), raw.get(), PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        if (PyObject_GetBuffer(object.ptr(), raw.get(), PyBUF_SIMPLE) < 0)
            throw py::error_already_set();
    }
    std::unique_ptr<Py_buffer, ReleaseBuffer> view(raw.release());
    const int64_t n =
        frombuffer_count(*view, static_cast<int64_t>(item_size(dtype)), count, offset);
    if (requires_grad && !is_floating(dtype))
        fail("Only Tensors of floating point and complex dtype can require gradients");
    Tensor out = borrow_memory(
        static_cast<char*>(view->buf) + offset, Dims{n}, Dims{1}, dtype, view.get(),
        [](void* owner) { ReleaseBuffer()(static_cast<Py_buffer*>(owner)); }, view->readonly);
    view.release();
    if (dtype == DType::Bool) {
        const auto* bytes = out.data<uint8_t>();
        if (std::any_of(bytes, bytes + n, [](uint8_t byte) { return byte > 1; }))
            fail<ValueError>("a buffer of Bool needs memory that has nothing but 0 and 1");
    }
    set_requires_grad(out, requires_grad);
    return out;
}

// The strides in bytes. One that does not fit leads to no other element: any value will do.
Dims byte_strides(const Tensor& tensor) {
    const auto item = static_cast<int64_t>(tensor.item_size());
    Dims strides = tensor.strides();
    for (int64_t& stride : strides)
        if (__builtin_mul_overflow(stride, item, &stride)) stride = item;
    return strides;
}

// What a Py_buffer refers to. The storage is held because the tensor object may get another one.
struct BufferExport {
    Ref<Storage> storage;
    Dims sizes, strides;  // strides in bytes
};

// Format characters of the struct module; it has none for bfloat16.
constexpr const char* kFormats[kDTypeCount] = {
    "?", "B", "b", "h", "i", sizeof(long) == 8 ? "l" : "q", "e", nullptr, "f", "d"};

void fill_buffer(PyObject* self, Py_buffer* view, int flags) {
    const auto wants = [flags](int flag) { return (flags & flag) == flag; };
    const Tensor tensor = unwrap(self);
    refuse_replay("the memory of a tensor, as a buffer");
    if (recording(tensor)) throw py::buffer_error(kDetachFirst);
    if (!kFormats[static_cast<int>(tensor.dtype())])
        throw py::buffer_error("buffers have no format for bfloat16");
    const bool read_only = tensor.storage()->read_only();
    if (read_only && wants(PyBUF_WRITABLE))
        throw py::buffer_error("the memory of this tensor is read-only");
    auto exported = std::make_unique<BufferExport>(
        BufferExport{tensor.storage(), tensor.sizes(), byte_strides(tensor)});
    const int count = tensor.dim();
    const auto item = static_cast<int64_t>(tensor.item_size());
    int64_t bytes;
    if (__builtin_mul_overflow(tensor.numel(), item, &bytes))
        throw py::buffer_error("the elements of this tensor are too many for a buffer");

    bool column_major = true;
    int64_t expected = 1;
    for (int i = 0; i < count; ++i) {
        column_major &= tensor.sizes()[i] == 1 || tensor.strides()[i] == expected;
        expected = saturating_mul(expected, tensor.sizes()[i]);
    }
    const bool row_major = tensor.is_contiguous();
    if ((wants(PyBUF_C_CONTIGUOUS) && !row_major) || (wants(PyBUF_F_CONTIGUOUS) && !column_major) ||
        (wants(PyBUF_ANY_CONTIGUOUS) && !row_major && !column_major) ||
        (!wants(PyBUF_STRIDES) && !row_major))
        throw py::buffer_error("the memory of this tensor is not contiguous as asked for");

    view->buf = tensor.data();
    view->len = static_cast<Py_ssize_t>(bytes);
    // Who asks for no shape gets bytes in a row.
    view->itemsize = wants(PyBUF_ND) ? static_cast<Py_ssize_t>(item) : 1;
    view->readonly = read_only;
    view->ndim = wants(PyBUF_ND) ? count : 1;
    view->format = wants(PyBUF_FORMAT)
                       ? const_cast<char*>(kFormats[static_cast<int>(tensor.dtype())])
                       : nullptr;
    static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
    view->shape = wants(PyBUF_ND) ? reinterpret_cast<Py_ssize_t*>(exported->sizes.data()) : nullptr;
    view->strides =
        wants(PyBUF_STRIDES) ? reinterpret_cast<Py_ssize_t*>(exported->strides.data()) : nullptr;
    view->suboffsets = nullptr;
    view->internal = exported.release();
    Py_INCREF(self);
    view->obj = self;
}

// A tensor as an array, whose values may only be computed with where nothing is recorded.
py::object operand_array(PyObject* operand, bool may_require_grad) {
    if (!is_tensor(operand)) return py::reinterpret_borrow<py::object>(operand);
    if (!may_require_grad && recording(unwrap(operand)))
        fail(kDetachFirst,
             " Make a tensor of the array, with tapegrad.from_numpy, to record the operation.");
    return to_array(unwrap(operand));
}

// What NumPy has computed, as a tensor on the memory of the array.
Tensor result_tensor(const py::object& result) {
    py::array array = py::array::ensure(result);
    if (!array) throw py::error_already_set();
    for (py::ssize_t i = 0; i < array.ndim(); ++i)
        if (array.strides(i) < 0) return convert_array(array.attr("copy")(), false);
    return convert_array(array, false);
}

PyObject* wrap_result(PyObject* raw) {
    if (!raw) throw py::error_already_set();
    const auto result = py::reinterpret_steal<py::object>(raw);
    if (!is_array(raw) && !is_array_scalar(raw)) return py::object(result).release().ptr();
    return wrap(result_tensor(result));
}

Tensor array_wrap(const Tensor&, const py::object& array, const py::object&, bool) {
    return result_tensor(array);
}

}  // namespace

bool may_be_array(PyObject* object) {
    static PyObject* const name = PyUnicode_InternFromString("numpy");
    const auto numpy = py::reinterpret_steal<py::object>(PyImport_GetModule(name));
    return numpy && is_array(object);
}

PyObject* through_numpy(PyObject* left, PyObject* right, binaryfunc op) {
    if (!may_be_array(is_tensor(left) ? right : left)) Py_RETURN_NOTIMPLEMENTED;
    const py::object a = operand_array(left, false), b = operand_array(right, false);
    return wrap_result(op(a.ptr(), b.ptr()));
}

PyObject* compare_through_numpy(PyObject* left, PyObject* right, int op) {
    if (!may_be_array(is_tensor(left) ? right : left)) Py_RETURN_NOTIMPLEMENTED;
    const py::object a = operand_array(left, true), b = operand_array(right, true);
    return wrap_result(PyObject_RichCompare(a.ptr(), b.ptr(), op));
}

Tensor array_operand(const Tensor& self, PyObject* array) {
    if (recording(self)) fail(kDetachFirst);
    // A copy, in the order of the dimensions: the array may show the tensor's own memory.
    return convert_array(py::handle(array).attr("copy")(), false);
}

PyObject* call_by_numpy(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t count,
                        PyObject* names) {
    bool by_numpy = false;
    for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); ++k)
        by_numpy |= args[count + k] == Py_None &&
                    PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, k), "out") == 0;
    if (!by_numpy) return nullptr;
    const py::object array = to_array(unwrap(self));
    if (!py::hasattr(array, name)) return nullptr;
    if (recording(unwrap(self))) fail(kDetachFirst);
    const py::object method = array.attr(name);
    return wrap_result(PyObject_Vectorcall(method.ptr(), args, static_cast<size_t>(count), names));
}

bool is_array(PyObject* object) { return py::isinstance<py::array>(object); }

bool is_array_scalar(PyObject* object) {
    return PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(names().generic.ptr()));
}

DType array_dtype(py::handle array) {
    if (is_array(array.ptr()))
        return require_dtype(py::reinterpret_borrow<py::array>(array).dtype());
    return require_dtype(py::reinterpret_borrow<py::dtype>(array.attr("dtype")));
}

Tensor convert_array(py::handle object, bool copy, std::optional<DType> wanted) {
    py::array array = is_array(object.ptr()) ? py::reinterpret_borrow<py::array>(object)
                                             : py::array::ensure(object);
    if (!array) throw py::error_already_set();
    Dims sizes, strides;
    read_layout(array, sizes, strides);
    const py::dtype dtype = array.dtype();
    constexpr char kSwapped = std::endian::native == std::endian::little ? '>' : '<';
    if (dtype.byteorder() == kSwapped)
        fail<ValueError>(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported.");
    const DType type = require_dtype(dtype);
    if (wanted && *wanted != type) copy = true;
    if (copy && reinterpret_cast<uintptr_t>(array.data()) % item_size(type) != 0) {
        array = py::array(array.attr("copy")());
        read_layout(array, sizes, strides);
    }
    const bool read_only = !array.writeable();
    void* data = const_cast<void*>(array.data());
    array.inc_ref();
    Tensor shared;
    try {
        shared = borrow_memory(data, sizes, strides, type, array.ptr(), release_object, read_only);
    } catch (...) {
        array.dec_ref();
        throw;
    }
    if (!copy) return shared;
    Tensor out = empty(sizes, wanted.value_or(type));
    copy_values(out, shared);
    return out;
}

Tensor borrow_memory(void* data, const Dims& sizes, const Dims& strides, DType dtype, void* owner,
                     void (*release)(void*), bool read_only) {
    const size_t item = item_size(dtype);
    if (reinterpret_cast<uintptr_t>(data) % item != 0)
        fail<ValueError>("the given memory is not aligned to elements of ", item,
                         " bytes. Make a copy to align it.");
    // May raise: before anything is owned.
    const int64_t bytes = checked_mul(extent_of(sizes, strides), static_cast<int64_t>(item));
    Ref<Shape> shape = Shape::strided(sizes, strides);
    Ref<Storage> storage =
        Storage::borrow(data, static_cast<size_t>(bytes), owner, release, read_only);
    return Tensor(new TensorImpl(std::move(shape), dtype, std::move(storage),
                                 static_cast<char*>(data), inference_tensors));
}

py::object to_array(const Tensor& tensor) {
    refuse_replay("the values of a tensor, as an array of NumPy");
    const Dims in_bytes = byte_strides(tensor);
    py::array::ShapeContainer sizes(tensor.sizes().begin(), tensor.sizes().end());
    py::array::StridesContainer strides(in_bytes.begin(), in_bytes.end());
    Storage* storage = tensor.storage().get();
    storage->retain();
    PyObject* raw = PyCapsule_New(storage, nullptr, [](PyObject* capsule) {
        static_cast<Storage*>(PyCapsule_GetPointer(capsule, nullptr))->release();
    });
    if (!raw) {
        storage->release();
        throw py::error_already_set();
    }
    const py::object base = py::reinterpret_steal<py::object>(raw);
    py::array array(to_numpy_dtype(tensor.dtype()), std::move(sizes), std::move(strides),
                    tensor.data(), base);
    if (storage->read_only()) array.attr("setflags")(py::arg("write") = false);
    return array;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    view->obj = nullptr;
    return guarded([&]() -> int {
        fill_buffer(self, view, flags);
        return 0;
    });
}

void release_buffer(PyObject*, Py_buffer* view) {
    delete static_cast<BufferExport*>(view->internal);
}

void bind_numpy(py::module_& m) {
    m.def("from_numpy", from_numpy, py::arg("ndarray"), py::pos_only());
    m.def("frombuffer", frombuffer, py::arg("buffer"), py::kw_only(), py::arg("dtype"),
          py::arg("count") = -1, py::arg("offset") = 0, py::arg("requires_grad") = false);
    def_plain_method<"numpy">(numpy_method, py::kw_only(), py::arg("force") = false);
    def_plain_method<"__array__">(array_method, py::arg("dtype") = py::none(),
                                  py::arg("copy") = py::none());
    def_plain_method<"__array_wrap__">(array_wrap, py::arg("array"),
                                       py::arg("context") = py::none(),
                                       py::arg("return_scalar") = false);
    bind_dlpack(m);
}

}  // namespace tapegrad::python
