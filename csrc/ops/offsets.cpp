#include "ops/offsets.h"

#include "ops/copy.h"

namespace tapegrad {

Tensor int64_values(const Tensor& index) { return contiguous_values(index, DType::Int64); }

}  // namespace tapegrad
