// Element types and the rules by which they combine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/half.h"

namespace tapegrad {

enum class DType : uint8_t {
    Bool,
    UInt8,
    Int8,
    Int16,
    Int32,
    Int64,
    Float16,
    BFloat16,
    Float32,
    Float64
};

inline constexpr int kDTypeCount = 10;

inline constexpr uint8_t kItemSizes[kDTypeCount] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
constexpr size_t item_size(DType dtype) { return kItemSizes[static_cast<int>(dtype)]; }

constexpr bool is_floating(DType dtype) { return dtype >= DType::Float16; }

constexpr bool is_integral(DType dtype) { return dtype != DType::Bool && !is_floating(dtype); }

// Types without arithmetic of their own (kernels/narrow.cpp), and those in which it is done for them.
constexpr bool is_half(DType dtype) { return dtype == DType::Float16 || dtype == DType::BFloat16; }
constexpr bool is_narrow(DType dtype) {
    return is_half(dtype) || dtype == DType::Int8 || dtype == DType::Int16;
}
constexpr DType wide_of(DType dtype) {
    return is_half(dtype) ? DType::Float32 : is_narrow(dtype) ? DType::Int32 : dtype;
}

// The name as users write it: tapegrad.float32.
constexpr const char* dtype_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"bool",    "uint8",  "int8",    "int16",
                                                "int32",   "int64",  "float16", "bfloat16",
                                                "float32", "float64"};
    return names[static_cast<int>(dtype)];
}

// The name in messages: FloatTensor, "expected scalar type Float".
constexpr const char* scalar_type_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {"Bool", "Byte", "Char",     "Short", "Int",
                                                "Long", "Half", "BFloat16", "Float", "Double"};
    return names[static_cast<int>(dtype)];
}

// The C++ type, as some of PyTorch's messages spell it.
constexpr const char* cpp_type_name(DType dtype) {
    constexpr const char* names[kDTypeCount] = {
        "bool",     "unsigned char", "signed char",   "short int", "int",
        "long int", "c10::Half",     "c10::BFloat16", "float",     "double"};
    return names[static_cast<int>(dtype)];
}

// Bool < integers < floats: a value of a higher category decides the result's category.
constexpr int dtype_category(DType dtype) {
    return dtype == DType::Bool ? 0 : is_floating(dtype) ? 2 : 1;
}

// The smallest type that holds both, as PyTorch orders them (int64 with float32 is float32).
constexpr DType promote(DType a, DType b) {
    if (a > b) return promote(b, a);
    // Neither holds what the other one does.
    if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
    if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
    return b;
}

// What Python floats become, and results of operations on integers that need fractions.
extern DType default_float_type;

template <class T> inline constexpr DType dtype_of = DType::Bool;
template <> inline constexpr DType dtype_of<uint8_t> = DType::UInt8;
template <> inline constexpr DType dtype_of<int8_t> = DType::Int8;
template <> inline constexpr DType dtype_of<int16_t> = DType::Int16;
template <> inline constexpr DType dtype_of<int32_t> = DType::Int32;
template <> inline constexpr DType dtype_of<int64_t> = DType::Int64;
template <> inline constexpr DType dtype_of<Half> = DType::Float16;
template <> inline constexpr DType dtype_of<BFloat16> = DType::BFloat16;
template <> inline constexpr DType dtype_of<float> = DType::Float32;
template <> inline constexpr DType dtype_of<double> = DType::Float64;

// Raises PyTorch's '"name" not implemented for ...'.
[[noreturn, gnu::cold]] void refuse_dtype(const char* name, DType dtype);

// Calls f.template operator()<T>() with the C++ type of dtype.
template <class F> decltype(auto) visit_dtype(DType dtype, F&& f) {
    switch (dtype) {
        case DType::Bool: return f.template operator()<bool>();
        case DType::UInt8: return f.template operator()<uint8_t>();
        case DType::Int8: return f.template operator()<int8_t>();
        case DType::Int16: return f.template operator()<int16_t>();
        case DType::Int32: return f.template operator()<int32_t>();
        case DType::Int64: return f.template operator()<int64_t>();
        case DType::Float16: return f.template operator()<Half>();
        case DType::BFloat16: return f.template operator()<BFloat16>();
        case DType::Float32: return f.template operator()<float>();
        default: return f.template operator()<double>();
    }
}
// The same for float32 and float64; others raise '"name" not implemented for ...'.
template <class F> decltype(auto) visit_float(const char* name, DType dtype, F&& f) {
    if (dtype == DType::Float32) return f.template operator()<float>();
    if (dtype == DType::Float64) return f.template operator()<double>();
    refuse_dtype(name, dtype);
}

}  // namespace tapegrad
