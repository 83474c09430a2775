// What is watched while a function is recorded.
#include "autograd/engine.h"
#include "autograd/variable.h"
#include "python/dispatch.h"
#include "python/replay.h"
#include "python/replay_program.h"
#include "python/tensor_object.h"

namespace tapegrad::python {

namespace {

thread_local Recording* current_recording = nullptr;

}  // namespace

Modes current_modes() { return {thread_state.grad_enabled, inference_mode(), default_float_type}; }

class Recording::Writes final : public WriteWatch {
public:
    explicit Writes(replay::Recorder& recorder) : recorder_(recorder) {
        thread_state.write_watch = this;
    }
    ~Writes() { thread_state.write_watch = nullptr; }
    void about_to_write(const Tensor& tensor) override {
        if (is_replay_recorded()) recorder_.expect_write(tensor);  // else it is part of a step
    }

private:
    replay::Recorder& recorder_;
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

}  // namespace tapegrad::python
