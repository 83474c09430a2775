// What an error says when a call fits no form of an operator: PyTorch's sentence, then what helps.
#include <string>

#include <pybind11/pytypes.h>

#include "core/error.h"
#include "python/operator.h"
#include "python/tensor_object.h"
#include "python/values.h"

namespace py = pybind11;

namespace tapegrad::python {
namespace {

struct Given {
    PyObject* self;
    PyObject* const* args;
    Py_ssize_t count;
    PyObject* names;
    Py_ssize_t keywords() const { return names ? PyTuple_GET_SIZE(names) : 0; }
};

const char* utf8(PyObject* text) {
    const char* bytes = PyUnicode_AsUTF8(text);
    if (!bytes) throw py::error_already_set();
    return bytes;
}

// The known spelling that is nearest to a name, as a question; "" if none is near.
std::string suggestion(const char* name, const std::vector<const char*>& known) {
    const auto find = py::reinterpret_steal<py::object>(imported("difflib", "get_close_matches"));
    py::list names;
    for (const char* one : known) names.append(py::str(one));
    const auto close = py::reinterpret_steal<py::list>(
        PyObject_CallFunction(find.ptr(), "sOid", name, names.ptr(), 1, 0.6));
    if (!close) throw py::error_already_set();
    return close.empty() ? "" : text(". Did you mean '", utf8(close[0].ptr()), "'?");
}

// The type of an argument; of a tensor also its dtype and shape, never its values.
std::string type_text(PyObject* object) {
    if (is_tensor(object) && unwrap(object).defined()) {
        const Tensor& x = unwrap(object);
        return text(Py_TYPE(object)->tp_name, " (", dtype_name(x.dtype()), ", shape ",
                    to_string(x.sizes()), ")");
    }
    return Py_TYPE(object)->tp_name;
}

std::vector<const char*> accepted(const Form& form, bool method) {
    auto names = accepted_names(form.parameters, method ? 1 : 0);
    if (!method && form.takes_out()) names.push_back("out");
    return names;
}

bool is_ints(const Type* type) { return std::string_view(type->name) == "tuple of ints"; }
bool is_tensors(const Type* type) { return std::string_view(type->name) == "tuple of Tensors"; }

// The item of a sequence that is not what it should be, and its place.
std::pair<PyObject*, Py_ssize_t> unfit_item(const Type* type, PyObject* const* items,
                                            Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; ++i) {
        int64_t integer;
        const bool fits = is_ints(type) ? to_integer(items[i], integer) : is_tensor(items[i]);
        if (!fits) return {items[i], i};
    }
    return {nullptr, 0};
}

// Of an argument that its parameter cannot take.
std::string type_problem(const Call& call, int slot, const Given& given) {
    const Form& form = *call.form;
    const Parameter& parameter = form.parameter(slot);
    const int place = slot + (given.self ? 0 : 1);
    std::string start = text(form.owner->name(), "(): argument '", utf8(parameter.name), "'");
    PyObject* object = call.slots[slot];
    if (!object || slot < given.count + (given.self ? 1 : 0))
        start += text(" (position ", place, ")");
    const bool sequence = !object || PyTuple_Check(object) || PyList_Check(object);
    if (sequence && (is_ints(parameter.type) || is_tensors(parameter.type))) {
        py::object items;  // of their own: an item's __index__ may change the list
        if (object) items = py::tuple(py::reinterpret_borrow<py::object>(object));
        const auto [item, at] = object
                                    ? unfit_item(parameter.type, PySequence_Fast_ITEMS(items.ptr()),
                                                 PySequence_Fast_GET_SIZE(items.ptr()))
                                    : unfit_item(parameter.type, call.rest, call.rest_count);
        if (item) {
            if (object || is_tensors(parameter.type))
                return text(start, " must be ", parameter.type->name,
                            ", but found element of type ", type_text(item), " at pos ", at);
            if (at == 0)
                return text(start, " must be ", parameter.type->name, ", not ", type_text(item));
            return text(start, " failed to unpack the object at pos ", at + 1,
                        " with error \"type must be tuple of ints,but got ", type_text(item), "\"");
        }
    }
    start += text(" must be ", parameter.type->name, ", not ", type_text(object));
    const bool array = std::string_view(Py_TYPE(object)->tp_name) == "numpy.ndarray";
    if (array && std::string_view(parameter.type->name).starts_with("Tensor"))
        start += ". tapegrad.from_numpy makes a tensor of an array.";
    if (is_tensor(object) && unwrap(object).numel() == 1 && unwrap(object).requires_grad())
        start += ". It requires grad, which a number cannot have.";
    return start;
}

std::string quoted(const std::vector<const char*>& names) {
    std::string result;
    for (const char* name : names) result += text(result.empty() ? "" : ", ", '"', name, '"');
    return result;
}

// The keyword that a form does not know; null if it knows all.
PyObject* unknown_keyword(const Form& form, const Given& given) {
    const int first = given.self ? 1 : 0;
    for (Py_ssize_t k = 0; k < given.keywords(); ++k) {
        PyObject* name = PyTuple_GET_ITEM(given.names, k);
        const bool out =
            !given.self && form.takes_out() && PyUnicode_CompareWithASCIIString(name, "out") == 0;
        if (!out && find_parameter(form.parameters, name, first) < 0) return name;
    }
    return nullptr;
}

// Why a call does not fit a form.
std::string problem(const Form& form, const Given& given) {
    const int first = given.self ? 1 : 0;
    const std::string name = form.owner->name();
    PyObject* slots[kMaxSlots];
    Call call;
    PyObject* out = nullptr;
    if (bind_arguments(form, given.self, given.args, given.count, given.names, slots, call, out))
        if (const int slot = unfit_slot(call); slot >= 0) return type_problem(call, slot, given);
    if (PyObject* keyword = unknown_keyword(form, given))
        return text(name, "() got an unexpected keyword argument '", utf8(keyword), "'",
                    suggestion(utf8(keyword), accepted(form, given.self)));
    const Py_ssize_t limit = form.positional - first;
    if (given.count > limit && !form.is_variadic())
        return text(name, "() takes ", limit, " positional argument", limit == 1 ? "" : "s",
                    " but ", given.count, given.count == 1 ? " was given" : " were given");
    std::vector<const char*> missing;
    for (int i = first; i < form.count; ++i) {
        const Parameter& parameter = form.parameter(i);
        bool there = i - first < given.count;
        for (Py_ssize_t k = 0; k < given.keywords(); ++k) {
            PyObject* keyword = PyTuple_GET_ITEM(given.names, k);
            if (find_parameter(form.parameters, keyword, first) != i) continue;
            if (there)
                return text(name, "() got multiple values for argument '", utf8(keyword), "'");
            there = true;
        }
        if (!there && !parameter.value) missing.push_back(utf8(parameter.name));
    }
    if (!missing.empty())
        return text(name, "() missing ", missing.size(),
                    " required positional arguments: ", quoted(missing));
    return text(name, "() got arguments that do not fit");
}

// "(Tensor, str, dim=int)"
std::string given_types(const Given& given) {
    std::string result = "(";
    const auto add = [&](const std::string& part) {
        result += (result.size() > 1 ? ", " : "") + part;
    };
    for (Py_ssize_t i = 0; i < given.count; ++i) add(type_text(given.args[i]));
    for (Py_ssize_t k = 0; k < given.keywords(); ++k)
        add(text(utf8(PyTuple_GET_ITEM(given.names, k)), "=",
                 type_text(given.args[given.count + k])));
    return result + ")";
}

// A signature as a method has it.
std::string shown(const Form& form, bool method) {
    std::string signature = form.signature;
    if (method) {
        const size_t end = signature.find_first_of(",)");
        signature.erase(1, signature[end] == ',' ? end + 1 : end - 1);
    }
    return form.owner->name() + signature;
}

}  // namespace

void fail_call(const Operator& op, PyObject* self, PyObject* const* args, Py_ssize_t count,
               PyObject* names) {
    const Given given{self, args, count, names};
    if (op.has_one_signature()) fail<TypeError>(problem(op.forms().back(), given));
    std::string message = text(op.name(), "() received an invalid combination of arguments - got ",
                               given_types(given), ", but expected one of:");
    std::vector<const char*> known;
    PyObject* unknown = nullptr;
    bool known_somewhere = false;
    for (const Form& form : op.forms()) {
        message += text("\n * ", shown(form, self));
        for (const char* name : accepted(form, self)) known.push_back(name);
        PyObject* keyword = unknown_keyword(form, given);
        if (!keyword) known_somewhere = true;
        else unknown = keyword;
    }
    if (unknown && !known_somewhere)
        message += text("\nNo form has the keyword '", utf8(unknown), "'",
                        suggestion(utf8(unknown), known));
    fail<TypeError>(message);
}

}  // namespace tapegrad::python
