// autograd.Function: operations whose forward and backward are Python code.
#include <algorithm>

#include "autograd/grad_mode.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/refusal.h"
#include "ops/views.h"
#include "python/errors.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "python/node_object.h"
#include "python/saved_tensor_hooks.h"
#include "python/slot.h"
#include "python/tensor_attributes.h"
#include "python/values.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

PyTypeObject* context_type = nullptr;

// What the user's forward says about its arguments and results, until apply has read it. Tuples, or null.
struct Notes {
    py::object to_save, dirty, non_differentiable;
};

// The ctx object is the Python object of the node. While Python holds it, it owns the node like any such
// object; when only the graph is left, the node owns ctx, so that what the user put there stays.
class FunctionNode final : public Node {
public:
    explicit FunctionNode(PyTypeObject* type) : name_(type->tp_name) {
        if (const size_t dot = name_.rfind('.'); dot != std::string::npos) name_.erase(0, dot + 1);
    }
    ~FunctionNode() override {
        auto* object = static_cast<NodeObject*>(python_object());
        if (!object) return;
        set_python_object(nullptr);
        object->node = nullptr;
        if (std::exchange(object->owned_by_node, false))
            Py_DECREF(reinterpret_cast<PyObject*>(object));
    }

    const char* name() const noexcept override { return name_.c_str(); }
    bool accepts_undefined() const noexcept override { return true; }
    void visit_saved(SavedVisitor& visitor) const override {
        for (size_t i = 0; i < saved.size(); ++i)
            visitor.tensor(("saved_tensors[" + std::to_string(i) + "]").c_str(), saved[i]);
    }
    void release_saved() override {
        for (SavedTensor& value : saved) value.release();
        released = true;
    }
    void backward(GradList& grads, TensorList& inputs) override;

    struct Argument {
        bool is_tensor;
        bool needs_grad;
    };
    std::vector<Argument> arguments;  // edges count only the tensors
    std::vector<bool> result_is_tensor, result_is_constant;
    std::vector<SavedTensor> saved;
    std::unique_ptr<Notes> notes;  // while forward runs
    bool released = false;
    bool materialize = true;            // zeros for what has no gradient,
    bool materialize_constants = true;  // also where it can have none
    bool accessed = false;              // and let go of, as the function asked for

private:
    std::string name_;
};

FunctionNode& node_of_context(PyObject* context) {
    Node* node = as_node_object(context)->node;
    if (!node) fail("the graph that this node belonged to has been freed");
    return static_cast<FunctionNode&>(*node);
}

const char* type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

void FunctionNode::backward(GradList& grads, TensorList& inputs) {
    py::object context = py::reinterpret_steal<py::object>(wrap_node(Ref<Node>(this)));
    py::tuple values(grads.size());
    for (size_t i = 0; i < grads.size(); ++i) {
        const bool filled =
            materialize && result_is_tensor[i] && (materialize_constants || !result_is_constant[i]);
        if (!grads[i].defined() && filled) grads[i] = zeros(results[i].sizes(), results[i].dtype);
        values[i] = py::cast(std::move(grads[i]));
    }
    static PyObject* const apply_name = PyUnicode_InternFromString("apply");
    py::object method =
        py::reinterpret_steal<py::object>(PyObject_GetAttr(context.ptr(), apply_name));
    if (!method) throw py::error_already_set();
    py::object result = call_python(method, values);

    py::tuple given = PyTuple_Check(result.ptr()) ? py::reinterpret_borrow<py::tuple>(result)
                                                  : py::make_tuple(result);
    // Further values must be None.
    size_t count = given.size();
    while (count > arguments.size() && given[count - 1].is_none()) --count;
    if (count != arguments.size())
        fail("function ", name_, " returned an incorrect number of gradients (expected ",
             arguments.size(), ", got ", given.size(), ")");
    size_t edge = 0;
    for (size_t i = 0; i < arguments.size(); ++i) {
        py::handle value = given[i];
        if (!arguments[i].is_tensor) {
            if (!value.is_none())
                fail("function ", name_, " returned a gradient different than None at position ",
                     i + 1, ", but the corresponding forward input was not a Variable");
            continue;
        }
        const size_t input = edge++;
        if (value.is_none()) continue;
        if (!is_tensor(value.ptr())) fail("expected Variable or None (got ", type_name(value), ")");
        inputs[input] = unwrap(value.ptr());
    }
}

// ------------------------------------------------------------------------------------ apply

using Impls = std::vector<TensorImpl*>;  // a handful: searched in order

bool contains(const Impls& impls, const TensorImpl* impl) {
    return std::find(impls.begin(), impls.end(), impl) != impls.end();
}

// The tensors named in ctx.mark_dirty and the like.
Impls marked(const py::object& given, const char* refusal) {
    Impls result;
    if (!given) return result;
    size_t index = 0;
    for (py::handle item : py::reinterpret_borrow<py::tuple>(given)) {
        if (!is_tensor(item.ptr())) fail(refusal, index, " is of type ", type_name(item));
        result.push_back(unwrap(item.ptr()).impl());
        ++index;
    }
    return result;
}

struct Result {
    Tensor tensor;
    bool is_input = false, dirty = false, constant = false;
};

void set_origin(const Tensor& tensor, ViewOrigin origin) {
    if (AutogradExtra* extra = extra_of(tensor); extra && extra->base.defined())
        extra->origin = origin;
}

// An input that was changed in place is a result of the node from now on.
void record_dirty(const Result& result, const Ref<FunctionNode>& node, size_t tensor_count) {
    const Tensor& tensor = result.tensor;
    if (tensor->requires_grad && tensor.is_leaf())
        fail("a leaf Variable that requires grad has been used in an in-place operation.");
    if (!result.is_input)
        warn(
            "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that "
            "have been mutated should be passed to ctx.mark_dirty().");
    if (is_view(tensor) && tensor_count > 1)
        fail(
            "If your Function modifies inplace an input that is a view of another Tensor, your "
            "Function cannot return more than one Tensor. This is not supported by the current "
            "autograd engine. You should either make sure the input is not a view (using .clone() "
            "for example) or make your Function only return one Tensor (potentially splitting it "
            "into two Functions: one doing the inplace that returns a single Tensor and a second "
            "one that does the other operations).");
    check_inplace(tensor, true);
    rebase_history(tensor, node);
}

// What apply returns for a tensor that forward returned; it is the next result of the node, if there is one.
Tensor finish(const Result& result, const Ref<FunctionNode>& node, size_t tensor_count) {
    const Tensor& tensor = result.tensor;
    if (!node || result.constant || !tensor.is_floating()) {
        if (node) node->add_result(tensor);
        if (result.is_input) {
            if (result.dirty && !tensor.requires_grad()) return tensor;
            return detach(
                tensor);  // never the input itself, so that its place on the tape is left alone
        }
        if (!is_view(tensor)) {
            tensor->grad_fn.reset();
            tensor->requires_grad = false;
        }
        return tensor;
    }
    if (result.dirty) {
        record_dirty(result, node, tensor_count);
        return tensor;
    }
    Tensor out = tensor;
    if (result.is_input) {
        // A view of the input, so that the node stands between the two.
        out = alias(tensor);
        mark_view(out, tensor);
    }
    out->grad_fn.reset();
    out->requires_grad = false;
    set_history(out, node);
    set_origin(out, ViewOrigin::CustomFunction);
    return out;
}

void save_tensors(FunctionNode& node, const py::object& to_save) {
    if (!to_save) return;
    for (py::handle value : py::reinterpret_borrow<py::tuple>(to_save)) {
        if (value.is_none()) {
            node.saved.emplace_back();
            continue;
        }
        if (!is_tensor(value.ptr()))
            fail<TypeError>("save_for_backward can only save variables, but argument ",
                            node.saved.size(), " is of type ", type_name(value));
        const Tensor tensor = unwrap(value.ptr());
        node.saved.emplace_back(tensor, node_of(tensor) == &node);
    }
}

// Notes its tensors as the inputs of the node; says whether one of them is differentiable.
bool add_argument(FunctionNode& node, py::handle argument, Impls& inputs) {
    if (!is_tensor(argument.ptr())) {
        node.arguments.push_back({false, false});
        return false;
    }
    const Tensor input = unwrap(argument.ptr());
    inputs.push_back(input.impl());
    node.arguments.push_back({true, wants_gradient(input)});
    Edge edge = grad_enabled() ? gradient_edge(input) : Edge{};
    const bool differentiable = static_cast<bool>(edge);
    node.add_edge(std::move(edge));
    return differentiable;
}

py::object run_forward(py::handle function, py::handle context, const py::tuple& args,
                       const py::dict& kwargs, bool separate) {
    GradMode off(false);
    const py::object forward = function.attr("forward");
    if (!separate) {
        const py::tuple all = py::make_tuple(context) + args;
        return call_python(forward, all, kwargs);
    }
    py::object output = call_python(forward, args, kwargs);
    const py::object setup = function.attr("setup_context");
    const py::tuple given = py::make_tuple(context, args, output);
    call_python(setup, given);
    return output;
}

// Function.apply. separate: ctx is for setup_context, and forward does not see it.
py::object apply(py::object function, bool separate, py::tuple args, py::dict kwargs) {
    if (is_replay_recorded() && !function.attr("_is_only_tensors").cast<bool>())
        refuse_replay("a Function, which is Python code");
    py::object context = function.attr("_backward_cls")();
    Ref<FunctionNode> node(&node_of_context(context.ptr()));
    Impls inputs;
    bool recorded = false;
    for (py::handle argument : args) recorded |= add_argument(*node, argument, inputs);
    for (auto item : kwargs) recorded |= add_argument(*node, item.second, inputs);

    node->notes = std::make_unique<Notes>();
    struct Forget {
        ~Forget() { node.notes.reset(); }
        FunctionNode& node;
    } forget{*node};
    py::object output = run_forward(function, context, args, kwargs, separate);

    const bool single = !PyTuple_Check(output.ptr());
    py::tuple outputs = single ? py::make_tuple(output) : py::reinterpret_borrow<py::tuple>(output);
    const Impls dirty =
        marked(node->notes->dirty, "mark_dirty can only accept variables, but argument ");
    const Impls constant =
        marked(node->notes->non_differentiable,
               "mark_non_differentiable only accepts variable arguments, but argument ");
    std::vector<Result> results(outputs.size());
    size_t tensor_count = 0;
    for (size_t i = 0; i < outputs.size(); ++i) {
        if (!is_tensor(outputs[i].ptr())) continue;
        Result& result = results[i];
        result.tensor = unwrap(outputs[i].ptr());
        const TensorImpl* impl = result.tensor.impl();
        result.is_input = contains(inputs, impl);
        result.dirty = contains(dirty, impl);
        result.constant = contains(constant, impl);
        ++tensor_count;
    }
    for (TensorImpl* impl : dirty) {
        if (std::none_of(results.begin(), results.end(),
                         [&](const Result& r) { return r.tensor.impl() == impl; }))
            fail(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the "
                "Function.");
        Tensor(impl).bump_version();
    }

    py::tuple finished(outputs.size());
    const Ref<FunctionNode> recorder = recorded ? node : Ref<FunctionNode>();
    size_t differentiable = 0;
    for (size_t i = 0; i < outputs.size(); ++i) {
        Result& result = results[i];
        node->result_is_tensor.push_back(result.tensor.defined());
        node->result_is_constant.push_back(result.constant);
        if (!result.tensor.defined()) {
            if (recorded) node->results.push_back(ResultInfo{Shape::row_major({}), DType::Float32});
            finished[i] = py::handle(outputs[i]);
            continue;
        }
        result.tensor = finish(result, recorder, tensor_count);
        differentiable += node_of(result.tensor) == node.get();
        finished[i] = py::cast(result.tensor);
        // ctx may hold its own results: a cycle that only the collector can see.
        track_object(PyTuple_GET_ITEM(finished.ptr(), i));
    }
    if (differentiable > 1)
        for (const Result& result : results)
            if (result.tensor.defined() && node_of(result.tensor) == node.get())
                set_origin(result.tensor, ViewOrigin::MultiOutput);
    if (recorded) save_tensors(*node, node->notes->to_save);
    return single ? py::object(finished[0]) : py::object(finished);
}

// ------------------------------------------------------------------------------ ctx methods

PyObject* context_new(PyTypeObject* type, PyObject*, PyObject*) {
    return guarded([&]() -> PyObject* {
        Ref<FunctionNode> node(new FunctionNode(type));
        PyObject* self = type->tp_alloc(type, 0);
        if (!self) return nullptr;
        node->set_python_object(self);
        as_node_object(self)->node = node.detach();
        return self;
    });
}

// Python lets go of ctx: where the graph still holds the node, the node holds ctx from now on.
void context_finalize(PyObject* self) {
    NodeObject* object = as_node_object(self);
    if (!object->node || object->owned_by_node || object->node->use_count() == 1) return;
    object->owned_by_node = true;
    Py_INCREF(self);
    object->node->release();
}

template <py::object Notes::* Field> PyObject* note(PyObject* self, PyObject* args) {
    return guarded([&]() -> PyObject* {
        if (Notes* notes = node_of_context(self).notes.get())
            (notes->*Field) = py::reinterpret_borrow<py::object>(args);
        Py_RETURN_NONE;
    });
}
template <py::object Notes::* Field> PyObject* get_note(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        Notes* notes = node_of_context(self).notes.get();
        return Py_NewRef(notes && notes->*Field ? (notes->*Field).ptr() : Py_None);
    });
}
PyObject* set_materialize(PyObject* self, PyObject* value) {
    return guarded([&]() -> PyObject* {
        if (!PyBool_Check(value))
            fail<TypeError>(
                "set_materialize_grads received an invalid combination of arguments - got (",
                type_name(value), "), but expected (bool)");
        node_of_context(self).materialize = value == Py_True;
        Py_RETURN_NONE;
    });
}
PyObject* get_materialize_constants(PyObject* self, void*) {
    return guarded([&] { return PyBool_FromLong(node_of_context(self).materialize_constants); });
}
int set_materialize_constants(PyObject* self, PyObject* value, void*) {
    return guarded([&]() -> int {
        if (!value || !PyBool_Check(value))
            fail<TypeError>(
                "set_materialize_non_diff_grads received an invalid combination of arguments - "
                "got (",
                value ? type_name(value) : "", "), but expected (bool)");
        node_of_context(self).materialize_constants = value == Py_True;
        return 0;
    });
}
// Whether the function wants its saved tensors to go with their first reader.
bool clears_on_access(PyObject* self) {
    static PyObject* const forward = PyUnicode_InternFromString("_forward_cls");
    static PyObject* const flag = PyUnicode_InternFromString("clear_saved_tensors_on_access");
    py::object cls = py::reinterpret_steal<py::object>(PyObject_GetAttr(self, forward));
    py::object value =
        py::reinterpret_steal<py::object>(cls ? PyObject_GetAttr(cls.ptr(), flag) : nullptr);
    if (!value) throw py::error_already_set();
    return truth_of(value.ptr());
}

PyObject* get_saved_tensors(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        FunctionNode& node = node_of_context(self);
        if (node.accessed)
            fail(
                "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True "
                "is set on the autograd.Function. Either access saved_tensors only once, or set "
                "clear_saved_tensors_on_access=False.");
        py::tuple result(node.saved.size());
        for (size_t i = 0; i < node.saved.size(); ++i)
            result[i] = py::cast(node.saved[i].unpack(node));
        if (!node.saved.empty() && clears_on_access(self)) {
            node.saved.clear();
            node.accessed = true;
        }
        return result.release().ptr();
    });
}
PyObject* get_raw_saved_tensors(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const FunctionNode& node = node_of_context(self);
        if (node.released && !node.saved.empty()) node.saved[0].unpack(node);  // raises
        py::tuple result(node.saved.size());
        for (size_t i = 0; i < node.saved.size(); ++i)
            result[i] = raw_saved_tensor(node, node.saved[i]);
        return result.release().ptr();
    });
}
PyObject* get_needs_input_grad(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const FunctionNode& node = node_of_context(self);
        py::tuple result(node.arguments.size());
        for (size_t i = 0; i < node.arguments.size(); ++i)
            result[i] = py::bool_(node.arguments[i].needs_grad);
        return result.release().ptr();
    });
}
PyObject* context_repr(PyObject* self) {
    return PyUnicode_FromFormat("<tapegrad.autograd.function.%s object at %p>",
                                Py_TYPE(self)->tp_name, self);
}

// Values that were made without recording, behind a node that refuses to be run. As in PyTorch each value is
// the start of a graph of its own.
py::tuple refuse_derivative(const py::tuple& values, std::string message) {
    const Ref<Node> node(
        new RefusingNode(kErrorNode, [message = std::move(message)] { fail(message); }));
    py::tuple result(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const py::handle value = values[i];
        if (!is_tensor(value.ptr())) {
            node->add_edge({});
            result[i] = value;
            continue;
        }
        const Tensor leaf = detach(unwrap(value.ptr())), out = detach(leaf);
        set_requires_grad(leaf, true);
        node->add_edge(gradient_edge(leaf));
        set_history(out, node);
        result[i] = py::cast(out);
    }
    return result;
}

}  // namespace

void bind_custom_functions(py::module_& m) {
    static PyMethodDef methods[] = {
        {"save_for_backward", note<&Notes::to_save>, METH_VARARGS,
         "Saves tensors (or None) for backward; to be called at most once, from forward or "
         "setup_context."},
        {"mark_dirty", note<&Notes::dirty>, METH_VARARGS,
         "Says which inputs forward has changed in place."},
        {"mark_non_differentiable", note<&Notes::non_differentiable>, METH_VARARGS,
         "Says which results have no gradient."},
        {"set_materialize_grads", set_materialize, METH_O,
         "Whether backward gets zeros (the default) or None for results without gradient."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef attributes[] = {
        {"saved_tensors", get_saved_tensors, nullptr,
         "What save_for_backward was given, as a tuple.", nullptr},
        {"_raw_saved_tensors", get_raw_saved_tensors, nullptr,
         "The saved values themselves, for hooks on them.", nullptr},
        {"needs_input_grad", get_needs_input_grad, nullptr,
         "For each argument, whether it requires gradients.", nullptr},
        {"_materialize_non_diff_grads", get_materialize_constants, set_materialize_constants,
         "Whether zeros are made also for results that were marked as not differentiable.",
         nullptr},
        {"to_save", get_note<&Notes::to_save>, nullptr, nullptr, nullptr},
        {"dirty_tensors", get_note<&Notes::dirty>, nullptr, nullptr, nullptr},
        {"non_differentiable", get_note<&Notes::non_differentiable>, nullptr, nullptr, nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, slot(context_new)},   {Py_tp_finalize, slot(context_finalize)},
        {Py_tp_repr, slot(context_repr)}, {Py_tp_methods, methods},
        {Py_tp_getset, attributes},       {0, nullptr},
    };
    static PyType_Spec spec = {"tapegrad.autograd.function._FunctionBase", sizeof(NodeObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    py::tuple bases = py::make_tuple(py::handle(reinterpret_cast<PyObject*>(node_type)));
    context_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&spec, bases.ptr()));
    if (!context_type) throw py::error_already_set();
    m.attr("_FunctionBase") =
        py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(context_type));
    m.def("_apply_function", apply);
    m.def("_refuse_derivative", refuse_derivative);
}

}  // namespace tapegrad::python
