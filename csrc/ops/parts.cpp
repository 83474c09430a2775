#include "ops/parts.h"

#include "ops/split.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

Dims parts_of_size(const Tensor& x, int64_t size, int64_t dim) {
    const int64_t total = x.size(dim);
    if (size == 0 && total > 0)
        fail("split_size can only be 0 if dimension size is 0, but got dimension size of ", total);
    Dims sizes;
    for (int64_t start = 0; start < total || sizes.empty(); start += std::max<int64_t>(size, 1))
        sizes.push_back(std::min(size, total - start));
    return sizes;
}

}  // namespace

std::vector<Tensor> split_by_size(const Tensor& x, int64_t size, int64_t dim) {
    if (x.dim() == 0) fail("split expects at least a 1-dimensional tensor");
    if (size < 0) fail("split expects split_size be non-negative, but got split_size=", size);
    return split(x, parts_of_size(x, size, dim), dim, true);
}

std::vector<Tensor> split_by_sizes(const Tensor& x, const Dims& sizes, int64_t dim) {
    return split(x, sizes, dim);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
    if (x.dim() == 0) fail("chunk expects at least a 1-dimensional tensor");
    if (chunks <= 0) fail("chunk expects `chunks` to be greater than 0, got: ", chunks);
    const int64_t size = (x.size(dim) + chunks - 1) / chunks;
    if (size == 0) return split(x, Dims(static_cast<int>(chunks), 0), dim, true);
    return split(x, parts_of_size(x, size, dim), dim, true);
}

Dims broadcast_shapes(const std::vector<Dims>& shapes) {
    Dims result;
    for (const Dims& shape : shapes) result = broadcast(result, shape);
    return result;
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
    Dims shape;
    for (const Tensor& tensor : tensors) shape = broadcast(shape, tensor.sizes());
    std::vector<Tensor> result;
    for (const Tensor& tensor : tensors) result.push_back(expand(tensor, shape));
    return result;
}

}  // namespace tapegrad
