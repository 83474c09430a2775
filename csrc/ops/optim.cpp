#include "ops/optim.h"

#include "autograd/variable.h"
#include "core/small_vector.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/overlap.h"
#include "ops/reductions.h"

namespace tapegrad {
namespace {

constexpr int kMaxColumns = 5;

// The tensors that an optimiser has, one for each parameter.
struct Column {
    Column(const char* name_, const Tensors& tensors_) : name(name_), tensors(&tensors_) {}
    Column(const char* name_, const std::optional<Tensors>& tensors_, bool wanted,
           const char* option)
        : name(name_),
          tensors(tensors_ ? &*tensors_ : nullptr) {
        if (tensors_.has_value() != wanted)
            fail<ValueError>("'", name, "' must be given exactly if ", option);
    }
    const char* name;
    const Tensors* tensors;
};

bool same_layout(const Tensor& a, const Tensor& b) {
    return a.is_contiguous() && b.is_contiguous() ? true : a.strides() == b.strides();
}

// One parameter after the other, with its gradient and what the optimiser remembers.
class Rows {
public:
    // The first column is that of the parameters, the second that of the gradients, which are only read.
    Rows(std::initializer_list<Column> columns) : columns_(columns) {
        const size_t count = columns_[0].tensors->size();
        for (const Column& column : columns_)
            if (column.tensors && column.tensors->size() != count)
                fail<ValueError>("'", column.name, "' has ", column.tensors->size(),
                                 " tensors for ", count, " parameters");
        direct_.resize(count);
        for (size_t i = 0; i < count; ++i) check_row(i);
    }

    template <class T> void check_count(const std::vector<T>& values, const char* name) const {
        if (values.size() != direct_.size())
            fail<ValueError>("'", name, "' has ", values.size(), " values for ", direct_.size(),
                             " parameters");
    }

    // step(data pointers, number of elements, dtype, index of the row)
    template <class Step> void run(const Step& step) const {
        for (size_t i = 0; i < direct_.size(); ++i) {
            const Tensor& param = (*columns_[0].tensors)[i];
            char* data[kMaxColumns] = {};
            if (direct_[i]) [[likely]] {
                for (size_t c = 0; c < columns_.size(); ++c)
                    if (columns_[c].tensors) data[c] = at(c, i).data<char>();
                step(data, param.numel(), param.dtype(), i);
            } else {
                run_on_copies(i, data, [&] { step(data, param.numel(), param.dtype(), i); });
            }
            for (size_t c = 0; c < columns_.size(); ++c)
                if (c != 1 && columns_[c].tensors) at(c, i).bump_version();
        }
    }

private:
    const Tensor& at(size_t column, size_t row) const { return (*columns_[column].tensors)[row]; }

    void check_row(size_t i) {
        const Tensor& param = at(0, i);
        if (!param.is_floating())
            fail<NotImplementedError>(
                "optimizers need parameters of floating point dtype, but got ",
                dtype_name(param.dtype()));
        direct_[i] = is_non_overlapping_and_dense(param);
        for (size_t c = 0; c < columns_.size(); ++c) {
            if (!columns_[c].tensors) continue;
            const Tensor& tensor = at(c, i);
            if (tensor.dtype() != param.dtype())
                fail("expected dtype ", dtype_name(param.dtype()), " of the parameter in '",
                     columns_[c].name, "', but got dtype ", dtype_name(tensor.dtype()));
            if (!(tensor.sizes() == param.sizes()))
                fail("expected size ", to_string(param.sizes()), " of the parameter in '",
                     columns_[c].name, "', but got size ", to_string(tensor.sizes()));
            if (c != 1) {
                check_inplace(tensor, false);
                refuse_internal_overlap(tensor);
            }
            direct_[i] = direct_[i] && same_layout(tensor, param);
        }
    }

    template <class Step> void run_on_copies(size_t i, char** data, const Step& step) const {
        Tensor copies[kMaxColumns];
        for (size_t c = 0; c < columns_.size(); ++c) {
            if (!columns_[c].tensors) continue;
            copies[c] = contiguous_values(at(c, i));
            data[c] = copies[c].data<char>();
        }
        step();
        for (size_t c = 0; c < columns_.size(); ++c)
            if (c != 1 && copies[c].defined() && !copies[c].is_same(at(c, i)))
                copy_values(at(c, i), copies[c]);
    }

    SmallVector<Column, kMaxColumns> columns_;
    // Whether all tensors of a row lie in memory alike, so that kernels may run over them as they are.
    SmallVector<char, 64> direct_;
};

}  // namespace

void sgd_step(const Tensors& params, const Tensors& grads,
              const std::optional<Tensors>& momentum_buffers, double lr, double momentum,
              double dampening, double weight_decay, bool nesterov, bool maximize,
              const std::vector<bool>& first_step) {
    const Rows rows{{"params", params},
                    {"grads", grads},
                    {"momentum_buffers", momentum_buffers, momentum != 0, "momentum is not 0"}};
    rows.check_count(first_step, "first_step");
    kernels::SgdOptions options{lr, momentum, dampening, weight_decay, nesterov, maximize, false};
    rows.run([&](char** data, int64_t n, DType dtype, size_t i) {
        options.first_step = first_step[i];
        kernel_table().optim.sgd_step[static_cast<int>(dtype)](data[0], data[1], data[2], n,
                                                               options);
    });
}

void adam_step(const Tensors& params, const Tensors& grads, const Tensors& exp_avgs,
               const Tensors& exp_avg_sqs, const std::optional<Tensors>& max_exp_avg_sqs,
               const std::vector<double>& steps, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool amsgrad, bool maximize) {
    const Rows rows{{"params", params},
                    {"grads", grads},
                    {"exp_avgs", exp_avgs},
                    {"exp_avg_sqs", exp_avg_sqs},
                    {"max_exp_avg_sqs", max_exp_avg_sqs, amsgrad, "amsgrad is True"}};
    rows.check_count(steps, "steps");
    kernels::AdamOptions options{lr,        beta1,   beta2,    eps, weight_decay,
                                 decoupled, amsgrad, maximize, 1.0};
    rows.run([&](char** data, int64_t n, DType dtype, size_t i) {
        options.step = steps[i];
        kernel_table().optim.adam_step[static_cast<int>(dtype)](data[0], data[1], data[2], data[3],
                                                                data[4], n, options);
    });
}

void rmsprop_step(const Tensors& params, const Tensors& grads, const Tensors& square_avgs,
                  const std::optional<Tensors>& grad_avgs,
                  const std::optional<Tensors>& momentum_buffers, double lr, double alpha,
                  double eps, double weight_decay, double momentum, bool centered, bool maximize) {
    const Rows rows{{"params", params},
                    {"grads", grads},
                    {"square_avgs", square_avgs},
                    {"grad_avgs", grad_avgs, centered, "centered is True"},
                    {"momentum_buffers", momentum_buffers, momentum != 0, "momentum is not 0"}};
    const kernels::RmspropOptions options{lr,       alpha,    eps,     weight_decay,
                                          momentum, centered, maximize};
    rows.run([&](char** data, int64_t n, DType dtype, size_t) {
        kernel_table().optim.rmsprop_step[static_cast<int>(dtype)](data[0], data[1], data[2],
                                                                   data[3], data[4], n, options);
    });
}

Tensor grad_norm(const Tensors& tensors, double order) {
    const GradMode off(false);
    if (tensors.empty()) return scalar_tensor(0.0, DType::Float32);
    DType dtype = tensors[0].dtype();
    for (const Tensor& x : tensors) dtype = promote(dtype, x.dtype());
    if (!is_floating(dtype)) return norm(tensors[0], order, {}, false);  // which refuses it
    Tensor norms = empty({static_cast<int64_t>(tensors.size())}, dtype);
    const kernels::ReduceFn norm2 = kernel_table().reduce.norm2[static_cast<int>(dtype)];
    for (size_t i = 0; i < tensors.size(); ++i) {
        const Tensor& x = tensors[i];
        if (order == 2 && x.dtype() == dtype)
            norm2(contiguous_values(x).data(), norms.data<char>() + i * item_size(dtype), 1,
                  x.numel(), 1);
        else copy_values(alias(norms, {}, {}, static_cast<int64_t>(i)), norm(x, order, {}, false));
    }
    return tensors.size() == 1 ? alias(norms, {}, {}, 0) : norm(norms, order, {}, false);
}

void scale_(const Tensors& tensors, const Arg& factor) {
    const GradMode off(false);
    const double number = to_number(factor).to_double();
    for (const Tensor& x : tensors) {
        check_inplace(x, false);
        refuse_internal_overlap(x);
        if (!x.is_floating())
            fail<NotImplementedError>("'tensors' need a floating point dtype, but got ",
                                      dtype_name(x.dtype()));
    }
    for (const Tensor& x : tensors) {
        if (is_non_overlapping_and_dense(x)) {
            kernel_table().optim.scale[static_cast<int>(x.dtype())](x.data(), number, x.numel());
            x.bump_version();
        } else {
            binary_in_place(Binary::Mul, x, number);
        }
    }
}

}  // namespace tapegrad
