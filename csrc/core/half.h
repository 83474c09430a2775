// float16 and bfloat16: types to store numbers in. Arithmetic happens in float, to which they convert by
// themselves, and comes back rounded to the nearest, ties to even. Inlined always, so that no instruction
// set's copy is shared with others.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tapegrad {

// IEEE 754 binary16. Without branches, so that loops over them become vector code.
struct Half {
    uint16_t bits;

    Half() = default;
    template <class T>
        requires std::is_arithmetic_v<T>
    [[gnu::always_inline]] constexpr Half(T value) : bits(from_float(static_cast<float>(value))) {}
    [[gnu::always_inline]] constexpr operator float() const { return to_float(bits); }

    static constexpr Half of_bits(uint16_t bits) {
        Half result{};
        result.bits = bits;
        return result;
    }

private:
    [[gnu::always_inline]] static constexpr float to_float(uint16_t h) {
        const uint32_t sign = (h & 0x8000u) << 16, rest = (h & 0x7fffu) << 13;
        // The exponent moves from bias 15 to 127; what was all ones stays all ones.
        const uint32_t normal = rest + (112u << 23) + (rest >= (31u << 23) ? 112u << 23 : 0);
        // Below 2^-14 the bits count multiples of 2^-24.
        const float small =
            std::bit_cast<float>((h & 0x3ffu) | (0x4b000000u)) - 8388608.0f;  // 2^23 + bits - 2^23
        const uint32_t subnormal = std::bit_cast<uint32_t>(small * 0x1p-24f);
        return std::bit_cast<float>(sign | (rest < (1u << 23) ? subnormal : normal));
    }
    [[gnu::always_inline]] static constexpr uint16_t from_float(float value) {
        const auto all = std::bit_cast<uint32_t>(value);
        const uint32_t sign = all >> 16 & 0x8000u, size = all & 0x7fffffffu;
        // Adding half of the last place, and a bit less for even ones, carries where it rounds up.
        const uint32_t normal = (size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13;
        // Multiples of 2^-24: the addition of 0.5 = 2^23 * 2^-24 rounds to them.
        const uint32_t subnormal =
            std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000u;
        const uint32_t number = size < (113u << 23) ? subnormal : normal;
        // 65520 and more is infinity; a NaN stays quiet.
        const uint32_t finite = size >= 0x477ff000u ? 0x7c00u : number;
        return static_cast<uint16_t>(sign | (size > 0x7f800000u ? 0x7e00u : finite));
    }
};

// The upper half of a float.
struct BFloat16 {
    uint16_t bits;

    BFloat16() = default;
    template <class T>
        requires std::is_arithmetic_v<T>
    [[gnu::always_inline]] constexpr BFloat16(T value)
        : bits(from_float(static_cast<float>(value))) {}
    [[gnu::always_inline]] constexpr operator float() const {
        return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    }

    static constexpr BFloat16 of_bits(uint16_t bits) {
        BFloat16 result{};
        result.bits = bits;
        return result;
    }

private:
    [[gnu::always_inline]] static constexpr uint16_t from_float(float value) {
        const auto all = std::bit_cast<uint32_t>(value);
        const uint32_t rounded = (all + 0x7fffu + (all >> 16 & 1u)) >> 16;
        return static_cast<uint16_t>((all & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
    }
};

template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
// Whether T holds fractions: what std::is_floating_point says of the types it knows.
template <class T>
inline constexpr bool is_floating_type = std::is_floating_point_v<T> || is_half_type<T>;

// What is added, and the like, in float.
template <class T>
    requires is_half_type<T>
constexpr T& operator+=(T& a, float b) {
    return a = T(a + b);
}
template <class T>
    requires is_half_type<T>
constexpr T& operator*=(T& a, float b) {
    return a = T(a * b);
}

}  // namespace tapegrad

template <> struct std::numeric_limits<tapegrad::Half> : std::numeric_limits<float> {
    using Half = tapegrad::Half;
    static constexpr int digits = 11;
    static constexpr Half max() { return Half::of_bits(0x7bff); }
    static constexpr Half lowest() { return Half::of_bits(0xfbff); }
    static constexpr Half min() { return Half::of_bits(0x0400); }
    static constexpr Half epsilon() { return Half::of_bits(0x1400); }
    static constexpr Half infinity() { return Half::of_bits(0x7c00); }
    static constexpr Half quiet_NaN() { return Half::of_bits(0x7e00); }
};
template <> struct std::numeric_limits<tapegrad::BFloat16> : std::numeric_limits<float> {
    using BFloat16 = tapegrad::BFloat16;
    static constexpr int digits = 8;
    static constexpr BFloat16 max() { return BFloat16::of_bits(0x7f7f); }
    static constexpr BFloat16 lowest() { return BFloat16::of_bits(0xff7f); }
    static constexpr BFloat16 min() { return BFloat16::of_bits(0x0080); }
    static constexpr BFloat16 epsilon() { return BFloat16::of_bits(0x3c00); }
    static constexpr BFloat16 infinity() { return BFloat16::of_bits(0x7f80); }
    static constexpr BFloat16 quiet_NaN() { return BFloat16::of_bits(0x7fc0); }
};
