#include "kernels/narrow.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <utility>

#include "core/parallel.h"
#include "formulas/uses.h"

namespace tapegrad::kernels {
namespace {

// ------------------------------------------------------------------------------------- element-wise

constexpr int kMaxOperands = 4;
constexpr int64_t kBlock = 512;

BlockFn cast(DType from, DType to) { return active_kernels.elementwise.cast[from][to]; }

// The kernel of the wide type on operands of the narrow one, in blocks that stay in the first-level cache.
// The result is of the narrow type too, or bools.
void run_in_blocks(BlockFn wide, DType narrow, int count, bool bools, const void* const* in,
                   void* out, int64_t n, const double* parameters) {
    alignas(64) char buffers[kMaxOperands + 1][kBlock * 4];
    const BlockFn widen = cast(narrow, wide_of(narrow)), narrowed = cast(wide_of(narrow), narrow);
    const auto bytes = static_cast<int64_t>(item_size(narrow));
    for (int64_t first = 0; first < n; first += kBlock) {
        const int64_t length = std::min(n - first, kBlock);
        const void* operands[kMaxOperands];
        for (int k = 0; k < count; ++k) {
            const void* source = static_cast<const char*>(in[k]) + first * bytes;
            widen(&source, buffers[k], length, nullptr);
            operands[k] = buffers[k];
        }
        if (bools) {
            wide(operands, static_cast<char*>(out) + first, length, parameters);
            continue;
        }
        const void* result = buffers[kMaxOperands];
        wide(operands, buffers[kMaxOperands], length, parameters);
        narrowed(&result, static_cast<char*>(out) + first * bytes, length, nullptr);
    }
}

// `rows` is a member of ElementwiseKernels; `count` the number of operands of that row's kernels.
template <auto rows, int row, DType narrow, int count, bool bools>
void block(const void* const* in, void* out, int64_t n, const double* parameters) {
    run_in_blocks((active_kernels.elementwise.*rows)[row][wide_of(narrow)], narrow, count, bools,
                  in, out, n, parameters);
}

template <auto rows, int row, int count, bool bools> void fill_row(ElementwiseKernels& k) {
    BlockTable& table = (k.*rows)[row];
    const auto fill = [&]<DType narrow>() {
        if (table[wide_of(narrow)]) table[narrow] = block<rows, row, narrow, count, bools>;
    };
    fill.template operator()<DType::Int8>();
    fill.template operator()<DType::Int16>();
    fill.template operator()<DType::Float16>();
    fill.template operator()<DType::BFloat16>();
}

// From a narrow type, to one, or both, by way of the wide ones.
template <DType from, DType to>
void cast_block(const void* const* in, void* out, int64_t n, const double*) {
    alignas(64) char buffers[2][kBlock * 8];
    const BlockFn first_step = cast(from, wide_of(from)), step = cast(wide_of(from), wide_of(to)),
                  last_step = cast(wide_of(to), to);
    for (int64_t first = 0; first < n; first += kBlock) {
        const int64_t length = std::min(n - first, kBlock);
        const void* source =
            static_cast<const char*>(in[0]) + first * static_cast<int64_t>(item_size(from));
        void* target = static_cast<char*>(out) + first * static_cast<int64_t>(item_size(to));
        const auto run = [&](BlockFn kernel, void* result) {
            kernel(&source, result, length, nullptr);
            source = result;
        };
        if (is_narrow(from)) run(first_step, buffers[0]);
        run(step, is_narrow(to) ? buffers[1] : target);
        if (is_narrow(to)) run(last_step, target);
    }
}

template <size_t... pairs> void fill_casts(ElementwiseKernels& k, std::index_sequence<pairs...>) {
    const auto fill = [&]<DType from, DType to>() {
        if constexpr (is_narrow(from) || is_narrow(to))
            if (!k.cast[from][to]) k.cast[from][to] = cast_block<from, to>;
    };
    (fill.template
     operator()<static_cast<DType>(pairs / kDTypeCount), static_cast<DType>(pairs % kDTypeCount)>(),
     ...);
}

template <class F> consteval int unary_operands() {
    return 1 + std::popcount(formulas::unary_uses<F>().values());
}
template <class Side> consteval int side_operands() {
    return 1 + std::popcount(formulas::side_uses<Side>().values());
}

// The next number after in[0] towards in[1]: one more or less in the bits after the sign.
template <class T> void next_half(const void* const* in, void* out, int64_t n, const double*) {
    const T *from = static_cast<const T*>(in[0]), *towards = static_cast<const T*>(in[1]);
    T* to = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) {
        const float a = from[i], b = towards[i];
        const uint16_t bits = from[i].bits;
        if (a != a || b != b) to[i] = std::numeric_limits<T>::quiet_NaN();
        else if (a == b) to[i] = towards[i];
        else if (a == 0) to[i] = T::of_bits(b > 0 ? 0x0001 : 0x8001);
        else to[i] = T::of_bits(static_cast<uint16_t>((a < b) == (a > 0) ? bits + 1 : bits - 1));
    }
}

void fill_elementwise(ElementwiseKernels& k) {
    using K = ElementwiseKernels;
    using namespace formulas;
    fill_casts(k, std::make_index_sequence<kDTypeCount * kDTypeCount>());
#define TAPEGRAD_FILL(Name, ...)                         \
    fill_row<&K::unary, int(Unary::Name), 1, false>(k);  \
    fill_row<&K::unary_backward, int(Unary::Name), unary_operands<Name>(), false>(k);
    TAPEGRAD_UNARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...)                                                            \
    fill_row<&K::binary, int(Binary::Name), 2, false>(k);                                   \
    fill_row<&K::binary_lhs, int(Binary::Name), side_operands<Lhs<Name>>(), false>(k);      \
    fill_row<&K::binary_rhs, int(Binary::Name), side_operands<Rhs<Name>>(), false>(k);
    TAPEGRAD_BINARY(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...) fill_row<&K::comparison, int(Comparison::Name), 2, true>(k);
    TAPEGRAD_COMPARISON(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...) fill_row<&K::integer, int(Integer::Name), 2, false>(k);
    TAPEGRAD_INTEGER(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
#define TAPEGRAD_FILL(Name, ...) \
    fill_row<&K::pointwise, int(Pointwise::Name), Name::operands, false>(k);
    TAPEGRAD_POINTWISE(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
    // Rounded, the next float would be the number itself.
    k.binary[int(Binary::Nextafter)][DType::Float16] = next_half<Half>;
    k.binary[int(Binary::Nextafter)][DType::BFloat16] = next_half<BFloat16>;
#define TAPEGRAD_FILL(Name, ...) fill_row<&K::predicate, int(Predicate::Name), 1, true>(k);
    TAPEGRAD_PREDICATE(TAPEGRAD_FILL)
#undef TAPEGRAD_FILL
}

// ------------------------------------------------------------------------------ everything else

int64_t product(int64_t a, int64_t b, int64_t c) {
    return a == 0 || b == 0 || c == 0 ? 0 : a * b * c;  // the others may be anything then
}

void cast_all(DType from, DType to, const void* x, void* out, int64_t n) {
    const BlockFn kernel = cast(from, to);
    parallel_for(n, 1024, 64 * 1024, [&](int64_t begin, int64_t end) {
        const void* source =
            static_cast<const char*>(x) + begin * static_cast<int64_t>(item_size(from));
        kernel(&source, static_cast<char*>(out) + begin * static_cast<int64_t>(item_size(to)),
               end - begin, nullptr);
    });
}

// An array in the wide type. A null pointer stays one.
class Widened {
public:
    Widened(DType narrow, int64_t n, bool present = true)
        : memory_(present ? new char[static_cast<size_t>(n) * item_size(wide_of(narrow))]
                          : nullptr) {}
    void* data() const { return memory_.get(); }

private:
    std::unique_ptr<char[]> memory_;
};

// An argument that is read: n elements.
class In {
public:
    In(DType narrow, const void* x, int64_t n) : wide_(narrow, n, x != nullptr) {
        if (x) cast_all(narrow, wide_of(narrow), x, wide_.data(), n);
    }
    operator const void*() const { return wide_.data(); }

private:
    Widened wide_;
};

// An argument that is written, and read before that where it says so. What was written gets back when
// the call that it is an argument of is over.
enum class Use { Write, ReadAndWrite };
class Out {
public:
    Out(DType narrow, void* out, int64_t n, Use use = Use::Write)
        : narrow_(narrow),
          out_(out),
          n_(n),
          wide_(narrow, n, out != nullptr) {
        if (out && use == Use::ReadAndWrite)
            cast_all(narrow, wide_of(narrow), out, wide_.data(), n);
    }
    Out(const Out&) = delete;
    ~Out() {
        if (out_) cast_all(wide_of(narrow_), narrow_, wide_.data(), out_, n_);
    }
    operator void*() const { return wide_.data(); }

private:
    const DType narrow_;
    void* const out_;
    const int64_t n_;
    const Widened wide_;
};

// --- reductions ---

// What a reduction gives: the type that it reads, int64 or bool, or int64 for integers alone.
enum class Result { Same, Other, Sum };

template <auto table, DType narrow, Result result>
void reduce(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    const ReduceFn wide = (active_kernels.reduce.*table)[wide_of(narrow)];
    const In values(narrow, x, product(outer, n, inner));
    if (result == Result::Other || (result == Result::Sum && !is_half(narrow)))
        wide(values, out, outer, n, inner);
    else wide(values, Out(narrow, out, product(outer, 1, inner)), outer, n, inner);
}

template <auto table, DType narrow>
void scan(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    const int64_t size = product(outer, n, inner);
    (active_kernels.reduce.*table)[wide_of(narrow)](In(narrow, x, size), Out(narrow, out, size),
                                                    outer, n, inner);
}

template <DType narrow>
void norm(const void* x, double p, void* out, int64_t outer, int64_t n, int64_t inner) {
    active_kernels.reduce.norm[wide_of(narrow)](In(narrow, x, product(outer, n, inner)), p,
                                                Out(narrow, out, product(outer, 1, inner)), outer,
                                                n, inner);
}

template <DType narrow>
void spread(const void* x, void* out, int64_t outer, int64_t n, int64_t inner, double divisor,
            Spread which) {
    active_kernels.reduce.spread[wide_of(narrow)](In(narrow, x, product(outer, n, inner)),
                                                  Out(narrow, out, product(outer, 1, inner)), outer,
                                                  n, inner, divisor, which);
}

template <auto table, DType narrow>
void arg_reduce(const void* x, void* values, int64_t* indices, int64_t outer, int64_t n,
                int64_t inner) {
    (active_kernels.reduce.*table)[wide_of(narrow)](In(narrow, x, product(outer, n, inner)),
                                                    Out(narrow, values, product(outer, 1, inner)),
                                                    indices, outer, n, inner);
}

template <DType narrow>
void extreme_backward(const void* grad, const void* x, const void* result, void* out, int64_t outer,
                      int64_t n, Ties ties) {
    const int64_t size = product(outer, n, 1);
    active_kernels.reduce.extreme_backward[wide_of(narrow)](
        In(narrow, grad, outer), In(narrow, x, size), In(narrow, result, outer),
        Out(narrow, out, size), outer, n, ties);
}

template <DType narrow> void fill_reductions(ReduceKernels& k) {
    using K = ReduceKernels;
    k.sum[narrow] = reduce<&K::sum, narrow, Result::Sum>;
    k.prod[narrow] = reduce<&K::prod, narrow, Result::Sum>;
    k.amax[narrow] = reduce<&K::amax, narrow, Result::Same>;
    k.amin[narrow] = reduce<&K::amin, narrow, Result::Same>;
    k.any[narrow] = reduce<&K::any, narrow, Result::Other>;
    k.all[narrow] = reduce<&K::all, narrow, Result::Other>;
    k.count_nonzero[narrow] = reduce<&K::count_nonzero, narrow, Result::Other>;
    k.max_index[narrow] = arg_reduce<&K::max_index, narrow>;
    k.min_index[narrow] = arg_reduce<&K::min_index, narrow>;
    k.cumsum[narrow] = scan<&K::cumsum, narrow>;
    k.reverse_cumsum[narrow] = scan<&K::reverse_cumsum, narrow>;
    k.cumprod[narrow] = scan<&K::cumprod, narrow>;
    if constexpr (is_half(narrow)) {
        k.mean[narrow] = reduce<&K::mean, narrow, Result::Same>;
        k.mean_squares[narrow] = reduce<&K::mean_squares, narrow, Result::Same>;
        k.nansum[narrow] = reduce<&K::nansum, narrow, Result::Same>;
        k.sum_abs[narrow] = reduce<&K::sum_abs, narrow, Result::Same>;
        k.sum_squares[narrow] = reduce<&K::sum_squares, narrow, Result::Same>;
        k.norm2[narrow] = reduce<&K::norm2, narrow, Result::Same>;
        k.logsumexp[narrow] = reduce<&K::logsumexp, narrow, Result::Same>;
        k.norm[narrow] = norm<narrow>;
        k.spread[narrow] = spread<narrow>;
        k.extreme_backward[narrow] = extreme_backward<narrow>;
    }
}

// --- products ---

// A matrix of any strides as rows in the wide type, one after the other.
In matrix(DType narrow, const void* x, int64_t rows, int64_t columns, int64_t row_stride,
          int64_t column_stride) {
    const bool plain = column_stride == 1 && row_stride == columns;
    if (plain || !x || rows <= 0 || columns <= 0)
        return In(narrow, x, product(std::max<int64_t>(rows, 0), std::max<int64_t>(columns, 0), 1));
    const size_t bytes = item_size(narrow);
    const std::unique_ptr<char[]> packed(new char[static_cast<size_t>(rows * columns) * bytes]);
    char* to = packed.get();
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j, to += bytes)
            std::copy_n(static_cast<const char*>(x) +
                            (i * row_stride + j * column_stride) * static_cast<int64_t>(bytes),
                        bytes, to);
    return In(narrow, packed.get(), rows * columns);
}

template <DType narrow> void gemm(const GemmArgs& args) {
    if (args.m <= 0 || args.n <= 0) return;
    const auto item = static_cast<int64_t>(item_size(narrow));
    const In a = matrix(narrow, args.a, args.m, args.k, args.a_row, args.a_col),
             b = matrix(narrow, args.b, args.k, args.n, args.b_row, args.b_col),
             bias(narrow, args.bias, args.n);
    const Widened c(narrow, args.m * args.n);
    const auto by_rows = [&](DType from, DType to) {
        for (int64_t i = 0; i < args.m; ++i) {
            char* rows = static_cast<char*>(args.c) + i * args.c_row * item;
            char* wide = static_cast<char*>(c.data()) + i * args.n * 4;
            if (from == narrow) cast_all(from, to, rows, wide, args.n);
            else cast_all(from, to, wide, rows, args.n);
        }
    };
    if (args.accumulate) by_rows(narrow, wide_of(narrow));
    active_kernels.gemm.gemm[wide_of(narrow)]({args.m, args.n, args.k, a, args.k, 1, b, args.n, 1,
                                               c.data(), args.n, bias, args.accumulate});
    by_rows(wide_of(narrow), narrow);
}

template <DType narrow>
void batched_gemm(const GemmArgs& first, int64_t batch, const int64_t* a_offsets,
                  const int64_t* b_offsets, const int64_t* c_offsets) {
    const auto item = static_cast<int64_t>(item_size(narrow));
    for (int64_t i = 0; i < batch; ++i) {
        GemmArgs args = first;
        args.a = static_cast<const char*>(first.a) + a_offsets[i] * item;
        args.b = static_cast<const char*>(first.b) + b_offsets[i] * item;
        args.c = static_cast<char*>(first.c) + c_offsets[i] * item;
        gemm<narrow>(args);
    }
}

template <DType narrow> void fill_products(GemmKernels& k) {
    k.gemm[narrow] = gemm<narrow>;
    k.batched[narrow] = batched_gemm<narrow>;
}

// --- softmax, cross-entropy, normalisation ---

template <auto table, DType narrow>
void softmax(const void* x, void* out, int64_t outer, int64_t n, int64_t inner) {
    const int64_t size = product(outer, n, inner);
    (active_kernels.softmax.*table)[wide_of(narrow)](In(narrow, x, size), Out(narrow, out, size),
                                                     outer, n, inner);
}

template <auto table, DType narrow>
void softmax_backward(const void* grad, const void* result, void* out, int64_t outer, int64_t n,
                      int64_t inner) {
    const int64_t size = product(outer, n, inner);
    (active_kernels.softmax.*table)[wide_of(narrow)](
        In(narrow, grad, size), In(narrow, result, size), Out(narrow, out, size), outer, n, inner);
}

template <DType narrow>
int64_t cross_entropy(const void* logits, const int64_t* target, const void* weight,
                      CrossEntropyOptions options, void* loss_per_row, void* weight_per_row,
                      void* log_normalizer, int64_t rows, int64_t classes) {
    const Widened losses(narrow, rows), weights(narrow, rows), normalizers(narrow, rows);
    const int64_t bad = active_kernels.cross_entropy.forward[wide_of(narrow)](
        In(narrow, logits, product(rows, classes, 1)), target, In(narrow, weight, classes), options,
        losses.data(), weights.data(), normalizers.data(), rows, classes);
    if (bad >= 0) return bad;  // nothing has been written
    cast_all(wide_of(narrow), narrow, losses.data(), loss_per_row, rows);
    cast_all(wide_of(narrow), narrow, weights.data(), weight_per_row, rows);
    cast_all(wide_of(narrow), narrow, normalizers.data(), log_normalizer, rows);
    return bad;
}

template <DType narrow>
void cross_entropy_backward(const void* logits, const int64_t* target, const void* weight,
                            CrossEntropyOptions options, const void* log_normalizer,
                            const void* row_scale, void* grad_logits, int64_t rows,
                            int64_t classes) {
    const int64_t size = product(rows, classes, 1);
    active_kernels.cross_entropy.backward[wide_of(narrow)](
        In(narrow, logits, size), target, In(narrow, weight, classes), options,
        In(narrow, log_normalizer, rows), In(narrow, row_scale, rows),
        Out(narrow, grad_logits, size), rows, classes);
}

template <DType narrow>
void layer_norm(const void* x, const void* weight, const void* bias, double eps, void* out,
                void* mean, void* rstd, RowSizes s) {
    const int64_t size = product(s.outer, s.groups, s.n), rows = s.outer * s.groups,
                  parameters = s.groups * s.n;
    active_kernels.layer_norm.forward[wide_of(narrow)](
        In(narrow, x, size), In(narrow, weight, parameters), In(narrow, bias, parameters), eps,
        Out(narrow, out, size), Out(narrow, mean, rows), Out(narrow, rstd, rows), s);
}

template <DType narrow>
void layer_norm_backward(const void* grad, const void* x, const void* weight, const void* mean,
                         const void* rstd, void* grad_x, void* grad_weight, void* grad_bias,
                         RowSizes s) {
    const int64_t size = product(s.outer, s.groups, s.n), rows = s.outer * s.groups,
                  parameters = s.groups * s.n;
    active_kernels.layer_norm.backward[wide_of(narrow)](
        In(narrow, grad, size), In(narrow, x, size), In(narrow, weight, parameters),
        In(narrow, mean, rows), In(narrow, rstd, rows), Out(narrow, grad_x, size),
        Out(narrow, grad_weight, parameters), Out(narrow, grad_bias, parameters), s);
}

template <DType narrow>
void batch_norm(const void* x, const void* weight, const void* bias, double eps, void* out,
                void* mean, void* rstd, void* variance, BatchSizes s) {
    const int64_t size = product(s.outer, s.channels, s.inner), channels = s.channels;
    active_kernels.batch_norm.forward[wide_of(narrow)](
        In(narrow, x, size), In(narrow, weight, channels), In(narrow, bias, channels), eps,
        Out(narrow, out, size), Out(narrow, mean, channels), Out(narrow, rstd, channels),
        Out(narrow, variance, channels), s);
}

template <DType narrow>
void batch_norm_apply(const void* x, const void* weight, const void* bias, const void* mean,
                      const void* rstd, void* out, BatchSizes s) {
    const int64_t size = product(s.outer, s.channels, s.inner), channels = s.channels;
    active_kernels.batch_norm.apply[wide_of(narrow)](
        In(narrow, x, size), In(narrow, weight, channels), In(narrow, bias, channels),
        In(narrow, mean, channels), In(narrow, rstd, channels), Out(narrow, out, size), s);
}

template <DType narrow>
void batch_norm_backward(const void* grad, const void* x, const void* weight, const void* mean,
                         const void* rstd, void* grad_x, void* grad_weight, void* grad_bias,
                         BatchSizes s) {
    const int64_t size = product(s.outer, s.channels, s.inner), channels = s.channels;
    active_kernels.batch_norm.backward[wide_of(narrow)](
        In(narrow, grad, size), In(narrow, x, size), In(narrow, weight, channels),
        In(narrow, mean, channels), In(narrow, rstd, channels), Out(narrow, grad_x, size),
        Out(narrow, grad_weight, channels), Out(narrow, grad_bias, channels), s);
}

template <DType narrow> void fill_layers(Kernels& k) {
    using S = SoftmaxKernels;
    k.softmax.softmax[narrow] = softmax<&S::softmax, narrow>;
    k.softmax.log_softmax[narrow] = softmax<&S::log_softmax, narrow>;
    k.softmax.softmax_backward[narrow] = softmax_backward<&S::softmax_backward, narrow>;
    k.softmax.log_softmax_backward[narrow] = softmax_backward<&S::log_softmax_backward, narrow>;
    k.cross_entropy.forward[narrow] = cross_entropy<narrow>;
    k.cross_entropy.backward[narrow] = cross_entropy_backward<narrow>;
    k.layer_norm.forward[narrow] = layer_norm<narrow>;
    k.layer_norm.backward[narrow] = layer_norm_backward<narrow>;
    k.batch_norm.forward[narrow] = batch_norm<narrow>;
    k.batch_norm.apply[narrow] = batch_norm_apply<narrow>;
    k.batch_norm.backward[narrow] = batch_norm_backward<narrow>;
}

// --- optimisers ---

template <int rule, DType narrow>
void optim_step(char* const* data, int64_t n, const double* coefficients) {
    const OptimRuleKernels& k = active_kernels.optim.rules[rule];
    const In grad(narrow, data[1], n);
    const auto changed = [&](int column) {
        char* there = column < 2 + k.states ? data[column] : nullptr;
        return Out(narrow, there, n, Use::ReadAndWrite);
    };
    const Out param = changed(0), first = changed(2), second = changed(3), third = changed(4);
    const auto bytes = [](const void* x) { return static_cast<char*>(const_cast<void*>(x)); };
    char* const wide[] = {bytes(param), bytes(grad), bytes(first), bytes(second), bytes(third)};
    k.step[wide_of(narrow)](wide, n, coefficients);
}

template <DType narrow, int... rule>
void fill_rules(OptimKernels& k, std::integer_sequence<int, rule...>) {
    ((k.rules[rule].step[narrow] = optim_step<rule, narrow>), ...);
}

template <DType narrow> void scale(void* x, double factor, int64_t n) {
    active_kernels.optim.scale[wide_of(narrow)](Out(narrow, x, n, Use::ReadAndWrite), factor, n);
}

template <DType narrow> void fill_optimisers(OptimKernels& k) {
    fill_rules<narrow>(k, std::make_integer_sequence<int, kOptimRuleCount>{});
    k.scale[narrow] = scale<narrow>;
}

// --- random numbers ---

// As many random bits as the type has, so that rounding does not reach the upper end of [0, 1).
template <DType narrow>
void uniform(void* out, int64_t n, uint64_t seed, uint64_t offset, double a, double b) {
    const Out wide(narrow, out, n);
    active_kernels.random.uniform[wide_of(narrow)](wide, n, seed, offset, 0, 1);
    const float places = narrow == DType::Float16 ? 0x1p11f : 0x1p8f;
    auto* values = static_cast<float*>(static_cast<void*>(wide));
    for (int64_t i = 0; i < n; ++i)
        values[i] = static_cast<float>(a + (b - a) * (std::floor(values[i] * places) / places));
}

template <auto table, DType narrow>
void fill_random(void* out, int64_t n, uint64_t seed, uint64_t offset, double a, double b) {
    (active_kernels.random.*table)[wide_of(narrow)](Out(narrow, out, n), n, seed, offset, a, b);
}

template <DType narrow>
void randint(void* out, int64_t n, uint64_t seed, uint64_t offset, int64_t low, int64_t high) {
    active_kernels.random.randint[wide_of(narrow)](Out(narrow, out, n), n, seed, offset, low, high);
}

template <DType narrow>
void bernoulli_each(const void* p, void* out, int64_t n, uint64_t seed, uint64_t offset) {
    active_kernels.random.bernoulli_each[wide_of(narrow)](In(narrow, p, n), Out(narrow, out, n), n,
                                                          seed, offset);
}

template <DType narrow>
void dropout(const void* x, void* out, uint8_t* mask, int64_t n, uint64_t seed, uint64_t offset,
             double p) {
    active_kernels.random.dropout[wide_of(narrow)](In(narrow, x, n), Out(narrow, out, n), mask, n,
                                                   seed, offset, p);
}

template <DType narrow>
void dropout_backward(const void* g, const uint8_t* mask, void* out, int64_t n, double p) {
    active_kernels.random.dropout_backward[wide_of(narrow)](In(narrow, g, n), mask,
                                                            Out(narrow, out, n), n, p);
}

template <DType narrow> void fill_random_numbers(RandomKernels& k) {
    using K = RandomKernels;
    k.randint[narrow] = randint<narrow>;
    if (k.bernoulli[wide_of(narrow)]) k.bernoulli[narrow] = fill_random<&K::bernoulli, narrow>;
    k.geometric[narrow] = fill_random<&K::geometric, narrow>;
    if constexpr (is_half(narrow)) {
        k.uniform[narrow] = uniform<narrow>;
        k.normal[narrow] = fill_random<&K::normal, narrow>;
        k.exponential[narrow] = fill_random<&K::exponential, narrow>;
        k.cauchy[narrow] = fill_random<&K::cauchy, narrow>;
        k.bernoulli_each[narrow] = bernoulli_each<narrow>;
        k.dropout[narrow] = dropout<narrow>;
        k.dropout_backward[narrow] = dropout_backward<narrow>;
    }
}

template <DType narrow> void fill_type(Kernels& k) {
    fill_reductions<narrow>(k.reduce);
    fill_products<narrow>(k.gemm);
    fill_random_numbers<narrow>(k.random);
    if constexpr (is_half(narrow)) {
        fill_layers<narrow>(k);
        fill_optimisers<narrow>(k.optim);
    }
}

}  // namespace

void fill_narrow(Kernels& kernels) {
    fill_elementwise(kernels.elementwise);
    fill_type<DType::Int8>(kernels);
    fill_type<DType::Int16>(kernels);
    fill_type<DType::Float16>(kernels);
    fill_type<DType::BFloat16>(kernels);
}

}  // namespace tapegrad::kernels
