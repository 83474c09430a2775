#include "python/operator.h"

#include <pybind11/pytypes.h>

#include <cstring>
#include <string>

#include "autograd/variable.h"
#include "core/error.h"
#include "ops/arg.h"
#include "ops/out.h"
#include "ops/overlap.h"
#include "python/dispatch.h"
#include "python/docs.h"
#include "python/errors.h"
#include "python/interpreter.h"
#include "python/numpy.h"
#include "python/read.h"
#include "python/tensor_object.h"
#include "python/torch_function.h"
#include "python/values.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

// Parameters that PyTorch has, and that change nothing here. They stand last.
constexpr std::string_view kUnused[] = {"sparse_grad", "stable", "sorted", "non_blocking",
                                        "memory_format"};

// Keywords of what makes tensors that mean nothing here: there is one layout and one kind of memory. What cannot
// be their value is refused.
bool is_ignored_option(const Form& form, PyObject* name, PyObject* value) {
    const auto is = [&](const char* option) {
        return PyUnicode_CompareWithASCIIString(name, option) == 0;
    };
    const auto require = [&](bool fits, const char* type) {
        if (!fits && value != Py_None)
            fail<TypeError>(form.owner->name(), "(): argument '", PyUnicode_AsUTF8(name),
                            "' must be ", type, ", not ", Py_TYPE(value)->tp_name);
        return true;
    };
    if (is("pin_memory")) return require(PyBool_Check(value), "bool");
    MemoryFormat format;
    if (is("memory_format"))
        return require(read_memory_format(value, format), "tapegrad.memory_format");
    if (!is("layout")) return false;
    const auto type = py::reinterpret_steal<py::object>(imported("tapegrad._device", "layout"));
    return require(PyObject_IsInstance(value, type.ptr()) == 1, "tapegrad.layout");
}

std::vector<std::string_view> lines(std::string_view text) {
    std::vector<std::string_view> result;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        result.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

// The types of the slots; raises where the signature and the function do not agree.
void set_types(Form& form) {
    const auto disagree = [&](const char* what, PyObject* name) {
        fail("signature ", form.owner->name(), form.signature, ": ", what,
             name ? PyUnicode_AsUTF8(name) : "");
    };
    size_t slot = 0;
    for (int i = 0; i < form.function.type_count; ++i) {
        const Type* type = form.function.types[i];
        if (slot + static_cast<size_t>(type->slots) > form.parameters.size())
            disagree("the function has more parameters", nullptr);
        if (type->parts) form.has_options = true;
        for (int part = 0; part < type->slots; ++part)
            form.parameters[slot++].type = type->parts ? type->parts[part] : type;
    }
    for (; slot < form.parameters.size(); ++slot) {
        PyObject* name = form.parameters[slot].name;
        if (std::find(std::begin(kUnused), std::end(kUnused), PyUnicode_AsUTF8(name)) ==
            std::end(kUnused))
            disagree("the function does not have the parameter ", name);
    }
    const Call call{&form, form.defaults, nullptr, 0};
    for (int i = 0; i < form.count; ++i) {
        const Parameter& parameter = form.parameter(i);
        if (parameter.type && parameter.value && !parameter.type->accepts(call, i))
            disagree("the function cannot take the default of ", parameter.name);
    }
}

// Whether there is something that out= could name.
bool gives_tensors(const Function& function) {
    const std::string_view result = function.result;
    return result == "Tensor" || result == "return_types";
}

// What a function takes of its arguments.
size_t slot_count(const Function& function) {
    int count = 0;
    for (int i = 0; i < function.type_count; ++i) count += function.types[i]->slots;
    return static_cast<size_t>(count);
}

Form make_form(const Operator* owner, std::string_view signature, const Function& function,
               bool shortened) {
    Form form;
    form.owner = owner;
    form.signature = strndup(signature.data(), signature.size());
    form.function = function;
    form.parameters = parse_signature(signature);
    if (shortened) form.parameters.resize(slot_count(function));
    form.count = static_cast<int>(form.parameters.size());
    if (form.count > kMaxSlots) fail(owner->name(), signature, " has too many parameters");
    for (int i = 0; i < form.count; ++i) {
        const Parameter& parameter = form.parameter(i);
        form.defaults[i] = parameter.value;
        if (!parameter.keyword_only) form.positional = i + 1;
        if (!parameter.value) form.required = i + 1;
        if (parameter.variadic) form.variadic = i;
        if (PyUnicode_CompareWithASCIIString(parameter.name, "dtype") == 0) form.dtype = i;
    }
    set_types(form);
    // Tensors and shapes can be none at all; a size is at least ().
    if (form.is_variadic() && form.required == form.variadic + 1 &&
        std::string_view(form.parameter(form.variadic).type->stub) != "_Dims")
        form.required = form.variadic;
    return form;
}

PyObject* invoke(const Call& call) {
    return call.form->function.invoke(*call.form, call.slots, call.rest, call.rest_count);
}

// Whether *name is given one by one. What makes tensors takes a single number as one of the sizes, other
// operators read it as their list. self: 1 for methods, whose tensor is not among args.
inline bool is_spread(const Form& form, int self, PyObject* const* args, Py_ssize_t count) {
    if (count + self <= form.variadic) return false;
    return count + self > form.positional ||
           (form.has_options && PyLong_CheckExact(args[form.variadic - self]));
}

// In few moves: most operators have few parameters.
inline void copy_defaults(const Form& form, PyObject** slots) {
    constexpr int kFew = 4;
    std::memcpy(slots, form.defaults, sizeof(PyObject*) * kFew);
    if (form.count > kFew)
        std::memcpy(slots + kFew, form.defaults + kFew, sizeof(PyObject*) * (kMaxSlots - kFew));
}

// All tensors among the arguments, also in tuples and lists.
std::vector<Tensor> tensors_of(const Call& call) {
    std::vector<Tensor> tensors;
    const auto add = [&](PyObject* object) {
        if (is_tensor(object)) tensors.push_back(unwrap(object));
    };
    const auto add_items = [&](PyObject* const* items, Py_ssize_t count) {
        for (Py_ssize_t i = 0; i < count; ++i) add(items[i]);
    };
    for (int i = 0; i < call.form->count; ++i) {
        PyObject* object = call.slots[i];
        if (!object) add_items(call.rest, call.rest_count);
        else if (PyTuple_Check(object) || PyList_Check(object))
            add_items(PySequence_Fast_ITEMS(object), PySequence_Fast_GET_SIZE(object));
        else add(object);
    }
    return tensors;
}

// The tensors that out= names.
std::vector<Tensor> read_out(const Form& form, PyObject* out) {
    const auto refuse = [&](const char* expected) {
        fail<TypeError>(form.owner->name(), "(): argument 'out' must be ", expected, ", not ",
                        Py_TYPE(out)->tp_name);
    };
    if (std::string_view(form.function.result) == "Tensor") {
        if (!is_tensor(out)) refuse("Tensor");
        return {unwrap(out)};
    }
    if (!(PyTuple_Check(out) || PyList_Check(out))) refuse("tuple of Tensors");
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(out);
    if (!(form.owner->out_rules() & kOfLists) && count != form.function.results)
        refuse("tuple of Tensors");
    std::vector<Tensor> tensors;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(out, i);
        if (!is_tensor(item)) refuse("tuple of Tensors");
        tensors.push_back(unwrap(item));
    }
    return tensors;
}

void check_out_rules(unsigned rules, const char* name, const Tensor& out, const Tensor& result,
                     const std::vector<Tensor>& inputs) {
    if ((rules & kBools) && out.dtype() != DType::Bool && out.dtype() != DType::UInt8)
        fail(name, " only supports bool tensor for result, got: ", scalar_type_name(out.dtype()));
    const bool same =
        (rules & kSameType) || ((rules & kSameTypeBesideNumbers) && inputs.size() == 1);
    if (same && out.dtype() != result.dtype())
        fail("Expected out tensor to have dtype ", cpp_type_name(result.dtype()), ", but got ",
             cpp_type_name(out.dtype()), " instead");
    if ((rules & kJoined) && !can_cast(result.dtype(), out.dtype()))
        fail<TypeError>("tapegrad.cat(): input types can't be cast to the desired output type ",
                        scalar_type_name(out.dtype()));
    for (size_t i = 0; i < inputs.size(); ++i)
        if (rules & (i == 0 ? kApartFromFirst : kApartFromOthers)) refuse_overlap(out, inputs[i]);
}

// Calls the function and puts its result into what out= names. Another form may take what does not fit.
PyObject* call_into(const Call& call, PyObject** slots, PyObject* out) {
    const Form& form = *call.form;
    if (unfit_slot(call) >= 0) return nullptr;
    const std::vector<Tensor> outs = read_out(form, out), inputs = tensors_of(call);
    refuse_recorded_out(form.owner->name(), inputs, outs);
    unsigned rules = form.owner->out_rules();
    if ((rules & kOfPairs) && outs.size() == 1) rules = 0;
    if (form.dtype >= 0 && outs.size() == 1 && !(rules & kSameType)) {
        const DType dtype = outs[0].dtype();
        if (slots[form.dtype] == Py_None) slots[form.dtype] = dtype_object(dtype);
        const auto asked = dtype_from_object(slots[form.dtype]);
        if (asked && *asked != dtype)
            fail("Expected out tensor to have dtype ", cpp_type_name(*asked), ", but got ",
                 cpp_type_name(dtype), " instead");
    }
    const GradMode off(false);
    const auto result = py::reinterpret_steal<py::object>(invoke(call));
    if (!result) return nullptr;
    const bool of_lists = rules & kOfLists;
    if (of_lists && PyTuple_GET_SIZE(result.ptr()) != static_cast<Py_ssize_t>(outs.size()))
        fail(form.owner->name(), "(): expected ", PyTuple_GET_SIZE(result.ptr()),
             " tensors in out=, got ", outs.size());
    const auto part = [&](size_t i) {
        return unwrap(outs.size() == 1 && !of_lists
                          ? result.ptr()
                          : PyTuple_GET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i)));
    };
    for (size_t i = 0; i < outs.size(); ++i) {
        check_out_rules(rules, form.owner->name(), outs[i], part(i), inputs);
        check_out(outs[i], part(i), inputs);
    }
    for (size_t i = 0; i < outs.size(); ++i) write_out(outs[i], part(i), !form.has_options);
    if (form.has_options && unwrap(result.ptr()).requires_grad()) set_requires_grad(outs[0], true);
    if (of_lists) return Py_NewRef(Py_None);
    return outs.size() == 1 ? Py_NewRef(out)
                            : form.owner->wrap_results(outs.data(), static_cast<int>(outs.size()));
}

}  // namespace

std::vector<Operator*>& all_operators() {
    static std::vector<Operator*> operators;
    return operators;
}

bool Form::takes_out() const {
    return owner->takes_out() && ((owner->out_rules() & kOfLists) || gives_tensors(function));
}

Operator& find_operator(std::string_view name) {
    for (Operator* op : all_operators())
        if (name == op->name()) return *op;
    fail("no operator ", name);
}

static PyCFunction as_method(VectorCall call) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call));
}

Operator::Operator(PyObject* module, const char* name, const Function* functions, int count,
                   Thunks function, Thunks method)
    : module_(module),
      name_(name),
      function_thunks_(function),
      method_thunks_(method) {
    const auto signatures = lines(docstring_of(name, !function).signatures);
    const auto given = static_cast<int>(signatures.size());
    if (given != 1 && given != count)
        fail(name, " has ", given, " signatures for ", count, " functions");
    has_one_signature_ = given == 1;
    for (int i = 0; i < count; ++i) {
        const auto signature = signatures[given == 1 ? 0 : static_cast<size_t>(i)];
        forms_.push_back(make_form(this, signature, functions[i], given == 1 && i + 1 < count));
    }
    for (const Form& form : forms_)
        if (method && form.variadic == 0)
            fail(name, form.signature, ": no method, its tensor has no parameter of its own");
    first_ = forms_.data();
    takes_out_ = gives_tensors(functions[0]);
    const auto define = [&](const Thunks& thunks) {
        return PyMethodDef{name, as_method(thunks.usual), METH_FASTCALL | METH_KEYWORDS, nullptr};
    };
    if (function) {
        function_ = define(function);
        function_object_ = PyCFunction_NewEx(&function_, nullptr, PyModule_GetNameObject(module));
        if (!function_object_) throw py::error_already_set();
    }
    if (method) {
        method_ = define(method);
        method_object_ = PyDescr_NewMethod(tensor_type, &method_);
        if (!method_object_) throw py::error_already_set();
    }
    add(name);
    all_operators().push_back(this);
}

void Operator::watch(bool on) {
    const auto exchange = [&](PyMethodDef& method, const Thunks& thunks) {
        if (thunks) method.ml_meth = as_method(on ? thunks.watched : thunks.usual);
    };
    exchange(function_, function_thunks_);
    exchange(method_, method_thunks_);
}

void Operator::add(const char* name) {
    if (function_object_) set_attribute(module_, name, function_object_);
    if (method_object_)
        set_attribute(reinterpret_cast<PyObject*>(tensor_type), name, method_object_);
}

Operator& Operator::add_unshown(const char* signature, const Function& function, bool warns) {
    unshown_forms_.push_back(make_form(this, signature, function, false));
    unshown_forms_.back().warns = warns;
    return *this;
}

Operator& Operator::alias(const char* name) {
    add(name);
    aliases_.push_back(name);
    return *this;
}

// kFirst: 1 for methods, whose tensor is not among args.
template <int kFirst>
[[gnu::always_inline]] inline PyObject* Operator::call_plain(PyObject* self, PyObject* const* args,
                                                             Py_ssize_t count,
                                                             PyObject* names) const noexcept {
    const Form& form = *first_;
    if (names || count + kFirst < form.required) return call_any(self, args, count, names);
    if (is_spread(form, kFirst, args, count)) return call_spread(self, args, count);
    if (count + kFirst <= form.positional) {
        PyObject* slots[kMaxSlots];
        PyObject* const* given = args;
        if (kFirst == 1 || count < form.count) {
            copy_defaults(form, slots);
            if (kFirst == 1) slots[0] = self;
            for (Py_ssize_t i = 0; i < count; ++i) slots[i + kFirst] = args[i];
            given = slots;
        }
        if (PyObject* result = form.function.invoke(form, given, nullptr, 0)) return result;
    }
    return call_any(self, args, count, names);
}

PyObject* Operator::call_function(PyObject* const* args, Py_ssize_t count,
                                  PyObject* names) const noexcept {
    return call_plain<0>(nullptr, args, count, names);
}
PyObject* Operator::call_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                PyObject* names) const noexcept {
    return call_plain<1>(self, args, count, names);
}

// The items of *name one by one.
PyObject* Operator::call_spread(PyObject* self, PyObject* const* args,
                                Py_ssize_t count) const noexcept {
    const Form& form = *first_;
    const int first = self ? 1 : 0;
    const int place = form.variadic;
    PyObject* slots[kMaxSlots];
    copy_defaults(form, slots);
    if (self) slots[0] = self;
    for (int i = first; i < place; ++i) slots[i] = args[i - first];
    slots[place] = nullptr;
    PyObject* result =
        form.function.invoke(form, slots, args + (place - first), count + first - place);
    return result ? result : call_any(self, args, count, nullptr);
}

PyObject* Operator::call_any(PyObject* self, PyObject* const* args, Py_ssize_t count,
                             PyObject* names) const noexcept {
    if (PyErr_Occurred()) return nullptr;  // of a form that fits
    return guarded([&]() -> PyObject* {
        PyObject* slots[kMaxSlots];
        for (const Form& form : forms_) {
            Call call;
            PyObject* out = nullptr;
            if (!bind_arguments(form, self, args, count, names, slots, call, out)) continue;
            PyObject* result = out ? call_into(call, slots, out) : invoke(call);
            if (result || PyErr_Occurred()) return result;
        }
        for (const Form& form : unshown_forms_) {
            Call call;
            PyObject* out = nullptr;
            if (self && PyUnicode_CompareWithASCIIString(form.parameters[0].name, "input") != 0)
                continue;
            if (!bind_arguments(form, self, args, count, names, slots, call, out) ||
                unfit_slot(call) >= 0)
                continue;
            if (form.warns)
                warn(text("This overload of ", name_, " is deprecated: ", name_, form.signature,
                          ". Use ", name_, forms_.back().signature, " instead."));
            return out ? call_into(call, slots, out) : invoke(call);
        }
        if (take_note(args, count + (names ? PyTuple_GET_SIZE(names) : 0))) {
            PyObject* result = call_again();
            return result || PyErr_Occurred() ? result
                                              : call_watched(*this, self, args, count, names);
        }
        if (PyObject* result = self ? call_by_numpy(self, name_, args, count, names) : nullptr)
            return result;
        fail_call(*this, self, args, count, names);
    });
}

PyObject* Operator::wrap_results(const Tensor* results, int count) const {
    if (!result_type_)
        result_type_ = reinterpret_cast<PyTypeObject*>(imported("tapegrad.return_types", name_));
    auto tuple = py::reinterpret_steal<py::object>(result_type_->tp_alloc(result_type_, count));
    if (!tuple) throw py::error_already_set();
    for (int i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.ptr(), i, wrap(results[i]));
    return tuple.release().ptr();
}

void Operator::attach_docstring() {
    if (is_function())
        function_.ml_doc = compose_docstring(docstring_of(name_, false), nullptr, takes_out());
    if (is_method())
        method_.ml_doc = compose_docstring(docstring_of(name_, !is_function()), "$self", false);
}

namespace {
template <class Values, class Wrap> PyObject* tuple_of(const Values& values, Wrap wrap_one) {
    auto tuple =
        py::reinterpret_steal<py::object>(PyTuple_New(static_cast<Py_ssize_t>(values.size())));
    if (!tuple) throw py::error_already_set();
    for (size_t i = 0; i < values.size(); ++i)
        PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), wrap_one(values[i]));
    return tuple.release().ptr();
}
}  // namespace

PyObject* wrap_tuple(const std::vector<Tensor>& tensors) { return tuple_of(tensors, wrap); }
PyObject* wrap_tuple(const std::vector<int64_t>& values) {
    return tuple_of(values, PyLong_FromLongLong);
}

PyObject* imported(const char* module, const char* name) {
    const auto found = py::reinterpret_steal<py::object>(
        run_python([=] { return PyImport_ImportModule(module); }));
    PyObject* attribute = found ? PyObject_GetAttrString(found.ptr(), name) : nullptr;
    if (!attribute) throw py::error_already_set();
    return attribute;
}

int unfit_slot(const Call& call) {
    for (int slot = 0; slot < call.form->count; ++slot) {
        const Type* type = call.form->parameter(slot).type;
        if (type && !type->accepts(call, slot)) return slot;
    }
    return -1;
}

bool bind_arguments(const Form& form, PyObject* self, PyObject* const* args, Py_ssize_t count,
                    PyObject* names, PyObject** slots, Call& call, PyObject*& out) {
    call = {&form, slots, nullptr, 0};
    const int first = self ? 1 : 0;
    auto given = first + static_cast<int>(count);
    if (self) slots[0] = self;
    std::copy_n(args, std::min(given, form.positional) - first, slots + first);
    if (given > form.variadic) {
        // One sequence, or ints one by one.
        call.rest = args + (form.variadic - first);
        call.rest_count = given - form.variadic;
        if (call.rest_count > 1 || !(PyTuple_Check(*call.rest) || PyList_Check(*call.rest)))
            slots[form.variadic] = nullptr;
        given = form.variadic + 1;
    } else if (given > form.positional) {
        return false;
    }
    for (int i = given; i < form.count; ++i) slots[i] = form.defaults[i];
    uint32_t known = (uint32_t{1} << given) - 1;
    const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t k = 0; k < keywords; ++k) {
        PyObject* name = PyTuple_GET_ITEM(names, k);
        PyObject* value = args[count + k];
        const int slot = find_parameter(form.parameters, name, first);
        if (slot >= 0) {
            if (known >> slot & 1) return false;
            known |= uint32_t{1} << slot;
            slots[slot] = value;
        } else if (!self && form.takes_out() &&
                   PyUnicode_CompareWithASCIIString(name, "out") == 0) {
            out = value == Py_None ? nullptr : value;
        } else if (!form.has_options || !is_ignored_option(form, name, value)) {
            return false;
        }
    }
    for (int i = given; i < form.required; ++i)
        if (!slots[i]) return false;
    return true;
}

}  // namespace tapegrad::python
