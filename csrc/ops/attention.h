// Attention as in Vaswani et al., arXiv:1706.03762.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace tapegrad {

// softmax(query @ key.mT * scale + mask) @ value over the last two dimensions; the others are batches and
// broadcast. mask: undefined, summands, or (bool) which keys each query sees. causal: query i sees keys up to i.
// With enable_gqa, groups of heads of the query (dimension -3) share those of key and value.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask, double dropout_p, bool causal,
                                    std::optional<double> scale, bool enable_gqa);

}  // namespace tapegrad
