// Shortcuts: the plainest forms of frequent calls (positional arguments, nothing to convert), tried before
// the general functions, because parsing arguments costs more than a small operation does.
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/losses.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/softmax.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/errors.h"

namespace tapegrad::python {
namespace {

// The arguments of a call, the tensor first. A form answers null, without an error, to a call that is
// not of its kind.
struct Call {
    PyObject* const* args;
    Py_ssize_t count;

    bool is_tensor_at(Py_ssize_t i) const { return i < count && is_tensor(args[i]); }
    const Tensor& tensor(Py_ssize_t i) const { return unwrap(args[i]); }
    bool integer_at(Py_ssize_t i, int64_t& value) const {
        if (i >= count || !PyLong_CheckExact(args[i])) return false;
        int overflow = 0;
        value = PyLong_AsLongLongAndOverflow(args[i], &overflow);
        return !overflow;
    }
    // All arguments from one on.
    bool integers_from(Py_ssize_t first, Dims& values) const {
        values.resize(static_cast<int>(count - first));
        for (Py_ssize_t i = first; i < count; ++i)
            if (!integer_at(i, values[static_cast<int>(i - first)])) return false;
        return count > first;
    }
};
using Form = PyObject* (*)(const Call& call);
constexpr Py_ssize_t kMaxArguments = 6;

template <Form F> class Shortcut {
public:
    static void install_function(py::module_& m, const char* name) {
        static PyMethodDef definition = {
            name, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(call_function)),
            METH_FASTCALL | METH_KEYWORDS, nullptr};
        const py::object general = m.attr(name);
        replace(py::handle(PyModule_GetDict(m.ptr())), general,
                py::reinterpret_steal<py::object>(
                    PyCFunction_NewEx(&definition, nullptr, m.attr("__name__").ptr())),
                [&](const char* alias, py::handle function) { m.attr(alias) = function; });
        general_function = general.inc_ref().ptr();
    }
    static void install_method(const char* name) {
        static PyMethodDef definition = {
            name, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(call_method)),
            METH_FASTCALL | METH_KEYWORDS, nullptr};
        py::object general = method_sibling(name);
        if (general.is_none()) fail("no method ", name, " to shorten");
        general_method = general.release().ptr();
        const py::handle methods(tensor_type->tp_dict);
        replace(methods, methods[name],
                py::reinterpret_steal<py::object>(PyDescr_NewMethod(tensor_type, &definition)),
                [](const char* alias, py::handle method) {
                    set_method(alias, py::reinterpret_borrow<py::object>(method));
                });
    }

private:
    static PyObject* call_function(PyObject*, PyObject* const* args, Py_ssize_t count,
                                   PyObject* names) {
        if (!names && count > 0 && is_tensor(args[0])) {
            PyObject* result = guarded([&] { return F(Call{args, count}); });
            if (result || PyErr_Occurred()) return result;
        }
        return PyObject_Vectorcall(general_function, args, static_cast<size_t>(count), names);
    }
    static PyObject* call_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                 PyObject* names) {
        const Py_ssize_t given = count + (names ? PyTuple_GET_SIZE(names) : 0);
        PyObject* few[kMaxArguments + 1];
        std::vector<PyObject*> many;
        PyObject** all = few;
        if (given > kMaxArguments) {
            many.resize(static_cast<size_t>(given) + 1);
            all = many.data();
        }
        all[0] = self;
        std::copy_n(args, given, all + 1);
        if (!names) {
            PyObject* result = guarded([&] { return F(Call{all, count + 1}); });
            if (result || PyErr_Occurred()) return result;
        }
        return PyObject_Vectorcall(general_method, all, static_cast<size_t>(count) + 1, names);
    }

    // Under all of its names.
    template <class Set>
    static void replace(py::handle names, const py::object& existing, const py::object& shortcut,
                        Set set) {
        std::vector<std::string> aliases;
        for (const auto& [name, value] : py::reinterpret_borrow<py::dict>(names))
            if (value.is(existing)) aliases.push_back(py::str(name));
        for (const std::string& alias : aliases) set(alias.c_str(), shortcut);
    }

    // References for the life of the process.
    static inline PyObject *general_function = nullptr, *general_method = nullptr;
};

template <Form F> void shorten_method(const char* name) { Shortcut<F>::install_method(name); }
template <Form F> void shorten(py::module_& m, const char* name) {
    Shortcut<F>::install_function(m, name);
    Shortcut<F>::install_method(name);
}

template <Tensor (*F)(const Tensor&, const Dims&, bool, OptionalDType)>
PyObject* reduction(const Call& call) {
    int64_t dim;
    if (call.count == 1) return wrap(F(call.tensor(0), {}, false, std::nullopt));
    if (call.count == 2 && call.integer_at(1, dim))
        return wrap(F(call.tensor(0), {dim}, false, std::nullopt));
    return nullptr;
}

template <Tensor (*F)(const Tensor&, const Tensor&)> PyObject* product(const Call& call) {
    if (call.count != 2 || !call.is_tensor_at(1)) return nullptr;
    return wrap(F(call.tensor(0), call.tensor(1)));
}

bool operand_at(const Call& call, Py_ssize_t i, Arg& operand) {
    if (call.is_tensor_at(i)) operand = Arg(call.tensor(i));
    else if (PyFloat_CheckExact(call.args[i])) operand = Arg(PyFloat_AS_DOUBLE(call.args[i]));
    else return false;
    return true;
}
template <Binary Op> PyObject* arithmetic(const Call& call) {
    Arg other(0);
    if (call.count != 2 || !operand_at(call, 1, other)) return nullptr;
    return wrap(binary(Op, call.tensor(0), other));
}
template <Binary Op> PyObject* arithmetic_in_place(const Call& call) {
    Arg other(0);
    if (call.count != 2 || !operand_at(call, 1, other)) return nullptr;
    binary_in_place(Op, call.tensor(0), other);
    return Py_NewRef(call.args[0]);
}

template <Tensor (*F)(const Tensor&, const Dims&)> PyObject* with_sizes(const Call& call) {
    Dims sizes;
    return call.integers_from(1, sizes) ? wrap(F(call.tensor(0), sizes)) : nullptr;
}
PyObject* transposed(const Call& call) {
    int64_t first, second;
    if (call.count != 3 || !call.integer_at(1, first) || !call.integer_at(2, second))
        return nullptr;
    return wrap(transpose(call.tensor(0), first, second));
}

}  // namespace

void bind_shortcuts(py::module_& m) {
    shorten<reduction<sum>>(m, "sum");
    shorten<reduction<mean>>(m, "mean");
    shorten<product<matmul>>(m, "matmul");
    shorten<product<mm>>(m, "mm");
    shorten<arithmetic<Binary::Add>>(m, "add");
    shorten<arithmetic<Binary::Sub>>(m, "sub");
    shorten<arithmetic<Binary::Mul>>(m, "mul");
    shorten<arithmetic<Binary::Div>>(m, "div");
    shorten_method<arithmetic_in_place<Binary::Add>>("add_");
    shorten_method<arithmetic_in_place<Binary::Sub>>("sub_");
    shorten_method<arithmetic_in_place<Binary::Mul>>("mul_");
    shorten_method<with_sizes<view>>("view");
    shorten_method<with_sizes<reshape>>("reshape");
    shorten<transposed>(m, "transpose");
}

}  // namespace tapegrad::python
