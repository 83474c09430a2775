// All operators as data, for what is generated from them: stubs, documentation, and the guards of tests.
#include "python/bind.h"
#include "python/module.h"

namespace tapegrad::python {
namespace {

bool takes_none(const Form& form, int slot) {
    PyObject* slots[kMaxSlots];
    slots[slot] = Py_None;
    const Type* type = form.parameter(slot).type;
    return type && type->accepts({&form, slots, nullptr, 0}, slot);
}

py::dict describe(const Form& form, int slot) {
    const Parameter& parameter = form.parameter(slot);
    py::dict result;
    result["name"] = py::reinterpret_borrow<py::object>(parameter.name);
    result["type"] = parameter.type ? parameter.type->stub : "object";
    if (parameter.value) result["default"] = py::reinterpret_borrow<py::object>(parameter.value);
    result["none"] = takes_none(form, slot);
    result["kind"] = parameter.variadic       ? "variadic"
                     : parameter.keyword_only ? "keyword"
                                              : "positional";
    return result;
}

py::dict describe(const Operator& op) {
    py::list forms;
    for (const Form& form : op.forms()) {
        if (op.has_one_signature() && form.count < op.forms().back().count) continue;
        py::list parameters;
        for (int slot = 0; slot < form.count; ++slot) parameters.append(describe(form, slot));
        py::dict entry;
        entry["signature"] = form.signature;
        entry["parameters"] = parameters;
        entry["result"] = form.function.result;
        entry["out"] = form.takes_out();
        forms.append(entry);
    }
    py::dict result;
    result["name"] = op.name();
    result["module"] = PyModule_GetName(op.module());
    result["aliases"] = op.aliases();
    result["function"] = op.is_function();
    result["method"] = op.is_method();
    result["out"] = op.takes_out();
    result["forms"] = forms;
    return result;
}

}  // namespace

void bind_operator_table(py::module_& m) {
    m.def("_operators", [] {
        py::list result;
        for (const Operator* op : all_operators()) result.append(describe(*op));
        return result;
    });
}

}  // namespace tapegrad::python
