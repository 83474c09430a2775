// Comparisons, predicates, selection and conversion: plain loops that the compiler vectorises.
#include <cstring>

#include "kernels/loops.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using formulas::Comparison;
using formulas::Predicate;

template <class Op, class T>
void comparison_block(const void* const* in, void* out, int64_t n, const double*) {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    uint8_t* y = static_cast<uint8_t*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = Op::test(a[i], b[i]);
}
template <class Op, class T>
void predicate_block(const void* const* in, void* out, int64_t n, const double*) {
    const T* a = static_cast<const T*>(in[0]);
    uint8_t* y = static_cast<uint8_t*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = Op::test(a[i]);
}

#define TAPEGRAD_COMPARISON_(Name, expression)                                  \
    struct Name {                                                               \
        template <class T> static bool test(T a, T b) { return (expression); }  \
    };
TAPEGRAD_COMPARISON_(Eq, a == b)
TAPEGRAD_COMPARISON_(Ne, a != b)
TAPEGRAD_COMPARISON_(Lt, a < b)
TAPEGRAD_COMPARISON_(Le, a <= b)
TAPEGRAD_COMPARISON_(Gt, a > b)
TAPEGRAD_COMPARISON_(Ge, a >= b)
TAPEGRAD_COMPARISON_(LogicalAnd, (a != T(0)) & (b != T(0)))
TAPEGRAD_COMPARISON_(LogicalOr, (a != T(0)) | (b != T(0)))
TAPEGRAD_COMPARISON_(LogicalXor, (a != T(0)) != (b != T(0)))
#undef TAPEGRAD_COMPARISON_

template <class T> inline constexpr bool kFloat = std::is_floating_point_v<T>;
struct IsNan {
    template <class T> static bool test(T a) {
        if constexpr (kFloat<T>) return a != a;
        else return false;
    }
};
struct IsInf {
    template <class T> static bool test(T a) {
        if constexpr (kFloat<T>) return __builtin_fabs(a) == __builtin_inf();
        else return false;
    }
};
template <int Sign> struct IsInfinity {
    template <class T> static bool test(T a) {
        if constexpr (kFloat<T>) return a == Sign * __builtin_inf();
        else return false;
    }
};
using IsPosInf = IsInfinity<1>;
using IsNegInf = IsInfinity<-1>;
struct IsFinite {
    template <class T> static bool test(T a) {
        if constexpr (kFloat<T>) return __builtin_fabs(a) < __builtin_inf();
        else return true;
    }
};
struct LogicalNot {
    template <class T> static bool test(T a) { return a == T(0); }
};
struct SignBit {
    template <class T> static bool test(T a) {
        if constexpr (kFloat<T>) return __builtin_signbit(a);
        else return a < T(0);
    }
};

template <class T> void where_block(const void* const* in, void* out, int64_t n, const double*) {
    const uint8_t* c = static_cast<const uint8_t*>(in[0]);
    const T* a = static_cast<const T*>(in[1]);
    const T* b = static_cast<const T*>(in[2]);
    T* y = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) y[i] = c[i] ? a[i] : b[i];
}

template <class From, class To>
void cast_block(const void* const* in, void* out, int64_t n, const double*) {
    if constexpr (std::is_same_v<From, To>) {
        if (n > 0) std::memmove(out, in[0], static_cast<size_t>(n) * sizeof(To));
    } else {
        const From* x = static_cast<const From*>(in[0]);
        To* y = static_cast<To*>(out);
        for (int64_t i = 0; i < n; ++i) {
            if constexpr (std::is_same_v<To, bool>) y[i] = x[i] != From(0);
            else if constexpr (kFloat<From> && std::is_same_v<To, uint8_t>)
                y[i] = static_cast<To>(static_cast<int64_t>(x[i]));  // negative values wrap around
            else y[i] = static_cast<To>(x[i]);
        }
    }
}

// What the others are made of: kernels/narrow.cpp.
template <class Narrow, class Wide>
void fill_narrow(kernels::DTypeTable<kernels::BlockTable>& cast) {
    cast[dtype_of<Narrow>][dtype_of<Narrow>] = cast_block<Narrow, Narrow>;
    cast[dtype_of<Narrow>][dtype_of<Wide>] = cast_block<Narrow, Wide>;
    cast[dtype_of<Wide>][dtype_of<Narrow>] = cast_block<Wide, Narrow>;
}

}  // namespace

void fill_logic(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name, ...)                        \
    fill_all_types(k.comparison[int(Comparison::Name)], \
                   []<class T> { return comparison_block<Name, T>; });
    TAPEGRAD_COMPARISON(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...)                      \
    fill_all_types(k.predicate[int(Predicate::Name)], \
                   []<class T> { return predicate_block<Name, T>; });
    TAPEGRAD_PREDICATE(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
    fill_all_types(k.where, []<class T> { return where_block<T>; });
    fill_types<int8_t, int16_t, Half, BFloat16>(k.where, []<class T> { return where_block<T>; });
    fill_all_types(k.cast, []<class From> {
        kernels::BlockTable row{};
        fill_all_types(row, []<class To> { return cast_block<From, To>; });
        return row;
    });
    fill_narrow<int8_t, int32_t>(k.cast);
    fill_narrow<int16_t, int32_t>(k.cast);
    fill_narrow<Half, float>(k.cast);
    fill_narrow<BFloat16, float>(k.cast);
}

}  // namespace tapegrad::TAPEGRAD_ISA
