// Arguments of functions that take them in CPython's vector form: read by hand, because creating a tensor
// is often no more work than reading the size it shall have.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "python/bind.h"
#include "python/errors.h"

namespace tapegrad::python {

class Arguments {
public:
    Arguments(const char* function, PyObject* self, PyObject* const* values, Py_ssize_t count,
              PyObject* names)
        : function_(function),
          self_(self),
          values_(values),
          count_(count),
          names_(names) {}

    const char* function() const { return function_; }
    // Of a method: the tensor.
    Tensor self() const { return unwrap(self_); }
    // Arguments given by position.
    Py_ssize_t count() const { return count_; }
    PyObject* operator[](Py_ssize_t i) const { return values_[i]; }

    // The argument of a name; null if it is not given or None.
    PyObject* keyword(const char* name) { return names_ ? find_keyword(name) : nullptr; }
    // The argument at a position, or of a name; null if it is not given or None.
    PyObject* find(Py_ssize_t position, const char* name);
    PyObject* require(Py_ssize_t position, const char* name);
    [[noreturn]] void fail_missing(const char* name) const;
    // Raises where more was given than asked for.
    void finish(Py_ssize_t positional) const {
        if (count_ > positional || names_) check_rest(positional);
    }
    // "zeros(): argument 'size' (position 1) must be tuple of ints, not str"
    [[noreturn]] void fail_type(const char* name, const char* expected, PyObject* value) const;

    std::optional<DType> read_dtype(PyObject* value) const;
    int64_t read_int(const char* name, PyObject* value) const;
    double read_double(const char* name, PyObject* value) const {
        return read_number(name, value).to_double();
    }
    bool read_bool(const char* name, PyObject* value) const;
    // A number, or the value of a tensor of one element.
    Scalar read_number(const char* name, PyObject* value) const;
    Tensor read_tensor(const char* name, PyObject* value) const;
    // A tuple or list of ints.
    Dims read_size(const char* name, PyObject* value) const;
    // All positional arguments from the first on: ints, or one tuple or list of them; or the keyword "size".
    Dims read_sizes();

private:
    PyObject* find_keyword(const char* name);
    std::string position_of(PyObject* value) const;
    void check_rest(Py_ssize_t positional) const;

    const char* function_;
    PyObject* self_;
    PyObject* const* values_;
    Py_ssize_t count_;
    PyObject* names_;
    uint64_t used_ = 0;  // keywords, as bits
};

// The keywords that all functions have that make tensors.
struct TensorOptions {
    TensorOptions() = default;
    explicit TensorOptions(Arguments& arguments);

    // The type of the result; raises where it cannot require gradients as asked for.
    DType resolve(DType default_dtype) const;
    // Gives a fresh tensor the rest of what was asked for.
    Tensor finish(Tensor tensor) const;

    std::optional<DType> dtype;
    bool requires_grad = false;
};

// Raises for anything but the CPU; null and None stand for it.
void check_device(const char* function, PyObject* device);

// The type of floats from Python.
DType default_dtype();

// A name as a template argument.
template <size_t N> struct FunctionName {
    constexpr FunctionName(const char (&name)[N]) { std::copy_n(name, N, text); }
    char text[N];
};

template <FunctionName Name, auto Function>
PyObject* vector_call(PyObject* self, PyObject* const* values, Py_ssize_t count, PyObject* names) {
    return guarded([&]() -> PyObject* {
        Arguments arguments(Name.text, self, values, count, names);
        return wrap(Function(arguments));
    });
}

// The definition of a function or method that is Tensor Function(Arguments&).
template <FunctionName Name, auto Function> PyMethodDef vector_method(const char* documentation) {
    static constexpr FunctionName name = Name;
    return {
        name.text,
        reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(vector_call<Name, Function>)),
        METH_FASTCALL | METH_KEYWORDS, documentation};
}

}  // namespace tapegrad::python
