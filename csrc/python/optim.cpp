// Steps of the optimisers over all their parameters, and the norms and factors of gradient clipping.
// Everything is checked before anything is written.

#include "autograd/variable.h"
#include "core/small_vector.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

constexpr int kMaxColumns = 5;

// A list of tensors as Python gave it.
class TensorSequence {
public:
    TensorSequence(py::handle object, const char* name) : name_(name) {
        if (object.is_none()) return;
        items_ = py::reinterpret_steal<py::object>(
            PySequence_Fast(object.ptr(), "expected a sequence of tensors"));
        if (!items_) throw py::error_already_set();
    }
    bool given() const { return static_cast<bool>(items_); }
    Py_ssize_t size() const { return given() ? PySequence_Fast_GET_SIZE(items_.ptr()) : 0; }
    Tensor operator[](Py_ssize_t i) const {
        PyObject* item = PySequence_Fast_GET_ITEM(items_.ptr(), i);
        if (!is_tensor(item))
            fail<TypeError>("expected Tensor as element ", i, " in argument '", name_,
                            "', but got ", Py_TYPE(item)->tp_name);
        return unwrap(item);
    }
    const char* name() const { return name_; }

private:
    py::object items_;
    const char* name_;
};

// The tensors of one parameter: itself, its gradient, and what the optimiser remembers. They are held
// because long kernels let go of the interpreter lock.
struct Row {
    Tensor columns[kMaxColumns];
    bool direct;  // all lie in memory alike, so that kernels may run over it as it is
};

bool same_layout(const Tensor& a, const Tensor& b) {
    return a.is_contiguous() && b.is_contiguous() ? true : a.strides() == b.strides();
}

class Rows {
public:
    // The first sequence is that of the parameters, the second that of the gradients; those that are not
    // given are left out of every row.
    Rows(const TensorSequence* const* sequences, int count) : count_(count) {
        const TensorSequence& params = *sequences[0];
        for (int c = 1; c < count; ++c)
            if (sequences[c]->given() && sequences[c]->size() != params.size())
                fail<ValueError>("'", sequences[c]->name(), "' has ", sequences[c]->size(),
                                 " tensors for ", params.size(), " parameters");
        rows_.resize(static_cast<size_t>(params.size()));
        for (Py_ssize_t i = 0; i < params.size(); ++i) {
            Row& row = rows_[static_cast<size_t>(i)];
            for (int c = 0; c < count; ++c)
                if (sequences[c]->given()) row.columns[c] = (*sequences[c])[i];
            check_row(row, sequences);
        }
    }

    // step(data pointers, number of elements, dtype, index of the row)
    template <class Step> void run(const Step& step) const {
        for (size_t i = 0; i < rows_.size(); ++i) {
            const Row& row = rows_[i];
            const Tensor& param = row.columns[0];
            char* data[kMaxColumns] = {};
            if (row.direct) [[likely]] {
                for (int c = 0; c < count_; ++c)
                    if (row.columns[c].defined()) data[c] = row.columns[c].data<char>();
                step(data, param.numel(), param.dtype(), i);
            } else {
                run_on_copies(row, data, [&] { step(data, param.numel(), param.dtype(), i); });
            }
            for (int c = 0; c < count_; ++c)
                if (c != 1 && row.columns[c].defined()) row.columns[c].bump_version();
        }
    }

private:
    void check_row(Row& row, const TensorSequence* const* sequences) const {
        const Tensor& param = row.columns[0];
        if (!param.is_floating())
            fail<NotImplementedError>(
                "optimizers need parameters of floating point dtype, but got ",
                dtype_name(param.dtype()));
        row.direct = is_non_overlapping_and_dense(param);
        for (int c = 0; c < count_; ++c) {
            const Tensor& tensor = row.columns[c];
            if (!tensor.defined()) continue;
            if (tensor.dtype() != param.dtype())
                fail("expected dtype ", dtype_name(param.dtype()), " of the parameter in '",
                     sequences[c]->name(), "', but got dtype ", dtype_name(tensor.dtype()));
            if (!(tensor.sizes() == param.sizes()))
                fail("expected size ", to_string(param.sizes()), " of the parameter in '",
                     sequences[c]->name(), "', but got size ", to_string(tensor.sizes()));
            if (c != 1) {  // the gradient is only read
                check_inplace(tensor, false);
                refuse_internal_overlap(tensor);
            }
            row.direct = row.direct && same_layout(tensor, param);
        }
    }

    template <class Step> void run_on_copies(const Row& row, char** data, const Step& step) const {
        Tensor copies[kMaxColumns];
        for (int c = 0; c < count_; ++c) {
            if (!row.columns[c].defined()) continue;
            copies[c] = contiguous_values(row.columns[c]);
            data[c] = copies[c].data<char>();
        }
        step();
        for (int c = 0; c < count_; ++c)
            if (c != 1 && copies[c].defined() && !copies[c].is_same(row.columns[c]))
                copy_values(row.columns[c], copies[c]);
    }

    SmallVector<Row, 8> rows_;
    int count_;
};

void require_exactly_if(const TensorSequence& sequence, bool condition, const char* option) {
    if (sequence.given() != condition)
        fail<ValueError>("'", sequence.name(), "' must be given exactly if ", option);
}

void sgd(py::handle params_list, py::handle grads_list, py::handle buffers_list, double lr,
         double momentum, double dampening, double weight_decay, bool nesterov, bool maximize,
         const py::list& first_step) {
    const TensorSequence params(params_list, "params"), grads(grads_list, "grads"),
        buffers(buffers_list, "momentum_buffers");
    require_exactly_if(buffers, momentum != 0, "momentum is not 0");
    const TensorSequence* sequences[] = {&params, &grads, &buffers};
    const Rows rows(sequences, 3);
    if (static_cast<Py_ssize_t>(first_step.size()) != params.size())
        fail<ValueError>("'first_step' has ", first_step.size(), " values for ", params.size(),
                         " parameters");
    SmallVector<char, 64> first(first_step.size());
    for (size_t i = 0; i < first.size(); ++i)
        first[i] = PyList_GET_ITEM(first_step.ptr(), static_cast<Py_ssize_t>(i)) == Py_True;
    kernels::SgdOptions options{lr, momentum, dampening, weight_decay, nesterov, maximize, false};
    rows.run([&](char** data, int64_t n, DType dtype, size_t i) {
        options.first_step = first[i];
        kernel_table().optim.sgd_step[static_cast<int>(dtype)](data[0], data[1], data[2], n,
                                                               options);
    });
}

void adam(py::handle params_list, py::handle grads_list, py::handle averages_list,
          py::handle squares_list, py::handle largest_list, const py::list& steps_list, double lr,
          double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool amsgrad,
          bool maximize) {
    const TensorSequence params(params_list, "params"), grads(grads_list, "grads"),
        averages(averages_list, "exp_avgs"), squares(squares_list, "exp_avg_sqs"),
        largest(largest_list, "max_exp_avg_sqs");
    require_exactly_if(averages, true, "it is an argument");
    require_exactly_if(squares, true, "it is an argument");
    require_exactly_if(largest, amsgrad, "amsgrad is True");
    const TensorSequence* sequences[] = {&params, &grads, &averages, &squares, &largest};
    const Rows rows(sequences, 5);
    if (static_cast<Py_ssize_t>(steps_list.size()) != params.size())
        fail<ValueError>("'steps' has ", steps_list.size(), " values for ", params.size(),
                         " parameters");
    SmallVector<double, 32> steps(steps_list.size());
    for (size_t i = 0; i < steps.size(); ++i) {
        steps[i] = PyFloat_AsDouble(PyList_GET_ITEM(steps_list.ptr(), static_cast<Py_ssize_t>(i)));
        if (steps[i] == -1.0 && PyErr_Occurred()) throw py::error_already_set();
    }
    kernels::AdamOptions options{lr,        beta1,   beta2,    eps, weight_decay,
                                 decoupled, amsgrad, maximize, 1.0};
    rows.run([&](char** data, int64_t n, DType dtype, size_t i) {
        options.step = steps[i];
        kernel_table().optim.adam_step[static_cast<int>(dtype)](data[0], data[1], data[2], data[3],
                                                                data[4], n, options);
    });
}

void rmsprop(py::handle params_list, py::handle grads_list, py::handle squares_list,
             py::handle averages_list, py::handle buffers_list, double lr, double alpha, double eps,
             double weight_decay, double momentum, bool centered, bool maximize) {
    const TensorSequence params(params_list, "params"), grads(grads_list, "grads"),
        squares(squares_list, "square_avgs"), averages(averages_list, "grad_avgs"),
        buffers(buffers_list, "momentum_buffers");
    require_exactly_if(squares, true, "it is an argument");
    require_exactly_if(averages, centered, "centered is True");
    require_exactly_if(buffers, momentum != 0, "momentum is not 0");
    const TensorSequence* sequences[] = {&params, &grads, &squares, &averages, &buffers};
    const Rows rows(sequences, 5);
    const kernels::RmspropOptions options{lr,       alpha,    eps,     weight_decay,
                                          momentum, centered, maximize};
    rows.run([&](char** data, int64_t n, DType dtype, size_t) {
        kernel_table().optim.rmsprop_step[static_cast<int>(dtype)](data[0], data[1], data[2],
                                                                   data[3], data[4], n, options);
    });
}

// The norm of the norms of the tensors, which is that of all their elements together.
Tensor grad_norm(py::handle list, double order) {
    const TensorSequence tensors(list, "tensors");
    const GradMode off(false);
    const auto count = static_cast<size_t>(tensors.size());
    if (count == 0) return scalar_tensor(0.0, DType::Float32);
    SmallVector<Tensor, 32> values(count);
    DType dtype = tensors[0].dtype();
    for (size_t i = 0; i < count; ++i) {
        values[i] = tensors[static_cast<Py_ssize_t>(i)];
        dtype = promote(dtype, values[i].dtype());
    }
    if (!is_floating(dtype)) return norm(values[0], order, {}, false);  // which refuses it
    Tensor norms = empty({static_cast<int64_t>(count)}, dtype);
    const kernels::ReduceFn norm2 = kernel_table().reduce.norm2[static_cast<int>(dtype)];
    for (size_t i = 0; i < count; ++i) {
        const auto at = static_cast<int64_t>(i);
        if (order == 2 && values[i].dtype() == dtype)
            norm2(contiguous_values(values[i]).data(), norms.data<char>() + i * item_size(dtype), 1,
                  values[i].numel(), 1);
        else copy_values(alias(norms, {}, {}, at), norm(values[i], order, {}, false));
    }
    return count == 1 ? alias(norms, {}, {}, 0) : norm(norms, order, {}, false);
}

void scale(py::handle list, const Value& factor) {
    const TensorSequence tensors(list, "tensors");
    const GradMode off(false);
    double number = factor.scalar.to_double();
    if (factor.tensor.defined()) {
        if (factor.tensor.numel() != 1)
            fail("a Tensor with ", factor.tensor.numel(),
                 " elements cannot be converted to Scalar");
        number = *cast_values(alias(factor.tensor, {}, {}, 0), DType::Float64).data<double>();
    }
    SmallVector<Tensor, 32> values(static_cast<size_t>(tensors.size()));
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = tensors[static_cast<Py_ssize_t>(i)];
        check_inplace(values[i], false);
        refuse_internal_overlap(values[i]);
        if (!values[i].is_floating())
            fail<NotImplementedError>("'tensors' need a floating point dtype, but got ",
                                      dtype_name(values[i].dtype()));
    }
    for (const Tensor& x : values) {
        if (is_non_overlapping_and_dense(x)) {
            kernel_table().optim.scale[static_cast<int>(x.dtype())](x.data(), number, x.numel());
            x.bump_version();
        } else {
            binary_in_place(Binary::Mul, x, number);
        }
    }
}

}  // namespace

void bind_optim(py::module_& m) {
    def_function(m, "_optim_sgd", sgd, py::arg("params"), py::arg("grads"),
                 py::arg("momentum_buffers"), py::arg("lr"), py::arg("momentum"),
                 py::arg("dampening"), py::arg("weight_decay"), py::arg("nesterov"),
                 py::arg("maximize"), py::arg("first_step"));
    def_function(m, "_optim_adam", adam, py::arg("params"), py::arg("grads"), py::arg("exp_avgs"),
                 py::arg("exp_avg_sqs"), py::arg("max_exp_avg_sqs"), py::arg("steps"),
                 py::arg("lr"), py::arg("beta1"), py::arg("beta2"), py::arg("eps"),
                 py::arg("weight_decay"), py::arg("decoupled"), py::arg("amsgrad"),
                 py::arg("maximize"));
    def_function(m, "_optim_rmsprop", rmsprop, py::arg("params"), py::arg("grads"),
                 py::arg("square_avgs"), py::arg("grad_avgs"), py::arg("momentum_buffers"),
                 py::arg("lr"), py::arg("alpha"), py::arg("eps"), py::arg("weight_decay"),
                 py::arg("momentum"), py::arg("centered"), py::arg("maximize"));
    def_function(m, "_grad_norm", grad_norm, py::arg("tensors"), py::arg("norm_type"));
    def_function(m, "_scale_", scale, py::arg("tensors"), py::arg("factor"));
}

}  // namespace tapegrad::python
