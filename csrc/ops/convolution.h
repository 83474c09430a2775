// Convolutions over one to three dimensions.
#pragma once

#include <string_view>

#include "core/tensor.h"

namespace tapegrad {

// How much is added on both sides: numbers, or as much as keeps the size ("same"), or nothing ("valid").
struct ConvolutionPadding {
    enum Kind { Numbers, Same, Valid } kind = Numbers;
    Dims sizes;
};
void from_text(std::string_view text, ConvolutionPadding& padding);

// input [N, C, ...] or [C, ...] with `spatial` more dimensions, weight [filters, C / groups, kernel...],
// bias [filters] or undefined. Numbers of one value count for all dimensions.
Tensor convolution(int spatial, const Tensor& input, const Tensor& weight, const Tensor& bias,
                   const Dims& stride, const ConvolutionPadding& padding, const Dims& dilation,
                   int64_t groups);
// weight [C, filters / groups, kernel...].
Tensor transposed_convolution(int spatial, const Tensor& input, const Tensor& weight,
                              const Tensor& bias, const Dims& stride, const Dims& padding,
                              const Dims& output_padding, int64_t groups, const Dims& dilation);

}  // namespace tapegrad
