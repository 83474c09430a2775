// Operators as Python calls them. Arguments go to slots, one for each parameter of the signature, and from
// there to a function of C++, by the types of its parameters.
#pragma once

#include <Python.h>

#include <vector>

#include "core/tensor.h"
#include "python/signature.h"

namespace tapegrad::python {

inline constexpr int kMaxSlots = 16;

struct Form;
struct Call {
    const Form* form;
    // Arguments and defaults. Null: those of *name, given one by one.
    PyObject* slots[kMaxSlots];
    PyObject* const* rest;
    Py_ssize_t rest_count;
};

// A function of C++, and how it is called.
struct Function {
    // The result, or null: with an error set, or without one where an argument does not fit.
    PyObject* (*invoke)(const Call& call);
    void (*pointer)();
    const Type* const* types;
    int type_count;
    const char* result;  // as stubs call it
};

class Operator;

// A signature and its function.
struct Form {
    const Operator* owner;
    const char* signature;
    Function function;
    std::vector<Parameter> parameters;
    PyObject* defaults[kMaxSlots];
    int count = 0;
    int positional = 0;        // parameters that can be given by position
    int required = 0;          // up to the last one without a default
    int variadic = kMaxSlots;  // the place of *name
    int options = -1;          // the place of dtype, device and requires_grad
};

using VectorCall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

class Operator {
public:
    // Signatures come from the docs tables; a null thunk: it is no function, or no method. Every function
    // of C++ has a signature of its own, or all have the same.
    Operator(PyObject* module, const char* name, const Function* functions, int count,
             VectorCall function, VectorCall method);
    Operator(const Operator&) = delete;

    // Calls the first form that fits; self is the tensor of a method, null for functions.
    PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t count,
                   PyObject* names) const noexcept;

    // Another name for the same.
    Operator& alias(const char* name);
    // What gives a view, changes a tensor or has no out= in PyTorch.
    Operator& without_out() {
        takes_out_ = false;
        return *this;
    }

    const char* name() const { return name_; }
    const std::vector<Form>& forms() const { return forms_; }
    const std::vector<const char*>& aliases() const { return aliases_; }
    bool is_function() const { return function_.ml_meth; }
    bool is_method() const { return method_.ml_meth; }
    bool takes_out() const { return takes_out_ && is_function(); }
    // A pair as this operator's class in tapegrad.return_types.
    PyObject* wrap_pair(Tensor first, Tensor second) const;
    void attach_docstring();

private:
    void add(const char* name);

    PyObject* module_;
    const char* name_;
    std::vector<Form> forms_;
    std::vector<const char*> aliases_;
    PyMethodDef function_{}, method_{};
    PyObject *function_object_ = nullptr, *method_object_ = nullptr;
    mutable PyTypeObject* pair_type_ = nullptr;
    bool takes_out_;
};

// In the order of binding.
std::vector<Operator*>& all_operators();
Operator& find_operator(std::string_view name);

// Puts the arguments into their slots, out= beside them. False where their number or names do not fit.
bool bind_arguments(const Form& form, PyObject* self, PyObject* const* args, Py_ssize_t count,
                    PyObject* names, Call& call, PyObject*& out);
// Raises a TypeError that says why no form fits.
[[noreturn]] void fail_call(const Operator& op, PyObject* self, PyObject* const* args,
                            Py_ssize_t count, PyObject* names);

PyObject* wrap_tuple(const std::vector<Tensor>& tensors);

}  // namespace tapegrad::python
