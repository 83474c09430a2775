#include "ops/nn.h"

#include <cmath>

#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/record.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

struct Split {
    int64_t outer = 1, n = 1, inner = 1;
};

Split split_at(const Tensor& x, int dim) {
    Split s;
    for (int i = 0; i < x.dim(); ++i)
        (i < dim ? s.outer : i == dim ? s.n : s.inner) *= x.sizes()[i];
    return s;
}

class SoftmaxNode final : public Node {
public:
    SoftmaxNode(int dim, bool logarithm) : dim_(dim), logarithm_(logarithm) {}
    const char* name() const noexcept override {
        return logarithm_ ? "LogSoftmaxBackward0" : "SoftmaxBackward0";
    }
    std::string formula() const override {
        return logarithm_ ? "grad - exp(result) * sum(grad, dim)"
                          : "result * (grad - sum(grad * result, dim))";
    }
    void release_saved() override { result.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("result", result);
        visitor.integer("dim", dim_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor& g = grads[0];
        const Tensor y = result.unpack(*this);
        if (grad_enabled()) {
            const Dims dims = y.dim() ? Dims{dim_} : Dims{};
            inputs[0] = logarithm_ ? g - exp(y) * sum(g, dims, true, std::nullopt)
                                   : y * (g - sum(g * y, dims, true, std::nullopt));
            return;
        }
        const Tensor grad = contiguous_values(g);
        const Split s = split_at(y, dim_);
        Tensor out = empty(y.sizes(), y.dtype());
        const auto& softmax = kernel_table().softmax;
        (logarithm_ ? softmax.log_softmax_backward : softmax.softmax_backward)[int(y.dtype())](
            grad.data(), y.data(), out.data(), s.outer, s.n, s.inner);
        inputs[0] = std::move(out);
    }

    SavedTensor result;

private:
    const int dim_;
    const bool logarithm_;
};

Tensor any_softmax(const Tensor& x_given, int64_t dim, OptionalDType dtype, bool logarithm) {
    const Tensor x = dtype ? to_dtype(x_given, *dtype) : x_given;
    if (!x.is_floating())
        fail<NotImplementedError>("\"", logarithm ? "log_softmax" : "softmax",
                                  "_kernel_impl\" not implemented for '",
                                  scalar_type_name(x.dtype()), "'");
    const int at = wrap_dim(dim, x.dim());
    const Tensor data = contiguous_values(x);
    Tensor out = empty(x.sizes(), x.dtype());
    const Split s = split_at(x, at);
    const auto& softmax = kernel_table().softmax;
    (logarithm ? softmax.log_softmax : softmax.softmax)[int(x.dtype())](data.data(), out.data(),
                                                                        s.outer, s.n, s.inner);
    if (recording(x)) {
        Ref<SoftmaxNode> node(new SoftmaxNode(at, logarithm));
        node->add_edge(gradient_edge(x));
        set_history(out, node);
        node->result = SavedTensor(out, true);
    }
    return out;
}

Tensor reduce(const Tensor& losses, Reduction reduction) {
    switch (reduction) {
        case Reduction::None: return losses;
        case Reduction::Mean: return mean(losses, {}, false, std::nullopt);
        default: return sum(losses, {}, false, std::nullopt);
    }
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, OptionalDType dtype) {
    return any_softmax(x, dim, dtype, false);
}
Tensor log_softmax(const Tensor& x, int64_t dim, OptionalDType dtype) {
    return any_softmax(x, dim, dtype, true);
}

// -------------------------------------------------------------------------------- cross-entropy

namespace {

Tensor class_numbers(const Tensor& target) {
    if (target.dtype() == DType::Int64) return contiguous_values(target);
    if (target.dtype() != DType::UInt8)
        fail("expected target dtype to be Long or Byte, but got ",
             scalar_type_name(target.dtype()));
    return contiguous_values(to_dtype(target, DType::Int64));
}

// Input [N, C, d...] or [C] as rows of classes, one for each of `count` targets.
Tensor rows_of_classes(const Tensor& input, int64_t count) {
    if (input.dim() == 1) return unsqueeze(input, 0);
    if (input.dim() == 2) return input;
    return reshape(movedim(input, {1}, {-1}), {count, input.sizes()[1]});
}

// Losses put together; their mean is divided by the sum of the weights, which is written.
Tensor reduce_weighted(const Tensor& losses, const Tensor& weights, Reduction reduction,
                       double& weight_sum) {
    if (reduction == Reduction::None) return losses;
    const Tensor out = sum(losses, {}, false, std::nullopt);
    if (reduction == Reduction::Mean) {
        const Tensor total = sum(weights, {}, false, std::nullopt);
        weight_sum = total.dtype() == DType::Float32 ? *total.data<float>() : *total.data<double>();
        binary_in_place(Binary::Div, out, weight_sum);
    }
    return out;
}

// The loss of rows of logits [rows, classes] against class numbers.
class CrossEntropyNode final : public Node {
public:
    const char* name() const noexcept override { return "NllLossBackward0"; }
    std::string formula() const override { return "grad * (softmax(self) - one_hot(target))"; }
    void release_saved() override {
        logits.release();
        target.release();
        weight.release();
        log_normalizer.release();
        row_weight.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("self", logits);
        visitor.tensor("target", target);
        if (weight.defined()) visitor.tensor("weight", weight);
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor x = logits.unpack(*this), t = target.unpack(*this), w = weight.unpack(*this);
        const Tensor weights = row_weight.unpack(*this);
        // Each row's share of the gradient.
        Tensor scale = grads[0];
        if (reduction == Reduction::Mean) scale = scale / weight_sum;
        scale = expand(scale, weights.sizes());
        inputs[0] =
            grad_enabled() ? differentiable(x, t, w, weights, scale) : fused(x, t, w, scale);
    }

    SavedTensor logits, target, weight, log_normalizer, row_weight;
    kernels::CrossEntropyOptions options;
    Reduction reduction = Reduction::Mean;
    double weight_sum = 1;

private:
    Tensor fused(const Tensor& x, const Tensor& t, const Tensor& w, const Tensor& scale) {
        const Tensor normalizer = log_normalizer.unpack(*this);
        const Tensor rows_scale = contiguous_values(scale);
        Tensor out = empty(x.sizes(), x.dtype());
        const Tensor data = contiguous_values(x);
        kernel_table().cross_entropy.backward[int(x.dtype())](
            data.data(), t.data<int64_t>(), w.defined() ? w.data() : nullptr, options,
            normalizer.data(), rows_scale.data(), out.data(), x.sizes()[0], x.sizes()[1]);
        return out;
    }

    // scale * (a softmax(x) - b one_hot(t) - c w) with a, b, c from the weights and the smoothing.
    Tensor differentiable(const Tensor& x, const Tensor& t, const Tensor& w, const Tensor& weights,
                          const Tensor& scale) {
        const int64_t rows = x.sizes()[0], classes = x.sizes()[1];
        Tensor spread, hits, one_hot;
        {
            GradMode off(false);
            const Tensor valid = compare(Comparison::Ne, t, options.ignore_index);
            const Tensor safe = unsqueeze(where(valid, t, 0), 1);
            one_hot = scatter(zeros({rows, classes}, x.dtype()), 1, safe, 1);
            const Tensor class_weight = w.defined() ? w : full({classes}, 1, x.dtype());
            const double smooth = options.label_smoothing / static_cast<double>(classes);
            const Tensor valid_number = unsqueeze(to_dtype(valid, x.dtype()), 1);
            hits = unsqueeze(weights, 1) * (1 - options.label_smoothing);
            spread = valid_number * class_weight * smooth;
        }
        Tensor factor;
        {
            GradMode off(false);
            factor = hits + sum(spread, {1}, true, std::nullopt);
        }
        return unsqueeze(scale, 1) *
               (factor * softmax(x, 1, std::nullopt) - (hits * one_hot + spread));
    }
};

Tensor probability_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                                 Reduction reduction, double label_smoothing) {
    if (!(input.sizes() == target.sizes()))
        fail("The size of tensor a must match the size of tensor b: input ",
             to_string(input.sizes()), ", target ", to_string(target.sizes()));
    const int dim = input.dim() == 1 ? 0 : 1;
    const int64_t classes = input.sizes()[dim];
    Tensor goal = target;
    if (label_smoothing > 0)
        goal = goal * (1 - label_smoothing) + label_smoothing / static_cast<double>(classes);
    Tensor terms = log_softmax(input, dim, std::nullopt) * goal;
    if (weight.defined()) {
        Dims shape(input.dim(), 1);
        shape[dim] = classes;
        terms = terms * reshape(weight, shape);
    }
    const Tensor losses = -sum(terms, {dim}, false, std::nullopt);
    if (reduction != Reduction::Mean) return reduce(losses, reduction);
    return sum(losses, {}, false, std::nullopt) /
           static_cast<double>(std::max<int64_t>(input.numel() / classes, 1));
}

}  // namespace

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                     Reduction reduction, int64_t ignore_index, double label_smoothing) {
    if (label_smoothing < 0 || label_smoothing > 1)
        fail("label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
    if (!input.is_floating())
        fail<NotImplementedError>("\"log_softmax_lastdim_kernel_impl\" not implemented for '",
                                  scalar_type_name(input.dtype()), "'");
    if (input.dim() == 0) fail<ValueError>("cross_entropy: input must have at least one dimension");
    const int64_t classes = input.dim() == 1 ? input.sizes()[0] : input.sizes()[1];
    if (weight.defined() &&
        (weight.dim() != 1 || weight.sizes()[0] != classes || weight.dtype() != input.dtype()))
        fail("cross_entropy: weight tensor should be defined either for all ", classes,
             " classes or no classes but got weight tensor of shape: ", to_string(weight.sizes()));
    if (target.is_floating() && target.dim() == input.dim())
        return probability_cross_entropy(input, target, weight, reduction, label_smoothing);
    const Tensor targets = class_numbers(target);
    if (target.dim() != input.dim() - 1)
        fail("input and target have unfitting dimensions: an input of shape ",
             to_string(input.sizes()), " takes a target of ", input.dim() - 1, " dimensions, got ",
             target.dim());
    if (input.dim() > 1 && target.sizes()[0] != input.sizes()[0])
        fail<ValueError>("Expected input batch_size (", input.sizes()[0],
                         ") to match target batch_size (", target.sizes()[0], ").");
    for (int i = 1; i < target.dim(); ++i)
        if (target.sizes()[i] != input.sizes()[i + 1])
            fail("input and target batch or spatial sizes don't match: target ",
                 to_string(target.sizes()), ", input ", to_string(input.sizes()));

    const int64_t count = target.numel();
    const Tensor rows = rows_of_classes(input, count), data = contiguous_values(rows);
    Tensor losses = empty({count}, input.dtype()), weights = empty({count}, input.dtype()),
           normalizer = empty({count}, input.dtype());
    const Tensor class_weight = weight.defined() ? contiguous_values(weight) : Tensor();
    const kernels::CrossEntropyOptions options{ignore_index, label_smoothing};
    const int64_t bad = kernel_table().cross_entropy.forward[int(input.dtype())](
        data.data(), targets.data<int64_t>(),
        class_weight.defined() ? class_weight.data() : nullptr, options, losses.data(),
        weights.data(), normalizer.data(), count, classes);
    if (bad >= 0) fail<IndexError>("Target ", targets.data<int64_t>()[bad], " is out of bounds.");

    Tensor out;
    double weight_sum = 1;
    {
        GradMode off(false);
        out = reduce_weighted(losses, weights, reduction, weight_sum);
    }
    if (recording(rows)) {
        Ref<CrossEntropyNode> node(new CrossEntropyNode);
        node->add_edge(gradient_edge(rows));
        set_history(out, node);
        node->logits = SavedTensor(rows, false);
        node->target = SavedTensor(alias(targets, {count}, {1}, 0), false);
        if (class_weight.defined()) node->weight = SavedTensor(class_weight, false);
        node->log_normalizer = SavedTensor(normalizer, false);
        node->row_weight = SavedTensor(weights, false);
        node->options = options;
        node->reduction = reduction;
        node->weight_sum = weight_sum;
    }
    return reduction == Reduction::None && !(out.sizes() == target.sizes())
               ? reshape(out, target.sizes())
               : out;
}

// ----------------------------------------------------------------- negative log-likelihood

namespace {

// The loss of rows of log-probabilities [rows, classes] against class numbers.
class NllLossNode final : public Node {
public:
    const char* name() const noexcept override { return "NllLossBackward0"; }
    std::string formula() const override { return "-grad * weight * one_hot(target)"; }
    void release_saved() override {
        target.release();
        weight.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("target", target);
        visitor.tensor("weight", weight);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        const Tensor w = weight.unpack(*this), t = target.unpack(*this);
        Tensor slope = expand(grads[0], w.sizes()) * -w;
        if (reduction == Reduction::Mean) slope = slope / weight_sum;
        inputs[0] = scatter(zeros({w.numel(), classes}, w.dtype()), 1, unsqueeze(t, 1),
                            unsqueeze(slope, 1));
    }

    SavedTensor target, weight;  // of each row; ignored rows have the weight 0
    int64_t classes = 0;
    Reduction reduction = Reduction::Mean;
    double weight_sum = 1;
};

}  // namespace

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                Reduction reduction, int64_t ignore_index) {
    if (input.dim() == 0) fail<ValueError>("Expected 1 or more dimensions (got 0)");
    if (!input.is_floating())
        fail<NotImplementedError>("\"nll_loss_out_frame\" not implemented for '",
                                  scalar_type_name(input.dtype()), "'");
    const Tensor targets = class_numbers(target);
    Dims fitting = input.sizes();
    const int64_t classes = fitting[input.dim() == 1 ? 0 : 1];
    fitting.erase(input.dim() == 1 ? 0 : 1);
    if (input.dim() > 1 && target.dim() && target.sizes()[0] != fitting[0])
        fail<ValueError>("Expected input batch_size (", fitting[0],
                         ") to match target batch_size (", target.sizes()[0], ").");
    if (!(target.sizes() == fitting))
        fail("Expected target size ", to_string(fitting), ", got ", to_string(target.sizes()));
    if (weight.defined() && !(weight.sizes() == Dims{classes}))
        fail("weight tensor should be defined either for all ", classes,
             " classes or no classes but got weight tensor of shape: ", to_string(weight.sizes()));
    if (weight.defined() && weight.dtype() != input.dtype())
        fail("expected scalar type ", scalar_type_name(input.dtype()), " but found ",
             scalar_type_name(weight.dtype()));
    const int64_t count = targets.numel();
    for (const int64_t t : std::span(targets.data<int64_t>(), size_t(count)))
        if (t != ignore_index && (t < 0 || t >= classes))
            fail<IndexError>("Target ", t, " is out of bounds.");

    const Tensor rows = rows_of_classes(input, count);
    Tensor out, places, weights;
    double weight_sum = 1;
    {
        GradMode off(false);
        const Tensor flat = reshape(targets, {count});
        const Tensor used = compare(Comparison::Ne, flat, ignore_index);
        places = where(used, flat, 0);
        weights = weight.defined() ? where(used, index_select(weight, 0, places), 0)
                                   : to_dtype(used, input.dtype());
        // An ignored row counts as nothing, whatever is in it.
        const Tensor picked = squeeze(gather(rows, 1, unsqueeze(places, 1)), {1});
        out = reduce_weighted(where(used, -picked * weights, 0), weights, reduction, weight_sum);
    }
    if (recording(rows)) {
        Ref<NllLossNode> node(new NllLossNode);
        node->add_edge(gradient_edge(rows));
        set_history(out, node);
        node->target = SavedTensor(places, false);
        node->weight = SavedTensor(weights, false);
        node->classes = classes;
        node->reduction = reduction;
        node->weight_sum = weight_sum;
    }
    return reduction == Reduction::None ? reshape(out, target.sizes()) : out;
}

// ---------------------------------------------------------------------------------- other losses

namespace {

class MseLossNode final : public Node {
public:
    MseLossNode(const Tensor& input, const Tensor& target, Reduction reduction)
        : reduction_(reduction) {
        add_edge(gradient_edge(input));
        add_edge(gradient_edge(target));
        input_ = SavedTensor(input, false);
        target_ = SavedTensor(target, false);
    }
    const char* name() const noexcept override { return "MseLossBackward0"; }
    std::string formula() const override { return "grad * 2 * (self - target) / count"; }
    void release_saved() override {
        input_.release();
        target_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("self", input_);
        visitor.tensor("target", target_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor a = input_.unpack(*this), b = target_.unpack(*this);
        Tensor difference = a - b;
        const double factor =
            reduction_ == Reduction::Mean ? 2.0 / static_cast<double>(difference.numel()) : 2.0;
        Tensor slope = difference * (grads[0] * factor);
        if (wants(0)) inputs[0] = slope;
        if (wants(1)) inputs[1] = -slope;
    }

private:
    const Reduction reduction_;
    SavedTensor input_, target_;
};

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
    Tensor out;
    {
        GradMode off(false);
        Tensor difference = input - target;
        if (!difference.is_floating())
            fail<NotImplementedError>("\"mse_cpu\" not implemented for '",
                                      scalar_type_name(difference.dtype()), "'");
        if (reduction == Reduction::None) {
            out = unary(Unary::Square, difference);
        } else {
            out = empty({}, difference.dtype());
            kernel_table().reduce.sum_squares[int(difference.dtype())](
                difference.data(), out.data(), 1, difference.numel(), 1);
            if (reduction == Reduction::Mean)
                binary_in_place(Binary::Div, out, static_cast<double>(difference.numel()));
        }
    }
    if (recording(input, target))
        set_history(out, Ref<Node>(new MseLossNode(input, target, reduction)));
    return out;
}

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
    return reduce(abs(input - target), reduction);
}

namespace {

// loss = (1 - t) x - (1 + (p - 1) t) log(sigmoid(x)), with the weight p of positives; then reduced.
class BceWithLogitsNode final : public Node {
public:
    BceWithLogitsNode(const Tensor& input, const Tensor& target, const Tensor& weight,
                      const Tensor& pos_weight, Reduction reduction)
        : reduction_(reduction),
          input_(input, false),
          target_(target, false),
          weight_(weight, false),
          pos_weight_(pos_weight, false) {
        add_edge(gradient_edge(input));
        add_edge(gradient_edge(target));
    }
    const char* name() const noexcept override { return "BinaryCrossEntropyWithLogitsBackward0"; }
    std::string formula() const override { return "grad * (sigmoid(self) - target) / count"; }
    void release_saved() override {
        for (SavedTensor* value : {&input_, &target_, &weight_, &pos_weight_}) value->release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("self", input_);
        visitor.tensor("target", target_);
        if (weight_.defined()) visitor.tensor("weight", weight_);
        if (pos_weight_.defined()) visitor.tensor("pos_weight", pos_weight_);
    }
    void backward(GradList& grads, TensorList& inputs) override {
        const Tensor x = input_.unpack(*this), t = target_.unpack(*this),
                     p = pos_weight_.unpack(*this);
        Tensor g = grads[0];
        if (reduction_ == Reduction::Mean) g = g / static_cast<double>(x.numel());
        if (const Tensor weight = weight_.unpack(*this); weight.defined()) g = g * weight;
        const Tensor s = sigmoid(x);
        if (wants(0)) inputs[0] = g * (p.defined() ? (1 - t) * s - p * t * (1 - s) : s - t);
        if (wants(1)) {
            const Tensor log_s = unary(Unary::LogSigmoid, x);
            inputs[1] = g * (p.defined() ? (1 - p) * log_s - x : -x);
        }
    }

private:
    const Reduction reduction_;
    SavedTensor input_, target_, weight_, pos_weight_;
};

}  // namespace

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight, const Tensor& pos_weight,
                                        Reduction reduction) {
    if (!(input.sizes() == target.sizes()))
        fail<ValueError>("Target size (tapegrad.Size(", to_string(target.sizes()),
                         ")) must be the same as input size (tapegrad.Size(",
                         to_string(input.sizes()), "))");
    Tensor out;
    {
        GradMode off(false);
        const Tensor log_probability = unary(Unary::LogSigmoid, input);
        out = (1 - target) * input;
        out = out - (pos_weight.defined() ? (target * (pos_weight - 1) + 1) * log_probability
                                          : log_probability);
        if (weight.defined()) out = out * weight;
        out = reduce(out, reduction);
    }
    if (recording(input, target))
        set_history(out,
                    Ref<Node>(new BceWithLogitsNode(input, target, weight, pos_weight, reduction)));
    return out;
}

}  // namespace tapegrad
