// A Python number: bool, int or float, with the place it has in type promotion.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

#include "core/dtype.h"

namespace tapegrad {

// Whether T holds a number, as PyTorch sees it: fractions are cut off, infinity and NaN are floats, and
// negative integers wrap around in an unsigned type, once at most.
template <class T> constexpr bool is_convertible(double value) noexcept;
template <class T> constexpr bool is_convertible(int64_t value) noexcept {
    if constexpr (is_half_type<T>) return is_convertible<T>(static_cast<double>(value));
    else if constexpr (__is_same(T, bool) || is_floating_type<T>) return true;
    else {
        constexpr int64_t high = std::numeric_limits<T>::max();
        constexpr int64_t low = std::signed_integral<T> ? std::numeric_limits<T>::min() : -high;
        return value >= low && value <= high;
    }
}
template <class T> constexpr bool is_convertible(double value) noexcept {
    constexpr auto high = static_cast<double>(std::numeric_limits<T>::max());
    if constexpr (__is_same(T, bool) || __is_same(T, double)) return true;
    else if constexpr (is_floating_type<T>)
        return !(value < -high || value > high) || value - value != 0;  // infinity is infinity
    else if constexpr (sizeof(T) == 8) return value >= -high && value < high;  // high is 2^63
    else return value >= static_cast<double>(std::numeric_limits<T>::min()) && value <= high;
}

// Raises "value cannot be converted to type ... without overflow".
[[noreturn, gnu::cold]] void refuse_conversion(DType dtype);

// The number as a T; raises where T does not hold it.
template <class T, class From> constexpr T convert(From value) {
    if (!is_convertible<T>(value)) [[unlikely]]
        refuse_conversion(dtype_of<T>);
    if constexpr (__is_same(T, bool)) return value != 0;
    else return static_cast<T>(value);
}

class Scalar {
public:
    Scalar(bool value) : kind_(DType::Bool), int_(value) {}
    Scalar(int value) : kind_(DType::Int64), int_(value) {}
    Scalar(int64_t value) : kind_(DType::Int64), int_(value) {}
    Scalar(double value) : kind_(DType::Float64), float_(value) {}
    // Python's integers go on to 2^64 - 1. What no int64 holds is a number for floats, wraps around in the
    // arithmetic of integers, and is an error where a tensor of integers is to hold it.
    explicit Scalar(uint64_t value)
        : kind_(DType::Int64),
          is_large_(value > uint64_t{INT64_MAX}),
          int_(static_cast<int64_t>(value)) {}

    // Bool, Int64 or Float64: the kind of number it is.
    DType kind() const noexcept { return kind_; }
    bool is_floating() const noexcept { return kind_ == DType::Float64; }
    bool is_large() const noexcept { return is_large_; }  // an integer beyond int64
    double to_double() const noexcept { return is_floating() ? float_ : rounded<double>(); }
    int64_t to_int() const { return to<int64_t>(); }
    bool to_bool() const noexcept { return is_floating() ? float_ != 0 : int_ != 0; }

    // What a tensor takes as its value, a factor or a bound: raises where T does not hold it.
    template <class T> T to() const {
        if (is_large_) [[unlikely]] {
            if constexpr (__is_same(T, bool)) return true;
            else if constexpr (is_floating_type<T>) return convert<T>(rounded<double>());
            else refuse_conversion(dtype_of<T>);
        }
        return is_floating() ? convert<T>(float_) : convert<T>(int_);
    }
    // What arithmetic takes, in which integers wrap around and floats overflow to infinity.
    template <class T> T wrapped() const {
        if constexpr (__is_same(T, bool)) return to_bool();
        else if constexpr (is_floating_type<T>)
            return is_floating() ? static_cast<T>(float_) : rounded<T>();
        else return is_floating() ? convert<T>(float_) : static_cast<T>(int_);
    }
    // The number that a tensor of the dtype holds for this one; raises where it holds none.
    Scalar as(DType dtype) const;
    // Whether a tensor of the dtype, of integers or bool, holds this integer itself.
    bool is_held_by(DType dtype) const;

    Scalar operator-() const noexcept {
        return is_floating() ? Scalar(-float_)
                             : Scalar(static_cast<int64_t>(0 - static_cast<uint64_t>(int_)));
    }

private:
    template <class T> T rounded() const noexcept {
        if (!is_large_) return static_cast<T>(int_);
        return static_cast<T>(static_cast<double>(static_cast<uint64_t>(int_)));
    }

    DType kind_;
    bool is_large_ = false;
    union {
        int64_t int_;
        double float_;
    };
};

// Raises where a tensor of the dtype does not hold the number.
inline void check_convertible(const Scalar& number, DType dtype) { number.as(dtype); }

}  // namespace tapegrad
