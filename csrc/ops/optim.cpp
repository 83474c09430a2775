#include "ops/optim.h"

#include <cmath>

#include "autograd/variable.h"
#include "core/small_vector.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/one_step.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

constexpr int kMaxColumns = 2 + kernels::kMaxOptimStates;

bool same_layout(const Tensor& a, const Tensor& b) {
    return a.is_contiguous() && b.is_contiguous() ? true : a.strides() == b.strides();
}

// Elements of the parameter, the gradient and the states: all but the gradient are written.
struct Columns {
    char* data[kMaxColumns];
    void visit_pointers(auto& visitor) {
        for (int c = 0; c < kMaxColumns; ++c) {
            if (c == 1) visitor.reads(const_cast<const void**>(reinterpret_cast<void**>(&data[c])));
            else visitor.writes(reinterpret_cast<void**>(&data[c]));
        }
    }
};
void launch_step(kernels::OptimStepFn run, char* const* data, int64_t n,
                 const double* coefficients) {
    Columns columns;
    std::copy_n(data, kMaxColumns, columns.data);
    launch([run, n](const Columns& at, const double* factors) { run(at.data, n, factors); },
           columns, coefficients);
}

// One parameter after the other, with its gradient and what the optimiser remembers.
class Rows {
public:
    Rows(const kernels::OptimRuleKernels& kernels, const Tensors& params, const Tensors& grads,
         const Tensors& states)
        : kernels_(kernels),
          params_(params),
          grads_(grads),
          states_(states),
          columns_(2 + static_cast<size_t>(kernels.states)) {
        const size_t count = params.size();
        if (grads.size() != count)
            fail<ValueError>("'grads' has ", grads.size(), " tensors for ", count, " parameters");
        if (states.size() != count * (columns_ - 2))
            fail<ValueError>("'states' has ", states.size(), " tensors for ", count,
                             " parameters with ", columns_ - 2, " states each");
        direct_.resize(count);
        for (size_t i = 0; i < count; ++i) check_row(i);
    }

    void step(const double* coefficients) const {
        for (size_t i = 0; i < direct_.size(); ++i) {
            const Tensor& param = params_[i];
            const kernels::OptimStepFn run = kernels_.step[param.dtype()];
            char* data[kMaxColumns] = {};
            if (direct_[i]) [[likely]] {
                for (size_t c = 0; c < columns_; ++c) data[c] = at(c, i).data<char>();
                launch_step(run, data, param.numel(), coefficients);
            } else {
                step_on_copies(i, data, coefficients);
            }
            for (size_t c = 0; c < columns_; ++c)
                if (c != 1) at(c, i).bump_version();
        }
    }

private:
    // The first column is that of the parameters, the second that of the gradients, which are only read.
    const Tensor& at(size_t column, size_t row) const {
        if (column == 0) return params_[row];
        return column == 1 ? grads_[row] : states_[(column - 2) * params_.size() + row];
    }

    void check_row(size_t i) {
        static constexpr const char* names[] = {"params", "grads", "states"};
        const Tensor& param = params_[i];
        if (!param.is_floating())
            fail<NotImplementedError>(
                "optimizers need parameters of floating point dtype, but got ",
                dtype_name(param.dtype()));
        direct_[i] = is_non_overlapping_and_dense(param);
        for (size_t c = 0; c < columns_; ++c) {
            const Tensor& tensor = at(c, i);
            const char* name = names[c < 2 ? c : 2];
            if (tensor.dtype() != param.dtype())
                fail("expected dtype ", dtype_name(param.dtype()), " of the parameter in '", name,
                     "', but got dtype ", dtype_name(tensor.dtype()));
            if (!(tensor.sizes() == param.sizes()))
                fail("expected size ", to_string(param.sizes()), " of the parameter in '", name,
                     "', but got size ", to_string(tensor.sizes()));
            if (c != 1) {
                check_inplace(tensor, false);
                refuse_internal_overlap(tensor);
            }
            direct_[i] = direct_[i] && same_layout(tensor, param);
        }
    }

    // For tensors that do not lie alike.
    void step_on_copies(size_t i, char** data, const double* coefficients) const {
        Tensor copies[kMaxColumns];
        for (size_t c = 0; c < columns_; ++c) {
            copies[c] = contiguous_values(at(c, i));
            data[c] = copies[c].data<char>();
        }
        launch_step(kernels_.step[params_[i].dtype()], data, params_[i].numel(), coefficients);
        for (size_t c = 0; c < columns_; ++c)
            if (c != 1 && !copies[c].is_same(at(c, i))) copy_values(at(c, i), copies[c]);
    }

    const kernels::OptimRuleKernels& kernels_;
    const Tensors &params_, &grads_, &states_;
    size_t columns_;
    // Whether all tensors of a row lie in memory alike, so that kernels may run over them as they are.
    SmallVector<char, 64> direct_;
};

}  // namespace

void from_text(std::string_view text, OptimRule& rule) {
    static constexpr std::string_view names[] = {
#define TAPEGRAD_OPTIM_NAME_(Rule, name) name,
        TAPEGRAD_OPTIM_RULES(TAPEGRAD_OPTIM_NAME_)
#undef TAPEGRAD_OPTIM_NAME_
    };
    for (int i = 0; i < kernels::kOptimRuleCount; ++i)
        if (names[i] == text) {
            rule = static_cast<OptimRule>(i);
            return;
        }
    fail<ValueError>("no optimizer has the rule '", text, "'");
}

namespace {

void step(OptimRule rule, const Tensors& params, const Tensors& grads, const Tensors& states,
          const double* coefficients, int64_t count) {
    const GradMode off(false);
    const auto& kernels = kernel_table().optim.rules[static_cast<int>(rule)];
    if (count != kernels.coefficients)
        fail<ValueError>("expected ", kernels.coefficients, " coefficients, but got ", count);
    Rows(kernels, params, grads, states).step(coefficients);
}

}  // namespace

void optim_step(OptimRule rule, const Tensors& params, const Tensors& grads, const Tensors& states,
                const std::vector<double>& coefficients) {
    step(rule, params, grads, states, coefficients.data(), std::ssize(coefficients));
}
void optim_step(OptimRule rule, const Tensors& params, const Tensors& grads, const Tensors& states,
                const Tensor& coefficients) {
    if (coefficients.dtype() != DType::Float64 || !coefficients.is_contiguous())
        fail<ValueError>("coefficients have to be contiguous numbers of dtype float64");
    step(rule, params, grads, states, coefficients.data<double>(), coefficients.numel());
}

Tensor grad_norm(const Tensors& tensors, double order) {
    const GradMode off(false);
    if (tensors.empty()) return scalar_tensor(0.0, DType::Float32);
    DType dtype = tensors[0].dtype();
    for (const Tensor& x : tensors) dtype = promote(dtype, x.dtype());
    if (!is_floating(dtype)) return norm(tensors[0], order, {}, false);  // which refuses it
    Tensor norms = empty({static_cast<int64_t>(tensors.size())}, dtype);
    const kernels::ReduceFn norm2 = kernel_table().reduce.norm2[dtype];
    for (size_t i = 0; i < tensors.size(); ++i) {
        const Tensor& x = tensors[i];
        if (order == 2 && x.dtype() == dtype)
            launch(norm2, contiguous_values(x).data(), norms.data<char>() + i * item_size(dtype), 1,
                   x.numel(), 1);
        else copy_values(alias(norms, {}, {}, static_cast<int64_t>(i)), norm(x, order, {}, false));
    }
    return tensors.size() == 1 ? alias(norms, {}, {}, 0) : norm(norms, order, {}, false);
}

void scale_(const Tensors& tensors, const Arg& factor) {
    const GradMode off(false);
    Tensor values;  // read in each run where that is recorded
    if (factor.is_tensor() && is_replay_recorded()) {
        if (factor.tensor().numel() != 1)
            fail("a Tensor with ", factor.tensor().numel(),
                 " elements cannot be converted to Scalar");
        values = contiguous_values(factor.tensor(), DType::Float64);
    }
    const double number = values.defined() ? 0 : to_number(factor).to_double();
    for (const Tensor& x : tensors) {
        check_inplace(x, false);
        refuse_internal_overlap(x);
        if (!x.is_floating())
            fail<NotImplementedError>("'tensors' need a floating point dtype, but got ",
                                      dtype_name(x.dtype()));
    }
    for (const Tensor& x : tensors) {
        if (!is_non_overlapping_and_dense(x)) {
            binary_in_place(Binary::Mul, x, values.defined() ? Arg(values) : Arg(number));
            continue;
        }
        const auto kernel = kernel_table().optim.scale[x.dtype()];
        if (values.defined())
            launch([kernel, n = x.numel()](void* to, const double* by) { kernel(to, *by, n); },
                   x.data(), values.data<double>());
        else launch(kernel, x.data(), number, x.numel());
        x.bump_version();
    }
}

namespace {

double clip_factor(const Tensors& tensors, const Tensor& total_norm, double max_norm,
                   std::optional<double> order) {
    double norm = to_number(total_norm).to_double(), unit = 1;
    if (order && std::isinf(norm)) {  // that of a part of the gradients may still be a number
        unit = 0x1p-64;
        Tensors parts;
        for (const Tensor& x : tensors) parts.push_back(binary(Binary::Mul, x, unit));
        norm = to_number(grad_norm(parts, *order)).to_double();
    }
    const double factor = max_norm / (norm + 1e-6) * unit;
    return factor > 1 ? 1 : factor;
}

}  // namespace

void clip_(const Tensors& tensors, const Tensor& total_norm, double max_norm,
           std::optional<double> order) {
    if (tensors.empty()) return;
    const GradMode off(false);
    if (!is_replay_recorded())
        return scale_(tensors, clip_factor(tensors, total_norm, max_norm, order));
    std::vector<Tensor> given{total_norm};
    given.insert(given.end(), tensors.begin(), tensors.end());
    const auto factor = list_in_one_step(
        [=](const std::vector<Tensor>& x) {
            return std::vector<Tensor>{scalar_tensor(
                clip_factor({x.begin() + 1, x.end()}, x[0], max_norm, order), DType::Float64)};
        },
        given);
    scale_(tensors, factor[0]);
}

}  // namespace tapegrad
