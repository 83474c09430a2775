// Element types and the rules by which they combine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tapegrad {

enum class DType : uint8_t { Bool, UInt8, Int32, Int64, Float32, Float64 };

inline constexpr int kDTypeCount = 6;

inline constexpr uint8_t kItemSizes[kDTypeCount] = {1, 1, 4, 8, 4, 8};
constexpr size_t item_size(DType dtype) { return kItemSizes[static_cast<int>(dtype)]; }

constexpr bool is_floating(DType dtype) { return dtype >= DType::Float32; }

constexpr bool is_integral(DType dtype) {
    return dtype == DType::UInt8 || dtype == DType::Int32 || dtype == DType::Int64;
}

// The name as users write it: tapegrad.float32.
constexpr const char* dtype_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"bool",  "uint8",   "int32",
                                                "int64", "float32", "float64"};
    return names[static_cast<int>(dtype)];
}

// The name in messages: FloatTensor, "expected scalar type Float".
constexpr const char* scalar_type_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"Bool", "Byte", "Int", "Long", "Float", "Double"};
    return names[static_cast<int>(dtype)];
}

// The C++ type, as some of PyTorch's messages spell it.
constexpr const char* cpp_type_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"bool",     "unsigned char", "int",
                                                "long int", "float",         "double"};
    return names[static_cast<int>(dtype)];
}

// Bool < integers < floats: a value of a higher category decides the result's category.
constexpr int dtype_category(DType dtype) {
    return dtype == DType::Bool ? 0 : is_floating(dtype) ? 2 : 1;
}

// The smallest type that holds both, as PyTorch orders them (int64 with float32 is float32).
constexpr DType promote(DType a, DType b) { return a < b ? b : a; }

// What Python floats become, and results of operations on integers that need fractions.
extern DType default_float_type;

template <class T> inline constexpr DType dtype_of = DType::Bool;
template <> inline constexpr DType dtype_of<uint8_t> = DType::UInt8;
template <> inline constexpr DType dtype_of<int32_t> = DType::Int32;
template <> inline constexpr DType dtype_of<int64_t> = DType::Int64;
template <> inline constexpr DType dtype_of<float> = DType::Float32;
template <> inline constexpr DType dtype_of<double> = DType::Float64;

// Raises PyTorch's '"name" not implemented for ...'.
[[noreturn, gnu::cold]] void refuse_dtype(const char* name, DType dtype);

// Calls f.template operator()<T>() with the C++ type of dtype.
template <class F> decltype(auto) visit_dtype(DType dtype, F&& f) {
    switch (dtype) {
        case DType::Bool: return f.template operator()<bool>();
        case DType::UInt8: return f.template operator()<uint8_t>();
        case DType::Int32: return f.template operator()<int32_t>();
        case DType::Int64: return f.template operator()<int64_t>();
        case DType::Float32: return f.template operator()<float>();
        default: return f.template operator()<double>();
    }
}

}  // namespace tapegrad
