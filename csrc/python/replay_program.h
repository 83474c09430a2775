// A recorded program with what it needs of Python: whom it is for, what it changes, and what it returns.
#pragma once

#include <pybind11/pytypes.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/node.h"
#include "python/replay_guards.h"
#include "replay/recorder.h"

namespace tapegrad::python {

// The state of a thread that decides what operators do.
struct Modes {
    bool grad, inference;
    DType default_dtype;
    bool operator==(const Modes&) const = default;
};
Modes current_modes();

// A call of a function of Python.
struct CompiledCall {
    PyObject* function;
    PyObject* const* args;
    size_t count;
    PyObject* names;
};

// While it lives, what the thread computes is recorded.
class Recording {
public:
    // arguments: the tensors among those of the function.
    Recording(PyObject* function, const std::vector<Tensor>& arguments);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    static Recording* current() noexcept;

    void know_dict(PyObject* dict);
    void free_key(PyObject* dict, PyObject* key);
    replay::Recorder& recorder() { return recorder_; }

private:
    friend class ReplayProgram;
    class Writes;

    const std::vector<Tensor> arguments_;
    const Modes modes_;
    const uint64_t first_run_;
    replay::Recorder recorder_;
    FunctionGuard function_;
    std::vector<DictGuard> dicts_;
    std::unique_ptr<Writes> writes_;
    Recording* const outer_;
};

class ReplayProgram : public std::enable_shared_from_this<ReplayProgram> {
public:
    // Of a recording that ended with this result; refuses where it cannot be replayed (see refusal). Tensors that
    // live on in Python although they are no result are reported as unsettled: another recording may do without.
    static std::shared_ptr<ReplayProgram> make(Recording& recording, PyObject* result,
                                               std::string& refusal, bool& unsettled);

    // Whether what the program takes for granted is so; tensors: those among the arguments.
    bool holds(const std::vector<Tensor>& tensors) const;
    std::string broken_guard(const std::vector<Tensor>& tensors) const;
    // call: what would compute the same as it is, for derivatives of second order.
    PyObject* run(const std::vector<Tensor>& tensors, const CompiledCall& call);

    const replay::Program& program() const { return program_; }
    size_t guard_count() const { return outside_.size() + dicts_.size(); }
    int traverse(visitproc visit, void* arg) const;

private:
    enum class Grad : uint8_t { Unchanged, Cleared, Replaced };
    // A tensor from outside of the program.
    struct Outside {
        Ref<TensorImpl> tensor;  // null: an argument, or the gradient of another
        int argument = -1;
        int owner = -1;  // whose gradient it is
        replay::RegionId region;
        int64_t offset;  // of the first element in the region
        Ref<Shape> shape;
        DType dtype;
        bool requires_grad, has_grad;
        uint32_t bumps;
        Grad grad = Grad::Unchanged;
        replay::RegionId grad_region = 0;
        Ref<Shape> grad_shape;
        bool shares_region = false;  // with one before it
        bool used = false, written = false, saved = false;
    };
    struct Result {
        enum class Kind : uint8_t {
            Fresh,
            Again,
            Outside,
            Gradient,  // new, of what is outside
            Value,
            Tuple,
            List,
            Dict
        } kind;
        // Of what is outside, of the memory, or of the result that is there again.
        size_t index = 0;
        int64_t offset = 0;
        Ref<Shape> shape;
        DType dtype = DType::Bool;
        bool requires_grad = false;
        bool is_differentiated = false;  // its gradient is given to the second part
        std::string node;   // else the name of the node that made it, whose graph is gone
        py::object object;  // type, value, or keys
        size_t count = 0;
    };
    struct ResultMemory {
        replay::RegionId region;
        size_t bytes;
        bool saved = false;  // for the second part
    };
    // What the second part takes and gives: gradients of results, and of tensors from outside.
    struct Gradient {
        size_t index;  // of the result, or of what is outside
        replay::RegionId region;
        Ref<Shape> shape;
        DType dtype;
    };
    class Backward;
    // By number of the result; null where it is no tensor.
    using BuiltTensors = SmallVector<PyObject*, 8>;

    ReplayProgram(FunctionGuard function, Modes modes)
        : function_(std::move(function)),
          modes_(modes) {}
    bool read_outside(Recording& recording, std::string& refusal);
    bool read_result(Recording& recording, PyObject* object, std::string& refusal);
    bool record_backward(Recording& recording, std::string& refusal);
    std::unique_ptr<replay::Workspace> take_workspace();
    void collect_differentiated(PyObject* result, size_t& at, std::vector<Tensor>& found) const;
    const TensorImpl* tensor_of(const Outside& outside, const std::vector<Tensor>& tensors) const;
    bool fits(const Outside& outside, const std::vector<Tensor>& tensors) const;
    bool lie_as_before(const std::vector<Tensor>& tensors) const;
    bool overlaps(const std::vector<Tensor>& tensors) const;
    bool reads_grad_of(const Outside& owner) const;
    py::object build(size_t& at, const std::vector<Tensor>& tensors,
                     const std::vector<Ref<Storage>>& memory, const Ref<Node>& backward,
                     BuiltTensors& built) const;

    FunctionGuard function_;
    Modes modes_;
    replay::Program program_;
    std::vector<Outside> outside_;
    std::vector<DictGuard> dicts_;
    std::vector<Result> results_;
    std::vector<ResultMemory> result_memory_;
    std::vector<Gradient> given_, found_;
    // While it is made: the results that are to be differentiated, and the nodes of those that cannot be.
    std::vector<Tensor> differentiated_;
    std::vector<Ref<Node>> used_;
    std::vector<std::unique_ptr<replay::Workspace>> idle_;
    uint64_t first_run_ = 0;
};

}  // namespace tapegrad::python
