#include "ops/normalization.h"

#include "python/bind.h"

namespace tapegrad::python {

// PyTorch's switch for cuDNN is taken and means nothing.
void bind_normalization(PyObject* m) {
    def_function<"layer_norm">(m, [](const Tensor& input, const Dims& normalized_shape,
                                     const Tensor& weight, const Tensor& bias, double eps, bool) {
        return layer_norm(input, normalized_shape, weight, bias, eps);
    }).without_out();
    def_function<"rms_norm">(m, rms_norm).without_out();
    def_function<"group_norm">(m, [](const Tensor& input, int64_t groups, const Tensor& weight,
                                     const Tensor& bias, double eps, bool) {
        return group_norm(input, groups, weight, bias, eps);
    }).without_out();
    def_function<"batch_norm">(m, [](const Tensor& input, const Tensor& weight, const Tensor& bias,
                                     const Tensor& running_mean, const Tensor& running_var,
                                     bool training, double momentum, double eps, bool) {
        return batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps);
    }).without_out();
    def_function<"instance_norm">(m, [](const Tensor& input, const Tensor& weight,
                                        const Tensor& bias, const Tensor& running_mean,
                                        const Tensor& running_var, bool use_input_stats,
                                        double momentum, double eps, bool) {
        return instance_norm(input, weight, bias, running_mean, running_var, use_input_stats,
                             momentum, eps);
    }).without_out();
}

}  // namespace tapegrad::python
