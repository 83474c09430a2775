#include "ops/convolution.h"

#include "python/bind.h"

namespace tapegrad::python {

template <> struct Read<ConvolutionPadding> {
    static constexpr const char *name = "tuple of ints", *stub = "_Dims | str";
    bool read(const Call& call, int slot) {
        std::string_view text;
        if (read_text(call.slots[slot], text)) {
            from_text(text, padding);
            return true;
        }
        Read<Dims> sizes;
        if (!sizes.read(call, slot)) return false;
        padding.sizes = sizes.value();
        return true;
    }
    const ConvolutionPadding& value() const { return padding; }
    ConvolutionPadding padding;
};

namespace {

template <int spatial> struct Convolution {
    static Tensor plain(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const Dims& stride, const ConvolutionPadding& padding, const Dims& dilation,
                        int64_t groups) {
        return convolution(spatial, input, weight, bias, stride, padding, dilation, groups);
    }
    static Tensor transposed(const Tensor& input, const Tensor& weight, const Tensor& bias,
                             const Dims& stride, const Dims& padding, const Dims& output_padding,
                             int64_t groups, const Dims& dilation) {
        return transposed_convolution(spatial, input, weight, bias, stride, padding, output_padding,
                                      groups, dilation);
    }
};

}  // namespace

void bind_convolution(PyObject* m) {
    def_function<"conv1d">(m, Convolution<1>::plain).without_out();
    def_function<"conv2d">(m, Convolution<2>::plain).without_out();
    def_function<"conv3d">(m, Convolution<3>::plain).without_out();
    def_function<"conv_transpose1d">(m, Convolution<1>::transposed).without_out();
    def_function<"conv_transpose2d">(m, Convolution<2>::transposed).without_out();
    def_function<"conv_transpose3d">(m, Convolution<3>::transposed).without_out();
}

}  // namespace tapegrad::python
