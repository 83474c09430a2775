// Backward passes, modes, and what the Python side of autograd needs of the core.
#include <exception>
#include <system_error>
#include <thread>

#include "autograd/accumulate_grad.h"
#include "autograd/anomaly.h"
#include "autograd/cuts.h"
#include "autograd/engine.h"
#include "autograd/forward.h"
#include "autograd/grad_mode.h"
#include "autograd/node_timer.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "ops/views.h"
#include "python/bind.h"
#include "python/call_site.h"
#include "python/errors.h"
#include "python/hooks.h"
#include "python/interpreter.h"
#include "python/module.h"
#include "python/node_object.h"
#include "python/provenance.h"
#include "python/saved_tensor_hooks.h"
#include "python/tensor_attributes.h"
#include "python/values.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

// ------------------------------------------------------------------------------- backward

// A root or an input: a tensor, or a pair (node, number of its result).
struct Point {
    Edge edge;
    Tensor tensor;
    const ResultInfo& info() const { return edge.node->results[edge.nr]; }
};

bool read_edge(PyObject* object, Edge& edge) {
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) < 2 ||
        !is_node(PyTuple_GET_ITEM(object, 0)))
        return false;
    edge = Edge{unwrap_node(PyTuple_GET_ITEM(object, 0)),
                static_cast<uint32_t>(PyLong_AsUnsignedLong(PyTuple_GET_ITEM(object, 1)))};
    if (edge.nr >= edge.node->results.size())
        fail("GradientEdge: the node has no result number ", edge.nr);
    return true;
}

Point root_point(py::handle object, size_t index) {
    Point point;
    if (read_edge(object.ptr(), point.edge)) return point;
    if (!is_tensor(object.ptr()))
        fail<TypeError>("element ", index, " of tensors tuple is not a Tensor");
    point.tensor = unwrap(object.ptr());
    point.edge = gradient_edge(point.tensor);
    if (!point.edge) {
        Error error(text("element ", index,
                         " of tensors does not require grad and does not have a grad_fn"));
        note_latest_cuts(error);
        throw error;
    }
    return point;
}

Tensor implicit_gradient(const ResultInfo& info) {
    if (element_count(info.sizes()) != 1)
        fail("grad can be implicitly created only for scalar outputs");
    if (!is_floating(info.dtype))
        fail("grad can be implicitly created only for real scalar outputs but got tapegrad.",
             dtype_name(info.dtype));
    return full(info.sizes(), 1, info.dtype);
}

std::string size_text(const Dims& sizes) { return "tapegrad.Size(" + to_string(sizes) + ")"; }

Tensor given_gradient(py::handle object, const ResultInfo& info, size_t index) {
    if (object.is_none()) return implicit_gradient(info);
    if (!is_tensor(object.ptr()))
        fail<TypeError>("gradients can be either Tensors or None, but got ",
                        Py_TYPE(object.ptr())->tp_name);
    Tensor grad = unwrap(object.ptr());
    if (!(grad.sizes() == info.sizes()))
        fail("Mismatch in shape: grad_output[", index, "] has a shape of ", size_text(grad.sizes()),
             " and output[", index, "] has a shape of ", size_text(info.sizes()), ".");
    if (grad.dtype() != info.dtype) grad = to_dtype(grad, info.dtype);
    return grad;
}

// What queue_callback was given during a run of this thread; the runs around it are its outer ones.
struct Callbacks {
    Callbacks() { innermost = this; }
    ~Callbacks() { innermost = outer; }
    void call(bool recording) {
        GradMode mode(recording);
        for (size_t i = 0; i < list.size(); ++i) {
            const py::object callback = list[i];  // which may add others
            callback();
        }
    }
    std::vector<py::object> list;
    Callbacks* const outer = innermost;
    static inline thread_local Callbacks* innermost __attribute__((tls_model("initial-exec"))) =
        nullptr;
};

// Calls a function with each node that runs, and when it began and ended.
struct PythonNodeTimer final : NodeTimer {
    void ran(Node& node, int64_t start, int64_t end) override {
        const auto object = py::reinterpret_steal<py::object>(wrap_node(Ref<Node>(&node)));
        const py::tuple args = py::make_tuple(object, start, end);
        call_python(function, args);
    }
    py::object function;
};

// Of this thread; None for no function.
void time_nodes(py::object function) {
    static thread_local PythonNodeTimer* timer =
        new PythonNodeTimer;  // at exit the interpreter may be gone
    const bool on = !function.is_none();
    timer->function = on ? std::move(function) : py::object();
    node_timer = on ? timer : nullptr;
}

void queue_callback(py::object callback) {
    if (!Callbacks::innermost) fail("Final callbacks can only be installed during backward pass.");
    Callbacks::innermost->list.push_back(std::move(callback));
}

// What explain() tells of the latest backward pass. The root is a weak reference to a tensor, or null.
struct {
    PyObject* root = nullptr;
    uint64_t number = 0;
    Site site = 0;
    bool puts_into_grad = false;
} latest_pass;

void note_pass(PyObject* root, bool accumulate) {
    if (!find_site) return;
    PyObject* reference = is_tensor(root) ? PyWeakref_NewRef(root, nullptr) : nullptr;
    if (!reference) PyErr_Clear();
    Py_XSETREF(latest_pass.root, reference);
    latest_pass.number = latest_run() + 1;
    latest_pass.site = current_site();
    latest_pass.puts_into_grad = accumulate;
}

TensorList run_with_callbacks(std::span<const Edge> roots, TensorList grads,
                              std::span<const Edge> inputs, const BackwardOptions& options) {
    if (options.accumulate && options.create_graph) [[unlikely]] {
        static bool warned = false;
        if (!std::exchange(warned, true))
            warn(
                "Using backward() with create_graph=True will create a reference cycle between the "
                "parameter and its gradient which can cause a memory leak. We recommend using "
                "autograd.grad when creating the graph to avoid this. If you have to use this "
                "function, make sure to reset the .grad fields of your parameters to None after "
                "use to break the cycle and avoid the leak.");
    }
    Callbacks callbacks;
    TensorList results = run_backward(roots, std::move(grads), inputs, options);
    if (!callbacks.list.empty()) callbacks.call(options.create_graph);
    return results;
}

py::tuple run(const py::tuple& roots, const py::tuple& grads, bool keep_graph, bool create_graph,
              const py::tuple& inputs, bool allow_unreachable, bool accumulate) {
    if (roots.size() != grads.size())
        fail("got ", roots.size(), " tensors and ", grads.size(), " gradients");
    std::vector<Edge> root_edges, input_edges;
    TensorList gradients;
    for (size_t i = 0; i < roots.size(); ++i) {
        Point point = root_point(roots[i], i);
        gradients.push_back(given_gradient(grads[i], point.info(), i));
        root_edges.push_back(std::move(point.edge));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
        Edge edge;
        if (!read_edge(inputs[i].ptr(), edge)) {
            if (!is_tensor(inputs[i].ptr()))
                fail<TypeError>("all inputs have to be Tensors or GradientEdges, but got ",
                                Py_TYPE(inputs[i].ptr())->tp_name);
            const Tensor input = unwrap(inputs[i].ptr());
            if (!wants_gradient(input))
                fail("One of the differentiated Tensors does not require grad");
            if (accumulate && !input.is_leaf()) retain_grad(input);
            edge = sought_edge(input);
        }
        input_edges.push_back(std::move(edge));
    }
    const TensorList results =
        run_with_callbacks(root_edges, std::move(gradients), input_edges,
                           BackwardOptions{keep_graph, create_graph, accumulate});
    if (accumulate) return py::tuple();
    py::tuple out(results.size());
    for (size_t i = 0; i < results.size(); ++i) {
        if (!results[i].defined() && !allow_unreachable)
            fail("The differentiated Tensor at index ", i,
                 " appears to not have been used in the graph. Set allow_unused=True if this is "
                 "the desired behavior.");
        out[i] = py::cast(results[i]);
    }
    return out;
}

// Where a transform ends or begins; empty for what is not recorded.
std::vector<Edge> edges_of(const py::tuple& tensors) {
    std::vector<Edge> edges;
    for (const py::handle tensor : tensors) edges.push_back(gradient_edge(unwrap(tensor.ptr())));
    return edges;
}

// The leaves that the graphs of tensors lead to.
py::list leaves_of(const py::tuple& tensors) {
    const std::vector<Edge> edges = edges_of(tensors);
    std::vector<Node*> roots;
    for (const Edge& edge : edges) roots.push_back(edge.node.get());
    py::list found;
    each_node(std::move(roots), [&](const Node& node) {
        if (const auto* leaf = dynamic_cast<const AccumulateGrad*>(&node))
            found.append(py::cast(leaf->variable()));
        return true;
    });
    return found;
}

py::tuple push(const Linearization& linear, const py::tuple& given, bool record) {
    std::vector<Tensor> tangents;
    for (const py::handle tangent : given)
        tangents.push_back(tangent.is_none() ? Tensor() : unwrap(tangent.ptr()));
    const TensorList found = linear.push(tangents, record);
    py::tuple out(found.size());
    for (size_t i = 0; i < found.size(); ++i) out[i] = py::cast(found[i]);
    return out;
}

// tensor.backward(): the frequent call without arguments takes no detour through tuples.
PyObject* backward_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* names) {
    return guarded([&]() -> PyObject* {
        if (is_overridden(self)) return ask_method("backward", self, args, count, names);
        PyObject* values[4] = {Py_None, Py_None, Py_False, Py_None};
        constexpr const char* known[4] = {"gradient", "retain_graph", "create_graph", "inputs"};
        if (count > 4) fail<TypeError>("backward() takes at most 4 arguments, got ", count);
        for (Py_ssize_t i = 0; i < count; ++i) values[i] = args[i];
        for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i) {
            const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i));
            int at = 0;
            while (at < 4 && std::strcmp(name, known[at]) != 0) ++at;
            if (at == 4)
                fail<TypeError>("backward() got an unexpected keyword argument '", name, "'");
            if (at < count)
                fail<TypeError>("backward() got multiple values for argument '", name, "'");
            values[at] = args[count + i];
        }
        const bool create_graph = truth_of(values[2]);
        const bool keep_graph = values[1] == Py_None ? create_graph : truth_of(values[1]);
        note_pass(self, true);
        if (values[3] == Py_None) {
            const Point root = root_point(self, 0);
            TensorList grads{given_gradient(values[0], root.info(), 0)};
            run_with_callbacks({&root.edge, 1}, std::move(grads), {},
                               BackwardOptions{keep_graph, create_graph, true});
        } else {
            py::object inputs = py::reinterpret_borrow<py::object>(values[3]);
            Edge ignored;
            py::tuple list = is_tensor(inputs.ptr()) || read_edge(inputs.ptr(), ignored)
                                 ? py::make_tuple(inputs)
                                 : py::tuple(inputs);
            if (list.empty()) fail("`inputs` argument to `backward()` cannot be empty.");
            run(py::make_tuple(py::handle(self)), py::make_tuple(py::handle(values[0])), keep_graph,
                create_graph, list, true, true);
        }
        Py_RETURN_NONE;
    });
}

// --------------------------------------------------------------------------- anomaly mode

// The Python stack at the forward call. Nodes that the same stack has made, share it.
struct PythonTrace final : ForwardTrace {
    std::vector<Site> stack;  // the innermost call comes first
    Ref<PythonTrace> parent;  // of the node whose backward recorded this one
    std::string parent_name;

    void show(const Node& node) override {
        warn_with(text("Error detected in ", node.name(),
                       ". Traceback of forward call that caused the error:\n"));
        for (const PythonTrace* trace = this; trace->parent; trace = trace->parent.get())
            trace->parent->warn_with(
                text("\n\nPrevious calculation was induced by ", trace->parent_name,
                     ". Traceback of forward call that induced the previous calculation:\n"));
    }

private:
    void warn_with(std::string message) const {
        for (size_t i = stack.size(); i-- > 0;) message += traceback_line(stack[i]);
        if (run_python([&] { return PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1); }) < 0)
            throw py::error_already_set();
    }
};

Ref<Counted> capture_trace() {
    static auto& latest = *new Ref<PythonTrace>;
    static auto& stack = *new std::vector<Site>;
    stack.clear();
    find_call_stack(stack);
    Node* const node = node_under_watch();
    const bool induced = node && node->extras_ && node->extras_->forward_trace;
    if (!induced && latest && !latest->parent && latest->stack == stack) return latest;
    Ref<PythonTrace> trace = make_ref<PythonTrace>();
    trace->stack = stack;
    if (induced) {
        trace->parent =
            Ref<PythonTrace>(static_cast<PythonTrace*>(node->extras_->forward_trace.get()));
        trace->parent_name = node->name();
    }
    return latest = trace;
}

// -------------------------------------------------------------------------------- threads

void call_on_new_thread(void (*f)(void*), void* context) {
    HookStack* const hooks = hook_stack();
    PyThreadState* const here = PyEval_SaveThread();
    std::exception_ptr error;
    try {
        std::thread([=] {
            const PyGILState_STATE lock = PyGILState_Ensure();
            use_hook_stack(hooks);
            f(context);
            PyGILState_Release(lock);
        }).join();
    } catch (const std::system_error&) {
        error = std::current_exception();
    }
    run_python([=] { PyEval_RestoreThread(here); });
    if (error) std::rethrow_exception(error);
}

// -------------------------------------------------------------------------------- methods

PyObject* retain_grad_method(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        if (is_overridden(self)) return ask_method("retain_grad", self);
        retain_grad(unwrap(self));
        Py_RETURN_NONE;
    });
}

}  // namespace

void bind_autograd(py::module_& m) {
    capture_forward_trace = capture_trace;
    run_on_new_thread = call_on_new_thread;

    static PyMethodDef backward = {
        "backward", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(backward_method)),
        METH_FASTCALL | METH_KEYWORDS, nullptr};
    static PyMethodDef retain_definition = {"retain_grad", retain_grad_method, METH_NOARGS,
                                            nullptr};
    add_method(&backward);
    add_method(&retain_definition);
    def_method<"detach_">(m.ptr(), [](const Tensor& self) -> const Tensor& {
        note_cut("detach_()", self);
        detach_in_place(self);
        return self;
    });
    def_method<"requires_grad_">(m.ptr(),
                                 [](const Tensor& self, bool requires_grad) -> const Tensor& {
                                     set_requires_grad(self, requires_grad);
                                     return self;
                                 });
    def<"is_inference">(m.ptr(), [](const Tensor& self) { return bool{self->inference}; });
    def_method<"_is_view">(m.ptr(), [](const Tensor& self) { return is_view(self); });
    def_method<"set_">(m.ptr(), [](const Tensor& self, const Tensor& source) -> const Tensor& {
        check_inplace(self, recording(self));
        if (self.dtype() != source.dtype())
            fail("Could not set tensor of type ", dtype_name(source.dtype()),
                 " to a tensor of type ", dtype_name(self.dtype()));
        replace_data(self, source);
        self.bump_version();
        return self;
    });

    m.def("_run_backward", [](const py::tuple& roots, const py::tuple& grads, bool keep_graph,
                              bool create_graph, const py::tuple& inputs, bool allow_unreachable,
                              bool accumulate) {
        if (!roots.empty()) note_pass(roots[0].ptr(), accumulate);
        return run(roots, grads, keep_graph, create_graph, inputs, allow_unreachable, accumulate);
    });
    m.def("_leaves", leaves_of);
    py::class_<Linearization>(m, "_Linearization")
        .def(py::init([](const py::tuple& outputs, const py::tuple& inputs) {
            return Linearization(edges_of(outputs), edges_of(inputs));
        }))
        .def("push", push);
    // A pass for the sake of the hooks that watch it: the graph stays, and nobody is told of it.
    m.def("_probe_backward",
          [](const py::object& root, const py::object& grad, const py::tuple& inputs) {
              run(py::make_tuple(root), py::make_tuple(grad), true, false, inputs, true, false);
          });
    m.def("_latest_pass", [] {
        return py::make_tuple(
            latest_pass.number, latest_pass.site, latest_pass.puts_into_grad,
            latest_pass.root ? py::reinterpret_borrow<py::object>(latest_pass.root) : py::none());
    });
    m.def("_queue_callback", queue_callback);
    m.def("is_grad_enabled", [] { return thread_state.grad_enabled; });
    m.def("_set_grad_enabled", [](bool enabled) {
        if (std::exchange(thread_state.grad_enabled, enabled) != enabled) switch_recording(enabled);
    });
    m.def("is_inference_mode_enabled", [] { return inference_mode(); });
    m.def("_set_inference_mode", [](bool enabled) { inference_tensors = enabled; });
    m.def("_time_nodes", time_nodes);
    m.def("is_anomaly_enabled", [] { return thread_state.anomaly; });
    m.def("is_anomaly_check_nan_enabled", [] { return thread_state.anomaly_check_nan; });
    m.def(
        "_set_anomaly_enabled",
        [](bool enabled, bool check_nan) {
            thread_state.anomaly = enabled;
            thread_state.anomaly_check_nan = check_nan;
        },
        py::arg("enabled"), py::arg("check_nan") = true);
    m.def("_current_graph_task_id",
          [] { return current_run() ? static_cast<int64_t>(current_run()) : int64_t{-1}; });
    m.def("_will_engine_execute_node",
          [](py::object node) { return current_run_executes(unwrap_node(node.ptr()).get()); });
    m.def("_is_checkpoint_valid", [] { return current_run_is_full(); });
    m.def("_increment_version", [](const std::vector<Tensor>& tensors) {
        for (const Tensor& tensor : tensors) tensor.bump_version();
    });
    m.def("_tensor_hooks", [](const Tensor& tensor) { return tensor_hooks(tensor); });
    m.def("_accumulate_hooks", [](const Tensor& tensor) { return accumulate_hooks(tensor); });
    m.def("_gradient_edge", [](const Tensor& tensor) {
        const Edge edge = gradient_edge(tensor);
        if (!edge) fail("Can't get gradient edge for tensors that don't require grad");
        return py::make_tuple(py::reinterpret_steal<py::object>(wrap_node(edge.node)), edge.nr);
    });
    m.def("_whole_storage", [](const Tensor& x) {
        const int64_t count = static_cast<int64_t>(x.storage()->bytes() / x.item_size());
        return Tensor(new TensorImpl(Shape::row_major({count}), x.dtype(),
                                     Storage::alias(x.storage()), x.storage()->data()));
    });
    m.def("_make_subclass", [](py::type type, const Tensor& data, bool requires_grad) {
        if (is_replay_recorded()) replay::recorder()->know(data);
        const Tensor made = detach(data);
        if (requires_grad && !made.is_floating())
            fail("Only Tensors of floating point and complex dtype can require gradients");
        set_requires_grad(made, requires_grad);
        return py::reinterpret_steal<py::object>(
            wrap_as(reinterpret_cast<PyTypeObject*>(type.ptr()), made));
    });
    m.def("_alias", [](py::type type, const Tensor& x) {
        if (is_replay_recorded()) replay::recorder()->know(x);
        return py::reinterpret_steal<py::object>(
            wrap_as(reinterpret_cast<PyTypeObject*>(type.ptr()), view_alias(x)));
    });
    m.def(
        "_live_counts",
        [] {
            py::dict counts;
            counts["tensors"] = TensorImpl::live_count;
            counts["nodes"] = Node::live_count;
            counts["storages"] = Storage::live_count();
            return counts;
        },
        "How many tensors, nodes and storages are alive.");
}

}  // namespace tapegrad::python
