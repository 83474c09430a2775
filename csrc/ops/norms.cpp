#include "ops/norms.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ops/copy.h"
#include "ops/extremes.h"
#include "ops/spectra.h"
#include "ops/views.h"

namespace tapegrad {

void refuse_matrix_dims(const Dims& dims) {
    std::string list;
    for (int64_t d : dims) list += " " + std::to_string(d);
    fail("linalg.matrix_norm: dim must be a 2-tuple. Got", list);
}

namespace {

// The tensor in the dtype of the computation, which must hold its values.
Tensor in_dtype(const char* name, const Tensor& x, OptionalDType dtype) {
    if (!x.is_floating())
        fail("linalg.", name, ": Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
    if (!dtype || *dtype == x.dtype()) return x;
    if (!is_floating(*dtype))
        fail("linalg.", name, ": dtype should be floating point or complex, but got ",
             scalar_type_name(*dtype));
    if (item_size(*dtype) < x.item_size())
        fail("linalg.", name, ": the dtype of the input (", scalar_type_name(x.dtype()),
             ") should be convertible without narrowing to the specified dtype (",
             scalar_type_name(*dtype), ")");
    return to_dtype(x, *dtype);
}

// The two dimensions of matrices, those of rows first.
std::pair<int, int> matrix_dims(const Tensor& a, const Dims& dims) {
    constexpr auto name = "linalg.matrix_norm: ";
    if (a.dim() < 2) fail(name, "The input tensor A must have at least 2 dimensions.");
    if (dims.size() != 2) refuse_matrix_dims(dims);
    const int rows = wrap_dim(dims[0], a.dim()), columns = wrap_dim(dims[1], a.dim());
    if (rows == columns) fail(name, "dims must be different. Got (", dims[0], ", ", dims[1], ")");
    return {rows, columns};
}

// A value for each matrix, with both dimensions of the matrix where they stay.
Tensor kept(const Tensor& values, int rows, int columns, bool keepdim) {
    if (!keepdim) return values;
    return unsqueeze(unsqueeze(values, std::min(rows, columns)), std::max(rows, columns));
}
Tensor singular_values(const Tensor& a, int rows, int columns) {
    return svdvals(movedim(a, {rows, columns}, {-2, -1}));
}

// The largest of values that are not negative, 0 if there are none, or the smallest.
Tensor extreme_along(const Tensor& values, int64_t dim, bool largest, bool keepdim) {
    if (!largest) return extremes(Extreme::Min, values, Dims{dim}, keepdim);
    return values.size(dim) ? extremes(Extreme::Max, values, Dims{dim}, keepdim)
                            : sum(values, Dims{dim}, keepdim);
}

}  // namespace

Tensor nuclear_norm(const Tensor& x, const Dims& given, bool keepdim) {
    Dims dims = given;
    for (int d = 0; given.empty() && d < x.dim(); ++d) dims.push_back(d);
    const auto [rows, columns] = matrix_dims(x, dims);
    return kept(sum(singular_values(x, rows, columns), Dims{-1}), rows, columns, keepdim);
}

Tensor vector_norm(const Tensor& x, const Scalar& order, const std::optional<Dims>& dims,
                   bool keepdim, OptionalDType dtype) {
    return norm(in_dtype("vector_norm", x, dtype), order.to_double(), dims.value_or(Dims()),
                keepdim);
}

Tensor matrix_norm(const Tensor& a_given, const NormOrder& order, const std::optional<Dims>& dims,
                   bool keepdim, OptionalDType dtype) {
    const bool named = order.nuclear || order.frobenius;
    const double p = std::fabs(order.p);
    if (!named && p != 1 && p != 2 && !std::isinf(p))
        fail("linalg.matrix_norm: Order ", order.p, " not supported.");
    const Tensor a = in_dtype("matrix_norm", a_given, dtype);
    const auto [rows, columns] = matrix_dims(a, dims.value_or(Dims{-2, -1}));
    if (order.nuclear) return nuclear_norm(a, {rows, columns}, keepdim);
    if (order.frobenius) return norm(a, 2, {rows, columns}, keepdim);
    const bool largest = order.p > 0;
    if (p == 2)
        return kept(extreme_along(singular_values(a, rows, columns), -1, largest, false), rows,
                    columns, keepdim);
    const int added = p == 1 ? rows : columns, compared = p == 1 ? columns : rows;
    const Tensor result = extreme_along(norm(a, 1, {added}, true), compared, largest, true);
    return keepdim ? result : squeeze(result, {rows, columns});
}

Tensor linalg_norm(const Tensor& a, const std::optional<NormOrder>& order,
                   const std::optional<Dims>& given, bool keepdim, OptionalDType dtype) {
    if (given && given->size() != 1 && given->size() != 2)
        fail("linalg.norm: If dim is specified, it must be of length 1 or 2. Got ",
             to_string(*given));
    if (!order) return vector_norm(a, 2, given, keepdim, dtype);
    Dims dims = given.value_or(Dims());
    if (!given) {
        if (a.dim() != 1 && a.dim() != 2)
            fail(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ",
                a.dim(), "D.");
        for (int d = 0; d < a.dim(); ++d) dims.push_back(d);
    }
    if (dims.size() == 1 && !order->nuclear && !order->frobenius)
        return vector_norm(a, order->p, dims, keepdim, dtype);
    return matrix_norm(a, *order, dims, keepdim, dtype);
}

}  // namespace tapegrad
