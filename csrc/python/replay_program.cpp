#include "python/replay_program.h"

#include <algorithm>

#include "autograd/accumulate_grad.h"
#include "autograd/engine.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "ops/copy.h"
#include "python/interpreter.h"
#include "python/replay.h"
#include "python/tensor_object.h"

namespace tapegrad::python {

using replay::External;
using replay::Recorder;
using replay::RegionId;

namespace {

py::object share(PyObject* object) { return py::reinterpret_borrow<py::object>(object); }

}  // namespace

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
        for (size_t i = 0; i < externals.size(); ++i) {
            const bool is_gradient =
                outside_[i].grad == Grad::Replaced && externals[i].tensor->grad.get() == x.impl();
            if (!is_gradient && externals[i].tensor.get() != x.impl()) continue;
            result.kind = is_gradient ? Kind::Gradient : Kind::Outside;
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

}  // namespace tapegrad::python
