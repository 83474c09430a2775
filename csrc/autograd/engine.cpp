#include "autograd/engine.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <unordered_map>

#include "autograd/accumulate_grad.h"
#include "autograd/anomaly.h"
#include "autograd/block_program.h"
#include "autograd/node_timer.h"
#include "autograd/variable.h"
#include "replay/recorder.h"

namespace tapegrad {

thread_local NodeTimer* node_timer __attribute__((tls_model("initial-exec"))) = nullptr;

void (*run_on_new_thread)(void (*f)(void* context), void* context) = nullptr;

[[gnu::noinline]] void add_gradient(Tensor& into, Tensor grad) {
    const replay::Doing doing("sum of gradients");
    if (grad_enabled() && (into.requires_grad() || grad.requires_grad())) {
        into = tape_operations.add(into, grad);
        return;
    }
    if (same_sizes(into.shape(), grad.shape()) && into.dtype() == grad.dtype()) {
        if (is_sole_owner(into) && into.is_contiguous())
            return tape_operations.add_in_place(into, grad);
        if (is_sole_owner(grad) && grad.is_contiguous()) {
            tape_operations.add_in_place(grad, into);
            into = std::move(grad);
            return;
        }
    }
    GradMode off(false);
    into = tape_operations.add(into, grad);
}

namespace {

uint64_t run_counter = 0;
// The run that keeps its marks inside the nodes. Runs that start while it is active (from hooks, or on
// other threads) keep theirs in a table of their own.
uint64_t owner_run = 0;

// Runs inside of runs share a stack, and Python's limit of recursion with it, up to this many.
constexpr int kRunsOnOneStack = 60;

class Run;
thread_local Run* active_run __attribute__((tls_model("initial-exec"))) = nullptr;

class Run {
public:
    Run(std::span<const Edge> roots, std::span<const Edge> inputs, const BackwardOptions& options)
        : id_(++run_counter),
          in_nodes_(owner_run == 0),
          roots_(roots),
          inputs_(inputs),
          options_(options) {
        if (in_nodes_) owner_run = id_;
        results_.resize(inputs.size());
        active_run = this;
        thread_state.unwanted_inputs = 0;
    }
    ~Run() {
        active_run = outer_;
        thread_state.unwanted_inputs = outer_unwanted_;
        if (!finished_) forget_gradients();
        if (in_nodes_) owner_run = 0;
    }

    TensorList run(TensorList& grads) {
        prepare();
        for (size_t i = 0; i < roots_.size(); ++i)
            if (grads[i].defined())
                deliver(roots_[i], progress_of(roots_[i].node.get()), std::move(grads[i]));
        for (const Edge& root : roots_) {
            Node::Progress& progress = progress_of(root.node.get());
            if (progress.dependencies == 0 && !is_queued(root.node.get())) push(root.node.get());
        }
        const Node* node = nullptr;
        try {
            for (;;) {
                if (Node* next = pop()) {
                    node = next;
                    evaluate(*next);
                } else if (collecting()) {
                    finish_program();
                } else {
                    break;
                }
            }
        } catch (Error& error) {
            if (node && node->site && error.notes.empty()) error.notes = {failure_of(*node)};
            throw;
        } catch (...) {
            if (node && node->site && annotate_foreign_error)
                annotate_foreign_error(failure_of(*node));
            throw;
        }
        finished_ = true;
        return std::move(results_);
    }

    uint64_t id() const { return id_; }
    int depth() const { return depth_; }
    bool executes(const Node* node) {
        Node* reachable = const_cast<Node*>(node);
        if (!reached(reachable)) return false;
        if (progress_of(reachable).needed) return true;
        return is_input(*node);
    }
    // Also every run around this one.
    bool is_full() const { return inputs_.empty() && (!outer_ || outer_->is_full()); }

private:
    static std::string failure_of(const Node& node) {
        return "in the backward pass of " + node.place();
    }
    static bool earlier(const Node* a, const Node* b) { return a->sequence < b->sequence; }

    Node::Progress& progress_of(Node* node) {
        if (in_nodes_) return node->progress;
        return table_[node];
    }
    bool reached(Node* node) {
        return in_nodes_ ? node->progress.run == id_ : table_.contains(node);
    }
    bool is_queued(Node* node) {
        return latest_ == node || std::find(ready_.begin(), ready_.end(), node) != ready_.end();
    }

    Node::Progress& reach(Node* node) {
        Node::Progress& progress = progress_of(node);
        progress.run = id_;
        progress.dependencies = 0;
        progress.needed = inputs_.empty();
        if (!progress.grads.empty()) progress.grads.clear();
        return progress;
    }

    bool is_beyond(const Node& node) const { return node.sequence < options_.first_sequence; }

    // Counts how many gradients each node will receive.
    void prepare() {
        SmallVector<Node*, 16> stack;
        for (const Edge& root : roots_) {
            if (reached(root.node.get())) continue;
            reach(root.node.get());
            stack.push_back(root.node.get());
            while (!stack.empty()) {
                Node* node = stack.pop_back();
                for (const Edge& edge : node->edges) {
                    Node* next = edge.node.get();
                    if (!next || is_beyond(*next)) continue;
                    if (!reached(next)) {
                        reach(next);
                        stack.push_back(next);
                    }
                    ++progress_of(next).dependencies;
                }
            }
        }
        if (!inputs_.empty()) mark_needed();
    }

    // A node is needed if it, or anything behind it, leads to an input.
    void mark_needed() {
        for (const Edge& input : inputs_)
            if (options_.accumulate && input.node && reached(input.node.get()))
                progress_of(input.node.get()).needed = true;
        struct Visit {
            Node* node;
            size_t next;
        };
        std::vector<Visit> stack;
        std::unordered_map<Node*, bool> leads;  // visited, and the answer
        for (const Edge& input : inputs_) leads[input.node.get()] = true;
        std::unordered_map<Node*, bool> seen;
        for (const Edge& root : roots_) {
            if (seen.contains(root.node.get())) continue;
            seen[root.node.get()] = true;
            stack.push_back({root.node.get(), 0});
            while (!stack.empty()) {
                Visit& visit = stack.back();
                Node* node = visit.node;
                if (visit.next < node->edges.size()) {
                    Node* next = node->edges[visit.next++].node.get();
                    if (next && !is_beyond(*next) && !seen.contains(next)) {
                        seen[next] = true;
                        stack.push_back({next, 0});
                    }
                    continue;
                }
                stack.pop_back();
                for (const Edge& edge : node->edges) {
                    auto found = edge.node ? leads.find(edge.node.get()) : leads.end();
                    if (found != leads.end() && found->second) {
                        leads[node] = true;
                        // An input's own node runs only for the sake of inputs behind it.
                        progress_of(node).needed = true;
                        break;
                    }
                }
            }
        }
    }

    // The latest node is at hand; the heap has the others, of which there are none in a chain.
    void push(Node* node) {
        if (!latest_ && (ready_.empty() || earlier(ready_[0], node))) latest_ = node;
        else keep_for_later(node);
    }
    [[gnu::noinline]] void keep_for_later(Node* node) {
        if (latest_ && earlier(latest_, node)) std::swap(node, latest_);
        ready_.push_back(node);
        std::push_heap(ready_.begin(), ready_.end(), earlier);
    }
    Node* pop() {
        Node* node = std::exchange(latest_, nullptr);
        if (node || ready_.empty()) return node;
        std::pop_heap(ready_.begin(), ready_.end(), earlier);
        return ready_.pop_back();
    }

    [[gnu::always_inline]] void deliver(const Edge& edge, Node::Progress& progress, Tensor grad) {
        GradList& grads = progress.grads;
        const size_t count = edge.node->results.size();
        if (!grads.empty()) {
            accumulate(grads[edge.nr], std::move(grad));
        } else if (count == 1) {
            grads.push_back(std::move(grad));
        } else {
            grads.resize(count);
            grads[edge.nr] = std::move(grad);
        }
    }
    [[gnu::noinline]] void accumulate(Tensor& into, Tensor grad) {
        if (into.defined() && collecting() && (is_pending(into) || is_pending(grad))) {
            if (program_->fits(into) && program_->fits(grad)) {
                const BlockProgram::Value both[] = {program_->operand(into),
                                                    program_->operand(grad)};
                into = program_->append(tape_operations.add_kernel(into.dtype()), both);
                return;
            }
            finish_program();
        }
        if (into.defined()) add_gradient(into, std::move(grad));
        else into = std::move(grad);
    }

    // Large gradients that pass through several element-wise nodes in a row are computed block by block:
    // the work of such a node is left to a program, until a node of another kind comes.
    bool collecting() const { return program_ && !program_->empty(); }
    static bool is_large(const GradList& grads) {
        return !grads.empty() && grads[0].defined() &&
               grads[0].numel() > BlockProgram::kFewElements;
    }

    // Adds the node to the program; false if it is of another kind.
    [[gnu::noinline]] bool append(Node& node, const GradList& grads) {
        if (grads.size() != 1 || !is_large(grads) || node.extras_ || !progress_of(&node).needed ||
            grad_enabled() || thread_state.anomaly || timer_ || is_replay_recorded())
            return false;
        if (is_input(node)) return false;
        const Tensor& grad = grads[0];
        for (const Edge& edge : node.edges)
            if (edge.node && !is_fit(grad, edge.node->results[edge.nr])) return false;
        if (!program_) program_.emplace();
        if (collecting() && (program_->full() || !program_->fits(grad))) finish_program();
        if (!program_->fits(grad)) return false;
        mark_unwanted(node);
        const bool appended = node.append_backward(*program_, grad, gradients_);
        thread_state.unwanted_inputs = 0;
        if (appended && !options_.keep_graph) node.release_saved();
        return appended;
    }

    // A leaf can wait for the program that computes its gradient, unless a hook is to see it in time.
    static bool is_plain_leaf(const Node& node) {
        const auto* leaf = dynamic_cast<const AccumulateGrad*>(&node);
        if (!leaf || leaf->extras_) return false;
        return !extra_of(leaf->variable())->accumulate_hook;
    }

    void finish_program() {
        program_->finish();
        for (Node* leaf : waiting_) push(leaf);
        waiting_.clear();
    }

    void evaluate(Node& node) {
        Node::Progress& progress = progress_of(&node);
        GradList& grads = progress.grads;  // nothing more is delivered to this node
        if (grads.empty()) grads.resize(node.results.size());
        const size_t count = node.edges.size();
        if (gradients_.size() != count) gradients_.resize(count);
        bool appended = false;
        if (collecting() || is_large(grads)) [[unlikely]] {
            if (collecting() && is_plain_leaf(node)) return waiting_.push_back(&node);
            appended = append(node, grads);
            if (!appended && collecting()) {
                // The leaves that waited come first: hooks of this node may look at their gradients.
                finish_program();
                return push(&node);
            }
        }
        if (!appended) differentiate(node, grads, progress.needed);
        grads.clear();
        pass_on(node);
    }

    static bool any_defined(const GradList& grads) {
        for (const Tensor& grad : grads)
            if (grad.defined()) return true;
        return false;
    }

    void differentiate(Node& node, GradList& grads, bool needed) {
        if (node.extras_ && (needed || is_input(node))) [[unlikely]]
            run_result_hooks(node, grads);
        if (!options_.accumulate) {
            for (size_t i = 0; i < inputs_.size(); ++i)
                if (inputs_[i].node.get() == &node) capture(i, grads);
        }
        if (!needed) return;
        if (node.extras_) [[unlikely]]
            run_with_hooks(node, grads);
        else run(node, grads);
        if (!options_.keep_graph) node.release_saved();
    }

    [[gnu::noinline]] void run_with_hooks(Node& node, GradList& grads) {
        if (const Ref<NodePreHook> hook = node.extras_->pre_hook) hook->call(grads);
        const GradList kept = node.extras_->post_hook ? grads : GradList();
        run(node, grads);
        const Ref<NodePostHook> hook = node.extras_->post_hook;
        if (!hook) return;
        for (size_t i = 0; i < node.edges.size(); ++i)
            if (node.edges[i].node && gradients_[i].defined()) make_fit(node, i, gradients_[i]);
        hook->call(gradients_, kept);
    }

    [[gnu::always_inline]] void run(Node& node, GradList& grads) {
        if (!any_defined(grads) && !node.accepts_undefined()) return;
        mark_unwanted(node);
        if (thread_state.anomaly || watched_) [[unlikely]]
            run_watched(node, grads);
        else node.backward(grads, gradients_);
        thread_state.unwanted_inputs = 0;
    }
    [[gnu::noinline]] void run_watched(Node& node, GradList& grads) {
        const replay::Doing doing(node.name());
        const auto now = [] {
            using namespace std::chrono;
            return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
        };
        const int64_t start = now();
        if (thread_state.anomaly) run_with_anomaly_checks(node, grads, gradients_);
        else node.backward(grads, gradients_);
        if (timer_) timer_->ran(node, start, now());
    }

    void mark_unwanted(const Node& node) {
        if (!inputs_.empty()) thread_state.unwanted_inputs = unwanted_ = unwanted_inputs(node);
    }
    // Inputs that lead to nothing that was asked for need no gradient.
    uint64_t unwanted_inputs(const Node& node) {
        uint64_t mask = 0;
        for (size_t i = 0; i < node.edges.size() && i < 64; ++i) {
            Node* next = node.edges[i].node.get();
            if (!next) continue;
            if (is_beyond(*next) || (!progress_of(next).needed && !is_input(node.edges[i])))
                mask |= uint64_t{1} << i;
        }
        return mask;
    }
    bool is_input(const Node& node) const {
        for (const Edge& input : inputs_)
            if (input.node.get() == &node) return true;
        return false;
    }
    bool is_input(const Edge& edge) const {
        for (const Edge& input : inputs_)
            if (input.node == edge.node && input.nr == edge.nr) return true;
        return false;
    }

    void capture(size_t input, GradList& grads) {
        const Edge& edge = inputs_[input];
        if (edge.nr >= grads.size()) return;
        results_[input] = grads[edge.nr];
    }

    void run_result_hooks(Node& node, GradList& grads) {
        NodeExtras& extras = *node.extras_;
        const size_t count = extras.result_hooks.size();  // not those that hooks register meanwhile
        for (size_t i = 0; i < count && i < extras.result_hooks.size(); ++i) {
            const NodeExtras::ResultHook hook = extras.result_hooks[i];
            if (hook.nr >= grads.size() || !grads[hook.nr].defined()) continue;
            if (Tensor changed = hook.hook->call(grads[hook.nr]); changed.defined())
                grads[hook.nr] = std::move(changed);
        }
        for (const NodeExtras::Retained& retained : extras.retained) {
            if (!retained.slot->tensor || retained.nr >= grads.size() ||
                !grads[retained.nr].defined())
                continue;
            Tensor variable(retained.slot->tensor);
            const Tensor& grad = grads[retained.nr];
            variable->grad =
                Ref<TensorImpl>((variable->grad ? tape_operations.add(variable.grad(), grad)
                                                : tape_operations.clone_like(grad, variable))
                                    .impl());
        }
    }

    static bool is_fit(const Tensor& grad, const ResultInfo& info) {
        return grad.dtype() == info.dtype && same_sizes(grad.shape(), info.shape);
    }
    // Makes a gradient fit the result that it belongs to: sums what broadcasting repeated.
    static void make_fit(const Node& node, size_t index, Tensor& grad) {
        const Edge& edge = node.edges[index];
        const ResultInfo& info = edge.node->results[edge.nr];
        if (!same_sizes(grad.shape(), info.shape)) {
            if (!is_expandable_to(info.sizes(), grad.sizes()))
                fail("Function ", node.name(), " returned an invalid gradient at index ", index,
                     " - got ", to_string(grad.sizes()), " but expected shape compatible with ",
                     to_string(info.sizes()));
            grad = tape_operations.sum_to(grad, info.sizes());
        }
        if (grad.dtype() != info.dtype) grad = tape_operations.cast(grad, info.dtype);
    }

    // Hands the gradients to the next nodes; those that wait for no other become ready.
    void pass_on(Node& node) {
        const Edge* const edges = node.edges.data();
        const size_t count = node.edges.size();
        Tensor* const gradients = gradients_.data();
        for (size_t i = 0; i < count; ++i) {
            const Edge& edge = edges[i];
            Tensor& grad = gradients[i];
            if (!edge.node || (unwanted_ && i < 64 && unwanted_ >> i & 1)) grad.reset();
            if (!edge.node) continue;
            if (is_beyond(*edge.node)) [[unlikely]] {
                grad.reset();
                continue;
            }
            Node::Progress& progress = progress_of(edge.node.get());
            if (grad.defined()) {
                if (!is_fit(grad, edge.node->results[edge.nr])) make_fit(node, i, grad);
                deliver(edge, progress, std::move(grad));
            }
            if (--progress.dependencies == 0) push(edge.node.get());
        }
    }

    // After an error: gradients that were on their way are dropped.
    void forget_gradients() noexcept {
        if (!in_nodes_) return;
        std::vector<Node*> stack;
        for (const Edge& root : roots_) stack.push_back(root.node.get());
        while (!stack.empty()) {
            Node* node = stack.back();
            stack.pop_back();
            if (node->progress.run != id_) continue;
            node->progress.run = 0;
            node->progress.grads.clear();
            for (const Edge& edge : node->edges)
                if (edge.node) stack.push_back(edge.node.get());
        }
    }

    const uint64_t id_;
    const bool in_nodes_;
    Run* const outer_ = active_run;
    NodeTimer* const timer_ = node_timer;
    const bool watched_ = timer_ || is_replay_recorded();
    const int depth_ = outer_ ? outer_->depth_ + 1 : 1;
    const uint64_t outer_unwanted_ = thread_state.unwanted_inputs;
    bool finished_ = false;
    std::span<const Edge> roots_;
    std::span<const Edge> inputs_;
    const BackwardOptions& options_;
    Node* latest_ = nullptr;        // of those that are ready
    SmallVector<Node*, 16> ready_;  // a heap of the others
    std::optional<BlockProgram> program_;
    SmallVector<Node*, 4> waiting_;  // leaves whose gradients it computes
    std::unordered_map<Node*, Node::Progress> table_;
    // Of the inputs of the node that runs, all undefined before and after; and which of these are
    // unwanted, as in ThreadState.
    TensorList gradients_;
    uint64_t unwanted_ = 0;
    TensorList results_;
};

}  // namespace

uint64_t latest_run() { return run_counter; }
uint64_t current_run() { return active_run ? active_run->id() : 0; }
bool current_run_executes(const Node* node) { return active_run && active_run->executes(node); }
bool current_run_is_full() { return !active_run || active_run->is_full(); }

const char* replay_obstacle(const Node& node, uint64_t first_sequence) {
    if (node.sequence < first_sequence) return "a backward pass through what was computed outside";
    const auto* leaf = dynamic_cast<const AccumulateGrad*>(&node);
    const NodeExtras* extras = node.extras_.get();
    const bool hooked = (extras && (!extras->result_hooks.empty() || extras->pre_hook ||
                                    extras->post_hook || !extras->retained.empty())) ||
                        (leaf && extra_of(leaf->variable())->accumulate_hook);
    return hooked ? "a hook on a gradient" : nullptr;
}

namespace {

// Tells a recording of what it cannot replay.
void note_backward(std::span<const Edge> roots, const TensorList& grads,
                   const BackwardOptions& options) {
    replay::Recorder& recorder = *replay::recorder();
    if (recorder.knows_graph) return;
    for (const Tensor& grad : grads) recorder.know(grad);
    if (options.keep_graph && !options.create_graph) recorder.keeps_graph = true;
    std::vector<Node*> nodes;
    for (const Edge& root : roots) nodes.push_back(root.node.get());
    each_node(std::move(nodes), [&](Node& node) {
        if (node.sequence < options.first_sequence) return false;
        if (const char* reason = replay_obstacle(node, recorder.first_sequence))
            recorder.refuse(reason);
        return true;
    });
}

}  // namespace

TensorList run_backward(std::span<const Edge> roots, TensorList grads, std::span<const Edge> inputs,
                        const BackwardOptions& options) {
    if (is_replay_recorded()) [[unlikely]]
        note_backward(roots, grads, options);
    GradMode mode(options.create_graph);
    struct SiteOfCall {
        ~SiteOfCall() {
            thread_state.backward_site = before;
            thread_state.cuts_to_note = cuts_before;
        }
        const Site before = std::exchange(thread_state.backward_site, current_site());
        const uint8_t cuts_before = std::exchange(thread_state.cuts_to_note, uint8_t{0});
    } site_of_call;
    const auto run = [&] { return Run(roots, inputs, options).run(grads); };
    if (!active_run || active_run->depth() % kRunsOnOneStack != 0 || !run_on_new_thread)
        return run();
    struct Call {
        decltype(run)& function;
        const ThreadState state = thread_state;
        const bool inference = inference_tensors;
        Run* const outer = active_run;
        TensorList results = {};
        std::exception_ptr error = nullptr;
    } call{run};
    run_on_new_thread(
        [](void* context) {
            Call& given = *static_cast<Call*>(context);
            thread_state = given.state;
            inference_tensors = given.inference;
            active_run = given.outer;
            try {
                given.results = given.function();
            } catch (...) {
                given.error = std::current_exception();
            }
        },
        &call);
    if (call.error) std::rethrow_exception(call.error);
    return std::move(call.results);
}

}  // namespace tapegrad
