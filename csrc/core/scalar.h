// A Python number: bool, int or float, with the place it has in type promotion.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tapegrad {

class Scalar {
public:
    Scalar(bool value) : kind_(DType::Bool), int_(value) {}
    Scalar(int value) : kind_(DType::Int64), int_(value) {}
    Scalar(int64_t value) : kind_(DType::Int64), int_(value) {}
    Scalar(double value) : kind_(DType::Float64), float_(value) {}

    // Bool, Int64 or Float64: the kind of number it is.
    DType kind() const noexcept { return kind_; }
    bool is_floating() const noexcept { return kind_ == DType::Float64; }
    double to_double() const noexcept { return is_floating() ? float_ : static_cast<double>(int_); }
    int64_t to_int() const noexcept { return is_floating() ? static_cast<int64_t>(float_) : int_; }
    bool to_bool() const noexcept { return is_floating() ? float_ != 0 : int_ != 0; }
    template <class T> T to() const noexcept {
        if constexpr (__is_same(T, bool)) return to_bool();
        else return is_floating() ? static_cast<T>(float_) : static_cast<T>(int_);
    }
    Scalar operator-() const noexcept { return is_floating() ? Scalar(-float_) : Scalar(-int_); }

private:
    DType kind_;
    union {
        int64_t int_;
        double float_;
    };
};

}  // namespace tapegrad
