#include "ops/nonzero.h"

#include <algorithm>

#include "ops/copy.h"
#include "ops/reductions.h"
#include "replay/recorder.h"

namespace tapegrad {

std::vector<Tensor> nonzero_coordinates(const Tensor& x_given) {
    refuse_replay(kShapeOfValues);
    const Tensor mask = contiguous_values(
        x_given.dtype() == DType::UInt8 ? x_given : cast_values(x_given, DType::Bool));
    const uint8_t* values = mask.data<uint8_t>();
    const int64_t n = mask.numel();
    const int dim = mask.dim();
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) count += values[i] != 0;
    std::vector<Tensor> coordinates;
    for (int d = 0; d < dim; ++d) coordinates.push_back(empty({count}, DType::Int64));
    if (dim == 0 || count == 0) return coordinates;
    // Runs of the last dimension; the coordinates before it change only between runs.
    const int64_t length = mask.sizes()[dim - 1];
    int64_t* last = coordinates.back().data<int64_t>();
    Dims at(dim, 0);
    int64_t found = 0;
    for (int64_t row = 0; row < n / length; ++row) {
        const int64_t before = found;
        for (int64_t i = 0; i < length; ++i)
            if (values[row * length + i]) last[found++] = i;
        for (int d = 0; d < dim - 1; ++d)
            std::fill(coordinates[static_cast<size_t>(d)].data<int64_t>() + before,
                      coordinates[static_cast<size_t>(d)].data<int64_t>() + found, at[d]);
        for (int d = dim - 2; d >= 0 && ++at[d] == mask.sizes()[d]; --d) at[d] = 0;
    }
    return coordinates;
}

std::vector<Tensor> nonzero_tuple(const Tensor& x) {
    return nonzero_coordinates(x.dim() ? x : alias(x, {1}, {1}, 0));
}

Tensor nonzero(const Tensor& x) {
    refuse_replay(kShapeOfValues);
    if (x.dim() == 0) return empty({any_values(x) ? 1 : 0, 0}, DType::Int64);
    const std::vector<Tensor> coordinates = nonzero_coordinates(x);
    const int64_t count = coordinates[0].numel();
    Tensor out = empty({count, x.dim()}, DType::Int64);
    int64_t* to = out.data<int64_t>();
    for (int d = 0; d < x.dim(); ++d) {
        const int64_t* from = coordinates[static_cast<size_t>(d)].data<int64_t>();
        for (int64_t i = 0; i < count; ++i) to[i * x.dim() + d] = from[i];
    }
    return out;
}

}  // namespace tapegrad
