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

template <class Op> void fill_comparison(kernels::BlockFn* row) {
    row[int(DType::Bool)] = comparison_block<Op, bool>;
    row[int(DType::UInt8)] = comparison_block<Op, uint8_t>;
    row[int(DType::Int32)] = comparison_block<Op, int32_t>;
    row[int(DType::Int64)] = comparison_block<Op, int64_t>;
    row[int(DType::Float32)] = comparison_block<Op, float>;
    row[int(DType::Float64)] = comparison_block<Op, double>;
}
template <class Op> void fill_predicate(kernels::BlockFn* row) {
    row[int(DType::Bool)] = predicate_block<Op, bool>;
    row[int(DType::UInt8)] = predicate_block<Op, uint8_t>;
    row[int(DType::Int32)] = predicate_block<Op, int32_t>;
    row[int(DType::Int64)] = predicate_block<Op, int64_t>;
    row[int(DType::Float32)] = predicate_block<Op, float>;
    row[int(DType::Float64)] = predicate_block<Op, double>;
}
template <class From> void fill_cast(kernels::BlockFn* row) {
    row[int(DType::Bool)] = cast_block<From, bool>;
    row[int(DType::UInt8)] = cast_block<From, uint8_t>;
    row[int(DType::Int32)] = cast_block<From, int32_t>;
    row[int(DType::Int64)] = cast_block<From, int64_t>;
    row[int(DType::Float32)] = cast_block<From, float>;
    row[int(DType::Float64)] = cast_block<From, double>;
}

}  // namespace

// clang-format off
static void fill_tests(kernels::ElementwiseKernels& k) {
#define TAPEGRAD_FILL(Name) fill_comparison<Name>(k.comparison[int(Comparison::Name)]);
    TAPEGRAD_FILL(Eq) TAPEGRAD_FILL(Ne) TAPEGRAD_FILL(Lt) TAPEGRAD_FILL(Le) TAPEGRAD_FILL(Gt)
    TAPEGRAD_FILL(Ge) TAPEGRAD_FILL(LogicalAnd) TAPEGRAD_FILL(LogicalOr) TAPEGRAD_FILL(LogicalXor)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name) fill_predicate<Name>(k.predicate[int(Predicate::Name)]);
    TAPEGRAD_FILL(IsNan) TAPEGRAD_FILL(IsInf) TAPEGRAD_FILL(IsFinite) TAPEGRAD_FILL(LogicalNot)
    TAPEGRAD_FILL(SignBit)
#undef TAPEGRAD_FILL
}
// clang-format on

void fill_logic(kernels::ElementwiseKernels& k) {
    fill_tests(k);
    k.where[int(DType::Bool)] = where_block<bool>;
    k.where[int(DType::UInt8)] = where_block<uint8_t>;
    k.where[int(DType::Int32)] = where_block<int32_t>;
    k.where[int(DType::Int64)] = where_block<int64_t>;
    k.where[int(DType::Float32)] = where_block<float>;
    k.where[int(DType::Float64)] = where_block<double>;
    fill_cast<bool>(k.cast[int(DType::Bool)]);
    fill_cast<uint8_t>(k.cast[int(DType::UInt8)]);
    fill_cast<int32_t>(k.cast[int(DType::Int32)]);
    fill_cast<int64_t>(k.cast[int(DType::Int64)]);
    fill_cast<float>(k.cast[int(DType::Float32)]);
    fill_cast<double>(k.cast[int(DType::Float64)]);
}

}  // namespace tapegrad::TAPEGRAD_ISA
