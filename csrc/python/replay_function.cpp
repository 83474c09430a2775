// Compiled functions: called for the first time they run as they are, and are recorded; then they are replayed.
#include <structmember.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "autograd/grad_mode.h"
#include "ops/creation.h"
#include "ops/reductions.h"
#include "python/dispatch.h"
#include "python/errors.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "python/replay.h"
#include "python/replay_arguments.h"
#include "python/replay_program.h"
#include "python/slot.h"
#include "python/torch_function.h"
#include "python/values.h"

namespace tapegrad::python {
namespace {

constexpr size_t kWarnAt = 8, kMostPrograms = 64;
// Recordings of one call that end with tensors which live on elsewhere (the state of an optimiser in its
// first step), and guards that fail one after the other.
constexpr int kMostAttempts = 3, kMostMisses = 16;

bool switched_on = true;

// One way in which the function is called.
struct Variant {
    std::shared_ptr<ReplayProgram> program;  // null: it runs as it is
    ArgumentTree arguments;
    Modes modes;
    int attempts = 0, misses = 0;
    std::string reason;
};

struct Compiled {
    PyObject* function = nullptr;
    bool fullgraph = false;
    bool off = false;  // a reset is due, or somebody has switched it off
    std::vector<Variant> variants;
    std::string last_reason = "the first call";
    uint64_t recordings = 0, replays = 0, eager_calls = 0;
};

struct CompiledObject {
    PyObject_HEAD vectorcallfunc call;
    PyObject* dict;
    PyObject* weak_references;
    Compiled* state;
};

CompiledObject* as_compiled(PyObject* self) { return reinterpret_cast<CompiledObject*>(self); }
Compiled& state_of(PyObject* self) { return *as_compiled(self)->state; }

std::string name_of(PyObject* function) {
    PyObject* name = PyObject_GetAttrString(function, "__qualname__");
    if (!name) {
        PyErr_Clear();
        return Py_TYPE(function)->tp_name;
    }
    const std::string text = py::str(py::reinterpret_steal<py::object>(name));
    return text;
}

void warn_user(const std::string& message) {
    if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1) < 0) throw py::error_already_set();
}

// Where what a thread does is something else than usual, functions run as they are.
bool runs_as_it_is(const Compiled& compiled) {
    return compiled.off || !switched_on || is_replay_recorded() || is_dispatching() ||
           asking.modes || thread_state.anomaly || thread_state.saved_tensor_hooks ||
           thread_state.write_watch;
}

PyObject* run_as_it_is(Compiled& compiled, PyObject* const* args, size_t count, PyObject* names) {
    ++compiled.eager_calls;
    return PyObject_Vectorcall(compiled.function, args, count, names);
}

void give_up(Compiled& compiled, Variant& variant, const std::string& reason) {
    variant.program.reset();
    variant.reason = reason;
    if (compiled.fullgraph)
        fail("tapegrad.compile(fullgraph=True): ", name_of(compiled.function),
             " cannot be replayed, because of ", reason);
    warn_user("tapegrad.compile: " + name_of(compiled.function) +
              " runs as it is for such arguments, because of " + reason +
              ". What is replayed is what tensors compute: move the rest out of the function.");
}

// variant: what was recorded for such arguments before, or null.
PyObject* record(Compiled& compiled, Variant* variant, PyObject* const* args, size_t count,
                 PyObject* names) {
    ArgumentTree arguments(args, count, names);
    py::object result;
    std::shared_ptr<ReplayProgram> program;
    std::string refusal;
    bool unsettled = false;
    const Modes modes = current_modes();
    {
        Recording recording(compiled.function, arguments.tensors());
        ++compiled.recordings;
        result = py::reinterpret_steal<py::object>(
            PyObject_Vectorcall(compiled.function, args, count, names));
        if (!result) throw py::error_already_set();  // set again when the recording has ended
        program = ReplayProgram::make(recording, result.ptr(), refusal, unsettled);
    }
    if (!variant) {
        arguments.forget_tensors();
        compiled.variants.insert(compiled.variants.begin(),
                                 Variant{nullptr, std::move(arguments), modes, 0, 0, {}});
        variant = &compiled.variants.front();
        if (compiled.variants.size() == kWarnAt + 1)
            warn_user("tapegrad.compile: " + name_of(compiled.function) +
                      " has been recorded for " + std::to_string(kWarnAt + 1) +
                      " kinds of arguments; shapes and numbers that change often are better kept "
                      "out of it, or given as tensors.");
    }
    if (program) {
        variant->program = std::move(program);
        variant->attempts = 0;
        variant->reason.clear();
    } else if (unsettled && ++variant->attempts < kMostAttempts) {
        variant->reason.clear();
    } else {
        give_up(compiled, *variant, refusal);
    }
    return result.release().ptr();
}

PyObject* call(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
    return guarded([&]() -> PyObject* {
        Compiled& compiled = state_of(self);
        const auto count = static_cast<size_t>(PyVectorcall_NARGS(flags));
        if (runs_as_it_is(compiled)) return run_as_it_is(compiled, args, count, names);
        const Modes modes = current_modes();
        std::vector<Tensor> tensors;
        Variant* found = nullptr;
        for (Variant& variant : compiled.variants) {
            tensors.clear();
            if (!(variant.modes == modes) ||
                !variant.arguments.matches(args, count, names, tensors))
                continue;
            found = &variant;
            break;
        }
        if (found && found->program) {
            if (found->program->holds(tensors)) {
                found->misses = 0;
                ++compiled.replays;
                return found->program->run(tensors, {compiled.function, args, count, names});
            }
            compiled.last_reason = found->program->broken_guard(tensors);
            if (++found->misses > kMostMisses) give_up(compiled, *found, compiled.last_reason);
        } else if (!found) {
            compiled.last_reason =
                compiled.variants.empty() ? "the first call" : "arguments of another kind";
        }
        if (found ? !found->reason.empty() : compiled.variants.size() >= kMostPrograms)
            return run_as_it_is(compiled, args, count, names);
        tensors.clear();
        return record(compiled, found, args, count, names);
    });
}

// ----------------------------------------------------------------------------------------- type

PyObject* compiled_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"function", "fullgraph", nullptr};
    PyObject* function;
    int fullgraph = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p", const_cast<char**>(names), &function,
                                     &fullgraph))
        return nullptr;
    if (!PyCallable_Check(function))
        return PyErr_Format(PyExc_TypeError, "compile() needs a function or a module, not %s",
                            Py_TYPE(function)->tp_name);
    PyObject* self = type->tp_alloc(type, 0);
    if (!self) return nullptr;
    as_compiled(self)->call = call;
    as_compiled(self)->state = new Compiled;
    state_of(self).function = Py_NewRef(function);
    state_of(self).fullgraph = fullgraph != 0;
    return self;
}

int compiled_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(as_compiled(self)->dict);
    if (!as_compiled(self)->state) return 0;
    Py_VISIT(state_of(self).function);
    for (const Variant& variant : state_of(self).variants)
        if (variant.program)
            if (const int stop = variant.program->traverse(visit, arg)) return stop;
    return 0;
}
int compiled_clear(PyObject* self) {
    Py_CLEAR(as_compiled(self)->dict);
    if (!as_compiled(self)->state) return 0;
    state_of(self).variants.clear();
    Py_CLEAR(state_of(self).function);
    return 0;
}
void compiled_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (as_compiled(self)->weak_references) PyObject_ClearWeakRefs(self);
    compiled_clear(self);
    delete as_compiled(self)->state;
    type->tp_free(self);
    Py_DECREF(type);
}

// As a method of a class: with the object as the first argument.
PyObject* compiled_get(PyObject* self, PyObject* object, PyObject*) {
    return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

PyObject* compiled_reset(PyObject* self, PyObject*) {
    state_of(self).variants.clear();
    state_of(self).last_reason = "the first call after a reset";
    Py_RETURN_NONE;
}

PyObject* compiled_facts(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        const Compiled& compiled = state_of(self);
        py::list variants;
        for (const Variant& variant : compiled.variants) {
            py::dict facts;
            facts["reason"] = variant.reason;
            facts["replayed"] = static_cast<bool>(variant.program);
            if (variant.program) {
                const replay::Program& program = variant.program->program();
                facts["recorded_steps"] = program.recorded_count();
                facts["steps"] = program.step_count();
                facts["bytes"] = program.own_bytes();
                facts["bytes_without_sharing"] = program.unshared_bytes();
                facts["kernels"] = program.labels();
                facts["guards"] = variant.program->guard_count();
            }
            variants.append(facts);
        }
        py::dict all;
        all["recordings"] = compiled.recordings;
        all["replays"] = compiled.replays;
        all["eager_calls"] = compiled.eager_calls;
        all["last_reason"] = compiled.last_reason;
        all["variants"] = variants;
        return all.release().ptr();
    });
}

PyObject* compiled_explain(PyObject* self, PyObject*) {
    return guarded([&] {
        return py::module_::import("tapegrad.compiler")
            .attr("explain")(py::handle(self))
            .release()
            .ptr();
    });
}

PyMethodDef methods[] = {
    {"explain", compiled_explain, METH_NOARGS,
     "What has been recorded, as tapegrad.compiler.explain() describes it."},
    {"_facts", compiled_facts, METH_NOARGS, nullptr},
    {"_reset", compiled_reset, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef compiled_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CompiledObject, call), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(CompiledObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CompiledObject, weak_references), READONLY,
     nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

// ------------------------------------------------------------------------- for the optimisers

// Numbers that a Python function gives anew in each run. steady: it gives the same as long as the options
// in the dict are the same.
struct TakeNumbers {
    static constexpr bool kHasEffects = true;
    py::object function;
    mutable DictGuard options;
    int64_t count;
    mutable bool steady = false;  // and the numbers lie where they belong

    TakeNumbers(py::object given, PyObject* dict, int64_t how_many)
        : function(std::move(given)),
          options(dict),
          count(how_many) {}
    // A copy has memory of its own.
    TakeNumbers(const TakeNumbers& other)
        : function(other.function),
          options(other.options),
          count(other.count) {}

    void operator()(double* to) const {
        if (steady && options.holds()) return;
        const py::object result = call_python(function, py::make_tuple());
        PyObject *values, *same;
        if (!PyArg_ParseTuple(result.ptr(), "OO", &values, &same)) throw py::error_already_set();
        const auto items = py::reinterpret_steal<py::object>(PySequence_Fast(values, "numbers"));
        if (!items) throw py::error_already_set();
        if (PySequence_Fast_GET_SIZE(items.ptr()) != count)
            fail("expected ", count, " numbers in each run");
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); ++i) {
            to[i] = PyFloat_AsDouble(PySequence_Fast_GET_ITEM(items.ptr(), i));
            if (PyErr_Occurred()) throw py::error_already_set();
        }
        steady = truth_of(same);
        if (steady) options = DictGuard(options.dict());
    }
};

// A float64 tensor with the numbers that function() -> (numbers, steady) gives, now and in each replay.
Tensor replayed_numbers(py::object function, const py::dict& options, int64_t count) {
    if (!is_replay_recorded()) fail("nothing is being recorded");
    const Tensor out = empty({count}, DType::Float64);
    replay::Recorder& recorder = *replay::recorder();
    if (const auto place = recorder.find(out)) recorder.set_kept(place->region);
    launch(TakeNumbers(std::move(function), options.ptr(), count), out.data<double>());
    return out;
}

// function(*args), without its being recorded.
py::object run_unrecorded(const py::object& function, const py::args& args) {
    const replay::Unrecorded scope;
    return function(*args);
}

void watch_dict(const py::dict& dict, const py::args& free_keys) {
    Recording* recording = Recording::current();
    if (!recording) return;
    recording->know_dict(dict.ptr());
    for (const py::handle key : free_keys) recording->free_key(dict.ptr(), key.ptr());
}

// The first line outside of the package, from where what is happening was called.
std::string package_folder;
std::string line_of_user() {
    PyFrameObject* frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    while (frame) {
        PyCodeObject* code = PyFrame_GetCode(frame);
        const char* file = PyUnicode_AsUTF8(code->co_filename);
        const bool found = file && !std::string_view(file).starts_with(package_folder);
        std::string place;
        if (found)
            place = std::string(" (") + file + ", line " +
                    std::to_string(PyFrame_GetLineNumber(frame)) + ")";
        Py_DECREF(code);
        if (found) {
            Py_DECREF(frame);
            return place;
        }
        PyFrameObject* back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    return {};
}

}  // namespace

void bind_replay(py::module_& m) {
    static PyType_Slot slots[] = {
        {Py_tp_new, slot(compiled_new)},
        {Py_tp_dealloc, slot(compiled_dealloc)},
        {Py_tp_traverse, slot(compiled_traverse)},
        {Py_tp_clear, slot(compiled_clear)},
        {Py_tp_call, slot(PyVectorcall_Call)},
        {Py_tp_descr_get, slot(compiled_get)},
        {Py_tp_methods, methods},
        {Py_tp_members, members},
        {Py_tp_getset, compiled_attributes},
        {0, nullptr},
    };
    static PyType_Spec spec = {
        "tapegrad._C._Compiled", sizeof(CompiledObject), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
        slots};
    py::object type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
    if (!type) throw py::error_already_set();
    m.attr("_Compiled") = type;
    m.def("_is_recording", [] { return Recording::current() != nullptr; });
    m.def("_replayed_numbers", replayed_numbers);
    m.def("_watch_dict", watch_dict);
    m.def("_run_unrecorded", run_unrecorded);
    // For checks of values that are made in Python: each replay makes them, too.
    m.def("_require_all", [](const Tensor& flags, const std::string& message, bool value_error) {
        require_all(flags, [=] {
            if (value_error) fail<ValueError>(message);
            fail(message);
        });
    });
    m.def("_refuse_replay", [](const std::string& reason) { refuse_replay(reason.c_str()); });
    m.def("_set_replay_folder", [](std::string folder) { package_folder = std::move(folder); });
    replay::current_place = line_of_user;
    const char* given = std::getenv("TAPEGRAD_COMPILE");
    switched_on = !given || std::string_view(given) != "0";
}

}  // namespace tapegrad::python
