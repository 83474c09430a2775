// Operators of several tensors and several results that have kernels for their values and for their
// gradients, and an expression in other operators that says the same.
//
//     struct Op {
//         const char* node() const { return "LstmLayerBackward0"; }
//         static constexpr std::array arguments{"input", "h0", ...};   names of the tensors it takes
//         static constexpr size_t kKept = 3;                           values that its gradients need beside them
//         TensorList compose(const Arguments& x, const Kept& kept) const;    the results, as an expression
//         void backward(const Arguments& x, const Kept& kept, const GradList& grads,
//                       const std::array<bool, N>& wanted, TensorList& gradients) const;
//     };
//
// backward computes gradients that nobody differentiates; where that is asked for, the expression is
// evaluated and differentiated instead, so that derivatives of every order follow from it.
#pragma once

#include <array>

#include "autograd/engine.h"
#include "ops/copy.h"
#include "ops/reshape.h"
#include "ops/rule.h"

namespace tapegrad {

template <class Op> class CompositeNode final : public Node {
    static constexpr size_t kArguments = Op::arguments.size();
    using Arguments = std::array<Tensor, kArguments>;
    using Kept = std::array<Tensor, Op::kKept>;

public:
    CompositeNode(Op given, const Arguments& x, const Kept& kept) : op(std::move(given)) {
        for (size_t i = 0; i < kArguments; ++i) {
            add_edge(rules::edge_of(x[i]));
            saved_[i].save(x[i], false);
        }
        for (size_t i = 0; i < Op::kKept; ++i) kept_[i].save(kept[i], false);
    }

    const char* name() const noexcept override { return op.node(); }
    void release_saved() override {
        for (SavedTensor& saved : saved_) saved.release();
        for (SavedTensor& saved : kept_) saved.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        for (size_t i = 0; i < kArguments; ++i) rules::visit(visitor, Op::arguments[i], saved_[i]);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        std::array<bool, kArguments> wanted;
        bool any = false;
        for (size_t i = 0; i < kArguments; ++i) any |= wanted[i] = wants(i);
        if (!any) return;
        const Arguments x = arguments();
        const Kept kept = kept_values();
        if (grad_enabled()) differentiate(x, kept, grads, wanted, inputs);
        else op.backward(x, kept, grads, wanted, inputs);
    }
    void forward(TensorList& tangents, GradList& of_results) override {
        std::array<bool, kArguments> moved;
        std::vector<Tensor> given;
        for (size_t i = 0; i < kArguments; ++i)
            if ((moved[i] = tangents[i].defined())) given.push_back(std::move(tangents[i]));
        const auto [ends, values] = expression(arguments(), kept_values(), moved);
        std::vector<Edge> outputs;
        for (const Tensor& value : values) outputs.push_back(gradient_edge(value));
        const Linearization linear(outputs, {ends.data(), ends.size()}, ends[0].node->sequence);
        TensorList found = linear.push(given, grad_enabled());
        for (size_t k = 0; k < found.size(); ++k) of_results[k] = std::move(found[k]);
    }

    const Op op;

private:
    Arguments arguments() const {
        Arguments x;
        for (size_t i = 0; i < kArguments; ++i) x[i] = saved_[i].unpack(*this);
        return x;
    }
    // Laid out as the kernels made them, also where hooks have packed them.
    Kept kept_values() const {
        Kept kept;
        for (size_t i = 0; i < Op::kKept; ++i) kept[i] = values_or_none(kept_[i].unpack(*this));
        return kept;
    }
    // The results as an expression in inputs that have names of their own where that is wanted, so that
    // whatever runs through it ends there and calls no hooks of what leads to them.
    struct Expression {
        SmallVector<Edge, kArguments> ends;  // of the wanted inputs
        TensorList values;
    };
    Expression expression(Arguments x, const Kept& kept,
                          const std::array<bool, kArguments>& wanted) const {
        const GradMode on(true);
        Expression made;
        for (size_t i = 0; i < kArguments; ++i) {
            if (!wanted[i]) continue;
            x[i] = recorded(alias(x[i]), Reshaped{"AliasBackward0"}, x[i]);
            made.ends.push_back(gradient_edge(x[i]));
        }
        made.values = op.compose(x, kept);
        return made;
    }

    void differentiate(const Arguments& x, const Kept& kept, const GradList& grads,
                       const std::array<bool, kArguments>& wanted, TensorList& inputs) const {
        const auto [ends, values] = expression(x, kept, wanted);
        SmallVector<Edge, 3> roots;
        TensorList gradients;
        for (size_t k = 0; k < values.size(); ++k) {
            if (!grads[k].defined() || !values[k].requires_grad()) continue;
            roots.push_back(gradient_edge(values[k]));
            gradients.push_back(grads[k]);
        }
        if (roots.empty()) return;
        TensorList found = run_backward(
            {roots.data(), roots.size()}, std::move(gradients), {ends.data(), ends.size()},
            {.keep_graph = true, .create_graph = true, .accumulate = false});
        size_t at = 0;
        for (size_t i = 0; i < kArguments; ++i)
            if (wanted[i]) inputs[i] = std::move(found[at++]);
    }

    std::array<SavedTensor, kArguments> saved_;
    std::array<SavedTensor, Op::kKept> kept_;
};

template <class Op> bool composite_recorded(const std::array<Tensor, Op::arguments.size()>& x) {
    bool any = false;
    for (const Tensor& argument : x) any |= rules::is_recorded(argument);
    return any && grad_enabled();
}

// Makes results those of a node.
template <class Op>
void record_composite(const Op& op, const std::array<Tensor, Op::arguments.size()>& x,
                      const std::array<Tensor, Op::kKept>& kept, const TensorList& results) {
    const Ref<Node> node(new CompositeNode<Op>(op, x, kept));
    for (const Tensor& result : results) set_history(result, node);
}

}  // namespace tapegrad
