// Rules of operators that give several tensors, of which each has a gradient. The rule computes, from the
// gradients that arrived (undefined: zero) and from the operator's tensors and results, as functions of their
// own place on the tape, the gradients of its arguments:
//
//     struct Qr {
//         static constexpr auto node = "LinalgQrBackward0";
//         static constexpr std::array arguments{"self"};
//         static constexpr std::array results{"Q", "R"};
//         std::array<Tensor, 1> backward(const std::array<Tensor, 2>& g, const std::array<Tensor, 1>& x,
//                                        const std::array<Tensor, 2>& y) const;
//     };
//
// Results are saved unless the rule has saves_results = false, arguments by the bits of its uses_arguments. Those
// without a gradient of their own get none.
#pragma once

#include <array>

#include "ops/rule.h"

namespace tapegrad {

template <class Rule> class ResultsNode final : public Node {
    static constexpr size_t kArguments = Rule::arguments.size(), kResults = Rule::results.size();

public:
    template <class... Given>
    ResultsNode(Rule given, const Given&... inputs) : rule(std::move(given)) {
        static_assert(sizeof...(Given) == kArguments);
        (add_edge(rules::edge_of(inputs)), ...);
        if constexpr (requires { Rule::uses_arguments; }) {
            unsigned i = 0;
            const auto save = [&](const Tensor& x) {
                if (Rule::uses_arguments >> i & 1) saved_[i].save(x, false);
                ++i;
            };
            (save(inputs), ...);
        }
    }
    void save_results(const std::array<Tensor, kResults>& results) {
        if constexpr (!requires { Rule::saves_results; })
            for (size_t i = 0; i < kResults; ++i) results_[i].save(results[i], true);
    }
    const char* name() const noexcept override { return Rule::node; }
    void release_saved() override {
        for (SavedTensor& value : saved_) value.release();
        for (SavedTensor& value : results_) value.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        for (size_t i = 0; i < kArguments; ++i)
            rules::visit(visitor, Rule::arguments[i], saved_[i]);
        for (size_t i = 0; i < kResults; ++i) rules::visit(visitor, Rule::results[i], results_[i]);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        bool any = false;
        for (size_t i = 0; i < kArguments; ++i) any |= wants(i);
        if (!any) return;
        std::array<Tensor, kResults> g, y;
        std::array<Tensor, kArguments> x;
        for (size_t i = 0; i < kArguments; ++i) x[i] = saved_[i].unpack(*this);
        for (size_t i = 0; i < kResults; ++i) {
            g[i] = std::move(grads[i]);
            y[i] = results_[i].unpack(*this);
        }
        std::array<Tensor, kArguments> found = rule.backward(g, x, y);
        for (size_t i = 0; i < kArguments; ++i)
            if (wants(i)) inputs[i] = std::move(found[i]);
    }

    const Rule rule;

private:
    std::array<SavedTensor, kArguments> saved_;
    std::array<SavedTensor, kResults> results_;
};

// The results of an operator on some tensors, recorded if that is asked for.
template <class Rule, class... Given>
std::array<Tensor, Rule::results.size()> recorded_results(
    std::array<Tensor, Rule::results.size()> results, const Rule& rule, const Given&... given) {
    if (recording(given...)) {
        Ref<ResultsNode<Rule>> node(new ResultsNode<Rule>(rule, given...));
        for (const Tensor& result : results) set_history(result, node);
        node->save_results(results);
    }
    return results;
}

// The sum of two gradients, of which each may be missing.
inline Tensor sum_of_gradients(const Tensor& a, const Tensor& b) {
    return !a.defined() ? b : !b.defined() ? a : tape_operations.add(a, b);
}

}  // namespace tapegrad
