#include "ops/offsets.h"

#include <cmath>
#include <limits>

#include "ops/copy.h"

namespace tapegrad {

Tensor int64_values(const Tensor& index) {
    return contiguous_values(cast_values(index, DType::Int64));
}

void check_convertible(const Scalar& value, DType dtype) {
    double limit;
    const char* name;
    switch (dtype) {
        case DType::UInt8: limit = 255, name = "uint8_t"; break;
        case DType::Int32: limit = 2147483648.0, name = "int"; break;
        case DType::Int64: limit = 9223372036854775808.0, name = "int64_t"; break;
        case DType::Float32: limit = std::numeric_limits<float>::max(), name = "float"; break;
        default: return;
    }
    const double number = value.to_double();
    if (is_floating(dtype) && !std::isfinite(number)) return;
    const bool upper_excluded =
        dtype == DType::Int32 || (dtype == DType::Int64 && value.is_floating());
    if (!(std::abs(number) <= limit) || (upper_excluded && number == limit))
        fail("value cannot be converted to type ", name, " without overflow");
}

}  // namespace tapegrad
