// Lane<T>: one integer or bool that reads like a Pack, so that the formulas serve integers too. The
// compiler turns loops over lanes into vector code. Arithmetic wraps around; on bools + is "or" and
// * is "and".
#pragma once

#include <type_traits>

#include "formulas/composed.h"
#include "formulas/vocabulary.h"
#include "simd/math.h"

namespace tapegrad::TAPEGRAD_ISA {

template <class T> struct Lane {
    T v;
    Lane() = default;
    template <class U>
        requires std::is_arithmetic_v<U>
    constexpr Lane(U value) : v(static_cast<T>(value)) {}

    static constexpr bool kBool = std::is_same_v<T, bool>;
    using Wide = std::make_unsigned_t<std::conditional_t<kBool, uint8_t, T>>;

    friend Lane operator+(Lane a, Lane b) {
        if constexpr (kBool) return a.v | b.v;
        else return static_cast<T>(static_cast<Wide>(a.v) + static_cast<Wide>(b.v));
    }
    friend Lane operator-(Lane a, Lane b) {
        return static_cast<T>(static_cast<Wide>(a.v) - static_cast<Wide>(b.v));
    }
    friend Lane operator*(Lane a, Lane b) {
        if constexpr (kBool) return a.v & b.v;
        // Widened so that small unsigned types are not multiplied as signed int.
        else return static_cast<T>(static_cast<uint64_t>(a.v) * static_cast<uint64_t>(b.v));
    }
    Lane operator-() const { return Lane(0) - *this; }
    friend bool operator<(Lane a, Lane b) { return a.v < b.v; }
    friend bool operator<=(Lane a, Lane b) { return a.v <= b.v; }
    friend bool operator>(Lane a, Lane b) { return a.v > b.v; }
    friend bool operator>=(Lane a, Lane b) { return a.v >= b.v; }
    friend bool operator==(Lane a, Lane b) { return a.v == b.v; }

    friend Lane where(bool c, Lane a, Lane b) { return c ? a : b; }
    friend Lane zero_like(Lane) { return 0; }
    friend Lane abs(Lane a) { return a < Lane(0) ? -a : a; }
    friend Lane sign(Lane a) {
        if constexpr (kBool) return a;
        else return static_cast<int>(a.v > 0) - static_cast<int>(a.v < 0);
    }
    friend Lane floor(Lane a) { return a; }
    friend Lane ceil(Lane a) { return a; }
    friend Lane round(Lane a) { return a; }
    friend Lane trunc(Lane a) { return a; }
    friend Lane maximum(Lane a, Lane b) { return a.v > b.v ? a : b; }
    friend Lane minimum(Lane a, Lane b) { return a.v < b.v ? a : b; }
    // Division by zero is refused before a kernel runs; 0 here keeps the machine from trapping.
    friend Lane fmod(Lane a, Lane b) {
        if (b.v == 0) return 0;
        if constexpr (std::is_signed_v<T>)
            if (b.v == -1) return 0;  // the smallest integer has no quotient by -1
        return static_cast<T>(a.v % b.v);
    }
    friend Lane remainder(Lane a, Lane b) {
        Lane m = fmod(a, b);
        return m.v != 0 && (m.v < 0) != (b.v < 0) ? m + b : m;
    }
    friend Lane floor_divide(Lane a, Lane b) {
        if (b.v == 0) return 0;
        if constexpr (std::is_signed_v<T>)
            if (b.v == -1) return -a;
        T q = static_cast<T>(a.v / b.v);
        return a.v % b.v != 0 && (a.v < 0) != (b.v < 0) ? static_cast<T>(q - 1) : q;
    }
    friend bool isnan(Lane) { return false; }
    friend Lane heaviside(Lane a, Lane b) { return a.v == 0 ? b : Lane(a.v > 0); }
    // Of what wraps around, the sizes are still right as unsigned numbers.
    friend Lane gcd(Lane a, Lane b) { return static_cast<T>(common_divisor(size(a), size(b))); }
    friend Lane lcm(Lane a, Lane b) {
        const Wide x = size(a), y = size(b), divisor = common_divisor(x, y);
        const Lane product = Lane(static_cast<T>(divisor ? x / divisor : 0)) * static_cast<T>(y);
        return abs(product);
    }
    friend Lane bitwise_and(Lane a, Lane b) { return a.v & b.v; }
    friend Lane bitwise_or(Lane a, Lane b) { return a.v | b.v; }
    friend Lane bitwise_xor(Lane a, Lane b) { return a.v ^ b.v; }
    // Shifts by the width or more leave nothing (or the sign), whatever the machine would do.
    friend Lane bitwise_left_shift(Lane a, Lane b) {
        constexpr int bits = sizeof(T) * 8;
        if (b.v < 0 || b.v >= bits) return 0;
        return static_cast<T>(static_cast<uint64_t>(a.v) << b.v);
    }
    friend Lane bitwise_right_shift(Lane a, Lane b) {
        constexpr int bits = sizeof(T) * 8;
        const int shift = b.v < 0 || b.v >= bits ? bits - 1 : static_cast<int>(b.v);
        if (shift == bits - 1 && a.v >= 0) return 0;
        return static_cast<T>(a.v >> shift);
    }
    // Negative exponents give what truncation of the exact power gives: 0, or +-1 for +-1.
    friend Lane pow(Lane a, Lane b) {
        if (b.v < 0) {
            if (a.v == 1) return 1;
            if (a == -Lane(1)) return b.v % 2 == 0 ? Lane(1) : a;
            return 0;
        }
        Lane result = 1, base = a;
        for (auto e = static_cast<uint64_t>(b.v); e; e >>= 1) {
            if (e & 1) result = result * base;
            base = base * base;
        }
        return result;
    }

private:
    static Wide size(Lane a) { return static_cast<Wide>(abs(a).v); }
    static Wide common_divisor(Wide x, Wide y) {
        while (y != 0) {
            const Wide rest = x % y;
            x = y;
            y = rest;
        }
        return x;
    }
};

// The remaining functions of two packs, lane by lane: rare, and no bottleneck.
template <class T, class F> Pack<T> lane_by_lane(Pack<T> a, Pack<T> b, F f) {
    T x[Pack<T>::size], y[Pack<T>::size];
    a.store(x);
    b.store(y);
    for (int i = 0; i < Pack<T>::size; ++i) x[i] = f(x[i], y[i]);
    return Pack<T>::load(x);
}
template <class T> Pack<T> remainder(Pack<T> a, Pack<T> b) {
    return lane_by_lane(a, b, [](T x, T y) {
        T m = static_cast<T>(__builtin_fmod(x, y));
        return m != 0 && (m < 0) != (y < 0) ? m + y : m;
    });
}
// As Python: the floor of the exact quotient, found through the remainder so that it is consistent.
template <class T> Pack<T> floor_divide(Pack<T> a, Pack<T> b) {
    return lane_by_lane(a, b, [](T x, T y) {
        if (y == 0) return x / y;
        T m = static_cast<T>(__builtin_fmod(x, y));
        T q = (x - m) / y;
        if (m != 0 && (y < 0) != (m < 0)) q -= 1;
        if (q == 0) return static_cast<T>(__builtin_copysign(T(0), x / y));
        T f = static_cast<T>(__builtin_floor(q));
        return q - f > T(0.5) ? f + 1 : f;
    });
}
template <class T> Pack<T> nextafter(Pack<T> a, Pack<T> b) {
    return lane_by_lane(a, b, [](T x, T y) {
        if constexpr (sizeof(T) == 4) return __builtin_nextafterf(x, y);
        else return __builtin_nextafter(x, y);
    });
}
template <class T> TAPEGRAD_INLINE Pack<T> heaviside(Pack<T> a, Pack<T> b) {
    return where(a == 0, b, where(a > 0, Pack<T>(1), Pack<T>(0)));
}
template <class T> Pack<T> zero_like(Pack<T>) { return Pack<T>(0); }

// The words of the formulas that need no care where nothing is differentiated again.
template <class T> TAPEGRAD_INLINE Pack<T> logistic(Pack<T> x) { return sigmoid(x); }
template <class T> TAPEGRAD_INLINE Pack<T> logistic_rest(Pack<T> s, Pack<T>) { return 1 - s; }
template <class T> TAPEGRAD_INLINE Pack<T> pow_slope(Pack<T> a, Pack<T> b) {
    return where(b == 0, 0, b * pow(a, b - 1));
}
// a / b may be rounded up to an integer, or underflow: what is left has the wrong sign then.
template <class T> TAPEGRAD_INLINE Pack<T> floor_quotient(Pack<T> a, Pack<T> b) {
    const Pack<T> q = floor(a / b), rest = math::residual(a, q, b);
    const auto opposite = TAPEGRAD_LAMBDA(Pack<T> x) {
        return ((x < 0) & (b > 0)) | ((x > 0) & (b < 0));
    };
    const auto beyond = opposite(rest) | (isinf(b) & opposite(a));
    // An infinity has no quotient, except by zero.
    return where(b == 0, q, where(beyond, q - 1, q) + (a - a));
}
template <class T> TAPEGRAD_INLINE Pack<T> trunc_quotient(Pack<T> a, Pack<T> b) {
    const Pack<T> size = floor_quotient(abs(a), abs(b));
    return where(a / b < 0, -size, size);
}
// Powers of two bring the larger one to where squares are in range.
template <class T> TAPEGRAD_INLINE Pack<T> over_squares(Pack<T> a, Pack<T> b) {
    constexpr bool single = sizeof(T) == 4;
    const Pack<T> size = maximum(abs(a), abs(b));
    const Pack<T> factor = where(size > (single ? 0x1p40 : 0x1p300), single ? 0x1p-70 : 0x1p-560,
                                 where(size < (single ? 0x1p-40 : 0x1p-300),
                                       Pack<T>(single ? 0x1p100 : 0x1p800), Pack<T>(1)));
    const Pack<T> x = a * factor, y = b * factor;
    return where((size == 0) | isinf(size), 0, x / (x * x + y * y) * factor);
}

#define TAPEGRAD_SHARED_(name)                                              \
    template <class T, class... More>                                       \
    TAPEGRAD_INLINE Pack<T> name(Pack<T> x, More... more) {                 \
        return formulas::composed::name(x, more...);                        \
    }
TAPEGRAD_SHARED_WORDS(TAPEGRAD_SHARED_)
#undef TAPEGRAD_SHARED_

}  // namespace tapegrad::TAPEGRAD_ISA
