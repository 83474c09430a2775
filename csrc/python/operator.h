// Operators as Python calls them. Arguments go to slots, one for each parameter of the signature, and from
// there to a function of C++, by the types of its parameters.
#pragma once

#include <Python.h>

#include <limits>
#include <vector>

#include "core/tensor.h"
#include "python/signature.h"

namespace tapegrad::python {

inline constexpr int kMaxSlots = 16;

struct Form;
struct Call {
    const Form* form;
    // Arguments and defaults. Null: those of *name, given one by one.
    PyObject* const* slots;
    PyObject* const* rest;
    Py_ssize_t rest_count;
};

// A function of C++, and how it is called.
struct Function {
    // The result, or null: with an error set, or without one where an argument does not fit.
    PyObject* (*invoke)(const Form& form, PyObject* const* slots, PyObject* const* rest,
                        Py_ssize_t rest_count) noexcept;
    void (*pointer)();
    const Type* const* types;
    int type_count;
    const char* result;  // as stubs call it
    int results;         // how many tensors it gives, if there are names for them
};

class Operator;

// What PyTorch asks of out=, besides that the result can be cast to its type.
enum OutRule : unsigned {
    kSameType = 1,         // the type of the result
    kBools = 2,            // bool or uint8
    kApartFromFirst = 4,   // memory that the first tensor among the arguments does not have
    kApartFromOthers = 8,  // that the other ones do not have
    kApart = kApartFromFirst | kApartFromOthers,
    kOfPairs = 16,                // where the result is a pair; other forms are element-wise
    kOfLists = 32,                // a tensor for each of a list of results
    kSameTypeBesideNumbers = 64,  // the type of the result, where other operands are numbers
    kJoined = 128                 // what is refused is of the wrong type, not of a wrong value
};

// A signature and its function.
struct Form {
    Function function;
    int count = 0;
    int required = 0;    // parameters up to the last one without a default
    int positional = 0;  // those that can be given by position
    int variadic = std::numeric_limits<int>::max();  // the place of *name
    int dtype = -1;                                  // the place of dtype
    bool has_options = false;  // of what makes tensors: dtype, device and requires_grad
    bool warns = false;        // that it is deprecated
    PyObject* defaults[kMaxSlots] = {};
    std::vector<Parameter> parameters;
    const Operator* owner;
    const char* signature;
    bool is_variadic() const { return variadic < kMaxSlots; }
    bool takes_out() const;
    const Parameter& parameter(int slot) const { return parameters[static_cast<size_t>(slot)]; }
};

using VectorCall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
// What Python calls, and what it calls while a dispatch mode is on.
struct Thunks {
    VectorCall usual = nullptr, watched = nullptr;
    explicit operator bool() const { return usual; }
};

class Operator {
public:
    // Signatures come from the docs tables; a null thunk: it is no function, or no method. Every function
    // of C++ has a signature of its own, or all have the same. In that case one with fewer parameters
    // serves calls that leave the rest at their defaults.
    Operator(PyObject* module, const char* name, const Function* functions, int count,
             Thunks function, Thunks method);
    Operator(const Operator&) = delete;

    // Called from Python: arguments by position and defaults for the first form, or else any that fits. The
    // error that a form has raised counts.
    PyObject* call_function(PyObject* const* args, Py_ssize_t count,
                            PyObject* names) const noexcept;
    PyObject* call_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* names) const noexcept;

    // Another name for the same.
    Operator& alias(const char* name);
    // A form that nothing shows: it has other names, or works with a warning. Of methods, the first parameter
    // is the tensor itself, input.
    template <class F> Operator& also(const char* signature, F function);
    template <class F> Operator& deprecated(const char* signature, F function);
    Operator& add_unshown(const char* signature, const Function& function, bool warns);
    Operator& out_has(unsigned rules) {
        out_rules_ = rules;
        takes_out_ = takes_out_ || (rules & kOfLists);
        return *this;
    }
    // What gives a view, changes a tensor or has no out= in PyTorch.
    Operator& without_out() {
        takes_out_ = false;
        return *this;
    }

    const char* name() const { return name_; }
    PyObject* module() const { return module_; }
    const std::vector<Form>& forms() const { return forms_; }
    bool has_one_signature() const { return has_one_signature_; }
    const std::vector<const char*>& aliases() const { return aliases_; }
    bool is_function() const { return function_.ml_meth; }
    bool is_method() const { return method_.ml_meth; }
    bool takes_out() const { return takes_out_ && is_function(); }
    unsigned out_rules() const { return out_rules_; }
    // Several tensors as this operator's class in tapegrad.return_types.
    PyObject* wrap_results(const Tensor* results, int count) const;
    void attach_docstring();
    // What Python has called: the method of Tensor, or the function.
    PyObject* called(bool as_method) const { return as_method ? method_object_ : function_object_; }
    // Exchanges what Python calls.
    void watch(bool on);

private:
    template <int kFirst>
    PyObject* call_plain(PyObject* self, PyObject* const* args, Py_ssize_t count,
                         PyObject* names) const noexcept;
    PyObject* call_spread(PyObject* self, PyObject* const* args, Py_ssize_t count) const noexcept;
    PyObject* call_any(PyObject* self, PyObject* const* args, Py_ssize_t count,
                       PyObject* names) const noexcept;
    void add(const char* name);

    const Form* first_;
    std::vector<Form> forms_, unshown_forms_;
    PyObject* module_;
    const char* name_;
    std::vector<const char*> aliases_;
    PyMethodDef function_{}, method_{};
    Thunks function_thunks_, method_thunks_;
    PyObject *function_object_ = nullptr, *method_object_ = nullptr;
    mutable PyTypeObject* result_type_ = nullptr;
    bool takes_out_, has_one_signature_;
    unsigned out_rules_ = 0;
};

// In the order of binding.
std::vector<Operator*>& all_operators();
Operator& find_operator(std::string_view name);

// Puts the arguments into their slots, out= beside them. False where their number or names do not fit.
bool bind_arguments(const Form& form, PyObject* self, PyObject* const* args, Py_ssize_t count,
                    PyObject* names, PyObject** slots, Call& call, PyObject*& out);
// The first argument that is not what its parameter takes; -1 if all are.
int unfit_slot(const Call& call);
// Raises a TypeError that says why no form fits.
[[noreturn]] void fail_call(const Operator& op, PyObject* self, PyObject* const* args,
                            Py_ssize_t count, PyObject* names);

PyObject* wrap_tuple(const std::vector<Tensor>& tensors);
PyObject* wrap_tuple(const std::vector<int64_t>& values);
// A new reference to what a module of Python has under a name.
PyObject* imported(const char* module, const char* name);

}  // namespace tapegrad::python
