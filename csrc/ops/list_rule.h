// Rules of operators that take a list of tensors: backward(g, i) is the gradient of the i-th one, forward(list,
// result) the tangent of the result. They are read as those of rule.h are; nothing is saved.
#pragma once

#include <string>
#include <vector>

#include "ops/rule.h"

namespace tapegrad {

template <class Rule> class ListRuleNode final : public Node {
public:
    ListRuleNode(Rule given, const std::vector<Tensor>& tensors) : rule(std::move(given)) {
        for (const Tensor& x : tensors) add_edge(x.is_floating() ? gradient_edge(x) : Edge{});
    }
    const char* name() const noexcept override { return Rule::node; }
    std::string formula() const override {
        std::string all;
        for (size_t i = 0; i < edges.size(); ++i)
            all += (i ? ", " : "") + rule.backward(rules::Text("grad"), i).s;
        return all;
    }
    void visit_saved(SavedVisitor& visitor) const override {
        rule.parameters([&](const auto&... pairs) { rules::show(visitor, pairs...); });
    }
    void backward(GradList& grads, TensorList& inputs) override {
        for (size_t i = 0; i < edges.size(); ++i)
            if (wants(i)) inputs[i] = rule.backward(grads[0], i);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        of_results[0] = rule.forward(tangents, results[0]);
    }

    const Rule rule;
};

template <class Rule>
Tensor recorded_list(Tensor out, Rule rule, const std::vector<Tensor>& tensors) {
    bool any = false;
    for (const Tensor& x : tensors) any |= x.requires_grad();
    if (any && grad_enabled())
        set_history(out, Ref<Node>(new ListRuleNode<Rule>(std::move(rule), tensors)));
    return out;
}

}  // namespace tapegrad
