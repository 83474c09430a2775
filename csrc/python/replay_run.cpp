// Whether a recorded program may run, and running it.
#include <cstring>

#include "autograd/engine.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "python/interpreter.h"
#include "python/replay.h"
#include "python/replay_program.h"
#include "python/tensor_object.h"

namespace tapegrad::python {

using replay::RegionId;

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

namespace {

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
          function_(py::reinterpret_borrow<py::object>(call.function)),
          names_(py::reinterpret_borrow<py::object>(call.names ? call.names : Py_None)) {
        const size_t all =
            call.count + (call.names ? static_cast<size_t>(PyTuple_GET_SIZE(call.names)) : 0);
        for (size_t i = 0; i < all; ++i)
            arguments_.push_back(py::reinterpret_borrow<py::object>(call.args[i]));
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
        case Result::Kind::Again: return py::reinterpret_borrow<py::object>(built[result.index]);
        case Result::Kind::Outside:
        case Result::Kind::Gradient: {
            const TensorImpl* x = tensor_of(outside_[result.index], tensors);
            if (result.kind == Result::Kind::Gradient) x = x->grad.get();
            return py::reinterpret_steal<py::object>(wrap(Tensor(const_cast<TensorImpl*>(x))));
        }
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
