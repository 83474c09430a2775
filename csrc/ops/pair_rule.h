// The rule of an operator of one tensor with two results: a rule (rule.h) for each, whose gradients are added.
// Name and parameters are those of the first.
#pragma once

#include <string>
#include <vector>

#include "ops/elementwise.h"
#include "ops/rule.h"

namespace tapegrad {

template <class First, class Second> class PairNode final : public Node {
public:
    PairNode(First first, Second second, const Tensor& x)
        : Node(rules::edge_of(x)),
          first_(std::move(first)),
          second_(std::move(second)) {}
    // The results are registered as this node's already.
    void save(const Tensor& x, const std::vector<Tensor>& out) {
        rules::keep(x_, x, uses().uses_value(0), uses().uses_sizes(0));
        if (uses_of(first_).uses_result()) first_result_.save(out[0], true);
        if (uses_of(second_).uses_result()) second_result_.save(out[1], true);
    }

    const char* name() const noexcept override { return First::node; }
    std::string formula() const override {
        const rules::Text x("self");
        return (first_.backward(rules::Text("grads[0]"), x, rules::Text("result0")) +
                second_.backward(rules::Text("grads[1]"), x, rules::Text("result1")))
            .s;
    }
    void release_saved() override {
        for (SavedTensor* value : {&x_, &first_result_, &second_result_}) value->release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        rules::visit(visitor, "self", x_);
        rules::visit(visitor, "result0", first_result_);
        rules::visit(visitor, "result1", second_result_);
        first_.parameters([&](const auto&... pairs) { rules::show(visitor, pairs...); });
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor x = x_.unpack(*this);
        Tensor& sum = inputs[0];
        if (grads[0].defined()) sum = gradient(first_, grads[0], x, first_result_);
        if (grads[1].defined()) {
            Tensor more = gradient(second_, grads[1], x, second_result_);
            sum = sum.defined() ? sum + more : std::move(more);
        }
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        of_results[0] = tangent(first_, tangents[0], first_result_);
        of_results[1] = tangent(second_, tangents[0], second_result_);
    }

private:
    template <class Rule>
    Tensor tangent(const Rule& rule, const Tensor& t, const SavedTensor& result) const {
        const Tensor x = x_.unpack(*this);
        Tensor y = result.unpack(*this);
        if (y.defined()) y = rule.arriving(y, x);
        return rule.leaving(rule.backward(t, x, y));
    }
    template <class Rule> static rules::Uses uses_of(const Rule& rule) {
        return rule.backward(rules::Uses(), rules::Uses::argument(0), rules::Uses::result());
    }
    rules::Uses uses() const { return uses_of(first_) | uses_of(second_); }

    template <class Rule>
    Tensor gradient(const Rule& rule, const Tensor& g, const Tensor& x, const SavedTensor& result) {
        const auto arriving = [&](const Tensor& t) { return rule.arriving(t, x); };
        const Tensor grad = arriving(g);
        Tensor y = result.unpack(*this), found;
        if (y.defined()) y = arriving(y);
        if constexpr (rules::HasFused<Rule>)
            if (!grad_enabled()) found = rule.fused(grad, x, y);
        return found.defined() ? found : rule.backward(grad, x, y);
    }

    const First first_;
    const Second second_;
    SavedTensor x_, first_result_, second_result_;
};

template <class First, class Second>
std::vector<Tensor> recorded_pair(std::vector<Tensor> out, const First& first, const Second& second,
                                  const Tensor& x) {
    if (!grad_enabled() || !x.requires_grad()) return out;
    const Ref<PairNode<First, Second>> node(new PairNode<First, Second>(first, second, x));
    for (const Tensor& result : out) set_history(result, node);
    node->save(x, out);
    return out;
}

}  // namespace tapegrad
