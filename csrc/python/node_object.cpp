#include "python/node_object.h"

#include <structmember.h>

#include <unordered_map>

#include "autograd/accumulate_grad.h"
#include "autograd/saved_tensor.h"
#include "formulas/javascript.h"
#include "ops/copy.h"
#include "ops/formula_use.h"
#include "python/errors.h"
#include "python/hooks.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "python/operator.h"
#include "python/provenance.h"
#include "python/saved_tensor_hooks.h"
#include "python/slot.h"
#include "python/tensor_attributes.h"

namespace tapegrad::python {

PyTypeObject* node_type = nullptr;

namespace {

Node& node_behind(PyObject* self) {
    if (!as_node_object(self)->node) fail("the graph that this node belonged to has been freed");
    return *as_node_object(self)->node;
}

// The types MulBackward0, ... made when first seen.
PyTypeObject* type_of(const Node& node) {
    static std::unordered_map<std::string, PyTypeObject*> types;
    const std::string name = node.name();
    PyTypeObject*& type = types[name];
    if (!type) {
        const size_t colon = name.rfind(':');
        py::dict attributes;
        attributes["__slots__"] = py::tuple();
        attributes["__module__"] = "tapegrad.autograd.graph";
        py::object made = py::type::of(py::handle(reinterpret_cast<PyObject*>(node_type)))(
            colon == std::string::npos ? name : name.substr(colon + 1),
            py::make_tuple(py::handle(reinterpret_cast<PyObject*>(node_type))), attributes);
        type = reinterpret_cast<PyTypeObject*>(made.release().ptr());
    }
    return type;
}

void node_dealloc(PyObject* self) {
    NodeObject* object = as_node_object(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->weak_references) PyObject_ClearWeakRefs(self);
    Py_CLEAR(object->dict);
    if (Node* node = object->node) {
        object->node = nullptr;
        if (node->python_object() == object) node->set_python_object(nullptr);
        if (!object->owned_by_node) node->release();
    }
    type->tp_free(self);
    Py_DECREF(type);
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
    NodeObject* object = as_node_object(self);
    Py_VISIT(object->dict);
    Py_VISIT(Py_TYPE(self));
    if (object->node && !object->owned_by_node && object->node->use_count() == 1)
        return traverse_node_hooks(*object->node, visit, arg);
    return 0;
}

int node_clear(PyObject* self) {
    NodeObject* object = as_node_object(self);
    Py_CLEAR(object->dict);
    if (object->node && !object->owned_by_node && object->node->use_count() == 1)
        clear_node_hooks(*object->node);
    return 0;
}

PyObject* refuse_new(PyTypeObject* type, PyObject*, PyObject*) {
    return PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
}

PyObject* node_repr(PyObject* self) {
    return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(self)->tp_name, self);
}

PyObject* get_next_functions(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        Node& node = node_behind(self);
        py::tuple result(node.edges.size());
        for (size_t i = 0; i < node.edges.size(); ++i) {
            const Edge& edge = node.edges[i];
            result[i] =
                py::make_tuple(py::reinterpret_steal<py::object>(wrap_node(edge.node)), edge.nr);
        }
        return result.release().ptr();
    });
}

PyObject* get_metadata(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return node_metadata(node_behind(self)).release().ptr(); });
}

PyObject* get_formula(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const std::string formula = node_behind(self).formula();
        if (formula.empty()) Py_RETURN_NONE;
        return PyUnicode_FromString(formula.c_str());
    });
}

PyObject* get_traceback(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const py::object origin = describe(node_behind(self));
        if (origin.is_none()) Py_RETURN_NONE;
        static PyObject* const type = imported("tapegrad._provenance", "Traceback");
        return call_python(type, py::tuple(origin)).release().ptr();
    });
}

PyObject* get_input_metadata(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        Node& node = node_behind(self);
        py::tuple result(node.results.size());
        for (size_t i = 0; i < node.results.size(); ++i)
            result[i] =
                py::make_tuple(py::cast(node.results[i].sizes()), py::cast(node.results[i].dtype));
        return result.release().ptr();
    });
}

// ("mul", (None, 2.0)): the formula of an element-wise node and the numbers that it takes, or None.
PyObject* get_formula_use(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Node& node = node_behind(self);
        auto use = unary_formula_use(node);
        if (!use) use = binary_formula_use(node);
        if (!use) Py_RETURN_NONE;
        py::tuple numbers(use->numbers.size());
        for (size_t i = 0; i < use->numbers.size(); ++i) numbers[i] = py::cast(use->numbers[i]);
        return py::make_tuple(use->name, numbers).release().ptr();
    });
}

// Finds one saved value by its name.
class FindSaved final : public SavedVisitor {
public:
    FindSaved(const char* name, const Node& node, bool raw) : name_(name), node_(node), raw_(raw) {}
    void tensor(const char* name, const SavedTensor& value) override {
        if (wanted(name))
            found = raw_ ? raw_saved_tensor(node_, value) : py::cast(value.unpack(node_));
    }
    void value(const char* name, double value) override {
        if (wanted(name) && !raw_) found = py::float_(value);
    }
    void value(const char* name, int64_t value) override {
        if (wanted(name) && !raw_) found = py::int_(value);
    }
    void value(const char* name, bool value) override {
        if (wanted(name) && !raw_) found = py::bool_(value);
    }
    void value(const char* name, const Dims& value) override {
        if (wanted(name) && !raw_) found = py::tuple(py::cast(value));
    }
    void value(const char* name, const std::string& value) override {
        if (wanted(name) && !raw_) found = py::str(value);
    }
    py::object found;

private:
    bool wanted(const char* name) const { return std::strcmp(name, name_) == 0; }
    const char* name_;
    const Node& node_;
    bool raw_;
};

class ListSaved final : public SavedVisitor {
public:
    void tensor(const char* name, const SavedTensor&) override { add(name); }
    void value(const char* name, double) override { add(name); }
    void value(const char* name, int64_t) override { add(name); }
    void value(const char* name, bool) override { add(name); }
    void value(const char* name, const Dims&) override { add(name); }
    void value(const char* name, const std::string&) override { add(name); }
    py::list names;

private:
    void add(const char* name) { names.append("_saved_" + std::string(name)); }
};

// All saved values, without running hooks: tensors by name, None for one that was let go of, written over or
// packed; and numbers by name.
class CollectSaved final : public SavedVisitor {
public:
    explicit CollectSaved(const Node& node) : node_(node) {}
    void tensor(const char* name, const SavedTensor& value) override {
        tensors[name] = py::none();
        if (!value.storage()) return;
        try {
            tensors[name] = py::cast(value.unpack(node_));
        } catch (const std::exception&) {
        }
    }
    void value(const char* name, double value) override { numbers[name] = value; }
    void value(const char* name, int64_t value) override { numbers[name] = value; }
    void value(const char* name, bool value) override { numbers[name] = value; }
    void value(const char* name, const Dims& value) override { numbers[name] = py::cast(value); }
    void value(const char* name, const std::string& value) override { numbers[name] = value; }
    py::dict tensors, numbers;

private:
    const Node& node_;
};
PyObject* get_saved_values(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        Node& node = node_behind(self);
        CollectSaved visitor(node);
        node.visit_saved(visitor);
        return py::make_tuple(visitor.tensors, visitor.numbers).release().ptr();
    });
}

PyObject* node_getattr(PyObject* self, PyObject* name) {
    if (const char* text = PyUnicode_AsUTF8(name)) {
        const bool raw = std::strncmp(text, "_raw_saved_", 11) == 0;
        if (raw || std::strncmp(text, "_saved_", 7) == 0) {
            PyObject* found = nullptr;
            const bool done = guarded([&]() -> int {
                                  Node& node = node_behind(self);
                                  FindSaved visitor(text + (raw ? 11 : 7), node, raw);
                                  node.visit_saved(visitor);
                                  found = visitor.found.release().ptr();
                                  return 0;
                              }) == 0;
            if (!done) return nullptr;
            if (found) return found;
        }
        if (std::strcmp(text, "variable") == 0 && as_node_object(self)->node) {
            if (auto* accumulate = dynamic_cast<AccumulateGrad*>(as_node_object(self)->node))
                return guarded([&] { return wrap(accumulate->variable()); });
        }
    }
    return PyObject_GenericGetAttr(self, name);
}

PyObject* node_dir(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        py::list names =
            py::reinterpret_steal<py::list>(PySequence_List(py::module_::import("builtins")
                                                                .attr("object")
                                                                .attr("__dir__")(py::handle(self))
                                                                .ptr()));
        if (Node* node = as_node_object(self)->node) {
            ListSaved visitor;
            node->visit_saved(visitor);
            for (py::handle name : visitor.names) names.append(name);
        }
        return names.release().ptr();
    });
}

// node(*gradients of its results): the gradients of its inputs. As in PyTorch no hook runs, and nothing that
// the node has saved is let go of.
PyObject* node_call(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        const Ref<Node> node(&node_behind(self));
        if (kwargs && PyDict_GET_SIZE(kwargs))
            fail<TypeError>("keyword arguments are not supported");
        const size_t count = static_cast<size_t>(PyTuple_GET_SIZE(args));
        if (count != node->results.size())
            fail<TypeError>("expected ", node->results.size(), " arguments, got ", count,
                            " instead");
        GradList grads;
        bool any = node->accepts_undefined();
        for (size_t i = 0; i < count; ++i) {
            PyObject* argument = PyTuple_GET_ITEM(args, static_cast<Py_ssize_t>(i));
            const ResultInfo& result = node->results[i];
            Tensor grad;
            if (is_tensor(argument)) grad = unwrap(argument);
            else if (argument != Py_None) fail<TypeError>("argument ", i, " is not a Variable");
            if (grad.defined()) {
                any = true;
                if (!(grad.sizes() == result.sizes()))
                    fail("argument ", i, " has the shape ", to_string(grad.sizes()),
                         ", but result ", i, " of ", node->name(), " has ",
                         to_string(result.sizes()));
                if (grad.dtype() != result.dtype) grad = to_dtype(grad, result.dtype);
            }
            grads.push_back(std::move(grad));
        }
        TensorList inputs;
        inputs.resize(node->edges.size());
        if (any) {
            struct AllWanted {
                ~AllWanted() { thread_state.unwanted_inputs = before; }
                uint64_t before = std::exchange(thread_state.unwanted_inputs, 0);
            } all_wanted;
            node->backward(grads, inputs);
        }
        if (inputs.size() == 1) return wrap(std::move(inputs[0]));
        py::tuple out(inputs.size());
        for (size_t i = 0; i < inputs.size(); ++i) out[i] = py::cast(std::move(inputs[i]));
        return out.release().ptr();
    });
}

PyObject* node_name(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* { return PyUnicode_FromString(node_behind(self).name()); });
}
PyObject* node_sequence(PyObject* self, PyObject*) {
    return guarded(
        [&]() -> PyObject* { return PyLong_FromUnsignedLongLong(node_behind(self).sequence); });
}

PyObject* node_set_sequence(PyObject* self, PyObject* number) {
    return guarded([&]() -> PyObject* {
        const unsigned long long value = PyLong_AsUnsignedLongLong(number);
        if (PyErr_Occurred()) return nullptr;
        node_behind(self).sequence = value;
        Py_RETURN_NONE;
    });
}
PyObject* get_node_requires_grad(PyObject*, void*) { Py_RETURN_TRUE; }

// hook is put into the dict; the handle that removes it is returned.
PyObject* register_in(py::object dict, PyObject* hook) {
    const py::object type = py::module_::import("tapegrad.utils.hooks").attr("RemovableHandle");
    const py::tuple args = py::make_tuple(dict);
    py::object handle = call_python(type, args);
    dict[handle.attr("id")] = py::handle(hook);
    return handle.release().ptr();
}
PyObject* node_register_hook(PyObject* self, PyObject* hook) {
    return guarded(
        [&]() -> PyObject* { return register_in(node_post_hooks(node_behind(self)), hook); });
}
PyObject* node_register_prehook(PyObject* self, PyObject* hook) {
    return guarded(
        [&]() -> PyObject* { return register_in(node_pre_hooks(node_behind(self)), hook); });
}

}  // namespace

PyObject* wrap_node(const Ref<Node>& node) {
    if (!node) Py_RETURN_NONE;
    if (PyObject* existing = static_cast<PyObject*>(node->python_object())) {
        if (!as_node_object(existing)->owned_by_node) return Py_NewRef(existing);
        allow_finalizer(existing);
        as_node_object(existing)->owned_by_node =
            false;  // back to the usual direction: the object owns the node
        node->retain();
        return existing;
    }
    PyTypeObject* type = type_of(*node);
    PyObject* self = type->tp_alloc(type, 0);
    if (!self) throw py::error_already_set();
    as_node_object(self)->node = node.get();
    node->retain();
    node->set_python_object(self);
    return self;
}

bool is_node(PyObject* object) { return PyObject_TypeCheck(object, node_type); }

Ref<Node> unwrap_node(PyObject* object) { return Ref<Node>(&node_behind(object)); }

void bind_nodes(py::module_& m) {
    static PyMemberDef members[] = {
        {"__dictoffset__", T_PYSSIZET, offsetof(NodeObject, dict), READONLY, nullptr},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weak_references), READONLY,
         nullptr},
        {nullptr, 0, 0, 0, nullptr},
    };
    static PyGetSetDef attributes[] = {
        {"next_functions", get_next_functions, nullptr,
         "Where the gradients of the inputs go: pairs of a node (or None) and the number of its "
         "result.",
         nullptr},
        {"metadata", get_metadata, nullptr, "A dict for notes; it lives as long as the node.",
         nullptr},
        {"formula", get_formula, nullptr, "The derivative as text, or None.", nullptr},
        {"traceback", get_traceback, nullptr,
         "The line of the program that made the node, or None where it is unknown.", nullptr},
        {"requires_grad", get_node_requires_grad, nullptr, "Always True.", nullptr},
        {"_formula_use", get_formula_use, nullptr, nullptr, nullptr},
        {"_kept_values", get_saved_values, nullptr, nullptr, nullptr},
        {"_input_metadata", get_input_metadata, nullptr, nullptr, nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    static PyMethodDef methods[] = {
        {"name", node_name, METH_NOARGS, "The name of the node's kind."},
        {"_sequence_nr", node_sequence, METH_NOARGS, nullptr},
        {"_set_sequence_nr", node_set_sequence, METH_O, nullptr},
        {"register_hook", node_register_hook, METH_O,
         "Calls hook(grad_inputs, grad_outputs) after each run of this node; it may return new "
         "grad_inputs."},
        {"register_prehook", node_register_prehook, METH_O,
         "Calls hook(grad_outputs) before each run of this node; it may return new grad_outputs."},
        {"__dir__", node_dir, METH_NOARGS, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, slot(node_dealloc)},
        {Py_tp_traverse, slot(node_traverse)},
        {Py_tp_clear, slot(node_clear)},
        {Py_tp_new, slot(refuse_new)},
        {Py_tp_repr, slot(node_repr)},
        {Py_tp_call, slot(node_call)},
        {Py_tp_getattro, slot(node_getattr)},
        {Py_tp_members, members},
        {Py_tp_getset, attributes},
        {Py_tp_methods, methods},
        {0, nullptr},
    };
    static PyType_Spec spec = {"tapegrad.autograd.graph.Node", sizeof(NodeObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                               slots};
    node_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (!node_type) throw py::error_already_set();
    m.attr("Node") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(node_type));
    m.def("_formulas_as_javascript", formulas::formulas_as_javascript);
    bind_saved_tensor_hooks(m);
}

}  // namespace tapegrad::python
