// How the C++ types of operators' parameters are read from Python. A reader says whether the argument fits
// and raises nothing where it does not, so that the forms of an operator can be tried in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/random.h"
#include "ops/arg.h"
#include "ops/memory_format.h"
#include "ops/options.h"
#include "ops/reductions.h"
#include "python/operator.h"
#include "python/tensor_object.h"
#include "python/values.h"

namespace tapegrad::python {

// What is not read on the shortest way, once for all operators.
bool read_other_tensor(const Call& call, int slot, const Tensor*& result);
bool read_other_operand(PyObject* object, Arg& result);
bool read_dims(const Call& call, int slot, Dims& result);
bool read_number(PyObject* object, Scalar& result);
bool read_float(PyObject* object, double& result);
bool read_bool(PyObject* object, bool& result);
bool read_tensors(const Call& call, int slot, bool holes, std::vector<Tensor>& result);
struct ObjectList;
bool read_objects(const Call& call, int slot, ObjectList& result);
bool read_sizes(const Call& call, int slot, std::vector<Dims>& result);
bool read_numbers(const Call& call, int slot, std::vector<double>& result);
bool read_flags(const Call& call, int slot, std::vector<bool>& result);
bool read_generator(PyObject* object, Generator*& result);
bool read_device(PyObject* object);
bool read_text(PyObject* object, std::string_view& result);
bool read_memory_format(PyObject* object, MemoryFormat& result);

// Whether None is the default, and so a value.
inline bool is_none(const Call& call, int slot) {
    return call.slots[slot] == Py_None && call.form->parameter(slot).value == Py_None;
}

// An int of Python that fits into one of its digits.
inline bool read_small_integer(PyObject* object, int64_t& result) {
    if (!PyLong_CheckExact(object)) return false;
#if PY_VERSION_HEX >= 0x030C0000
    const auto* number = reinterpret_cast<PyLongObject*>(object);
    if (!PyUnstable_Long_IsCompact(number)) return false;
    result = PyUnstable_Long_CompactValue(number);
#else
    const Py_ssize_t size = Py_SIZE(object);
    if (size < -1 || size > 1) return false;
    result = size * static_cast<int64_t>(reinterpret_cast<PyLongObject*>(object)->ob_digit[0]);
#endif
    return true;
}

inline bool read_integer(PyObject* object, int64_t& result) {
    return read_small_integer(object, result) || to_integer(object, result);
}

inline bool read_operand(PyObject* object, Arg& result) {
    if (Py_TYPE(object) == tensor_type) result = Arg(unwrap(object));
    else if (PyFloat_CheckExact(object)) result = Arg(PyFloat_AS_DOUBLE(object));
    else return read_other_operand(object, result);
    return true;
}

// Objects that only Python code can make sense of.
struct AnyObject {
    PyObject* object;
};
// Only the CPU.
struct Device {};
// None and nothing else.
struct Nothing {};
// Arguments of any kind, one by one.
struct ObjectList : std::vector<PyObject*> {
    ObjectList() = default;
    ObjectList(const ObjectList&) = delete;
    ~ObjectList() {
        for (PyObject* object : *this) Py_DECREF(object);
    }
};
// Index tensors, of which those that are undefined (None) take a dimension whole.
struct IndexList : std::vector<Tensor> {};

template <class T> struct Read;

// Where a reader puts what it has read.
template <class T> struct Holds {
    const T& value() const { return result; }
    T result;
};

template <> struct Read<Tensor> {
    static constexpr const char *name = "Tensor", *stub = "Tensor";
    bool read(const Call& call, int slot) {
        PyObject* object = call.slots[slot];
        if (Py_TYPE(object) != tensor_type) return read_other_tensor(call, slot, tensor);
        tensor = &unwrap(object);
        return true;
    }
    const Tensor& value() const { return *tensor; }
    const Tensor* tensor;
};

template <> struct Read<Arg> {
    static constexpr const char *name = "Tensor or Number", *stub = "_Operand";
    bool read(const Call& call, int slot) { return read_operand(call.slots[slot], operand); }
    const Arg& value() const { return operand; }
    Arg operand{0};
};

// Null for None.
template <> struct Read<const Arg*> {
    static constexpr const char *name = "Tensor or Number", *stub = "_Operand";
    bool read(const Call& call, int slot) {
        given = !is_none(call, slot);
        return !given || read_operand(call.slots[slot], operand);
    }
    const Arg* value() const { return given ? &operand : nullptr; }
    bool given;
    Arg operand{0};
};

template <> struct Read<Scalar> {
    static constexpr const char *name = "Number", *stub = "_Number";
    bool read(const Call& call, int slot) {
        int64_t integer;
        if (!read_small_integer(call.slots[slot], integer))
            return read_number(call.slots[slot], number);
        number = integer;
        return true;
    }
    const Scalar& value() const { return number; }
    Scalar number{0};
};

template <> struct Read<double> : Holds<double> {
    static constexpr const char *name = "float", *stub = "_float";
    bool read(const Call& call, int slot) {
        PyObject* object = call.slots[slot];
        if (PyFloat_CheckExact(object)) {
            result = PyFloat_AS_DOUBLE(object);
            return true;
        }
        return read_float(object, result);
    }
};

template <> struct Read<int64_t> : Holds<int64_t> {
    static constexpr const char *name = "int", *stub = "_int";
    bool read(const Call& call, int slot) { return read_integer(call.slots[slot], result); }
};

template <> struct Read<bool> : Holds<bool> {
    static constexpr const char *name = "bool", *stub = "_bool";
    bool read(const Call& call, int slot) {
        PyObject* object = call.slots[slot];
        result = object == Py_True;
        return result || object == Py_False || read_bool(object, result);
    }
};

// A flag that tells forms apart.
template <bool B> struct Read<std::bool_constant<B>> {
    static constexpr const char *name = "bool", *stub = B ? "Literal[True]" : "Literal[False]";
    bool read(const Call& call, int slot) {
        Read<bool> flag;
        return flag.read(call, slot) && flag.value() == B;
    }
    std::bool_constant<B> value() const { return {}; }
};

// An int or a sequence of ints; None, where it is the default, is an empty list.
template <> struct Read<Dims> : Holds<Dims> {
    static constexpr const char *name = "tuple of ints", *stub = "_Dims";
    bool read(const Call& call, int slot) {
        if (is_none(call, slot)) return true;
        int64_t size;
        // What makes tensors takes a sequence: a number would be one of the numbers before the size.
        if (!call.slots[slot] || call.form->has_options ||
            !read_small_integer(call.slots[slot], size))
            return read_dims(call, slot, result);
        result.push_back(size);
        return true;
    }
};

template <> struct Read<std::vector<Dims>> : Holds<std::vector<Dims>> {
    static constexpr const char *name = "tuple of ints", *stub = "Sequence[_Dims]";
    bool read(const Call& call, int slot) { return read_sizes(call, slot, result); }
};

template <> struct Read<std::vector<double>> : Holds<std::vector<double>> {
    static constexpr const char *name = "tuple of floats", *stub = "Sequence[_float]";
    bool read(const Call& call, int slot) { return read_numbers(call, slot, result); }
};

template <> struct Read<std::vector<bool>> : Holds<std::vector<bool>> {
    static constexpr const char *name = "tuple of bools", *stub = "Sequence[_bool]";
    bool read(const Call& call, int slot) { return read_flags(call, slot, result); }
};

template <> struct Read<std::string_view> : Holds<std::string_view> {
    static constexpr const char *name = "str", *stub = "str";
    bool read(const Call& call, int slot) { return read_text(call.slots[slot], result); }
};

template <> struct Read<DType> : Holds<DType> {
    static constexpr const char *name = "tapegrad.dtype", *stub = "_DType";
    bool read(const Call& call, int slot) {
        const auto found = dtype_from_object(call.slots[slot]);
        if (found) result = *found;
        return found.has_value();
    }
};

template <> struct Read<std::vector<Tensor>> : Holds<std::vector<Tensor>> {
    static constexpr const char *name = "tuple of Tensors", *stub = "Sequence[Tensor]";
    bool read(const Call& call, int slot) { return read_tensors(call, slot, false, result); }
};

template <> struct Read<IndexList> : Holds<IndexList> {
    static constexpr const char *name = "tuple of Tensors", *stub = "Sequence[Tensor | None]";
    bool read(const Call& call, int slot) { return read_tensors(call, slot, true, result); }
};

template <> struct Read<ObjectList> : Holds<ObjectList> {
    static constexpr const char *name = "objects", *stub = "Sequence[Any]";
    bool read(const Call& call, int slot) { return read_objects(call, slot, result); }
};

template <> struct Read<Generator> {
    static constexpr const char *name = "tapegrad.Generator", *stub = "Generator";
    bool read(const Call& call, int slot) { return read_generator(call.slots[slot], generator); }
    Generator& value() const { return *generator; }
    Generator* generator;
};

template <> struct Read<Device> {
    static constexpr const char *name = "tapegrad.device", *stub = "_Device";
    bool read(const Call& call, int slot) { return read_device(call.slots[slot]); }
    Device value() const { return {}; }
};

template <> struct Read<Nothing> {
    static constexpr const char *name = "None", *stub = "None";
    bool read(const Call& call, int slot) { return call.slots[slot] == Py_None; }
    Nothing value() const { return {}; }
};

template <> struct Read<AnyObject> : Holds<AnyObject> {
    static constexpr const char *name = "object", *stub = "Any";
    bool read(const Call& call, int slot) {
        result.object = call.slots[slot];
        return true;
    }
};

// Options that Python names by strings: from_text, which stands beside their type, knows these.
template <class T>
    requires std::is_enum_v<T>
struct Read<T> : Holds<T> {
    static constexpr const char *name = "str", *stub = "str";
    bool read(const Call& call, int slot) {
        std::string_view text;
        if (!read_text(call.slots[slot], text)) return false;
        from_text(text, this->result);
        return true;
    }
};

template <> struct Read<MemoryFormat> : Holds<MemoryFormat> {
    static constexpr const char *name = "tapegrad.memory_format", *stub = "object";
    bool read(const Call& call, int slot) { return read_memory_format(call.slots[slot], result); }
};

template <> struct Read<NormOrder> : Holds<NormOrder> {
    static constexpr const char *name = "Number", *stub = "_float | str";
    bool read(const Call& call, int slot) {
        std::string_view text;
        Read<double> number;
        if (read_text(call.slots[slot], text)) from_text(text, result);
        else if (number.read(call, slot)) result.p = number.value();
        else return false;
        return true;
    }
};

template <class T> struct Read<std::optional<T>> : Holds<std::optional<T>> {
    static constexpr const char *name = Read<T>::name, *stub = Read<T>::stub;
    bool read(const Call& call, int slot) {
        if (call.slots[slot] == Py_None) return true;
        Read<T> reader;
        if (!reader.read(call, slot)) return false;
        this->result = reader.value();
        return true;
    }
};

template <class T> bool accepts(const Call& call, int slot) { return Read<T>().read(call, slot); }
template <class T>
inline constexpr Type parameter_type{Read<T>::name, Read<T>::stub, accepts<T>, nullptr, 1};

// dtype, device and requires_grad.
template <> struct Read<TensorOptions> : Holds<TensorOptions> {
    static constexpr const Type* parts[] = {&parameter_type<std::optional<DType>>,
                                            &parameter_type<Device>, &parameter_type<bool>};
    bool read(const Call& call, int slot) {
        Read<std::optional<DType>> dtype;
        Read<bool> flag;
        PyObject* device = call.slots[slot + 1];
        if (!dtype.read(call, slot) || (device != Py_None && !read_device(device)) ||
            !flag.read(call, slot + 2))
            return false;
        result.dtype = dtype.value();
        result.requires_grad = flag.value();
        return true;
    }
};
template <>
inline constexpr Type parameter_type<TensorOptions>{"", "", accepts<TensorOptions>,
                                                    Read<TensorOptions>::parts, 3};

// The same and memory_format.
template <> struct Read<LikeOptions> : Holds<LikeOptions> {
    static constexpr const Type* parts[] = {&parameter_type<std::optional<DType>>,
                                            &parameter_type<Device>, &parameter_type<bool>,
                                            &parameter_type<OptionalFormat>};
    bool read(const Call& call, int slot) {
        Read<TensorOptions> usual;
        Read<OptionalFormat> format;
        if (!usual.read(call, slot) || !format.read(call, slot + 3)) return false;
        static_cast<TensorOptions&>(result) = usual.value();
        result.format = format.value();
        return true;
    }
};
template <>
inline constexpr Type parameter_type<LikeOptions>{"", "", accepts<LikeOptions>,
                                                  Read<LikeOptions>::parts, 4};

}  // namespace tapegrad::python
