#include "python/operator.h"

#include <cstring>
#include <string>

#include "autograd/grad_mode.h"
#include "core/error.h"
#include "ops/out.h"
#include "python/casters.h"
#include "python/docs.h"
#include "python/errors.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

// Parameters that PyTorch has, and that change nothing here. They stand last.
constexpr std::string_view kUnused[] = {"sparse_grad", "stable", "sorted", "non_blocking",
                                        "memory_format"};

// Keywords of what makes tensors that mean nothing here: there is one layout and one kind of memory.
bool is_ignored_option(PyObject* name) {
    for (const char* ignored : {"layout", "pin_memory", "memory_format"})
        if (PyUnicode_CompareWithASCIIString(name, ignored) == 0) return true;
    return false;
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
        if (type->parts) form.options = static_cast<int>(slot);
        for (int part = 0; part < type->slots; ++part)
            form.parameters[slot++].type = type->parts ? type->parts[part] : type;
    }
    for (; slot < form.parameters.size(); ++slot) {
        PyObject* name = form.parameters[slot].name;
        if (std::find(std::begin(kUnused), std::end(kUnused), PyUnicode_AsUTF8(name)) ==
            std::end(kUnused))
            disagree("the function does not have the parameter ", name);
    }
    Call call;
    call.form = &form;
    std::copy_n(form.defaults, form.count, call.slots);
    for (int i = 0; i < form.count; ++i) {
        const Parameter& parameter = form.parameters[static_cast<size_t>(i)];
        if (parameter.type && parameter.value && !parameter.type->accepts(call, i))
            disagree("the function cannot take the default of ", parameter.name);
    }
}

Form make_form(const Operator* owner, std::string_view signature, const Function& function) {
    Form form{};
    form.owner = owner;
    form.signature = strndup(signature.data(), signature.size());
    form.function = function;
    form.parameters = parse_signature(signature);
    form.count = static_cast<int>(form.parameters.size());
    if (form.count > kMaxSlots) fail(owner->name(), signature, " has too many parameters");
    form.variadic = kMaxSlots;
    form.options = -1;
    for (int i = 0; i < form.count; ++i) {
        const Parameter& parameter = form.parameters[static_cast<size_t>(i)];
        form.defaults[i] = parameter.value;
        if (!parameter.keyword_only) form.positional = i + 1;
        if (!parameter.value) form.required = i + 1;
        if (parameter.variadic) form.variadic = i;
    }
    set_types(form);
    return form;
}

// The arguments' places where all are given by position, which is the frequent case.
inline bool bind_plain(const Form& form, PyObject* self, PyObject* const* args, Py_ssize_t count,
                       Call& call) {
    const Py_ssize_t given = count + (self != nullptr);
    if (given < form.required || given > form.positional || given > form.variadic) return false;
    PyObject** slot = call.slots;
    if (self) *slot++ = self;
    for (Py_ssize_t i = 0; i < count; ++i) *slot++ = args[i];
    for (Py_ssize_t i = given; i < form.count; ++i) *slot++ = form.defaults[i];
    return true;
}

bool requires_grad(PyObject* object) {
    if (is_tensor(object)) return unwrap(object).requires_grad();
    if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(object, i);
        if (is_tensor(item) && unwrap(item).requires_grad()) return true;
    }
    return false;
}

// Calls the function and puts its result into what out= names.
PyObject* call_into(Call& call, PyObject* out) {
    const Form& form = *call.form;
    const char* name = form.owner->name();
    bool recorded = false;
    for (int i = 0; i < form.count; ++i)
        recorded = recorded || (call.slots[i] && requires_grad(call.slots[i]));
    for (Py_ssize_t i = 0; i < call.rest_count; ++i)
        recorded = recorded || requires_grad(call.rest[i]);
    recorded = recorded || requires_grad(out);
    const bool pair = PyTuple_Check(out) || PyList_Check(out);
    const auto part = [&](Py_ssize_t i) { return pair ? PySequence_Fast_GET_ITEM(out, i) : out; };
    const Py_ssize_t parts = pair ? PySequence_Fast_GET_SIZE(out) : 1;
    for (Py_ssize_t i = 0; i < parts; ++i)
        if (!is_tensor(part(i)))
            fail<TypeError>(name, "(): argument 'out' must be ",
                            pair ? "tuple of Tensors" : "Tensor", ", not ",
                            Py_TYPE(part(i))->tp_name);
    refuse_recorded_out(name, recorded);
    if (form.options >= 0 && parts == 1 && call.slots[form.options] == Py_None)
        call.slots[form.options] = dtype_object(unwrap(out).dtype());
    const GradMode off(false);
    const auto result = py::reinterpret_steal<py::object>(form.function.invoke(call));
    if (!result) return nullptr;
    if (pair != (PyTuple_Check(result.ptr()) != 0))
        fail<TypeError>(name, "(): argument 'out' must be ", pair ? "Tensor" : "tuple of Tensors",
                        ", not ", Py_TYPE(out)->tp_name);
    for (Py_ssize_t i = 0; i < parts; ++i)
        write_out(unwrap(part(i)), unwrap(pair ? PyTuple_GET_ITEM(result.ptr(), i) : result.ptr()));
    return pair ? form.owner->wrap_pair(unwrap(part(0)), unwrap(part(1))) : Py_NewRef(out);
}

}  // namespace

std::vector<Operator*>& all_operators() {
    static std::vector<Operator*> operators;
    return operators;
}

Operator& find_operator(std::string_view name) {
    for (Operator* op : all_operators())
        if (name == op->name()) return *op;
    fail("no operator ", name);
}

Operator::Operator(PyObject* module, const char* name, const Function* functions, int count,
                   VectorCall function, VectorCall method)
    : module_(module),
      name_(name) {
    const auto signatures = lines(docstring_of(name, function == nullptr).signatures);
    const auto given = static_cast<int>(signatures.size());
    if (given != 1 && given != count)
        fail(name, " has ", given, " signatures for ", count, " functions");
    for (int i = 0; i < count; ++i)
        forms_.push_back(
            make_form(this, signatures[given == 1 ? 0 : static_cast<size_t>(i)], functions[i]));
    const std::string_view result = functions[0].result;
    takes_out_ = result == "Tensor" || result == "return_types";
    const auto define = [&](VectorCall call) {
        return PyMethodDef{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
                           METH_FASTCALL | METH_KEYWORDS, nullptr};
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

void Operator::add(const char* name) {
    if (function_object_ && PyObject_SetAttrString(module_, name, function_object_) < 0)
        throw py::error_already_set();
    if (method_object_ &&
        PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), name, method_object_) < 0)
        throw py::error_already_set();
}

Operator& Operator::alias(const char* name) {
    add(name);
    aliases_.push_back(name);
    return *this;
}

PyObject* Operator::call(PyObject* self, PyObject* const* args, Py_ssize_t count,
                         PyObject* names) const noexcept {
    return guarded([&]() -> PyObject* {
        Call call;
        for (const Form& form : forms_) {
            PyObject* out = nullptr;
            call.form = &form;
            if (names || !bind_plain(form, self, args, count, call))
                if (!bind_arguments(form, self, args, count, names, call, out)) continue;
            PyObject* result = out ? call_into(call, out) : form.function.invoke(call);
            if (result || PyErr_Occurred()) return result;
        }
        fail_call(*this, self, args, count, names);
    });
}

PyObject* Operator::wrap_pair(Tensor first, Tensor second) const {
    if (!pair_type_)
        pair_type_ = reinterpret_cast<PyTypeObject*>(
            py::object(py::module_::import("tapegrad.return_types").attr(name_)).release().ptr());
    auto pair = py::reinterpret_steal<py::object>(pair_type_->tp_alloc(pair_type_, 2));
    if (!pair) throw py::error_already_set();
    PyTuple_SET_ITEM(pair.ptr(), 0, wrap(std::move(first)));
    PyTuple_SET_ITEM(pair.ptr(), 1, wrap(std::move(second)));
    return pair.release().ptr();
}

void Operator::attach_docstring() {
    if (is_function())
        function_.ml_doc = compose_docstring(docstring_of(name_, false), nullptr, takes_out());
    if (is_method())
        method_.ml_doc = compose_docstring(docstring_of(name_, !is_function()), "$self", false);
}

PyObject* wrap_tuple(const std::vector<Tensor>& tensors) {
    auto tuple =
        py::reinterpret_steal<py::object>(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
    if (!tuple) throw py::error_already_set();
    for (size_t i = 0; i < tensors.size(); ++i)
        PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), wrap(tensors[i]));
    return tuple.release().ptr();
}

bool bind_arguments(const Form& form, PyObject* self, PyObject* const* args, Py_ssize_t count,
                    PyObject* names, Call& call, PyObject*& out) {
    const int first = self ? 1 : 0;
    auto given = first + static_cast<int>(count);
    if (self) call.slots[0] = self;
    call.rest_count = 0;
    bool spread = false;
    if (given > form.variadic) {
        // One sequence, or all that is left.
        call.rest = args + (form.variadic - first);
        call.rest_count = given - form.variadic;
        spread = call.rest_count > 1 || !(PyTuple_Check(*call.rest) || PyList_Check(*call.rest));
        if (!spread) call.rest_count = 0;
        given = form.variadic + 1;
    } else if (given > form.positional) {
        return false;
    }
    for (int i = first; i < given; ++i) call.slots[i] = args[i - first];
    if (spread) call.slots[form.variadic] = nullptr;
    for (int i = given; i < form.count; ++i) call.slots[i] = form.defaults[i];
    uint32_t known = (uint32_t{1} << given) - 1;
    const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t k = 0; k < keywords; ++k) {
        PyObject* name = PyTuple_GET_ITEM(names, k);
        PyObject* value = args[count + k];
        const int slot = find_parameter(form.parameters, name, first);
        if (slot >= 0) {
            if (known >> slot & 1) return false;
            known |= uint32_t{1} << slot;
            call.slots[slot] = value;
        } else if (!self && form.owner->takes_out() &&
                   PyUnicode_CompareWithASCIIString(name, "out") == 0) {
            out = value == Py_None ? nullptr : value;
        } else if (form.options < 0 || !is_ignored_option(name)) {
            return false;
        }
    }
    for (int i = given; i < form.required; ++i)
        if (!call.slots[i]) return false;
    return true;
}

}  // namespace tapegrad::python
