// The tape: a Node for each recorded operation, joined by edges that lead from results to inputs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/grad_mode.h"
#include "core/refcount.h"
#include "core/scalar.h"
#include "core/site.h"
#include "core/small_vector.h"
#include "core/tensor.h"

namespace tapegrad {

class BlockProgram;
class Node;
struct NodeExtras;
class SavedTensor;

using TensorList = SmallVector<Tensor, 3>;
using GradList = SmallVector<Tensor, 1>;  // of the results of a node, most of which have one

// Where a gradient goes: the nr-th result of node.
struct Edge {
    Ref<Node> node;
    uint32_t nr = 0;
    explicit operator bool() const noexcept { return static_cast<bool>(node); }
};

// What a gradient of a result must look like.
struct ResultInfo {
    Ref<Shape> shape;
    DType dtype;
    const Dims& sizes() const noexcept { return shape->sizes; }
};

// What a node shows of its saved values under its _saved_* names.
class SavedVisitor {
public:
    virtual void tensor(const char* name, const SavedTensor& value) = 0;
    virtual void value(const char* name, double value) = 0;
    virtual void value(const char* name, int64_t value) = 0;
    virtual void value(const char* name, bool value) = 0;
    virtual void value(const char* name, const Dims& value) = 0;
    virtual void value(const char* name, const std::string& value) = 0;
    void value(const char* name, const Scalar& number) {
        if (number.is_floating()) value(name, number.to_double());
        else value(name, number.to_int());
    }

protected:
    ~SavedVisitor() = default;
};

class Node : public Counted {
public:
    // With the edges to its first inputs, up to two.
    template <class... Edges>
    explicit Node(Edges... first) noexcept
        : sequence(next_sequence++),
          edges(std::in_place, std::move(first)...) {
        ++live_count;
        const Origin origin = current_origin();
        site = origin.site;
        module = origin.module;
    }

    // PyTorch's name of the operation's derivative: "TanhBackward0". Nodes that stand for no operator have a
    // namespace before it, which the Python type leaves out: "tapegrad::autograd::CopySlices".
    virtual const char* name() const noexcept = 0;
    // grads has the gradient of each result (undefined: zero). Fills in the gradient of each input whose
    // edge is valid; undefined again means zero. grads may be moved from.
    virtual void backward(GradList& grads, TensorList& inputs) = 0;
    // The other direction: from the tangents of the inputs (undefined: zero), which may be moved from, to those
    // of the results, as many as there are. Without a rule of its own it differentiates backward() by the
    // gradient that that takes.
    virtual void forward(TensorList& tangents, GradList& of_results);
    // For a large gradient of the only result that is not recorded: adds the operations to a program instead
    // of doing them, if they are element-wise and all operands lie in memory as the gradient does. Adds
    // nothing where it returns false.
    virtual bool append_backward(BlockProgram&, const Tensor& /*grad*/, TensorList& /*inputs*/) {
        return false;
    }
    // Lets go of saved values; unpacking them afterwards raises.
    virtual void release_saved() {}
    // Whether backward wants to run although no gradient arrived.
    virtual bool accepts_undefined() const noexcept { return false; }
    // The operation, as PyTorch names it in messages: "Tanh" of TanhBackward0, "Sum1" of SumBackward1.
    std::string operation() const;
    Origin origin() const noexcept { return {site, module}; }
    // "Tanh at train.py:12, in step: y = x.tanh()"; without a line where that is unknown.
    std::string place() const;
    // The derivative as text; empty where there is no formula.
    virtual std::string formula() const { return {}; }
    virtual void visit_saved(SavedVisitor&) const {}

    void add_edge(Edge edge) { edges.emplace_back(std::move(edge)); }
    bool has_edge(size_t input) const noexcept { return static_cast<bool>(edges[input].node); }
    // Whether the run that is executing this node asks for the gradient of an input. Only for backward().
    bool wants(size_t input) const noexcept {
        return edges[input].node && !(input < 64 && thread_state.unwanted_inputs >> input & 1);
    }
    // Registers one more result; its number is returned.
    uint32_t add_result(const Tensor& tensor) {
        const size_t number = results.size();
        if (number >> TensorImpl::kOutputBits) [[unlikely]]
            refuse_result();
        results.emplace_back(tensor.shape(), tensor.dtype());
        return static_cast<uint32_t>(number);
    }
    NodeExtras& extras();
    // The wrapper, while there is one (not owned).
    void* python_object() const noexcept;
    void set_python_object(void* object);

    static void* operator new(size_t size) { return Pool::take(size); }
    static void operator delete(void* memory, size_t size) noexcept { Pool::give(memory, size); }

    // Small members fill gaps between others: the node is two lines of the cache.
    Site site;  // of the call that made the node
    union {
        uint64_t sequence;  // later operations have larger numbers
        Node* next_dead;    // of what waits to be deleted
    };
    SmallVector<Edge, 2> edges;
    SmallVector<ResultInfo, 1> results;
    struct DeleteExtras {
        void operator()(NodeExtras* extras) const noexcept;
    };
    std::unique_ptr<NodeExtras, DeleteExtras> extras_;  // hooks and the like: most nodes have none

    // The engine's marks; valid while run is the number of a current run.
    struct Progress {
        uint64_t run = 0;
        GradList grads;  // what has arrived for each result; empty: nothing
        int32_t dependencies = 0;
        bool needed = true;
    };
    [[no_unique_address]] Progress progress;

protected:
    // A node that sets this is asked, instead of being destroyed, whether it stays for another use.
    bool may_park = false;

public:
    uint16_t module;  // the one that was running then

    static inline int64_t live_count = 0;
    static inline uint64_t next_sequence = 0;

protected:
    ~Node() override;
    virtual bool park() noexcept { return false; }
    // Nodes die in a queue, not in each other's destructors: a chain of any length needs no stack.
    void destroy() noexcept final;

private:
    [[noreturn]] static void refuse_result();
};
static_assert(sizeof(Node) == 128);

// Hooks. The bindings implement them with Python callables.
class TensorHook : public Counted {
public:
    virtual Tensor call(const Tensor& grad) = 0;  // undefined: no change
};
class NodePreHook : public Counted {
public:
    virtual void call(GradList& grads) = 0;
};
class NodePostHook : public Counted {
public:
    virtual void call(TensorList& inputs, const GradList& grads) = 0;
};
class AccumulateHook : public Counted {
public:
    virtual void call(const Tensor& variable) = 0;
};

// Where retain_grad puts the gradient; emptied when the tensor goes first.
struct RetainSlot final : Counted {
    TensorImpl* tensor = nullptr;
};

struct NodeExtras {
    struct ResultHook {
        uint32_t nr;
        Ref<TensorHook> hook;
    };
    struct Retained {
        uint32_t nr;
        Ref<RetainSlot> slot;
    };
    std::vector<ResultHook> result_hooks;
    std::vector<Retained> retained;
    Ref<NodePreHook> pre_hook;  // one object serves all hooks of its kind
    Ref<NodePostHook> post_hook;
    Ref<Counted> forward_trace;  // anomaly mode: where the operation was called
    Ref<Counted> python_state;   // attributes of the Python object that outlive it
    void* python_object = nullptr;
};

inline void* Node::python_object() const noexcept {
    return extras_ ? extras_->python_object : nullptr;
}
inline void Node::set_python_object(void* object) { extras().python_object = object; }

// Called for each node made in anomaly mode; returns what describes the place of the call.
extern Ref<Counted> (*capture_forward_trace)();

}  // namespace tapegrad
