#include "python/replay_program.h"

#include <algorithm>
#include <cstring>

#include "autograd/accumulate_grad.h"
#include "autograd/engine.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "python/dispatch.h"
#include "python/interpreter.h"
#include "python/replay.h"
#include "python/tensor_object.h"
#include "replay/recorder.h"

namespace tapegrad::python {
namespace {

using replay::External;
using replay::Recorder;
using replay::RegionId;

thread_local Recording* current_recording = nullptr;

py::object share(PyObject* object) { return py::reinterpret_borrow<py::object>(object); }

// In the place of a node whose graph was used up while the program was recorded, as it is in each run.
class UsedNode final : public Node {
public:
    explicit UsedNode(std::string name) : name_(std::move(name)) {}
    const char* name() const noexcept override { return name_.c_str(); }
    void backward(GradList&, TensorList&) override { refuse_released(*this); }

private:
    const std::string name_;
};

}  // namespace

Modes current_modes() { return {thread_state.grad_enabled, inference_mode(), default_float_type}; }

// ------------------------------------------------------------------------------------ recording

class Recording::Writes final : public WriteWatch {
public:
    explicit Writes(Recorder& recorder) : recorder_(recorder) { thread_state.write_watch = this; }
    ~Writes() { thread_state.write_watch = nullptr; }
    void about_to_write(const Tensor& tensor) override {
        if (is_replay_recorded()) recorder_.expect_write(tensor);  // else it is part of a step
    }

private:
    Recorder& recorder_;
};

Recording::Recording(PyObject* function, const std::vector<Tensor>& arguments)
    : arguments_(arguments),
      modes_(current_modes()),
      first_run_(latest_run()),
      function_(function),
      writes_(std::make_unique<Writes>(recorder_)),
      outer_(std::exchange(current_recording, this)) {
    recorder_.first_sequence = Node::next_sequence;
    watch_operators(true);
    for (const Tensor& tensor : arguments_) recorder_.know(tensor);
}

Recording::~Recording() {
    watch_operators(false);
    current_recording = outer_;
}

Recording* Recording::current() noexcept { return current_recording; }

void Recording::know_dict(PyObject* dict) {
    for (const DictGuard& known : dicts_)
        if (known.dict() == dict) return;
    dicts_.emplace_back(dict);
}

void Recording::free_key(PyObject* dict, PyObject* key) {
    know_dict(dict);
    for (DictGuard& known : dicts_)
        if (known.dict() == dict) known.forget(key);
}

void know_tensors_in(PyObject* object) {
    if (!object) return;
    if (is_tensor(object)) {
        replay::recorder()->know(unwrap(object));
    } else if (PyTuple_Check(object) || PyList_Check(object)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i)
            know_tensors_in(PySequence_Fast_GET_ITEM(object, i));
    }
}

void note_dict(PyObject* dict) {
    if (current_recording) current_recording->know_dict(dict);
}

void note_module(PyObject* dict, bool has_hooks) {
    if (has_hooks) refuse_replay("a module with hooks");
    Recording* recording = current_recording;
    if (!recording || !dict) return;
    recording->know_dict(dict);
    static PyObject* const names[] = {PyUnicode_InternFromString("_parameters"),
                                      PyUnicode_InternFromString("_buffers"),
                                      PyUnicode_InternFromString("_modules"),
                                      PyUnicode_InternFromString("_forward_hooks"),
                                      PyUnicode_InternFromString("_backward_hooks"),
                                      PyUnicode_InternFromString("_forward_pre_hooks"),
                                      PyUnicode_InternFromString("_backward_pre_hooks")};
    for (PyObject* name : names) {
        PyObject* part = PyDict_GetItemWithError(dict, name);
        if (part && PyDict_Check(part)) recording->know_dict(part);
    }
}

// -------------------------------------------------------------------------------------- reading

namespace {

bool is_argument(const std::vector<Tensor>& arguments, const External& external, int& number) {
    for (size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i].impl() == external.tensor.get()) {
            number = static_cast<int>(i);
            return true;
        }
    return false;
}

}  // namespace

bool ReplayProgram::read_outside(Recording& recording, std::string& refusal) {
    Recorder& recorder = recording.recorder();
    std::vector<External>& externals = recorder.externals();
    for (size_t i = 0; i < externals.size(); ++i) {
        External& external = externals[i];
        const Tensor now(external.tensor);
        const auto first = recorder.find(now);
        if (!first || now->data != external.data || now.storage().get() != external.storage.get() ||
            !same_layout(now.shape(), external.shape) ||
            now.requires_grad() != external.requires_grad) {
            refusal = "a tensor from outside whose layout or requires_grad changed";
            return false;
        }
        if (grad_fn(now).get() != external.grad_fn.get()) {
            refusal = "a tensor from outside whose grad_fn changed, by an operation in place";
            return false;
        }
        Outside outside;
        outside.region = external.region;
        outside.offset = external.data - external.storage->data();
        outside.shape = external.shape;
        outside.dtype = now.dtype();
        outside.requires_grad = external.requires_grad;
        outside.has_grad = static_cast<bool>(external.grad);
        outside.bumps = external.storage->version() - external.version;
        for (size_t j = 0; j < i; ++j)  // each counter once
            if (externals[j].storage == external.storage) outside.bumps = 0;
        if (!is_argument(recording.arguments_, external, outside.argument)) {
            for (size_t owner = 0; owner < externals.size(); ++owner)
                if (externals[owner].grad == external.tensor)
                    outside.owner = static_cast<int>(owner);
            if (outside.owner < 0) outside.tensor = external.tensor;
            for (const Outside& other : outside_)
                if (other.argument >= 0 && other.region == outside.region) {
                    refusal = "a view of an argument that lives on";
                    return false;
                }
        }
        for (const Outside& other : outside_)
            outside.shares_region = outside.shares_region || other.region == outside.region;
        if (now->grad != external.grad) {
            outside.grad = now->grad ? Grad::Replaced : Grad::Cleared;
            if (now->grad) {
                const Tensor grad(now->grad);
                const auto found = recorder.find(grad);
                if (!found || !recorder.is_fresh(found->region) || found->offset != 0 ||
                    grad->grad_fn || grad.requires_grad()) {
                    refusal = "a gradient that is no new tensor of its own";
                    return false;
                }
                if (!recorder.is_written(found->region)) {
                    refusal = "a gradient that is not computed by a recorded kernel";
                    return false;
                }
                outside.grad_region = found->region;
                outside.grad_shape = grad.shape();
                recorder.set_outside(found->region);
            }
        }
        outside_.push_back(std::move(outside));
    }
    return true;
}

namespace {

// The memory of what the nodes of a graph have saved.
class SavedMemory final : public SavedVisitor {
public:
    using SavedVisitor::value;
    void tensor(const char*, const SavedTensor& saved) override {
        if (const Storage* storage = saved.storage()) found.push_back(storage->data());
        else if (saved.defined() && !saved.is_packed() && !saved.shape()) is_released = true;
    }
    void value(const char*, double) override {}
    void value(const char*, int64_t) override {}
    void value(const char*, bool) override {}
    void value(const char*, const Dims&) override {}
    void value(const char*, const std::string&) override {}
    std::vector<const char*> found;
    bool is_released = false;  // a backward pass has let go of some
};

// Of the nodes from the roots on that were made since the recording began.
SavedMemory saved_memory(std::vector<Node*> roots, uint64_t first_sequence) {
    SavedMemory saved;
    each_node(std::move(roots), [&](Node& node) {
        if (node.sequence < first_sequence) return false;
        node.visit_saved(saved);
        return true;
    });
    return saved;
}

}  // namespace

bool ReplayProgram::read_result(Recording& recording, PyObject* object, std::string& refusal) {
    using Kind = Result::Kind;
    Result result;
    if (is_tensor(object)) {
        Recorder& recorder = recording.recorder();
        const Tensor x = unwrap(object);
        for (size_t i = 0; i < results_.size(); ++i)
            if (results_[i].kind == Kind::Fresh && results_[i].object.ptr() == object) {
                result.kind = Kind::Again;
                result.index = i;
                results_.push_back(std::move(result));
                return true;
            }
        const auto& externals = recorder.externals();
        for (size_t i = 0; i < externals.size(); ++i)
            if (externals[i].tensor.get() == x.impl()) {
                result.kind = Kind::Outside;
                result.index = i;
                results_.push_back(std::move(result));
                return true;
            }
        const auto found = recorder.find(x);
        if (!found || !recorder.is_fresh(found->region)) {
            refusal = "a result that shows the memory of another tensor";
            return false;
        }
        if (!recorder.is_written(found->region)) {
            refusal = "a result that is not computed by a recorded kernel";
            return false;
        }
        if (x->grad || Py_TYPE(object) != tensor_type) {
            refusal = "a result with a gradient, or of a subclass";
            return false;
        }
        if (const Ref<Node> node = grad_fn(x)) {
            const bool is_used = node->progress.run > first_run_ && !recorder.keeps_graph;
            if (is_used || saved_memory({node.get()}, recorder.first_sequence).is_released) {
                result.node = node->name();
                used_.push_back(node);
            } else {
                result.is_differentiated = true;
                differentiated_.push_back(x);
            }
        }
        result.kind = Kind::Fresh;
        result.object = share(object);  // until all results are read
        result.offset = found->offset;
        result.shape = x.shape();
        result.dtype = x.dtype();
        result.requires_grad = x->requires_grad;
        const auto memory =
            std::find_if(result_memory_.begin(), result_memory_.end(),
                         [&](const ResultMemory& known) { return known.region == found->region; });
        result.index = static_cast<size_t>(memory - result_memory_.begin());
        if (memory == result_memory_.end())
            result_memory_.push_back({found->region, x.storage()->bytes(), false});
        recorder.set_outside(found->region);
    } else if (PyTuple_Check(object) || PyList_CheckExact(object)) {
        const auto size = PySequence_Fast_GET_SIZE(object);
        result.kind = PyTuple_Check(object) ? Kind::Tuple : Kind::List;
        result.object = share(reinterpret_cast<PyObject*>(Py_TYPE(object)));
        result.count = static_cast<size_t>(size);
        results_.push_back(std::move(result));
        for (Py_ssize_t i = 0; i < size; ++i)
            if (!read_result(recording, PySequence_Fast_GET_ITEM(object, i), refusal)) return false;
        return true;
    } else if (PyDict_CheckExact(object)) {
        result.kind = Kind::Dict;
        result.count = static_cast<size_t>(PyDict_GET_SIZE(object));
        result.object = py::reinterpret_steal<py::object>(PyDict_Keys(object));
        results_.push_back(std::move(result));
        Py_ssize_t place = 0;
        PyObject *key, *value;
        while (PyDict_Next(object, &place, &key, &value))
            if (!read_result(recording, value, refusal)) return false;
        return true;
    } else if (object == Py_None || PyBool_Check(object) || PyFloat_CheckExact(object) ||
               PyLong_CheckExact(object) || PyUnicode_CheckExact(object)) {
        result.kind = Kind::Value;
        result.object = share(object);
    } else {
        refusal = std::string("a result of type ") + Py_TYPE(object)->tp_name;
        return false;
    }
    results_.push_back(std::move(result));
    return true;
}

// The backward pass of the results, as the second part of the program.
bool ReplayProgram::record_backward(Recording& recording, std::string& refusal) {
    Recorder& recorder = recording.recorder();
    std::vector<Edge> roots, inputs;
    std::vector<size_t> input_places;
    std::vector<Node*> root_nodes, input_nodes;
    for (const Tensor& x : differentiated_) {
        roots.push_back(gradient_edge(x));
        root_nodes.push_back(roots.back().node.get());
    }
    for (size_t i = 0; i < recorder.externals().size(); ++i) {
        const Tensor x(recorder.externals()[i].tensor);
        if (!x.requires_grad() || !x.is_floating()) continue;
        inputs.push_back(gradient_edge(x));
        input_nodes.push_back(inputs.back().node.get());
        input_places.push_back(i);
    }
    each_node(root_nodes, [&](Node& node) {
        if (std::find(input_nodes.begin(), input_nodes.end(), &node) != input_nodes.end())
            return false;
        if (const char* reason = replay_obstacle(node, recorder.first_sequence)) refusal = reason;
        return true;
    });
    if (!refusal.empty()) return false;
    recorder.begin_second_part();
    TensorList grads;
    for (const Tensor& x : differentiated_) {
        Tensor grad = empty(x.sizes(), x.dtype());
        recorder.give(grad);
        std::memset(grad.data(), 0, grad.storage()->bytes());
        given_.push_back({given_.size(), recorder.find(grad)->region, grad.shape(), x.dtype()});
        grads.push_back(std::move(grad));
    }
    recorder.knows_graph = true;
    const TensorList found = run_backward(roots, std::move(grads), inputs, {true, false, false});
    std::vector<RegionId> taken;
    for (const Gradient& given : given_) taken.push_back(given.region);
    for (size_t i = 0; i < found.size(); ++i) {
        if (!found[i].defined()) continue;
        Tensor grad = found[i];
        auto place = recorder.find(grad);
        if (!place || !recorder.is_fresh(place->region) || place->offset != 0 ||
            !grad.is_contiguous() ||
            std::find(taken.begin(), taken.end(), place->region) != taken.end()) {
            const GradMode off(false);
            const Tensor copy = empty(grad.sizes(), grad.dtype());
            copy_values(copy, grad);
            grad = copy;
            place = recorder.find(grad);
        }
        taken.push_back(place->region);
        recorder.set_outside(place->region);
        found_.push_back({input_places[i], place->region, grad.shape(), grad.dtype()});
    }
    if (recorder.refusal()) {
        refusal = *recorder.refusal();
        return false;
    }
    return true;
}

std::shared_ptr<ReplayProgram> ReplayProgram::make(Recording& recording, PyObject* result,
                                                   std::string& refusal, bool& unsettled) {
    Recorder& recorder = recording.recorder();
    unsettled = false;
    if (recorder.refusal()) {
        refusal = *recorder.refusal();
        return nullptr;
    }
    if (!(current_modes() == recording.modes_)) {
        refusal = "a mode that is another one afterwards";
        return nullptr;
    }
    std::shared_ptr<ReplayProgram> made(
        new ReplayProgram(std::move(recording.function_), recording.modes_));
    made->first_run_ = recording.first_run_;
    if (!made->read_outside(recording, refusal) || !made->read_result(recording, result, refusal))
        return nullptr;
    for (Result& known : made->results_)
        if (known.kind == Result::Kind::Fresh) known.object = py::object();
    if (!made->differentiated_.empty() && !made->record_backward(recording, refusal))
        return nullptr;
    std::vector<char> expected(recorder.region_count());
    std::vector<Node*> roots;
    for (const Tensor& x : made->differentiated_) roots.push_back(gradient_edge(x).node.get());
    for (const char* data : saved_memory(roots, recorder.first_sequence).found)
        if (const auto place = recorder.find(data)) expected[place->region] = 1;
    made->differentiated_.clear();
    // Leaves that only a used graph has, with their gradients: the results of replays have no such graph.
    roots.clear();
    for (const Ref<Node>& node : made->used_) roots.push_back(node.get());
    each_node(std::move(roots), [&](Node& node) {
        const auto expect = [&](const TensorImpl& x) {
            const auto place = recorder.find(x.data);
            if (place && x.storage->use_count() == 1) expected[place->region] = 1;
        };
        const auto is_alone = [](const TensorImpl& x) {
            return x.references == 1 && !x.python_object;
        };
        const auto* leaf = dynamic_cast<const AccumulateGrad*>(&node);
        if (!leaf || !is_alone(*leaf->variable().impl())) return true;
        const TensorImpl& x = *leaf->variable().impl();
        expect(x);
        if (x.grad && is_alone(*x.grad)) expect(*x.grad);
        return true;
    });
    made->used_.clear();
    for (const ResultMemory& memory : made->result_memory_) expected[memory.region] = 1;
    for (const Outside& outside : made->outside_)
        if (outside.grad == Grad::Replaced) {
            if (expected[outside.grad_region]) {
                refusal = "a gradient that is something else, too";
                return nullptr;
            }
            expected[outside.grad_region] = 1;
        }
    // They may hold what was put in the place of parameters for a while.
    for (DictGuard& dict : recording.dicts_) dict.forget_changed();
    for (RegionId region = 0; region < recorder.region_count(); ++region)
        if (recorder.is_fresh(region) && recorder.is_alive(region) && !expected[region]) {
            refusal = "a tensor that is kept somewhere although it is not returned";
            unsettled = true;
            return nullptr;
        }
    made->function_.forget_changed();
    made->dicts_ = std::move(recording.dicts_);
    made->program_ = recorder.finish();
    for (ResultMemory& memory : made->result_memory_)
        memory.saved = made->program_.second_part_uses(memory.region);
    for (Outside& outside : made->outside_) {
        outside.saved = made->program_.second_part_uses(outside.region);
        outside.used = made->program_.uses(outside.region);
        outside.written = made->program_.writes(outside.region);
    }
    return made;
}

// -------------------------------------------------------------------------------------- guards

bool ReplayProgram::reads_grad_of(const Outside& owner) const {
    for (const Outside& outside : outside_)
        if (outside.owner >= 0 && &outside_[static_cast<size_t>(outside.owner)] == &owner)
            return outside.used;
    return false;
}

const TensorImpl* ReplayProgram::tensor_of(const Outside& outside,
                                           const std::vector<Tensor>& tensors) const {
    if (outside.argument >= 0) return tensors[static_cast<size_t>(outside.argument)].impl();
    if (outside.owner >= 0) {
        const TensorImpl* owner = tensor_of(outside_[static_cast<size_t>(outside.owner)], tensors);
        return owner ? owner->grad.get() : nullptr;
    }
    return outside.tensor.get();
}

bool ReplayProgram::fits(const Outside& outside, const std::vector<Tensor>& tensors) const {
    const TensorImpl* x = tensor_of(outside, tensors);
    if (!x || static_cast<bool>(x->grad) != outside.has_grad) return false;
    // A hook on a gradient that the program computes and adds.
    if (given_.empty() && outside.requires_grad)
        if (const AutogradExtra* extra = extra_of(Tensor(const_cast<TensorImpl*>(x)));
            extra && (extra->leaf_hook || extra->accumulate_hook))
            return false;
    if (outside.argument >= 0) return true;  // the rest was compared with the arguments
    return x->dtype == outside.dtype && same_layout(x->shape, outside.shape) &&
           (x->requires_grad || x->grad_fn || x->autograd_extra
                ? Tensor(const_cast<TensorImpl*>(x)).requires_grad()
                : false) == outside.requires_grad;
}

// What a program writes must be no part of another of its tensors.
bool ReplayProgram::overlaps(const std::vector<Tensor>& tensors) const {
    for (size_t i = 0; i < outside_.size(); ++i) {
        if (!outside_[i].used || outside_[i].argument < 0) continue;
        const Storage& a = *tensor_of(outside_[i], tensors)->storage;
        for (size_t j = 0; j < outside_.size(); ++j) {
            if (j == i || !outside_[j].used || outside_[j].region == outside_[i].region ||
                (outside_[j].argument >= 0 && j > i) ||
                !(outside_[i].written || outside_[j].written))
                continue;
            const Storage& b = *tensor_of(outside_[j], tensors)->storage;
            if (a.data() < b.data() + b.bytes() && b.data() < a.data() + a.bytes()) return true;
        }
    }
    return false;
}

// Tensors that shared memory have to share it as they did.
bool ReplayProgram::lie_as_before(const std::vector<Tensor>& tensors) const {
    for (const Outside& outside : outside_) {
        if (!outside.shares_region) continue;
        const char* begin = tensor_of(outside, tensors)->data - outside.offset;
        for (const Outside& other : outside_)
            if (other.region == outside.region &&
                tensor_of(other, tensors)->data - other.offset != begin)
                return false;
    }
    return true;
}

bool ReplayProgram::holds(const std::vector<Tensor>& tensors) const {
    for (const Outside& outside : outside_)
        if (!fits(outside, tensors)) return false;
    if (!lie_as_before(tensors)) return false;
    for (const DictGuard& dict : dicts_)
        if (!dict.holds()) return false;
    return function_.holds() && !overlaps(tensors);
}

std::string ReplayProgram::broken_guard(const std::vector<Tensor>& tensors) const {
    for (const Outside& outside : outside_)
        if (!fits(outside, tensors)) {
            const TensorImpl* x = tensor_of(outside, tensors);
            if (x && static_cast<bool>(x->grad) != outside.has_grad)
                return outside.has_grad ? "a .grad that is None now" : "a .grad that was None";
            return "a tensor from outside that has another layout, or requires_grad";
        }
    if (!lie_as_before(tensors)) return "tensors that do not share memory any more";
    for (const DictGuard& dict : dicts_)
        if (const py::object key = dict.changed_key())
            return "the attribute or option " + std::string(py::str(key)) + ", which was changed";
    if (const std::string name = function_.changed_name(); !name.empty())
        return "the variable " + name + ", which was given another value";
    if (overlaps(tensors)) return "arguments whose memory overlaps";
    return {};
}

// -------------------------------------------------------------------------------------- running

std::unique_ptr<replay::Workspace> ReplayProgram::take_workspace() {
    if (idle_.empty()) return std::make_unique<replay::Workspace>(program_);
    std::unique_ptr<replay::Workspace> workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
}

// In place of the graph of a compiled function: its backward pass is the second part of the program.
class ReplayProgram::Backward final : public Node {
public:
    Backward(std::shared_ptr<ReplayProgram> program, std::unique_ptr<replay::Workspace> workspace,
             const CompiledCall& call)
        : program_(std::move(program)),
          workspace_(std::move(workspace)),
          function_(share(call.function)),
          names_(share(call.names ? call.names : Py_None)) {
        const size_t all =
            call.count + (call.names ? static_cast<size_t>(PyTuple_GET_SIZE(call.names)) : 0);
        for (size_t i = 0; i < all; ++i) arguments_.push_back(share(call.args[i]));
        positional_ = call.count;
    }
    ~Backward() override { give_back(); }

    void save(const Ref<Storage>& storage) { saved_.push_back({storage, storage->version()}); }

    const char* name() const noexcept override { return "CompiledFunctionBackward"; }
    void release_saved() override {
        give_back();
        saved_.clear();
        arguments_.clear();
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!workspace_) refuse_released(*this);
        for (const Saved& saved : saved_)
            if (saved.storage->version() != saved.version)
                fail(
                    "one of the variables needed for gradient computation has been modified by an "
                    "inplace operation: a tensor that a compiled function works on is at version ",
                    Storage::changes(saved.storage->version()), "; expected version ",
                    Storage::changes(saved.version), " instead.");
        TensorList given;
        for (size_t i = 0; i < program_->given_.size(); ++i) {
            const Gradient& gradient = program_->given_[i];
            given.push_back(grads[i].defined() ? grads[i]
                                               : zeros(gradient.shape->sizes, gradient.dtype));
        }
        if (grad_enabled()) return differentiate_again(given, inputs);
        for (size_t i = 0; i < given.size(); ++i) {
            given[i] = contiguous_values(given[i]);
            workspace_->place(program_->given_[i].region, given[i].data<char>());
        }
        TensorList found;
        for (const Gradient& gradient : program_->found_) {
            found.push_back(empty(gradient.shape->sizes, gradient.dtype));
            workspace_->place(gradient.region, found.back().data<char>());
        }
        workspace_->run_second_part();
        for (size_t i = 0; i < found.size(); ++i)
            if (wants(i)) inputs[i] = std::move(found[i]);
    }

private:
    struct Saved {
        Ref<Storage> storage;
        uint32_t version;
    };

    void give_back() {
        if (workspace_) program_->idle_.push_back(std::move(workspace_));
    }
    // Derivatives of second order: of what the function computes as it is.
    void differentiate_again(const TensorList& given, TensorList& inputs) {
        for (const Outside& outside : program_->outside_)
            if (outside.written)
                fail(
                    "a derivative of second order through a compiled function that changes tensors "
                    "in place: call the function as it is");
        std::vector<PyObject*> args;
        for (const py::object& argument : arguments_) args.push_back(argument.ptr());
        const auto result = py::reinterpret_steal<py::object>(run_python([&] {
            return PyObject_Vectorcall(function_.ptr(), args.data(), positional_,
                                       names_.is_none() ? nullptr : names_.ptr());
        }));
        if (!result) throw py::error_already_set();
        std::vector<Tensor> results;
        size_t at = 0;
        program_->collect_differentiated(result.ptr(), at, results);
        std::vector<Edge> roots;
        for (const Tensor& x : results) roots.push_back(gradient_edge(x));
        TensorList found =
            run_backward(roots, given, {edges.data(), edges.size()}, {true, true, false});
        for (size_t i = 0; i < found.size(); ++i)
            if (wants(i)) inputs[i] = std::move(found[i]);
    }

    const std::shared_ptr<ReplayProgram> program_;
    std::unique_ptr<replay::Workspace> workspace_;
    std::vector<Saved> saved_;
    const py::object function_, names_;
    std::vector<py::object> arguments_;
    size_t positional_;
};

void ReplayProgram::collect_differentiated(PyObject* object, size_t& at,
                                           std::vector<Tensor>& found) const {
    const Result& result = results_[at++];
    switch (result.kind) {
        case Result::Kind::Fresh:
            if (result.is_differentiated) found.push_back(unwrap(object));
            break;
        case Result::Kind::Tuple:
        case Result::Kind::List:
            for (size_t i = 0; i < result.count; ++i)
                collect_differentiated(PySequence_Fast_GET_ITEM(object, static_cast<Py_ssize_t>(i)),
                                       at, found);
            break;
        case Result::Kind::Dict:
            for (size_t i = 0; i < result.count; ++i)
                collect_differentiated(
                    PyDict_GetItem(
                        object, PyList_GET_ITEM(result.object.ptr(), static_cast<Py_ssize_t>(i))),
                    at, found);
            break;
        default: break;
    }
}

PyObject* ReplayProgram::run(const std::vector<Tensor>& tensors, const CompiledCall& call) {
    std::unique_ptr<replay::Workspace> workspace = take_workspace();
    // Tensors from outside stay while the program runs, whatever other threads do meanwhile.
    SmallVector<Ref<Storage>, 16> held;
    for (const Outside& outside : outside_) {
        if (!outside.used || outside.shares_region) continue;
        const TensorImpl* x = tensor_of(outside, tensors);
        workspace->place(outside.region, x->data - outside.offset);
        held.push_back(x->storage);
    }
    std::vector<Ref<Storage>> memory;
    memory.reserve(result_memory_.size());
    for (const ResultMemory& result : result_memory_) {
        memory.push_back(Storage::allocate(result.bytes));
        workspace->place(result.region, memory.back()->data());
    }
    SmallVector<Tensor, 16> grads;
    for (const Outside& outside : outside_) {
        if (outside.grad != Grad::Replaced) continue;
        TensorImpl* x = const_cast<TensorImpl*>(tensor_of(outside, tensors));
        // The old gradient's memory serves again where nobody else has it and nobody reads it.
        Tensor grad;
        if (x->grad) {
            grad = Tensor(std::exchange(x->grad, nullptr));
            const bool mine = is_sole_owner(grad) && grad.dtype() == x->dtype && !grad->grad_fn &&
                              !grad->requires_grad &&
                              same_layout(grad.shape(), outside.grad_shape) &&
                              grad->data == grad.storage()->data() && !reads_grad_of(outside);
            if (!mine) {
                x->grad = Ref<TensorImpl>(grad.impl());
                grad.reset();
            }
        }
        if (!grad.defined())
            grad = empty_strided(outside.grad_shape->sizes, outside.grad_shape->strides, x->dtype);
        workspace->place(outside.grad_region, grad->data);
        grads.push_back(std::move(grad));
    }
    try {
        workspace->run();
    } catch (...) {
        idle_.push_back(std::move(workspace));
        throw;
    }
    size_t next_grad = 0;
    for (const Outside& outside : outside_) {
        if (!outside.bumps) continue;
        TensorImpl* x = const_cast<TensorImpl*>(tensor_of(outside, tensors));
        if (x) x->storage->bump_version_by(outside.bumps);
    }
    for (const Outside& outside : outside_) {
        if (outside.grad == Grad::Unchanged) continue;
        TensorImpl* x = const_cast<TensorImpl*>(tensor_of(outside, tensors));
        if (outside.grad == Grad::Cleared) x->grad.reset();
        else x->grad = Ref<TensorImpl>(grads[next_grad++].impl());
    }
    Ref<Node> node;
    if (given_.empty()) {
        idle_.push_back(std::move(workspace));
    } else {
        auto* backward = new Backward(shared_from_this(), std::move(workspace), call);
        node = Ref<Node>(backward);
        for (const Gradient& gradient : found_)
            backward->add_edge(gradient_edge(
                Tensor(const_cast<TensorImpl*>(tensor_of(outside_[gradient.index], tensors)))));
        for (const Outside& outside : outside_)
            if (outside.saved) backward->save(tensor_of(outside, tensors)->storage);
        for (size_t i = 0; i < memory.size(); ++i)
            if (result_memory_[i].saved) backward->save(memory[i]);
    }
    size_t at = 0;
    BuiltTensors built;
    return build(at, tensors, memory, node, built).release().ptr();
}

py::object ReplayProgram::build(size_t& at, const std::vector<Tensor>& tensors,
                                const std::vector<Ref<Storage>>& memory, const Ref<Node>& backward,
                                BuiltTensors& built) const {
    const size_t own = at;
    const Result& result = results_[at++];
    built.push_back(nullptr);
    switch (result.kind) {
        case Result::Kind::Fresh: {
            const Ref<Storage>& storage = memory[result.index];
            Tensor x(new TensorImpl(result.shape, result.dtype, storage,
                                    storage->data() + result.offset, modes_.inference));
            if (result.is_differentiated) set_history(x, backward);
            else if (!result.node.empty()) set_history(x, Ref<Node>(new UsedNode(result.node)));
            x->requires_grad = result.requires_grad;
            auto object = py::reinterpret_steal<py::object>(wrap(std::move(x)));
            built[own] = object.ptr();
            return object;
        }
        case Result::Kind::Again: return share(built[result.index]);
        case Result::Kind::Outside:
            return py::reinterpret_steal<py::object>(
                wrap(Tensor(const_cast<TensorImpl*>(tensor_of(outside_[result.index], tensors)))));
        case Result::Kind::Value: return result.object;
        case Result::Kind::Dict: {
            py::dict items;
            for (size_t i = 0; i < result.count; ++i)
                items[PyList_GET_ITEM(result.object.ptr(), static_cast<Py_ssize_t>(i))] =
                    build(at, tensors, memory, backward, built);
            return items;
        }
        default: {
            py::list items(result.count);
            for (size_t i = 0; i < result.count; ++i)
                items[i] = build(at, tensors, memory, backward, built);
            if (result.kind == Result::Kind::List) return items;
            if (result.object.ptr() == reinterpret_cast<PyObject*>(&PyTuple_Type))
                return py::tuple(items);
            // A named tuple takes its items one by one.
            const py::tuple arguments =
                py::reinterpret_steal<py::tuple>(PyTuple_Pack(1, items.ptr()));
            return call_python(py::hasattr(result.object, "_make")
                                   ? py::object(result.object.attr("_make"))
                                   : result.object,
                               arguments);
        }
    }
}

int ReplayProgram::traverse(visitproc visit, void* arg) const {
    for (const DictGuard& dict : dicts_)
        if (const int stop = dict.traverse(visit, arg)) return stop;
    return function_.traverse(visit, arg);
}

}  // namespace tapegrad::python
