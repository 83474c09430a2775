// Images of another size, and their elements in another order.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

enum class Interpolation { Nearest, NearestExact, Linear, Bilinear, Trilinear, Bicubic };
void from_text(std::string_view text, Interpolation& mode);

// The dimensions behind images and channels in another size. scales, if they are given, are the ratios of the
// sizes, which those of the result may have been rounded from. antialias: where the result is smaller, the
// weights reach as much further.
Tensor upsample(const Tensor& x, const Dims& size, Interpolation mode, bool align_corners,
                const std::optional<std::vector<double>>& scales, bool antialias);

// The windows of images as columns [N, C * kernel, positions], and their sum back.
Tensor im2col(const Tensor& x, const Dims& kernel, const Dims& dilation, const Dims& padding,
              const Dims& stride);
Tensor col2im(const Tensor& x, const Dims& output_size, const Dims& kernel, const Dims& dilation,
              const Dims& padding, const Dims& stride);

// [C * r * r, H, W] as [C, H * r, W * r], and back.
Tensor pixel_shuffle(const Tensor& x, int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, int64_t factor);
// The channels of all groups in turn.
Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace tapegrad
