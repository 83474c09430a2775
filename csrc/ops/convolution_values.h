// The three bilinear maps that convolutions and their derivatives are made of, on values alone. Arrays are
// contiguous, with three spatial dimensions behind images and channels.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

struct ConvolutionSizes {
    int64_t images, groups;
    int64_t channels, filters;  // of all groups: of what a convolution reads, and of what it writes
    int64_t in[3], out[3], kernel[3];
    int64_t stride[3], padding[3], dilation[3];
    int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// x [images, channels, in], weight [filters, channels / groups, kernel], bias [filters] or none
// -> [images, filters, out]
Tensor convolve_values(const ConvolutionSizes& s, const Tensor& x, const Tensor& weight,
                       const Tensor& bias);
// Its transpose in x: g [images, filters, out] -> [images, channels, in]; bias [channels] or none.
Tensor convolve_input_values(const ConvolutionSizes& s, const Tensor& g, const Tensor& weight,
                             const Tensor& bias);
// Its transpose in the weight: g and x -> [filters, channels / groups, kernel].
Tensor convolve_weight_values(const ConvolutionSizes& s, const Tensor& g, const Tensor& x);

}  // namespace tapegrad
