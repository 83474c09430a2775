#include "core/scalar.h"

#include "core/error.h"

namespace tapegrad {

void refuse_conversion(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"bool",  "uint8_t", "int8_t",    "int16_t",
                                                "int",   "int64_t", "c10::Half", "c10::BFloat16",
                                                "float", "double"};
    fail("value cannot be converted to type ", names[static_cast<int>(dtype)], " without overflow");
}

Scalar Scalar::as(DType dtype) const {
    return visit_dtype(dtype, [&]<class T>() -> Scalar {
        const T value = to<T>();
        if constexpr (is_floating_type<T>) return static_cast<double>(value);
        else if constexpr (__is_same(T, bool)) return value;
        else return static_cast<int64_t>(value);
    });
}

bool Scalar::is_held_by(DType dtype) const {
    return !is_large_ && visit_dtype(dtype, [&]<class T>() -> bool {
        return static_cast<int64_t>(wrapped<T>()) == to_int();
    });
}

}  // namespace tapegrad
