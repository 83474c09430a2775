// Tensors in and out through DLPack, version 1 and the form before it.
// The data structures are those of the specification: https://dmlc.github.io/dlpack/latest/c_api.html

#include <memory>

#include "autograd/variable.h"
#include "ops/copy.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "python/numpy.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

struct DLDevice {
    int32_t device_type;
    int32_t device_id;
};
struct DLDataType {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
};
struct DLTensor {
    void* data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t* shape;
    int64_t* strides;
    uint64_t byte_offset;
};
struct DLManagedTensor {
    DLTensor dl_tensor;
    void* manager_ctx;
    void (*deleter)(DLManagedTensor* self);
};
struct DLPackVersion {
    uint32_t major;
    uint32_t minor;
};
struct DLManagedTensorVersioned {
    DLPackVersion version;
    void* manager_ctx;
    void (*deleter)(DLManagedTensorVersioned* self);
    uint64_t flags;
    DLTensor dl_tensor;
};

constexpr int32_t kCpu = 1, kCudaHost = 3;
constexpr uint8_t kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6;
constexpr uint64_t kReadOnly = 1, kIsCopied = 2;

template <class Managed> constexpr const char* kName = "dltensor";
template <> constexpr const char* kName<DLManagedTensorVersioned> = "dltensor_versioned";
template <class Managed> constexpr const char* kUsedName = "used_dltensor";
template <> constexpr const char* kUsedName<DLManagedTensorVersioned> = "used_dltensor_versioned";

// ------------------------------------------------------------------------------------ export

DLDataType to_dl(DType dtype) {
    const uint8_t code = dtype == DType::Bool       ? kBool
                         : dtype == DType::UInt8    ? kUInt
                         : dtype == DType::BFloat16 ? kBFloat
                         : is_floating(dtype)       ? kFloat
                                                    : kInt;
    return {code, static_cast<uint8_t>(8 * item_size(dtype)), 1};
}

template <class Managed> struct Exported {
    Managed managed{};
    Dims sizes, strides;
    Ref<Storage> storage;
};

// The consumer may be on any thread.
template <class Managed> void delete_exported(Managed* self) {
    if (!Py_IsInitialized()) return;
    const PyGILState_STATE state = PyGILState_Ensure();
    delete static_cast<Exported<Managed>*>(self->manager_ctx);
    PyGILState_Release(state);
}

// A capsule that nobody took the tensor out of deletes it.
template <class Managed> void delete_capsule(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, kName<Managed>)) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName<Managed>));
    if (managed->deleter) managed->deleter(managed);
}

template <class Managed> py::object export_tensor(const Tensor& tensor, bool copied) {
    refuse_replay("the memory of a tensor, for another library");
    auto exported = std::make_unique<Exported<Managed>>();
    exported->sizes = tensor.sizes();
    exported->strides = tensor.strides();
    exported->storage = tensor.storage();
    // What one may step by along a dimension of one element is nobody's business; 1 is what consumers expect.
    for (int i = 0; i < tensor.dim(); ++i)
        if (tensor.sizes()[i] < 2) exported->strides[i] = 1;
    Managed& managed = exported->managed;
    managed.manager_ctx = exported.get();
    managed.deleter = delete_exported<Managed>;
    managed.dl_tensor = {tensor.data(),
                         {kCpu, 0},
                         tensor.dim(),
                         to_dl(tensor.dtype()),
                         exported->sizes.data(),
                         exported->strides.data(),
                         0};
    if constexpr (__is_same(Managed, DLManagedTensorVersioned)) {
        managed.version = {1, 0};
        managed.flags = (tensor.storage()->read_only() ? kReadOnly : 0) | (copied ? kIsCopied : 0);
    }
    PyObject* capsule = PyCapsule_New(&managed, kName<Managed>, delete_capsule<Managed>);
    if (!capsule) throw py::error_already_set();
    exported.release();
    return py::reinterpret_steal<py::object>(capsule);
}

py::object dlpack_method(const Tensor& self, const py::object& stream,
                         const py::object& max_version, const py::object& device,
                         const std::optional<bool>& copy) {
    if (self.requires_grad())
        throw py::buffer_error("Can't export tensors that require gradient, use tensor.detach()");
    if (!stream.is_none()) {
        PyErr_SetString(PyExc_AssertionError, "stream should be None on cpu.");
        throw py::error_already_set();
    }
    if (!device.is_none()) {
        const auto [type, number] = device.cast<std::pair<int, int>>();
        if (type != kCpu || number != 0)
            throw py::buffer_error("tensors are exported to the CPU, device (1, 0), only");
    }
    const bool copied = copy.value_or(false);
    Tensor tensor = self;
    if (copied) {
        tensor = empty(self.sizes(), self.dtype());
        copy_values(tensor, self);
    }
    if (!max_version.is_none() && max_version.cast<std::pair<int, int>>().first >= 1)
        return export_tensor<DLManagedTensorVersioned>(tensor, copied);
    if (tensor.storage()->read_only())
        throw py::buffer_error(
            "a read-only tensor can be exported with max_version=(1, 0) or newer only");
    return export_tensor<DLManagedTensor>(tensor, copied);
}

// ------------------------------------------------------------------------------------ import

DType from_dl(DLDataType type) {
    const auto unsupported = [&](const char* kind) {
        throw py::buffer_error(text("Unsupported ", kind, " bits ", int{type.bits}));
    };
    if (type.lanes != 1) throw py::buffer_error("from_dlpack does not support lanes != 1");
    switch (type.code) {
        case kBool:
            if (type.bits == 8) return DType::Bool;
            unsupported("kDLBool");
            break;
        case kUInt:
            if (type.bits == 8) return DType::UInt8;
            unsupported("kUInt");
            break;
        case kInt:
            if (type.bits == 8) return DType::Int8;
            if (type.bits == 16) return DType::Int16;
            if (type.bits == 32) return DType::Int32;
            if (type.bits == 64) return DType::Int64;
            unsupported("kInt");
            break;
        case kFloat:
            if (type.bits == 16) return DType::Float16;
            if (type.bits == 32) return DType::Float32;
            if (type.bits == 64) return DType::Float64;
            unsupported("kFloat");
            break;
        case kBFloat:
            if (type.bits == 16) return DType::BFloat16;
            unsupported("kBfloat");
            break;
        default: break;
    }
    throw py::buffer_error(text("Unsupported code ", int{type.code}));
}

template <class Managed> void delete_managed(void* owner) {
    auto* managed = static_cast<Managed*>(owner);
    if (managed->deleter) managed->deleter(managed);
}

template <class Managed> Tensor import_capsule(PyObject* capsule, bool& copied) {
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName<Managed>));
    bool read_only = false;
    if constexpr (__is_same(Managed, DLManagedTensorVersioned)) {
        if (managed->version.major > 1)
            throw py::buffer_error(text("DLPack version ", managed->version.major, ".",
                                        managed->version.minor,
                                        " is newer than the supported 1.0"));
        read_only = managed->flags & kReadOnly;
        copied = managed->flags & kIsCopied;
    }
    const DLTensor& source = managed->dl_tensor;
    if (source.device.device_type != kCpu && source.device.device_type != kCudaHost)
        throw py::buffer_error(text("from_dlpack takes tensors on the CPU, got device type ",
                                    source.device.device_type));
    const DType dtype = from_dl(source.dtype);
    if (source.ndim < 0 || (source.ndim > 0 && !source.shape))
        throw py::buffer_error("from_dlpack got no shape");
    const Dims sizes(source.shape, source.ndim);
    bool is_empty = false;
    for (int64_t size : sizes) {
        if (size < 0) throw py::buffer_error("from_dlpack got a negative size");
        is_empty |= size == 0;
    }
    if (!source.data && !is_empty) throw py::buffer_error("from_dlpack got no memory");
    Dims strides = source.strides ? Dims(source.strides, source.ndim) : contiguous_strides(sizes);
    for (int i = 0; i < sizes.size(); ++i) {
        if (sizes[i] > 1 && strides[i] < 0)
            fail<ValueError>(
                "At least one stride of the given tensor is negative, and tensors with negative "
                "strides are not currently supported. (You can probably work around this by making "
                "a copy of it.)");
        if (strides[i] < 0) strides[i] = 1;
    }
    char* data = static_cast<char*>(source.data);
    if (!is_empty) data += source.byte_offset;
    Tensor out =
        borrow_memory(data, sizes, strides, dtype, managed, delete_managed<Managed>, read_only);
    PyCapsule_SetName(capsule, kUsedName<Managed>);
    return out;
}

// The capsule of an object: in the newest form that its library knows.
py::object ask_for_capsule(const py::object& object, const py::object& copy) {
    const py::object method = object.attr("__dlpack__");
    py::dict arguments;
    arguments["max_version"] = py::make_tuple(1, 0);
    if (!copy.is_none()) arguments["copy"] = copy;
    try {
        return call_python(method, py::tuple(), arguments);
    } catch (py::error_already_set& error) {
        if (!error.matches(PyExc_TypeError)) throw;
    }
    return call_python(method, py::tuple());
}

Tensor from_dlpack(const py::object& object, const py::object& device, const py::object& copy) {
    if (!device.is_none() && std::string(py::str(device)) != "cpu")
        throw py::buffer_error("from_dlpack makes tensors on the CPU only");
    const bool must_copy = !copy.is_none() && copy.cast<bool>();
    py::object capsule = object;
    if (!PyCapsule_CheckExact(object.ptr()) && py::hasattr(object, "__dlpack__")) {
        if (py::hasattr(object, "__dlpack_device__")) {
            const auto type =
                py::int_(py::tuple(object.attr("__dlpack_device__")())[0]).cast<int>();
            if (type != kCpu && type != kCudaHost)
                throw py::buffer_error(
                    text("from_dlpack takes tensors on the CPU, got device type ", type));
        }
        capsule = ask_for_capsule(object, copy);
    }
    bool copied = false;
    Tensor out;
    if (PyCapsule_IsValid(capsule.ptr(), kName<DLManagedTensorVersioned>))
        out = import_capsule<DLManagedTensorVersioned>(capsule.ptr(), copied);
    else if (PyCapsule_IsValid(capsule.ptr(), kName<DLManagedTensor>))
        out = import_capsule<DLManagedTensor>(capsule.ptr(), copied);
    else
        fail(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed "
            "only once, so you might have already constructed a tensor from it once.");
    if (!must_copy || copied) return out;
    Tensor own = empty(out.sizes(), out.dtype());
    copy_values(own, out);
    return own;
}

}  // namespace

void bind_dlpack(py::module_& m) {
    m.def("from_dlpack", from_dlpack, py::arg("ext_tensor"), py::kw_only(),
          py::arg("device") = py::none(), py::arg("copy") = py::none());
    def_plain_method<"__dlpack__">(dlpack_method, py::kw_only(), py::arg("stream") = py::none(),
                                   py::arg("max_version") = py::none(),
                                   py::arg("dl_device") = py::none(), py::arg("copy") = py::none());
    def_plain_method<"__dlpack_device__">([](const Tensor&) { return std::pair(int{kCpu}, 0); });
}

}  // namespace tapegrad::python
