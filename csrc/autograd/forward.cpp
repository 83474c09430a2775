#include "autograd/forward.h"

#include <unordered_map>
#include <utility>

#include "autograd/engine.h"
#include "autograd/variable.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// As large as a result, and of its type.
Tensor fitted(Tensor tangent, const Dims& sizes, DType dtype) {
    if (tangent.dtype() != dtype) tangent = tape_operations.cast(tangent, dtype);
    return tangent.sizes() == sizes ? tangent : tape_operations.expand(tangent, sizes);
}

// Which gradients backward() computes that is called here.
class Wanted {
public:
    explicit Wanted(uint64_t inputs) : before_(thread_state.unwanted_inputs) {
        thread_state.unwanted_inputs = ~inputs;
    }
    ~Wanted() { thread_state.unwanted_inputs = before_; }
    Wanted(const Wanted&) = delete;
    Wanted& operator=(const Wanted&) = delete;

private:
    const uint64_t before_;
};

uint64_t bit(size_t input) { return input < 64 ? uint64_t{1} << input : 0; }

}  // namespace

void add_tangent(Tensor& sum, Tensor more) {
    if (!more.defined()) return;
    if (sum.defined()) add_gradient(sum, std::move(more));
    else sum = std::move(more);
}

namespace {

uint64_t moved_inputs(const TensorList& tangents) {
    uint64_t moved = 0;
    for (size_t i = 0; i < tangents.size(); ++i)
        if (tangents[i].defined()) moved |= bit(i);
    return moved;
}

// The Jacobian of a single number is one row for each input.
Tensor forward_by_row(Node& node, const TensorList& tangents) {
    const ResultInfo& result = node.results[0];
    GradList one{tape_operations.full(result.sizes(), 1, result.dtype)};
    TensorList rows(node.edges.size());
    {
        const Wanted wanted(moved_inputs(tangents));
        node.backward(one, rows);
    }
    Tensor sum;
    for (size_t i = 0; i < rows.size(); ++i)
        if (tangents[i].defined() && rows[i].defined())
            add_tangent(sum, tape_operations.sum_of_products(rows[i], tangents[i]));
    return sum;
}

}  // namespace

// The product of a gradient u with the Jacobian is linear in u: its derivative by u, in the direction of the
// tangents, is the product of the Jacobian with these.
void Node::forward(TensorList& tangents, GradList& of_results) {
    if (results.size() == 1 && results[0].shape->numel == 1) {
        of_results[0] = forward_by_row(*this, tangents);
        return;
    }
    const bool record = grad_enabled();
    const uint64_t first_sequence = next_sequence;  // of the nodes that lead to u
    GradList u(results.size());
    std::vector<Edge> ends;
    std::vector<size_t> numbers;
    TensorList products(edges.size());
    {
        const GradMode on(true);
        const Wanted wanted(moved_inputs(tangents));
        for (size_t k = 0; k < results.size(); ++k) {
            if (!is_floating(results[k].dtype)) continue;
            u[k] = tape_operations.full(results[k].sizes(), 0, results[k].dtype);
            set_requires_grad(u[k], true);
            ends.push_back(gradient_edge(u[k]));
            numbers.push_back(k);
        }
        if (ends.empty()) return;
        GradList given = u;
        backward(given, products);
    }
    std::vector<Edge> roots;
    TensorList gradients;
    for (size_t i = 0; i < products.size(); ++i) {
        if (!tangents[i].defined() || !products[i].defined() || !products[i].requires_grad())
            continue;
        roots.push_back(gradient_edge(products[i]));
        gradients.push_back(
            fitted(std::move(tangents[i]), products[i].sizes(), products[i].dtype()));
    }
    if (roots.empty()) return;
    TensorList found = run_backward(roots, std::move(gradients), ends,
                                    {.keep_graph = record,
                                     .create_graph = record,
                                     .accumulate = false,
                                     .first_sequence = first_sequence});
    for (size_t k = 0; k < numbers.size(); ++k) of_results[numbers[k]] = std::move(found[k]);
}

void forward_by_backward(Node& node, TensorList& tangents, GradList& of_results) {
    const ResultInfo& result = node.results[0];
    for (const Tensor& t : tangents)
        if (t.defined() && !is_expandable_to(t.sizes(), result.sizes())) {
            of_results[0] = forward_by_row(node, tangents);
            return;
        }
    Tensor sum;
    for (size_t i = 0; i < tangents.size(); ++i) {
        if (!tangents[i].defined()) continue;
        GradList given{fitted(std::move(tangents[i]), result.sizes(), result.dtype)};
        TensorList parts(node.edges.size());
        const Wanted wanted(bit(i));
        node.backward(given, parts);
        add_tangent(sum, std::move(parts[i]));
    }
    of_results[0] = std::move(sum);
}

// Finds the nodes between the inputs and the outputs, each after those that it follows from.
class Linearization::Builder {
public:
    Builder(Linearization& built, uint64_t first_sequence)
        : built_(built),
          first_sequence_(first_sequence) {
        for (uint32_t i = 0; i < built.inputs_.size(); ++i)
            seeds_.emplace(built.inputs_[i].node.get(), i);
        built.slot_count_ = static_cast<uint32_t>(built.inputs_.size());
    }

    uint32_t slot_of(const Edge& output) {
        if (!output) return kNone;
        if (seed_of(output) == kNone && !is_beyond(output)) visit(output.node);
        return known_slot(output);
    }

private:
    struct Visit {
        Ref<Node> node;
        size_t next = 0;
    };

    uint32_t seed_of(const Edge& edge) const {
        auto [at, end] = seeds_.equal_range(edge.node.get());
        for (; at != end; ++at)
            if (built_.inputs_[at->second].nr == edge.nr) return at->second;
        return kNone;
    }
    bool is_beyond(const Edge& edge) const { return edge.node->sequence < first_sequence_; }
    // Of an edge whose node has been visited, or need not be.
    uint32_t known_slot(const Edge& edge) const {
        if (const uint32_t seed = seed_of(edge); seed != kNone) return seed;
        if (is_beyond(edge)) return kNone;
        const uint32_t first = first_results_.at(edge.node.get());
        return first == kNone ? kNone : first + edge.nr;
    }

    void visit(const Ref<Node>& root) {
        std::vector<Visit> stack;
        const auto enter = [&](const Ref<Node>& node) {
            if (first_results_.emplace(node.get(), kNone).second) stack.push_back({node});
        };
        enter(root);
        while (!stack.empty()) {
            Visit& latest = stack.back();
            if (latest.next < latest.node->edges.size()) {
                const Edge& edge = latest.node->edges[latest.next++];
                if (edge && seed_of(edge) == kNone && !is_beyond(edge)) enter(edge.node);
                continue;
            }
            const Ref<Node> node = std::move(latest.node);
            stack.pop_back();
            add_step(node);
        }
    }
    void add_step(const Ref<Node>& node) {
        Step step{node, std::vector<Use>(node->edges.size()), built_.slot_count_};
        bool moves = false;
        for (size_t i = 0; i < node->edges.size(); ++i) {
            const Edge& edge = node->edges[i];
            if (!edge) continue;
            step.inputs[i].slot = known_slot(edge);
            moves |= step.inputs[i].slot != kNone;
        }
        if (!moves) return;
        first_results_[node.get()] = built_.slot_count_;
        built_.slot_count_ += static_cast<uint32_t>(node->results.size());
        built_.steps_.push_back(std::move(step));
    }

    Linearization& built_;
    const uint64_t first_sequence_;
    std::unordered_multimap<const Node*, uint32_t> seeds_;
    std::unordered_map<const Node*, uint32_t> first_results_;  // of the nodes that were visited
};

Linearization::Linearization(std::span<const Edge> outputs, std::span<const Edge> inputs,
                             uint64_t first_sequence)
    : inputs_(inputs.begin(), inputs.end()) {
    Builder builder(*this, first_sequence);
    for (const Edge& output : outputs) outputs_.push_back(builder.slot_of(output));
    mark_last_uses();
}

void Linearization::mark_last_uses() {
    std::vector<char> seen(slot_count_);
    const auto first_seen = [&](uint32_t slot) {
        return slot != kNone && !std::exchange(seen[slot], 1);
    };
    for (const uint32_t slot : outputs_) first_seen(slot);
    for (size_t s = steps_.size(); s-- > 0;)
        for (size_t i = steps_[s].inputs.size(); i-- > 0;) {
            Use& use = steps_[s].inputs[i];
            use.last = first_seen(use.slot);
        }
}

void Linearization::take_step(const Step& step, std::vector<Tensor>& slots) const {
    Node& node = *step.node;
    const size_t count = step.inputs.size();
    TensorList tangents(count);
    bool any = false;
    for (size_t i = 0; i < count; ++i) {
        const Use& use = step.inputs[i];
        if (use.slot == kNone) continue;
        tangents[i] = use.last ? std::move(slots[use.slot]) : slots[use.slot];
        any |= tangents[i].defined();
    }
    if (!any) return;
    GradList found(node.results.size());
    node.forward(tangents, found);
    for (size_t k = 0; k < found.size(); ++k)
        if (found[k].defined())
            slots[step.first_result + k] =
                fitted(std::move(found[k]), node.results[k].sizes(), node.results[k].dtype);
}

namespace {

// Tells a recording of what it cannot replay.
void note_forward(const Node& node, replay::Recorder& recorder) {
    if (node.sequence < recorder.first_sequence)
        recorder.refuse("a derivative of what was computed outside");
}

}  // namespace

TensorList Linearization::push(std::span<const Tensor> tangents, bool record) const {
    const GradMode mode(record);
    struct NoCuts {
        ~NoCuts() { thread_state.cuts_to_note = before; }
        const uint8_t before = std::exchange(thread_state.cuts_to_note, uint8_t{0});
    } no_cuts;
    std::vector<Tensor> slots(slot_count_);
    for (size_t i = 0; i < tangents.size(); ++i) {
        const ResultInfo& info = inputs_[i].node->results[inputs_[i].nr];
        if (tangents[i].defined()) slots[i] = fitted(tangents[i], info.sizes(), info.dtype);
        if (is_replay_recorded() && tangents[i].defined()) replay::recorder()->know(tangents[i]);
    }
    for (const Step& step : steps_) {
        if (is_replay_recorded()) [[unlikely]]
            note_forward(*step.node, *replay::recorder());
        const replay::Doing doing(step.node->name());
        try {
            take_step(step, slots);
        } catch (Error& error) {
            if (step.node->site && error.notes.empty())
                error.notes = {"in the derivative of " + step.node->place()};
            throw;
        }
    }
    TensorList results;
    for (const uint32_t slot : outputs_) results.push_back(slot == kNone ? Tensor() : slots[slot]);
    return results;
}

}  // namespace tapegrad
