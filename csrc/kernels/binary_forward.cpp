#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Binary;
using formulas::Integer;

template <class F, class T>
void float_block(const void* const* in, void* out, int64_t n, const double*) {
    for_packs(
        static_cast<T*>(out), n, [](Pack<T> a, Pack<T> b) { return F::forward(a, b); },
        static_cast<const T*>(in[0]), static_cast<const T*>(in[1]));
}

template <class F, class T>
void integer_block(const void* const* in, void* out, int64_t n, const double*) {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    T* y = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = F::forward(Lane<T>(a[i]), Lane<T>(b[i])).v;
}

template <class F>
constexpr bool kBoolToo =
    std::is_same_v<F, formulas::Add> || std::is_same_v<F, formulas::Mul> ||
    std::is_same_v<F, formulas::Maximum> || std::is_same_v<F, formulas::Minimum>;
constexpr bool kFloats = false, kNumbers = true;

template <class F, bool Numbers> void fill_row(kernels::BlockFn* row) {
    row[int(DType::Float32)] = float_block<F, float>;
    row[int(DType::Float64)] = float_block<F, double>;
    if constexpr (kBoolToo<F>) row[int(DType::Bool)] = integer_block<F, bool>;
    if constexpr (Numbers) {
        row[int(DType::UInt8)] = integer_block<F, uint8_t>;
        row[int(DType::Int32)] = integer_block<F, int32_t>;
        row[int(DType::Int64)] = integer_block<F, int64_t>;
    }
}

struct FloorDivide {
    static auto forward(auto a, auto b) { return floor_divide(a, b); }
};
struct BitwiseAnd {
    template <class L> static L forward(L a, L b) { return a.v & b.v; }
};
struct BitwiseOr {
    template <class L> static L forward(L a, L b) { return a.v | b.v; }
};
struct BitwiseXor {
    template <class L> static L forward(L a, L b) { return a.v ^ b.v; }
};
// Shifts by the width or more leave nothing (or the sign), whatever the machine would do.
struct LeftShift {
    template <class L> static L forward(L a, L b) {
        constexpr int bits = sizeof(a.v) * 8;
        if (b.v < 0 || b.v >= bits) return 0;
        return static_cast<decltype(a.v)>(static_cast<uint64_t>(a.v) << b.v);
    }
};
struct RightShift {
    template <class L> static L forward(L a, L b) {
        constexpr int bits = sizeof(a.v) * 8;
        const int shift = b.v < 0 || b.v >= bits ? bits - 1 : static_cast<int>(b.v);
        if (shift == bits - 1 && a.v >= 0) return 0;
        return static_cast<decltype(a.v)>(a.v >> shift);
    }
};

template <class F, bool Bool = true> void fill_integers(kernels::BlockFn* row) {
    if constexpr (Bool) row[int(DType::Bool)] = integer_block<F, bool>;
    row[int(DType::UInt8)] = integer_block<F, uint8_t>;
    row[int(DType::Int32)] = integer_block<F, int32_t>;
    row[int(DType::Int64)] = integer_block<F, int64_t>;
}

}  // namespace

void fill_binary_forward(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, function, Domain) fill_row<formulas::Name, k##Domain>(k.binary[int(Binary::Name)]);
    TAPEGRAD_BINARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
    fill_row<FloorDivide, true>(k.integer[int(Integer::FloorDivide)]);
    fill_integers<BitwiseAnd>(k.integer[int(Integer::BitwiseAnd)]);
    fill_integers<BitwiseOr>(k.integer[int(Integer::BitwiseOr)]);
    fill_integers<BitwiseXor>(k.integer[int(Integer::BitwiseXor)]);
    fill_integers<LeftShift, false>(k.integer[int(Integer::LeftShift)]);
    fill_integers<RightShift, false>(k.integer[int(Integer::RightShift)]);
}

}  // namespace tapegrad::TAPEGRAD_ISA
