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
        Arguments x;
        for (size_t i = 0; i < kArguments; ++i) x[i] = saved_[i].unpack(*this);
        Kept kept;
        // Laid out as the kernels made them, also where hooks have packed them.
        for (size_t i = 0; i < Op::kKept; ++i) kept[i] = values_or_none(kept_[i].unpack(*this));
        if (grad_enabled()) differentiate(x, kept, grads, wanted, inputs);
        else op.backward(x, kept, grads, wanted, inputs);
    }

    const Op op;

private:
    void differentiate(const Arguments& given, const Kept& kept, const GradList& grads,
                       const std::array<bool, kArguments>& wanted, TensorList& inputs) const {
        // Names of their own, so that the run ends here and calls no hooks of what leads to them.
        Arguments x = given;
        SmallVector<Edge, kArguments> ends;
        for (size_t i = 0; i < kArguments; ++i) {
            if (!wanted[i]) continue;
            x[i] = recorded(alias(given[i]), Reshaped{"AliasBackward0"}, given[i]);
            ends.push_back(gradient_edge(x[i]));
        }
        const TensorList values = op.compose(x, kept);
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
