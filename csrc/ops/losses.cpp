#include "ops/losses.h"

#include "kernels/elementwise_driver.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/index_select.h"
#include "ops/reduced.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/scatter.h"
#include "ops/softmax.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

void from_text(std::string_view text, Reduction& reduction) {
    if (text == "mean") reduction = Reduction::Mean;
    else if (text == "sum") reduction = Reduction::Sum;
    else if (text == "none") reduction = Reduction::None;
    else fail<ValueError>(text, " is not a valid value for reduction");
}

namespace {

Tensor reduce(const Tensor& losses, Reduction reduction) {
    switch (reduction) {
        case Reduction::None: return losses;
        case Reduction::Mean: return mean(losses, {});
        default: return sum(losses, {});
    }
}

// -------------------------------------------------------------------------------- cross-entropy

using kernels::CrossEntropyOptions;

// The classes of a target, as int64.
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

// Losses put together; their mean is divided by the sum of the weights, which is written. A sum of half
// precision would lose digits, or overflow: it is of the wider type.
Tensor reduce_weighted(const Tensor& losses, const Tensor& weights, Reduction reduction,
                       Tensor& total) {
    if (reduction == Reduction::None) return losses;
    if (const DType dtype = losses.dtype(); is_half(dtype)) {
        const DType wide = wide_of(dtype);
        return cast_values(reduce_weighted(cast_values(losses, wide), cast_values(weights, wide),
                                           reduction, total),
                           dtype);
    }
    const Tensor out = sum(losses, {});
    if (reduction == Reduction::Mean) {
        total = sum(weights, {});
        binary_in_place(Binary::Div, out, total);
    }
    return out;
}

// A sum of weights as what gradients are divided by: where all rows are ignored, that is 1.
Tensor as_divisor(const Tensor& total) {
    if (!total.defined()) return {};
    const Tensor divisor = empty({}, total.dtype());
    visit_dtype(total.dtype(), [&]<class T>() {
        launch([](const T* from, T* to) { *to = *from == T(0) ? T(1) : *from; }, total.data<T>(),
               divisor.data<T>());
    });
    return divisor;
}

// The distribution that each row is held against, times its weight: the class of the target, and the even
// share of label smoothing. Ignored rows are zero.
Tensor weighted_targets(const Dims& sizes, const Tensor& target, const Tensor& weight,
                        const Tensor& row_weight, int64_t ignore_index, double smoothing) {
    GradMode off(false);
    const DType dtype = row_weight.dtype();
    const Tensor valid = compare(Comparison::Ne, target, ignore_index);
    const Tensor one_hot =
        scatter(zeros(sizes, dtype), 1, unsqueeze(where(valid, target, 0), 1), 1);
    const Tensor class_weight = weight.defined() ? weight : full({sizes[1]}, 1, dtype);
    return unsqueeze(row_weight, 1) * (1 - smoothing) * one_hot +
           unsqueeze(to_dtype(valid, dtype), 1) * class_weight *
               (smoothing / static_cast<double>(sizes[1]));
}

TAPEGRAD_WORD(weighted_targets)

// The loss of rows of logits [rows, classes] against class numbers.
struct CrossEntropy {
    static constexpr auto node = "NllLossBackward0";
    static constexpr std::array arguments{"self",           "target",     "weight",
                                          "log_normalizer", "row_weight", "total_weight"};
    CrossEntropyOptions options;
    bool mean;

    // The gradient of each row's loss.
    auto of_rows(auto g, auto row_weight, auto total) const {
        return expand(mean ? cast_like(g / total, g) : g, row_weight.sizes());
    }
    auto backward(auto g, auto x, auto target, auto weight, auto, auto row_weight, auto total,
                  auto) const {
        auto goal = weighted_targets(x.sizes(), target, weight, row_weight, options.ignore_index,
                                     options.label_smoothing);
        // Nothing of an ignored row counts, be it NaN.
        auto ignored = unsqueeze(target == options.ignore_index, 1);
        auto share = sum(goal, Dims{1}, true) * softmax(where(ignored, 0, x), 1);
        return where(ignored, 0, unsqueeze(of_rows(g, row_weight, total), 1) * (share - goal));
    }
    static constexpr auto fused_needs() { return rules::Uses::argument(3); }
    Tensor fused(const Tensor& g, const Tensor& x, const Tensor& target, const Tensor& weight,
                 const Tensor& log_normalizer, const Tensor& row_weight, const Tensor& total,
                 const Tensor&) const {
        const Tensor scale = contiguous_values(of_rows(g, row_weight, total));
        const Tensor data = contiguous_values(x);
        Tensor out = empty(x.sizes(), x.dtype());
        launch(kernel_table().cross_entropy.backward[x.dtype()], data.data(),
               target.data<int64_t>(), data_or_null(weight), options, log_normalizer.data(),
               scale.data(), out.data(), x.sizes()[0], x.sizes()[1]);
        return out;
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
    Tensor terms = log_softmax(input, dim) * goal;
    if (weight.defined()) {
        Dims shape(input.dim(), 1);
        shape[dim] = classes;
        terms = terms * reshape(weight, shape);
    }
    const Tensor losses = -sum(terms, {dim});
    if (reduction != Reduction::Mean) return reduce(losses, reduction);
    // The mean over no rows, or of rows without classes, is no number.
    const int64_t rows = classes ? losses.numel() : 0;
    return sum(losses, {}) / static_cast<double>(rows);
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
    if (input.dim() == 2 && target.dim() > 1)
        fail("0D or 1D target tensor expected, multi-target not supported");
    const Tensor targets = class_numbers(target);
    if (target.dim() != input.dim() - 1)
        fail("input and target have unfitting dimensions: an input of shape ",
             to_string(input.sizes()), " takes a target of ", input.dim() - 1, " dimensions, got ",
             target.dim());
    if (input.dim() > 1 && target.sizes()[0] != input.sizes()[0])
        fail<ValueError>("Expected input batch_size (", input.sizes()[0],
                         ") to match target batch_size (", target.sizes()[0], ").");
    for (int i = 1; i < target.dim(); ++i) {
        if (target.sizes()[i] == input.sizes()[i + 1]) continue;
        if (input.dim() == 4)
            fail("input and target batch or spatial sizes don't match: target ",
                 to_string(target.sizes()), ", input ", to_string(input.sizes()));
        Dims wanted = input.sizes();
        wanted.erase(1);
        fail("Expected target size ", to_string(wanted), ", got ", to_string(target.sizes()));
    }

    const int64_t count = target.numel();
    const Tensor rows = rows_of_classes(input, count), data = contiguous_values(rows);
    Tensor losses = empty({count}, input.dtype()), weights = empty({count}, input.dtype()),
           normalizer = empty({count}, input.dtype());
    const Tensor class_weight = values_or_none(weight);
    const CrossEntropyOptions options{ignore_index, label_smoothing};
    launch(checking([=, kernel = kernel_table().cross_entropy.forward[input.dtype()]](
                        const void* logits, const int64_t* numbers, const void* factors, void* loss,
                        void* factor, void* normalizers) {
               const int64_t bad = kernel(logits, numbers, factors, options, loss, factor,
                                          normalizers, count, classes);
               if (bad >= 0) fail<IndexError>("Target ", numbers[bad], " is out of bounds.");
           }),
           data.data(), targets.data<int64_t>(), data_or_null(class_weight), losses.data(),
           weights.data(), normalizer.data());

    Tensor out, total;
    {
        GradMode off(false);
        out = reduce_weighted(losses, weights, reduction, total);
    }
    out = recorded(std::move(out), CrossEntropy{options, reduction == Reduction::Mean}, rows,
                   alias(targets, {count}, {1}, 0), class_weight, normalizer, weights,
                   as_divisor(total));
    return reduction == Reduction::None && !(out.sizes() == target.sizes())
               ? reshape(out, target.sizes())
               : out;
}

// ----------------------------------------------------------------- negative log-likelihood

namespace {

Tensor zeros_scatter_rows(const Dims& sizes, const Tensor& target, const Tensor& values) {
    Tensor out = zeros(sizes, values.dtype());
    scatter_(out, 1, unsqueeze(target, 1), unsqueeze(values, 1));
    return out;
}
TAPEGRAD_WORD(zeros_scatter_rows)

// The loss of rows of log-probabilities [rows, classes]; ignored rows have the weight 0.
struct NllLoss {
    static constexpr auto node = "NllLossBackward0";
    static constexpr std::array arguments{"self", "target", "weight", "total_weight"};
    static constexpr bool reads_all = true;
    bool mean;
    auto backward(auto g, auto x, auto target, auto weight, auto total, auto) const {
        auto none = weight == 0;
        auto slope = where(none, 0, mean ? -weight / total : -weight);
        auto rows = where(none, 0, expand(g, weight.sizes()) * slope);
        return zeros_scatter_rows(x.sizes(), target, rows);
    }
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
    launch(checking([=](const int64_t* numbers) {
               for (const int64_t t : std::span(numbers, size_t(count)))
                   if (t != ignore_index && (t < 0 || t >= classes))
                       fail<IndexError>("Target ", t, " is out of bounds.");
           }),
           targets.data<int64_t>());

    const Tensor rows = rows_of_classes(input, count);
    Tensor out, places, weights, total;
    {
        GradMode off(false);
        const Tensor flat = reshape(targets, {count});
        const Tensor used = compare(Comparison::Ne, flat, ignore_index);
        places = where(used, flat, 0);
        weights = weight.defined() ? where(used, index_select(weight, 0, places), 0)
                                   : to_dtype(used, input.dtype());
        // An ignored row counts as nothing, whatever is in it.
        const Tensor picked = squeeze(gather(rows, 1, unsqueeze(places, 1)), {1});
        out = reduce_weighted(where(used, -picked * weights, 0), weights, reduction, total);
    }
    out = recorded(std::move(out), NllLoss{reduction == Reduction::Mean}, rows, places, weights,
                   total);
    return reduction == Reduction::None ? reshape(out, target.sizes()) : out;
}

// ---------------------------------------------------------------------------------- other losses

namespace {

struct MseLoss {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "MseLossBackward0";
    static constexpr std::array arguments{"self", "target"};
    double slope;  // 2, or 2 / count for the mean
    auto backward(auto g, auto x, auto target, auto) const {
        auto gradient = (x - target) * (g * slope);
        return gradients([=] { return gradient; }, [=] { return -gradient; });
    }
};

// One element beside many stands for as many, and so decides about the dtype as they do.
Tensor spread(const Tensor& x, const Tensor& other) {
    const bool counts = x.dim() == 0 && other.dim() > 0 && x.dtype() != other.dtype();
    return counts ? expand(x, other.sizes()) : x;
}
// Bools, of which there are no differences, as numbers of the other tensor's dtype, too.
Tensor countable(const Tensor& x, const Tensor& other) {
    return spread(x.dtype() == DType::Bool ? to_dtype(x, other.dtype()) : x, other);
}

}  // namespace

Tensor mse_loss(const Tensor& input_given, const Tensor& target_given, Reduction reduction) {
    const Tensor input = countable(input_given, target_given),
                 target = countable(target_given, input_given);
    if (input.dtype() == DType::Bool) refuse_dtype("mse_cpu", input.dtype());
    Tensor out;
    double slope = 2;
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
            const bool mean = reduction == Reduction::Mean;
            const auto& reduce = kernel_table().reduce;
            run_reduction((mean ? reduce.mean_squares : reduce.sum_squares)[difference.dtype()],
                          difference, out, {1, difference.numel(), 1});
            if (mean) slope /= static_cast<double>(difference.numel());
        }
    }
    return recorded(std::move(out), MseLoss{slope}, input, target);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
    return reduce(abs(spread(input, target) - spread(target, input)), reduction);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, double beta) {
    if (beta < 0) fail("smooth_l1_loss does not support negative values for beta.");
    if (const DType dtype = result_type(input, target); beta != 0 && !is_floating(dtype))
        fail<NotImplementedError>("\"smooth_l1_cpu\" not implemented for '",
                                  scalar_type_name(dtype), "'");
    const Tensor error = countable(input, target) - countable(target, input);
    // What float32 rounds to zero is none.
    if (beta == 0 || (error.dtype() != DType::Float64 && static_cast<float>(beta) == 0))
        return reduce(abs(error), reduction);
    return reduce(unary(Unary::SmoothL1, error, beta), reduction);
}

namespace {

// loss = (1 - t) x - (1 + (p - 1) t) log(sigmoid(x)), with the weight p of positives.
struct BceWithLogits {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "BinaryCrossEntropyWithLogitsBackward0";
    static constexpr std::array arguments{"self", "target", "weight", "pos_weight"};
    double count;  // of the mean, else 1
    bool has_weight, has_pos_weight;
    auto scale_of(auto g, auto weight) const {
        auto share = count == 1 ? g : g / count;
        return has_weight ? share * weight : share;
    }
    auto backward(auto g, auto x, auto t, auto weight, auto p, auto) const {
        auto scale = scale_of(g, weight);
        return gradients(
            [=, this] {
                auto negative = (1 - t) * logistic(x), positive = t * logistic(-x);
                return scale * (negative - (has_pos_weight ? p * positive : positive));
            },
            [=, this] {
                return has_pos_weight ? scale * ((1 - p) * log_sigmoid(x) - x) : scale * -x;
            });
    }
    std::array<Tensor, 2> fused(const Tensor& g, const Tensor& x, const Tensor& t,
                                const Tensor& weight, const Tensor&, const Tensor&,
                                const std::array<bool, 2>& wanted) const {
        const DType dtype = g.dtype();
        const Tensor scale = scale_of(g, weight);
        if (has_pos_weight || x.dtype() != dtype || (wanted[0] && t.dtype() != dtype) ||
            scale.dtype() != dtype || !is_expandable_to(scale.sizes(), x.sizes()))
            return {};
        const kernels::Operand operands[] = {scale, x, t};
        const auto run = [&](const auto& kernels, int count) {
            const Tensor out = empty(x.sizes(), dtype);
            kernels::run_elementwise(kernels[int(Binary::LogitLoss)][dtype], out, operands, count,
                                     item_size(dtype), nullptr, kernels::Cost::Heavy);
            return out;
        };
        const auto& table = kernel_table().elementwise;
        return {wanted[0] ? run(table.binary_lhs, 3) : Tensor(),
                wanted[1] ? run(table.binary_rhs, 2) : Tensor()};
    }
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
        if (pos_weight.defined()) {
            out = (1 - target) * input -
                  (target * (pos_weight - 1) + 1) * unary(Unary::LogSigmoid, input);
        } else {
            kernel_table().elementwise.unary[int(Unary::LogSigmoid)].require(input.dtype(),
                                                                             "log_sigmoid_cpu");
            out = binary(Binary::LogitLoss, input, target);
        }
        if (weight.defined()) out = out * weight;
        out = reduce(out, reduction);
    }
    const double count = reduction == Reduction::Mean ? static_cast<double>(input.numel()) : 1.0;
    return recorded(std::move(out), BceWithLogits{count, weight.defined(), pos_weight.defined()},
                    input, target, weight, pos_weight);
}

}  // namespace tapegrad
