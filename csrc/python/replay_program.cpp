#include "python/replay_program.h"

#include <algorithm>

#include "autograd/accumulate_grad.h"
#include "autograd/engine.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
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
    void backward(GradList&, TensorList&) override { refuse_released(); }

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

Recording::Recording(ArgumentTree arguments)
    : arguments_(std::move(arguments)),
      modes_(current_modes()),
      first_run_(latest_run()),
      writes_(std::make_unique<Writes>(recorder_)),
      outer_(std::exchange(current_recording, this)) {
    recorder_.first_sequence = Node::next_sequence;
    watch_operators(true);
    for (const Tensor& tensor : arguments_.tensors()) recorder_.know(tensor);
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
        Outside outside;
        outside.region = external.region;
        outside.offset = external.data - external.storage->data();
        outside.shape = external.shape;
        outside.dtype = now.dtype();
        outside.requires_grad = external.requires_grad;
        outside.has_grad = static_cast<bool>(external.grad);
        outside.bumps = external.storage->version() - external.version;
        for (const Outside& other : outside_)  // each memory once
            if (other.region == outside.region) outside.bumps = 0;
        outside.used = outside.written = false;
        if (!is_argument(arguments_.tensors(), external, outside.argument)) {
            for (size_t owner = 0; owner < externals.size(); ++owner)
                if (externals[owner].grad == external.tensor)
                    outside.owner = static_cast<int>(owner);
            if (outside.owner < 0) outside.tensor = external.tensor;
        }
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

bool ReplayProgram::read_result(Recording& recording, PyObject* object, std::string& refusal) {
    using Kind = Result::Kind;
    Result result;
    if (is_tensor(object)) {
        Recorder& recorder = recording.recorder();
        const Tensor x = unwrap(object);
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
            if (node->progress.run <= first_run_ || recorder.keeps_graph) {
                refusal = "a result that is still to be differentiated";
                return false;
            }
            result.node = node->name();
        }
        result.kind = Kind::Fresh;
        result.offset = found->offset;
        result.shape = x.shape();
        result.dtype = x.dtype();
        result.requires_grad = x->requires_grad;
        const auto memory =
            std::find_if(result_memory_.begin(), result_memory_.end(),
                         [&](const ResultMemory& known) { return known.region == found->region; });
        result.index = static_cast<size_t>(memory - result_memory_.begin());
        if (memory == result_memory_.end())
            result_memory_.push_back({found->region, x.storage()->bytes()});
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

std::unique_ptr<ReplayProgram> ReplayProgram::make(Recording& recording, PyObject* result,
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
    std::unique_ptr<ReplayProgram> made(
        new ReplayProgram(std::move(recording.arguments_), recording.modes_));
    made->first_run_ = recording.first_run_;
    if (!made->read_outside(recording, refusal) || !made->read_result(recording, result, refusal))
        return nullptr;
    std::vector<char> expected(recorder.region_count());
    for (const ResultMemory& memory : made->result_memory_) expected[memory.region] = 1;
    for (const Outside& outside : made->outside_)
        if (outside.grad == Grad::Replaced) {
            if (expected[outside.grad_region]) {
                refusal = "a gradient that is something else, too";
                return nullptr;
            }
            expected[outside.grad_region] = 1;
        }
    for (RegionId region = 0; region < recorder.region_count(); ++region)
        if (recorder.is_fresh(region) && recorder.is_alive(region) && !expected[region]) {
            refusal = "a tensor that is kept somewhere although it is not returned";
            unsettled = true;
            return nullptr;
        }
    for (DictGuard& dict : recording.dicts_) dict.forget_changed();
    made->dicts_ = std::move(recording.dicts_);
    made->arguments_.forget_tensors();
    made->program_ = recorder.finish();
    for (Outside& outside : made->outside_) {
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

// Tensors that shared memory when it was recorded, have to share it in each run.
bool ReplayProgram::shares_as_recorded(const std::vector<Tensor>& tensors) const {
    for (size_t i = 1; i < outside_.size(); ++i)
        for (size_t j = 0; j < i; ++j) {
            if (outside_[j].region != outside_[i].region) continue;
            if (tensor_of(outside_[i], tensors)->data - outside_[i].offset !=
                tensor_of(outside_[j], tensors)->data - outside_[j].offset)
                return false;
            break;
        }
    return true;
}

bool ReplayProgram::holds(const std::vector<Tensor>& tensors) const {
    for (const Outside& outside : outside_)
        if (!fits(outside, tensors)) return false;
    if (!shares_as_recorded(tensors)) return false;
    for (const DictGuard& dict : dicts_)
        if (!dict.holds()) return false;
    return !overlaps(tensors);
}

std::string ReplayProgram::broken_guard(const std::vector<Tensor>& tensors) const {
    for (const Outside& outside : outside_)
        if (!fits(outside, tensors)) {
            const TensorImpl* x = tensor_of(outside, tensors);
            if (x && static_cast<bool>(x->grad) != outside.has_grad)
                return outside.has_grad ? "a .grad that is None now" : "a .grad that was None";
            return "a tensor from outside that has another layout, or requires_grad";
        }
    for (const DictGuard& dict : dicts_)
        if (const py::object key = dict.changed_key())
            return "the attribute or option " + std::string(py::str(key)) + ", which was changed";
    if (!shares_as_recorded(tensors)) return "tensors that shared memory, and do not any more";
    if (overlaps(tensors)) return "arguments whose memory overlaps";
    return {};
}

// -------------------------------------------------------------------------------------- running

PyObject* ReplayProgram::run(const std::vector<Tensor>& tensors) {
    std::unique_ptr<replay::Workspace> workspace;
    if (idle_.empty()) {
        workspace = std::make_unique<replay::Workspace>(program_);
    } else {
        workspace = std::move(idle_.back());
        idle_.pop_back();
    }
    // Tensors from outside stay while the program runs, whatever other threads do meanwhile.
    SmallVector<Ref<Storage>, 16> held;
    for (const Outside& outside : outside_) {
        if (!outside.used) continue;
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
    idle_.push_back(std::move(workspace));
    size_t next_grad = 0;
    for (const Outside& outside : outside_) {
        TensorImpl* x = const_cast<TensorImpl*>(tensor_of(outside, tensors));
        if (x) x->storage->bump_version_by(outside.bumps);
    }
    for (const Outside& outside : outside_) {
        if (outside.grad == Grad::Unchanged) continue;
        TensorImpl* x = const_cast<TensorImpl*>(tensor_of(outside, tensors));
        if (outside.grad == Grad::Cleared) x->grad.reset();
        else x->grad = Ref<TensorImpl>(grads[next_grad++].impl());
    }
    size_t at = 0;
    return build(at, tensors, memory).release().ptr();
}

py::object ReplayProgram::build(size_t& at, const std::vector<Tensor>& tensors,
                                const std::vector<Ref<Storage>>& memory) const {
    const Result& result = results_[at++];
    switch (result.kind) {
        case Result::Kind::Fresh: {
            const Ref<Storage>& storage = memory[result.index];
            Tensor x(new TensorImpl(result.shape, result.dtype, storage,
                                    storage->data() + result.offset, modes_.inference));
            if (!result.node.empty()) set_history(x, Ref<Node>(new UsedNode(result.node)));
            x->requires_grad = result.requires_grad;
            return py::reinterpret_steal<py::object>(wrap(std::move(x)));
        }
        case Result::Kind::Outside:
            return py::reinterpret_steal<py::object>(
                wrap(Tensor(const_cast<TensorImpl*>(tensor_of(outside_[result.index], tensors)))));
        case Result::Kind::Value: return result.object;
        case Result::Kind::Dict: {
            py::dict items;
            for (size_t i = 0; i < result.count; ++i)
                items[PyList_GET_ITEM(result.object.ptr(), static_cast<Py_ssize_t>(i))] =
                    build(at, tensors, memory);
            return items;
        }
        default: {
            py::list items(result.count);
            for (size_t i = 0; i < result.count; ++i) items[i] = build(at, tensors, memory);
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
    return 0;
}

}  // namespace tapegrad::python
