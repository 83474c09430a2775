#include "python/hooks.h"

#include "autograd/variable.h"
#include "python/casters.h"
#include "python/interpreter.h"
#include "python/node_object.h"
#include "python/tensor_attributes.h"

namespace tapegrad::python {
namespace {

py::object new_hook_dict() { return py::module_::import("collections").attr("OrderedDict")(); }

// A copy: a hook may add or remove hooks while they run.
py::list callables(const py::object& dict) { return py::list(dict.attr("values")()); }

std::string hook_name(py::handle hook) {
    return py::hasattr(hook, "__name__") ? std::string(py::str(hook.attr("__name__")))
                                         : "<unknown>";
}

void require_tensor(py::handle result) {
    if (!is_tensor(result.ptr()))
        fail<TypeError>("expected Variable, but hook returned '", Py_TYPE(result.ptr())->tp_name,
                        "'");
}

// What a hook returned in place of a gradient.
Tensor checked_replacement(const Tensor& original, py::handle result, py::handle hook) {
    require_tensor(result);
    const Tensor value = unwrap(result.ptr());
    if (!original.defined()) fail("can't replace a None gradient with a non-None value");
    if (value.dtype() != original.dtype())
        fail("hook '", hook_name(hook), "' has changed the type of value (was tapegrad.",
             scalar_type_name(original.dtype()), "Tensor got tapegrad.",
             scalar_type_name(value.dtype()), "Tensor)");
    if (!(value.sizes() == original.sizes()))
        fail("hook '", hook_name(hook), "' has changed the size of value");
    return value;
}

template <class List> py::tuple as_tuple(const List& tensors) {
    py::tuple result(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) result[i] = py::cast(tensors[i]);
    return result;
}

// Takes over what a hook on several gradients returned.
template <class List> void replace_all(List& tensors, py::handle result, py::handle hook) {
    if (!PyTuple_Check(result.ptr()))
        fail<TypeError>("expected tuple, but hook returned '", Py_TYPE(result.ptr())->tp_name, "'");
    const py::tuple values = py::reinterpret_borrow<py::tuple>(result);
    if (values.size() != tensors.size())
        fail("hook '", hook_name(hook), "' has returned an incorrect number of values (got ",
             values.size(), ", but expected ", tensors.size(), ")");
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (values[i].is_none()) {
            tensors[i].reset();
            continue;
        }
        tensors[i] = checked_replacement(tensors[i], values[i], hook);
    }
}

struct PythonTensorHooks final : TensorHook {
    py::object dict = new_hook_dict();
    Tensor call(const Tensor& grad) override {
        Tensor current = grad;
        bool changed = false;
        for (py::handle hook : callables(dict)) {
            const py::tuple args = py::make_tuple(current);
            py::object result = call_python(hook, args);
            if (result.is_none()) continue;
            current = checked_replacement(current, result, hook);
            changed = true;
        }
        return changed ? current : Tensor();
    }
};

struct PythonAccumulateHooks final : AccumulateHook {
    py::object dict = new_hook_dict();
    void call(const Tensor& variable) override {
        const py::tuple args = py::make_tuple(variable);
        for (py::handle hook : callables(dict)) {
            const py::object result = call_python(hook, args);
            if (result.is_none()) continue;
            require_tensor(result);
            fail("Tensor post accumulate grad hooks should return None.");
        }
    }
};

struct PythonPreHooks final : NodePreHook {
    py::object dict = new_hook_dict();
    void call(GradList& grads) override {
        for (py::handle hook : callables(dict)) {
            const py::tuple args = py::make_tuple(as_tuple(grads));
            py::object result = call_python(hook, args);
            if (!result.is_none()) replace_all(grads, result, hook);
        }
    }
};

struct PythonPostHooks final : NodePostHook {
    py::object dict = new_hook_dict();
    void call(TensorList& inputs, const GradList& grads) override {
        for (py::handle hook : callables(dict)) {
            const py::tuple args = py::make_tuple(as_tuple(inputs), as_tuple(grads));
            py::object result = call_python(hook, args);
            if (!result.is_none()) replace_all(inputs, result, hook);
        }
    }
};

// What node.metadata is; it lives as long as the node.
struct PythonMetadata final : Counted {
    py::dict dict;
};

void track(const Tensor& tensor) {
    if (tensor->python_object) track_object(static_cast<PyObject*>(tensor->python_object));
}

}  // namespace

py::object tensor_hooks(const Tensor& tensor) {
    if (!wants_gradient(tensor))
        fail("cannot register a hook on a tensor that doesn't require gradient");
    track(tensor);
    if (Ref<Node> node = grad_fn(tensor)) {
        auto& hooks = node->extras().result_hooks;
        for (auto& entry : hooks)
            if (entry.nr == tensor->output_nr)
                return static_cast<PythonTensorHooks&>(*entry.hook).dict;
        Ref<PythonTensorHooks> made = make_ref<PythonTensorHooks>();
        hooks.push_back({tensor->output_nr, made});
        return made->dict;
    }
    if (!make_extra(tensor).leaf_hook) set_leaf_hook(tensor, make_ref<PythonTensorHooks>());
    return static_cast<PythonTensorHooks&>(*extra_of(tensor)->leaf_hook).dict;
}

py::object accumulate_hooks(const Tensor& tensor) {
    if (!wants_gradient(tensor))
        fail("cannot register a hook on a tensor that doesn't require gradient");
    if (!tensor.is_leaf())
        fail("post accumulate grad hooks cannot be registered on non-leaf tensors");
    track(tensor);
    AutogradExtra& extra = make_extra(tensor);
    if (!extra.accumulate_hook) extra.accumulate_hook = make_ref<PythonAccumulateHooks>();
    return static_cast<PythonAccumulateHooks&>(*extra.accumulate_hook).dict;
}

py::object node_pre_hooks(Node& node) {
    auto& hook = node.extras().pre_hook;
    if (!hook) hook = make_ref<PythonPreHooks>();
    return static_cast<PythonPreHooks&>(*hook).dict;
}

py::object node_post_hooks(Node& node) {
    auto& hook = node.extras().post_hook;
    if (!hook) hook = make_ref<PythonPostHooks>();
    return static_cast<PythonPostHooks&>(*hook).dict;
}

py::dict node_metadata(Node& node) {
    auto& state = node.extras().python_state;
    if (!state) state = make_ref<PythonMetadata>();
    return static_cast<PythonMetadata&>(*state).dict;
}

int traverse_node_hooks(const Node& node, visitproc visit, void* arg) {
    if (auto* object = static_cast<NodeObject*>(node.python_object());
        object && object->owned_by_node)
        Py_VISIT(reinterpret_cast<PyObject*>(object));
    if (!node.extras_) return 0;
    const NodeExtras& extras = *node.extras_;
    for (const auto& entry : extras.result_hooks)
        if (entry.hook->use_count() == 1)
            Py_VISIT(static_cast<PythonTensorHooks&>(*entry.hook).dict.ptr());
    if (extras.pre_hook) Py_VISIT(static_cast<PythonPreHooks&>(*extras.pre_hook).dict.ptr());
    if (extras.post_hook) Py_VISIT(static_cast<PythonPostHooks&>(*extras.post_hook).dict.ptr());
    if (extras.python_state)
        Py_VISIT(static_cast<PythonMetadata&>(*extras.python_state).dict.ptr());
    return 0;
}

void clear_node_hooks(Node& node) {
    if (!node.extras_) return;
    node.extras_->result_hooks.clear();
    node.extras_->pre_hook.reset();
    node.extras_->post_hook.reset();
    node.extras_->python_state.reset();
}

int traverse_hooks(const Tensor& tensor, visitproc visit, void* arg) {
    if (AutogradExtra* extra = extra_of(tensor)) {
        if (extra->leaf_hook && extra->leaf_hook->use_count() == 1)
            Py_VISIT(static_cast<PythonTensorHooks&>(*extra->leaf_hook).dict.ptr());
        if (extra->accumulate_hook)
            Py_VISIT(static_cast<PythonAccumulateHooks&>(*extra->accumulate_hook).dict.ptr());
    }
    const Node* node = node_of(tensor);
    return node && node->use_count() == 1 ? traverse_node_hooks(*node, visit, arg) : 0;
}

void clear_hooks(const Tensor& tensor) {
    if (AutogradExtra* extra = extra_of(tensor)) {
        extra->leaf_hook.reset();
        extra->accumulate_hook.reset();
    }
    Node* node = node_of(tensor);
    if (node && node->use_count() == 1) clear_node_hooks(*node);
}

}  // namespace tapegrad::python
