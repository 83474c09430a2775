#include "ops/matrices.h"

#include <limits>

namespace tapegrad {

Matrices::Matrices(const Tensor& x)
    : batch(x.sizes().data(), x.dim() - 2),
      count(element_count(batch)),
      rows(x.sizes()[x.dim() - 2]),
      columns(x.sizes().back()) {}

Dims Matrices::of(int64_t m, int64_t n) const {
    Dims sizes = batch;
    sizes.push_back(m);
    sizes.push_back(n);
    return sizes;
}
Dims Matrices::of(int64_t length) const {
    Dims sizes = batch;
    sizes.push_back(length);
    return sizes;
}

void require_matrices(const char* function, const Tensor& x, const char* name) {
    if (x.dim() < 2)
        fail(function, ": The input tensor ", name, " must have at least 2 dimensions.");
}

void require_square(const char* function, const Tensor& x, const char* name) {
    require_matrices(function, x, name);
    const int64_t rows = x.sizes()[x.dim() - 2], columns = x.sizes().back();
    if (rows != columns)
        fail(function, ": ", name, " must be batches of square matrices, but they are ", rows,
             " by ", columns, " matrices");
}

void require_float(const char* function, const Tensor& x) {
    if (!x.is_floating())
        fail(function, ": Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
}
void require_precision(const char* function, const Tensor& x) {
    require_float(function, x);
    if (x.item_size() < sizeof(float))
        fail(function, ": Low precision dtypes not supported. Got ", scalar_type_name(x.dtype()));
}

void require_square_float(const char* function, const Tensor& x) {
    require_square(function, x);
    require_float(function, x);
}

void refuse_without_lapack() {
    fail("This function needs LAPACK, which is part of the OpenBLAS library that was not found.");
}

int lapack_int(int64_t size) {
    if (size > std::numeric_limits<int>::max())
        fail("a matrix with ", size, " rows, columns or elements is too large for LAPACK");
    return static_cast<int>(size);
}

Failure first_failure(const Tensor& flags) {
    const int32_t* flag = flags.data<int32_t>();
    for (int64_t i = 0; i < flags.numel(); ++i)
        if (flag[i] != 0) return {flags.dim() ? text("(Batch element ", i, "): ") : "", flag[i]};
    return {};
}

std::pair<Tensor, Tensor> with_same_batch(const Tensor& a, const Tensor& b) {
    const Matrices left(a), right(b);
    if (left.batch == right.batch) return {a, b};
    Matrices all = left;
    all.batch = broadcast(left.batch, right.batch);
    return {expand(a, all.of(left.rows, left.columns)),
            expand(b, all.of(right.rows, right.columns))};
}

}  // namespace tapegrad
