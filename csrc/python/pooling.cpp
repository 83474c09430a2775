#include "ops/pooling.h"

#include "python/bind.h"

namespace tapegrad::python {
namespace {

template <int spatial> struct Pooling {
    static std::vector<Tensor> maxima(const Tensor& x, const Dims& kernel, const Dims& stride,
                                      const Dims& padding, const Dims& dilation, bool ceil_mode) {
        return max_pool(spatial, x, kernel, stride, padding, dilation, ceil_mode);
    }
    static Tensor maxima_alone(const Tensor& x, const Dims& kernel, const Dims& stride,
                               const Dims& padding, const Dims& dilation, bool ceil_mode) {
        return max_pool(spatial, x, kernel, stride, padding, dilation, ceil_mode)[0];
    }
    static Tensor means(const Tensor& x, const Dims& kernel, const Dims& stride,
                        const Dims& padding, bool ceil_mode, bool count_include_pad,
                        std::optional<int64_t> divisor) {
        return avg_pool(spatial, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor);
    }
    static Tensor means_of_line(const Tensor& x, const Dims& kernel, const Dims& stride,
                                const Dims& padding, bool ceil_mode, bool count_include_pad) {
        return avg_pool(spatial, x, kernel, stride, padding, ceil_mode, count_include_pad, {});
    }
    static std::vector<Tensor> parts_maxima(const Tensor& x, const Dims& size) {
        return adaptive_max_pool(spatial, x, size);
    }
    static Tensor parts_means(const Tensor& x, const Dims& size) {
        return adaptive_avg_pool(spatial, x, size);
    }
    static Tensor unpool(const Tensor& x, const Tensor& indices, const Dims& size) {
        return max_unpool(spatial, x, indices, size);
    }
};

}  // namespace

void bind_pooling(PyObject* m) {
    def_function<"max_pool1d">(m, Pooling<1>::maxima_alone).without_out();
    def_function<"max_pool2d">(m, Pooling<2>::maxima_alone).without_out();
    def_function<"max_pool3d">(m, Pooling<3>::maxima_alone).without_out();
    def_function<"max_pool1d_with_indices">(m, Pooling<1>::maxima).without_out();
    def_function<"max_pool2d_with_indices">(m, Pooling<2>::maxima).without_out();
    def_function<"max_pool3d_with_indices">(m, Pooling<3>::maxima).without_out();
    def_function<"avg_pool1d">(m, Pooling<1>::means_of_line).without_out();
    def_function<"avg_pool2d">(m, Pooling<2>::means).out_has(kSameType);
    def_function<"avg_pool3d">(m, Pooling<3>::means).out_has(kSameType);
    def_function<"adaptive_max_pool1d">(m, Pooling<1>::parts_maxima).without_out();
    def_function<"adaptive_max_pool2d">(m, Pooling<2>::parts_maxima).without_out();
    def_function<"adaptive_max_pool3d">(m, Pooling<3>::parts_maxima).without_out();
    def_function<"adaptive_avg_pool1d">(m, Pooling<1>::parts_means).without_out();
    def_function<"adaptive_avg_pool2d">(m, Pooling<2>::parts_means).without_out();
    def_function<"adaptive_avg_pool3d">(m, Pooling<3>::parts_means).without_out();
    def_function<"max_unpool1d">(m, Pooling<1>::unpool).without_out();
    def_function<"max_unpool2d">(m, Pooling<2>::unpool).without_out();
    def_function<"max_unpool3d">(m, Pooling<3>::unpool).without_out();
}

}  // namespace tapegrad::python
