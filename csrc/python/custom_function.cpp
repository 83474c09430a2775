// autograd.Function: operations whose forward and backward are Python code. The ctx object is the Python
// object of the node; the node keeps it alive, and not the other way around.
#include <unordered_set>

#include "autograd/grad_mode.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/errors.h"
#include "python/node_object.h"

namespace tapegrad::python {
namespace {

PyTypeObject* context_type = nullptr;

class FunctionNode final : public Node {
public:
    explicit FunctionNode(py::object context) : context_(std::move(context)), name_(Py_TYPE(context_.ptr())->tp_name) {
        if (const char* dot = std::strrchr(name_.c_str(), '.')) name_ = dot + 1;
    }
    ~FunctionNode() override {
        auto* object = reinterpret_cast<NodeObject*>(context_.ptr());
        object->node = nullptr;
        python_object = nullptr;
    }

    const char* name() const noexcept override { return name_.c_str(); }
    bool accepts_undefined() const noexcept override { return true; }
    void release_saved() override {
        for (SavedTensor& value : saved) value.release();
        released = true;
    }
    void backward(TensorList& grads, TensorList& inputs) override;

    py::tuple saved_tensors() {
        if (released && !saved.empty()) saved[0].unpack(this);  // raises
        py::tuple result(saved.size());
        for (size_t i = 0; i < saved.size(); ++i) result[i] = py::cast(saved[i].unpack(this));
        return result;
    }

    // Which arguments of apply were tensors: edges count only these.
    std::vector<bool> argument_is_tensor;
    std::vector<SavedTensor> saved;
    bool released = false;
    bool materialize = true;
    bool materialize_non_differentiable = true;

private:
    py::object context_;
    std::string name_;
};

// What the user's forward says about its arguments and results, until apply has read it.
struct Notes {
    py::object to_save, dirty, non_differentiable;
    std::vector<bool> needs_input_grad;
    bool materialize = true;
};
// Keyed by ctx while forward runs.
std::unordered_map<PyObject*, Notes*> running;

Notes* notes_of(PyObject* context) {
    auto found = running.find(context);
    return found == running.end() ? nullptr : found->second;
}

FunctionNode* node_of_context(PyObject* context) {
    return static_cast<FunctionNode*>(reinterpret_cast<NodeObject*>(context)->node);
}

void FunctionNode::backward(TensorList& grads, TensorList& inputs) {
    py::tuple arguments(grads.size());
    for (size_t i = 0; i < grads.size(); ++i) {
        if (!grads[i].defined() && materialize && is_floating(results[i].dtype))
            grads[i] = zeros(results[i].sizes, results[i].dtype);
        arguments[i] = py::cast(grads[i]);
    }
    py::object result = py::reinterpret_steal<py::object>(
        PyObject_Call(context_.attr("apply").ptr(), arguments.ptr(), nullptr));
    if (!result) throw py::error_already_set();
    py::tuple values = PyTuple_Check(result.ptr()) ? py::tuple(result) : py::make_tuple(result);
    const size_t expected = argument_is_tensor.size();
    // Further values must be None.
    size_t given = values.size();
    while (given > expected && values[given - 1].is_none()) --given;
    if (given > expected || (given < expected && values.size() != expected))
        fail("function ", name_, " returned an incorrect number of gradients (expected ", expected, ", got ", values.size(), ")");
    size_t edge = 0;
    for (size_t i = 0; i < expected; ++i) {
        py::handle value = values[i];
        if (!argument_is_tensor[i]) {
            if (!value.is_none())
                fail("function ", name_, " returned a gradient different from None at position ", i + 1,
                     ", but the corresponding forward input was not a Variable");
            continue;
        }
        const size_t at = edge++;
        if (value.is_none()) continue;
        if (!is_tensor(value.ptr()))
            fail<TypeError>("expected Variable or None (got ", Py_TYPE(value.ptr())->tp_name, ")");
        inputs[at] = unwrap(value.ptr());
    }
}

// ------------------------------------------------------------------------------------ apply

// The tensors named in ctx.mark_dirty and the like.
std::unordered_set<TensorImpl*> tensor_set(const py::object& given, const char* caller) {
    std::unordered_set<TensorImpl*> result;
    if (!given || given.is_none()) return result;
    for (py::handle item : py::tuple(given)) {
        if (!is_tensor(item.ptr()))
            fail<TypeError>(caller, " expects tensors, but got ", Py_TYPE(item.ptr())->tp_name);
        result.insert(unwrap(item.ptr()).impl());
    }
    return result;
}

struct Running {
    Running(PyObject* context, Notes& notes) : context_(context) { running[context] = &notes; }
    ~Running() { running.erase(context_); }
    PyObject* context_;
};

// Makes one returned tensor a result of the node, and says which tensor apply returns for it.
Tensor finish_output(const Tensor& output, const Ref<FunctionNode>& node, bool recorded, bool dirty, bool is_input,
                     bool non_differentiable) {
    if (dirty) {
        if (recorded) {
            AutogradExtra* extra = extra_of(output);
            if (output->requires_grad && output.is_leaf())
                fail("a leaf Variable that requires grad is being used in an in-place operation.");
            if (extra && extra->base.defined() && extra->origin != ViewOrigin::Ordinary) check_inplace(output, true);
            rebase_history(output, node);
        }
        return output;
    }
    if (non_differentiable || !output.is_floating()) {
        Tensor result = is_input ? detach(output) : output;
        if (recorded) node->add_result(result);
        if (!is_input) {
            result->grad_fn.reset();
            result->requires_grad = false;
        }
        return result;
    }
    if (is_input) {
        // An input that is returned unchanged becomes a view of itself, so that the node stands between.
        Tensor result = alias(output);
        if (recorded) set_history(result, node);
        mark_view(result, output);
        if (AutogradExtra* extra = extra_of(result); extra) extra->origin = ViewOrigin::CustomFunction;
        return result;
    }
    Tensor result = output;
    if (recorded) {
        result->grad_fn.reset();
        result->requires_grad = false;
        set_history(result, node);
        if (AutogradExtra* extra = extra_of(result); extra && extra->base.defined())
            extra->origin = ViewOrigin::CustomFunction;
    }
    return result;
}

// Function.apply: cls is the Function, backward_type its ctx type.
py::object apply(py::object cls, py::args args) {
    py::object context = cls.attr("_backward_cls")();
    Ref<FunctionNode> node(new FunctionNode(context));
    reinterpret_cast<NodeObject*>(context.ptr())->node = node.get();
    reinterpret_cast<NodeObject*>(context.ptr())->owned_by_node = true;
    node->python_object = context.ptr();

    bool recorded = false;
    Notes notes;
    std::unordered_set<TensorImpl*> inputs;
    for (py::handle argument : args) {
        const bool tensor = is_tensor(argument.ptr());
        node->argument_is_tensor.push_back(tensor);
        bool needed = false;
        if (tensor) {
            const Tensor input = unwrap(argument.ptr());
            inputs.insert(input.impl());
            needed = input.requires_grad();
            Edge edge = grad_enabled() ? gradient_edge(input) : Edge{};
            recorded |= static_cast<bool>(edge);
            node->add_edge(std::move(edge));
        }
        notes.needs_input_grad.push_back(needed);
    }

    py::object output;
    {
        Running scope(context.ptr(), notes);
        GradMode off(false);
        const bool separate = !cls.attr("setup_context").is(py::module_::import("tapegrad.autograd.function").attr("_default_setup_context"));
        if (separate) {
            output = cls.attr("forward")(*args);
            cls.attr("setup_context")(context, py::tuple(args), output);
        } else {
            output = cls.attr("forward")(context, *args);
        }
    }

    const bool single = !PyTuple_Check(output.ptr());
    py::tuple outputs = single ? py::make_tuple(output) : py::reinterpret_borrow<py::tuple>(output);
    const auto dirty = tensor_set(notes.dirty, "mark_dirty");
    const auto constant = tensor_set(notes.non_differentiable, "mark_non_differentiable");
    node->materialize = notes.materialize;

    std::unordered_set<TensorImpl*> returned;
    for (py::handle value : outputs)
        if (is_tensor(value.ptr())) returned.insert(unwrap(value.ptr()).impl());
    for (TensorImpl* impl : dirty) {
        if (!inputs.contains(impl)) fail("mark_dirty only accepts input tensors, but argument is not an input.");
        if (!returned.contains(impl))
            fail("Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
                 "modified inplace must all be outputs of the Function.");
    }
    // Saved before results get their place on the tape would be too early, after it results are known as such.
    for (TensorImpl* impl : dirty) Tensor(impl).bump_version();

    py::tuple finished(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
        py::handle value = outputs[i];
        if (!is_tensor(value.ptr())) {
            if (single)
                fail<TypeError>(std::string(py::str(cls.attr("__name__"))), ".forward: expected Tensor or tuple of Tensor (got ",
                                Py_TYPE(value.ptr())->tp_name, ") for return value 0");
            if (recorded) node->results.push_back(ResultInfo{{}, DType::Int64});
            finished[i] = value;
            continue;
        }
        const Tensor tensor = unwrap(value.ptr());
        const Tensor result = finish_output(tensor, node, recorded, dirty.contains(tensor.impl()), inputs.contains(tensor.impl()),
                                            constant.contains(tensor.impl()));
        finished[i] = py::cast(result);
    }

    if (recorded && notes.to_save && !notes.to_save.is_none()) {
        for (py::handle value : py::tuple(notes.to_save)) {
            if (value.is_none()) {
                node->saved.emplace_back();
                continue;
            }
            if (!is_tensor(value.ptr()))
                fail<TypeError>("save_for_backward can only save variables, but argument ", node->saved.size(), " is of type ",
                                Py_TYPE(value.ptr())->tp_name);
            const Tensor tensor = unwrap(value.ptr());
            node->saved.emplace_back(tensor, node_of(tensor) == node.get());
        }
    }
    if (!recorded) {
        // Nobody else holds the node: ctx must not point to it after this.
        reinterpret_cast<NodeObject*>(context.ptr())->node = nullptr;
        node->python_object = nullptr;
    }
    return single ? py::object(finished[0]) : py::object(finished);
}

// ------------------------------------------------------------------------------ ctx methods

PyObject* context_new(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

template <py::object Notes::*Field> PyObject* note(PyObject* self, PyObject* args) {
    return guarded([&]() -> PyObject* {
        if (Notes* notes = notes_of(self)) (notes->*Field) = py::reinterpret_borrow<py::object>(args);
        Py_RETURN_NONE;
    });
}
PyObject* set_materialize(PyObject* self, PyObject* value) {
    return guarded([&]() -> PyObject* {
        if (!PyBool_Check(value))
            fail<TypeError>("set_materialize_grads expects a bool, got ", Py_TYPE(value)->tp_name);
        if (Notes* notes = notes_of(self)) notes->materialize = value == Py_True;
        Py_RETURN_NONE;
    });
}
PyObject* get_saved_tensors(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        if (FunctionNode* node = node_of_context(self); node && !notes_of(self)) return node->saved_tensors().release().ptr();
        return py::tuple().release().ptr();
    });
}
PyObject* get_needs_input_grad(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        py::tuple result;
        if (Notes* notes = notes_of(self)) {
            result = py::tuple(notes->needs_input_grad.size());
            for (size_t i = 0; i < notes->needs_input_grad.size(); ++i) result[i] = py::bool_(notes->needs_input_grad[i]);
        } else if (FunctionNode* node = node_of_context(self)) {
            result = py::tuple(node->argument_is_tensor.size());
            size_t edge = 0;
            for (size_t i = 0; i < node->argument_is_tensor.size(); ++i)
                result[i] = py::bool_(node->argument_is_tensor[i] && node->wants(edge++));
        }
        return result.release().ptr();
    });
}
PyObject* get_to_save(PyObject* self, void*) {
    Notes* notes = notes_of(self);
    return Py_NewRef(notes && notes->to_save ? notes->to_save.ptr() : Py_None);
}

PyObject* context_repr(PyObject* self) {
    return PyUnicode_FromFormat("<tapegrad.autograd.function.%s object at %p>", Py_TYPE(self)->tp_name, self);
}

template <class F> void* slot(F* function) { return reinterpret_cast<void*>(function); }

}  // namespace

void bind_custom_functions(py::module_& m) {
    static PyMethodDef methods[] = {
        {"save_for_backward", note<&Notes::to_save>, METH_VARARGS,
         "Saves tensors (or None) for backward; to be called at most once, from forward or setup_context."},
        {"mark_dirty", note<&Notes::dirty>, METH_VARARGS, "Says which inputs forward has changed in place."},
        {"mark_non_differentiable", note<&Notes::non_differentiable>, METH_VARARGS,
         "Says which results have no gradient."},
        {"set_materialize_grads", set_materialize, METH_O,
         "Whether backward gets zeros (the default) or None for results without gradient."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef attributes[] = {
        {"saved_tensors", get_saved_tensors, nullptr, "What save_for_backward was given, as a tuple.", nullptr},
        {"needs_input_grad", get_needs_input_grad, nullptr, "For each argument, whether its gradient is asked for.", nullptr},
        {"to_save", get_to_save, nullptr, nullptr, nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, slot(context_new)}, {Py_tp_repr, slot(context_repr)},
        {Py_tp_methods, methods},       {Py_tp_getset, attributes},
        {0, nullptr},
    };
    static PyType_Spec spec = {"tapegrad.autograd.function._FunctionBase", sizeof(NodeObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    py::tuple bases = py::make_tuple(py::handle(reinterpret_cast<PyObject*>(node_type)));
    context_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&spec, bases.ptr()));
    if (!context_type) throw py::error_already_set();
    m.attr("_FunctionBase") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(context_type));
    m.def("_apply_function", apply);
}

}  // namespace tapegrad::python
