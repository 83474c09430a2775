#include "python/torch_function.h"

#include <optional>
#include <vector>

#include "python/dispatch.h"
#include "python/errors.h"
#include "python/module.h"

namespace tapegrad::python {

thread_local Asking asking;
bool anybody_to_ask = false;

namespace {

bool types_seen = false;               // types of objects that are to be asked
PyObject* ask_mode = nullptr;          // ask_mode(function, types, args, kwargs)
PyObject* refuse = nullptr;            // refuse(function, types): raises
PyObject* function_of_code = nullptr;  // function_of_code(code): calls it with its local variables
PyObject* disabled = nullptr;          // _disabled_torch_function_impl

PyObject* interned(const char* name) { return PyUnicode_InternFromString(name); }

// The arguments of most calls.
bool is_plain(PyTypeObject* type) noexcept {
    return type == tensor_type || type == &PyLong_Type || type == &PyFloat_Type ||
           type == &PyBool_Type || type == &PyUnicode_Type || type == Py_TYPE(Py_None);
}

// Calls f with an object, or with what a list or tuple has in it, until it gives true.
template <class F> bool any_object(PyObject* object, F f) {
    PyTypeObject* type = Py_TYPE(object);
    if (is_plain(type)) return false;
    if (type != &PyTuple_Type && type != &PyList_Type) return f(object);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(object, i);
        if (!is_plain(Py_TYPE(item)) && f(item)) return true;
    }
    return false;
}

bool is_asked(PyObject* object) noexcept { return has_torch_function(Py_TYPE(object)); }

// One object of each type; subclasses come before their bases.
void collect(PyObject* object, std::vector<py::object>& found) {
    if (asking.no_objects) return;
    any_object(object, [&](PyObject* candidate) {
        PyTypeObject* type = Py_TYPE(candidate);
        if (!has_torch_function(type)) return false;
        auto place = found.end();
        for (auto it = found.begin(); it != found.end(); ++it) {
            if (Py_TYPE(it->ptr()) == type) return false;
            if (place == found.end() && PyType_IsSubtype(type, Py_TYPE(it->ptr()))) place = it;
        }
        found.insert(place, py::reinterpret_borrow<py::object>(candidate));
        return false;
    });
}

py::object ask_object(const py::object& object, PyObject* function, PyObject* types, PyObject* args,
                      PyObject* kwargs) {
    const py::object method = object.attr("__torch_function__");
    if (PyMethod_Check(method.ptr()) && PyMethod_GET_SELF(method.ptr()) == object.ptr())
        if (PyErr_WarnEx(PyExc_UserWarning,
                         "Defining your `__torch_function__` as a plain method is deprecated and "
                         "will be an error in future, please define it as a classmethod.",
                         1) < 0)
            throw py::error_already_set();
    auto result = py::reinterpret_steal<py::object>(
        PyObject_CallFunctionObjArgs(method.ptr(), function, types, args, kwargs, nullptr));
    if (!result) throw py::error_already_set();
    return result;
}

// Asks the modes, then the objects. refusal(function, types) raises; if it is null NotImplemented is returned.
PyObject* ask_all(const std::vector<py::object>& objects, PyObject* function, PyObject* args,
                  PyObject* kwargs, PyObject* refusal) {
    py::tuple types(objects.size());
    for (size_t i = 0; i < objects.size(); ++i) types[i] = py::type::handle_of(objects[i]);
    if (asking.modes) {
        const py::handle mode(ask_mode);
        py::object result = mode(py::handle(function), types, py::handle(args),
                                 py::handle(kwargs ? kwargs : Py_None));
        if (result.ptr() != Py_NotImplemented) return result.release().ptr();
    }
    for (const py::object& object : objects) {
        py::object result = ask_object(object, function, types.ptr(), args, kwargs);
        if (result.ptr() != Py_NotImplemented) return result.release().ptr();
    }
    if (!refusal) return Py_NewRef(Py_NotImplemented);
    return PyObject_CallFunctionObjArgs(refusal, function, types.ptr(), nullptr);
}

// Sets a flag for as long as it lives.
class Setting {
public:
    explicit Setting(bool& flag) : flag_(flag), before_(flag) { flag = true; }
    ~Setting() { flag_ = before_; }
    Setting(const Setting&) = delete;

private:
    bool& flag_;
    bool before_;
};

// __torch_function__ of types that are not to be asked.
py::object run_disabled(const py::object& function, const py::object&, const py::tuple& args,
                        const py::object& kwargs) {
    const Setting off(asking.no_objects);
    auto result = py::reinterpret_steal<py::object>(
        PyObject_Call(function.ptr(), args.ptr(), kwargs.is_none() ? nullptr : kwargs.ptr()));
    if (!result) throw py::error_already_set();
    return result;
}

// A function of Python that asks: what programs call, and one with its own code.
struct Overridable {
    PyObject *function, *original;
};
std::vector<Overridable> overridables;

// call_overridable(number, args, kwargs): what such a function does while calls are watched.
PyObject* call_overridable(PyObject*, PyObject* const* given, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        if (count != 3 || !PyLong_Check(given[0]) || !PyTuple_Check(given[1]) ||
            !PyDict_Check(given[2]))
            fail<TypeError>("_call_overridable() takes a number, a tuple and a dict");
        PyObject *args = given[1], *kwargs = given[2];
        const Overridable& called = overridables.at(PyLong_AsSize_t(given[0]));
        bool overridden =
            is_overridden(nullptr, PySequence_Fast_ITEMS(args), PyTuple_GET_SIZE(args));
        Py_ssize_t place = 0;
        PyObject *name, *value;
        while (!overridden && PyDict_Next(kwargs, &place, &name, &value))
            overridden = is_overridden(nullptr, &value, 1);
        return overridden ? ask(called.function, args, kwargs)
                          : PyObject_Call(called.original, args, kwargs);
    });
}

// take_note(*objects): for functions of Python that would not get to an operator with such objects. They call
// themselves again, and then ask.
PyObject* take_note_method(PyObject*, PyObject* const* objects, Py_ssize_t count) {
    return guarded([&] { return PyBool_FromLong(take_note(objects, count)); });
}

bool noted() {
    if (!types_seen) {
        types_seen = true;
        begin_asking();
    }
    return true;
}

}  // namespace

std::pair<py::tuple, py::dict> pack_arguments(PyObject* self, PyObject* const* args,
                                              Py_ssize_t count, PyObject* names) {
    const Py_ssize_t first = self ? 1 : 0;
    py::tuple given(static_cast<size_t>(count + first));
    if (self) given[0] = py::handle(self);
    for (Py_ssize_t i = 0; i < count; ++i)
        given[static_cast<size_t>(i + first)] = py::handle(args[i]);
    py::dict named;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
        named[PyTuple_GET_ITEM(names, i)] = py::handle(args[count + i]);
    return {given, named};
}

bool has_torch_function(PyTypeObject* type) noexcept {
    static PyObject* const name = interned("__torch_function__");
    PyObject* method = is_plain(type) ? nullptr : _PyType_Lookup(type, name);
    return method && method != disabled;
}

bool find_overridden(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    if (asking.nobody) return false;
    if (asking.modes) return true;
    if (asking.no_objects || !types_seen) return false;
    if (self && is_asked(self)) return true;
    for (Py_ssize_t i = 0; i < count; ++i)
        if (any_object(args[i], is_asked)) return true;
    return false;
}

PyObject* ask(PyObject* function, PyObject* args, PyObject* kwargs, bool may_refuse) {
    std::vector<py::object> objects;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i)
        collect(PyTuple_GET_ITEM(args, i), objects);
    Py_ssize_t place = 0;
    PyObject *name, *value;
    while (kwargs && PyDict_Next(kwargs, &place, &name, &value)) collect(value, objects);
    return ask_all(objects, function, args, kwargs, may_refuse ? nullptr : refuse);
}

PyObject* ask(PyObject* function, PyObject* self, PyObject* const* args, Py_ssize_t count,
              PyObject* names) {
    const auto [given, named] = pack_arguments(self, args, count, names);
    return ask(function, given.ptr(), names ? named.ptr() : nullptr);
}

PyObject* ask_method(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t count,
                     PyObject* names, bool may_refuse) {
    const py::object method = py::handle(reinterpret_cast<PyObject*>(tensor_type)).attr(name);
    const auto [given, named] = pack_arguments(self, args, count, names);
    return ask(method.ptr(), given.ptr(), names ? named.ptr() : nullptr, may_refuse);
}

PyObject* call_plain_method(PyObject* function, PyObject* method, PyObject* self,
                            PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
    return guarded([&]() -> PyObject* {
        const Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
        if (is_overridden(self, args, all)) return ask(method, self, args, count, names);
        std::vector<PyObject*> given{self};
        given.insert(given.end(), args, args + all);
        return PyObject_Vectorcall(function, given.data(), static_cast<size_t>(count) + 1, names);
    });
}

bool take_note(PyObject* const* objects, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; ++i)
        if (any_object(objects[i], is_asked))
            return !asking.no_objects && !asking.nobody && noted();
    return false;
}
PyObject* call_again() {
    PyFrameObject* frame = PyEval_GetFrame();
    if (!frame) return nullptr;
    const auto code =
        py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
    const py::handle find(function_of_code);
    const py::object call = find(code);
    if (call.is_none()) return nullptr;
    return call(py::handle(PyEval_GetLocals())).release().ptr();
}

bool take_note(PyObject* left, PyObject* right) {
    PyObject* const both[] = {left, right};
    return take_note(both, 2);
}

void note_subclass(PyTypeObject* type) {
    if (!types_seen && has_torch_function(type)) noted();
}

void bind_torch_function(py::module_& m) {
    m.def("_disabled_torch_function_impl", run_disabled);
    disabled = py::object(m.attr("_disabled_torch_function_impl")).release().ptr();
    static PyMethodDef definition{
        "_call_overridable",
        reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_overridable)),
        METH_FASTCALL, nullptr};
    m.add_object("_call_overridable", py::reinterpret_steal<py::object>(
                                          PyCFunction_NewEx(&definition, nullptr, nullptr)));
    static PyMethodDef note_definition{
        "_take_note", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(take_note_method)),
        METH_FASTCALL, nullptr};
    m.add_object("_take_note", py::reinterpret_steal<py::object>(
                                   PyCFunction_NewEx(&note_definition, nullptr, nullptr)));
    m.def("_add_overridable", [](py::object function, py::object original) {
        overridables.push_back({function.release().ptr(), original.release().ptr()});
        return overridables.size() - 1;
    });
    m.def("_answer_for", [](py::object modes, py::object refusal, py::object by_code) {
        Py_XSETREF(ask_mode, modes.release().ptr());
        Py_XSETREF(refuse, refusal.release().ptr());
        Py_XSETREF(function_of_code, by_code.release().ptr());
    });
    m.def("_ask", [](const py::object& function, const py::tuple& relevant, const py::tuple& args,
                     const py::dict& kwargs, const py::object& refusal) {
        std::vector<py::object> objects;
        for (const py::handle object : relevant) collect(object.ptr(), objects);
        auto result = py::reinterpret_steal<py::object>(
            ask_all(objects, function.ptr(), args.ptr(), kwargs.ptr(), refusal.ptr()));
        if (!result) throw py::error_already_set();
        return result;
    });
    m.def("_is_overridden", [](const py::tuple& args) {
        PyObject* const* items = PySequence_Fast_ITEMS(args.ptr());
        const Py_ssize_t count = PyTuple_GET_SIZE(args.ptr());
        return take_note(items, count) || is_overridden(nullptr, items, count);
    });
    m.def("_set_asking_modes", [](bool on) { asking.modes = on; });
    m.def("_set_asking", [](std::optional<bool> objects, std::optional<bool> anybody) {
        const bool before[] = {!asking.no_objects, !asking.nobody};
        asking.no_objects = !objects.value_or(before[0]);
        asking.nobody = !anybody.value_or(before[1]);
        return std::pair(before[0], before[1]);
    });
}

}  // namespace tapegrad::python
