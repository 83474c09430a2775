#include "kernels/gemm.h"

#include "core/parallel.h"
#include "kernels/blas.h"
#include "kernels/gemm_block.h"
#include "kernels/gemm_dot.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_packed.h"
#include "kernels/gemm_product.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::GemmArgs;

// Rows of A, read in place, that stay in the second-level cache while the panels pass: 512 x 256.
constexpr int64_t kInPlaceRows = 512;
// Inner products are restarted at this distance, for accuracy and so that a copied vector fits.
constexpr int64_t kDotDepth = 4096;

// --- inner products ----------------------------------------------------------------------------

// With few rows, a transposed B is best read once, in place; but with a short k the sums over the
// lanes cost more than packing (measured: crossover at 4 vectors for 2 rows, 8 for 4).
template <class T> TAPEGRAD_INLINE bool dot_suits(const Product<T>& p) {
    constexpr int W = Pack<T>::size;
    if (p.b_row != 1 || p.m > 4 || p.k == 0) return false;
    if (p.n == 1 && p.m == 1) return true;
    if (p.b_col == 1) return false;
    return p.m == 1 ? p.k >= 2 * W || p.n <= 8 : p.a_col == 1 && p.k >= 2 * p.m * W;
}

template <class T> void dot_product(const Product<T>& p) {
    T copy[kDotDepth];
    for (int64_t l = 0; l < p.k; l += kDotDepth) {
        const int64_t depth = p.k - l < kDotDepth ? p.k - l : kDotDepth;
        const T* a = p.a + l * p.a_col;
        if (p.a_col != 1) {
            for (int64_t i = 0; i < depth; ++i) copy[i] = a[i * p.a_col];
            a = copy;
        }
        const T* b = p.b + l;
        const T* bias = l == 0 ? p.bias : nullptr;
        const bool accumulate = p.accumulate || l > 0;
        switch (p.m) {
            case 1:
                dot_rows<T, 1, 8>(p.n, depth, a, p.a_row, b, p.b_col, p.c, p.c_row, bias,
                                  accumulate);
                break;
            case 2:
                dot_rows<T, 2, 4>(p.n, depth, a, p.a_row, b, p.b_col, p.c, p.c_row, bias,
                                  accumulate);
                break;
            case 3:
                dot_rows<T, 3, 4>(p.n, depth, a, p.a_row, b, p.b_col, p.c, p.c_row, bias,
                                  accumulate);
                break;
            default:
                dot_rows<T, 4, 4>(p.n, depth, a, p.a_row, b, p.b_col, p.c, p.c_row, bias,
                                  accumulate);
        }
    }
}

// --- blocks ------------------------------------------------------------------------------------

// Runs the blocks of one panel over all rows.
template <class T>
TAPEGRAD_INLINE void run_panel(const Panel<T>& panel, const BlockFn<T>* table, int max_rows,
                               int64_t m, const T* a, T* c) {
    if (m <= max_rows) {
        table[m - 1](panel, a, c, nullptr);
        return;
    }
    const Cut cut(m, max_rows);
    for (int64_t i = 0; i < cut.blocks; ++i) {
        const int64_t count = cut.count(i);
        table[count - 1](panel, a, c, nullptr);
        a += count * panel.a_row;
        c += count * panel.c_row;
    }
}

// Whether panels of B are copied before use. A transposed B always is. Rows that lie 2 KB or more
// apart share few sets of the first-level cache (measured: 512^3 gains 3 to 8 %, 256^3 loses 2 %).
template <class T> TAPEGRAD_INLINE bool packs(const Product<T>& p) {
    return p.b_col != 1 || (p.m >= 128 && p.k >= 128 && p.b_row * sizeof(T) >= 2048);
}

template <class T> void tile(const Product<T>& p) {
    constexpr int W = Pack<T>::size;
    const bool pack = packs(p);
    const bool wide = !pack && p.m <= kWideRows;
    const int64_t depth = block_depth(p.k);
    const int64_t k_blocks = p.k <= kDepth ? 1 : (p.k + depth - 1) / depth;
    alignas(64) T buffer[kDepth * 2 * W];

    for (int64_t i = 0; i < p.m; i += kInPlaceRows) {
        const int64_t rows = p.m - i < kInPlaceRows ? p.m - i : kInPlaceRows;
        for (int64_t block = 0; block < k_blocks; ++block) {
            const int64_t l = block * depth;
            Panel<T> panel;
            panel.k = p.k - l < depth ? p.k - l : depth;
            panel.a_row = p.a_row;
            panel.a_col = p.a_col;
            panel.c_row = p.c_row;
            panel.accumulate = p.accumulate || block > 0;
            const T* a = p.a + i * p.a_row + l * p.a_col;
            const T* bias = block == 0 ? p.bias : nullptr;
            for (int64_t j = 0; j < p.n; j += panel.width) {
                const int64_t rest = p.n - j;
                int vectors = wide && rest > 3 * W ? 4 : rest > W ? 2 : 1;
                panel.width = rest < vectors * W ? rest : vectors * W;
                panel.bias = bias ? bias + j : nullptr;
                const T* b = p.b + l * p.b_row + j * p.b_col;
                // Without masked loads, copy the last columns if several blocks use them.
                const bool partial = panel.width < vectors * W;
                const bool copy = pack || (partial && kVectorBytes == 16 && p.m > kBlockRows);
                if (copy) {
                    pack_panel(b, p.b_row, p.b_col, panel.k, panel.width, buffer, vectors * W);
                    panel.b = buffer;
                    panel.b_row = vectors * W;
                } else {
                    panel.b = b;
                    panel.b_row = p.b_row;
                }
                const bool in_place = partial && !copy;
                const BlockFn<T>* table = vectors == 4   ? block_table<T, 4>(in_place)
                                          : vectors == 2 ? block_table<T, 2>(in_place)
                                                         : block_table<T, 1>(in_place);
                run_panel(panel, table, vectors == 4 ? kWideRows : kBlockRows, rows, a,
                          p.c + i * p.c_row + j);
            }
        }
    }
}

// --- threads -----------------------------------------------------------------------------------

// Duration in units of a multiply-add; an element that is read counts for several.
template <class T> TAPEGRAD_INLINE int64_t cost(int64_t m, int64_t n, int64_t k) {
    return m * n * k * static_cast<int64_t>(sizeof(T) / 4) + 8 * (m * k + k * n + m * n);
}

// The bits of an element do not depend on where rows and columns are cut: kernels are chosen
// by what the parts have in common with the whole.
template <class T> void run(const Product<T>& p) {
    const bool dot = dot_suits(p);
    const int64_t work = cost<T>(p.m, p.n, p.k);
    if (work < 2 * kGrainCost) {
        dot ? dot_product(p) : tile(p);
        return;
    }
    if (!dot && packs_both(p)) {
        packed_product(p);
        return;
    }
    // Not less than the columns of a dot_block: those left over are added up in another order.
    constexpr int64_t panel = 2 * Pack<T>::size < 8 ? 8 : 2 * Pack<T>::size;
    if (dot || p.m < 16 || p.n >= 8 * panel || (p.n % panel == 0 && 2 * p.n >= p.m)) {
        int64_t grain = kGrainCost / (work / p.n + 1) / panel * panel;
        if (grain < panel) grain = panel;
        parallel_for(p.n, grain, [&](int64_t begin, int64_t end) {
            const Product<T> part = columns_of(p, begin, end);
            dot ? dot_product(part) : tile(part);
        });
    } else {
        int64_t grain = kGrainCost / (work / p.m + 1) / 4 * 4;
        if (grain < 4) grain = 4;
        parallel_for(p.m, grain, [&](int64_t begin, int64_t end) { tile(rows_of(p, begin, end)); });
    }
}

// --- OpenBLAS ----------------------------------------------------------------------------------

// Multiply-adds from which OpenBLAS, in tiles, is faster. With AVX-512 our blocks are 0 to 8 % faster
// than it at 1024^3 and 2 % at 3072^3, the largest measured (float32, one thread); with AVX2 they
// are 5 to 9 % slower at 1024^3 and 2048^3.
#if defined(TAPEGRAD_AVX512)
constexpr int64_t kBlasCost = int64_t{4096} * 4096 * 4096;
#else
constexpr int64_t kBlasCost = int64_t{896} * 896 * 896;
#endif
constexpr int64_t kBlasMinimum = 256;
// Rows and columns of a tile: large ones are a few percent faster, small ones share out better.
constexpr int64_t kBlasTile = 512, kBlasLargeTile = 1024;
constexpr int64_t kBlasLargeResult = int64_t{3072} * 3072;

// Whether rows of the operand are contiguous (1), its columns (2), or neither (0).
TAPEGRAD_INLINE int blas_layout(int64_t rows, int64_t columns, int64_t row, int64_t column) {
    constexpr int64_t kMax = INT32_MAX;
    if (column == 1 && row >= columns && row <= kMax) return 1;
    if (row == 1 && column >= rows && column <= kMax) return 2;
    return 0;
}

template <class T> TAPEGRAD_INLINE bool blas_suits(const Product<T>& p) {
    return p.m >= kBlasMinimum && p.n >= kBlasMinimum && p.k >= kBlasMinimum &&
           p.m * p.n >= kBlasCost / p.k && p.k <= INT32_MAX && p.c_row <= INT32_MAX &&
           blas_layout(p.m, p.k, p.a_row, p.a_col) && blas_layout(p.k, p.n, p.b_row, p.b_col);
}

template <class T> void blas_tile(const kernels::Blas* blas, const Product<T>& p) {
    const bool trans_a = blas_layout(p.m, p.k, p.a_row, p.a_col) == 2;
    const bool trans_b = blas_layout(p.k, p.n, p.b_row, p.b_col) == 2;
    if (p.bias)
        for (int64_t i = 0; i < p.m; ++i) {
            T* row = p.c + i * p.c_row;
            for (int64_t j = 0; j < p.n; ++j)
                row[j] = p.accumulate ? row[j] + p.bias[j] : p.bias[j];
        }
    const int op_a = trans_a ? kernels::kBlasTrans : kernels::kBlasNoTrans;
    const int op_b = trans_b ? kernels::kBlasTrans : kernels::kBlasNoTrans;
    const int lda = static_cast<int>(trans_a ? p.a_col : p.a_row);
    const int ldb = static_cast<int>(trans_b ? p.b_col : p.b_row);
    const T beta = p.accumulate || p.bias ? 1 : 0;
    const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
    const int ldc = static_cast<int>(p.c_row);
    if constexpr (sizeof(T) == 4)
        blas->sgemm(kernels::kBlasRowMajor, op_a, op_b, m, n, k, 1, p.a, lda, p.b, ldb, beta, p.c,
                    ldc);
    else
        blas->dgemm(kernels::kBlasRowMajor, op_a, op_b, m, n, k, 1, p.a, lda, p.b, ldb, beta, p.c,
                    ldc);
}

template <class T> void run_blas(const kernels::Blas* blas, const Product<T>& p) {
    const int64_t size = p.m * p.n < kBlasLargeResult ? kBlasTile : kBlasLargeTile;
    const int64_t tiles_m = (p.m + size - 1) / size, tiles_n = (p.n + size - 1) / size;
    const int64_t rows = (p.m + tiles_m - 1) / tiles_m, columns = (p.n + tiles_n - 1) / tiles_n;
    parallel_for(tiles_m * tiles_n, 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            const int64_t i = t / tiles_n * rows, j = t % tiles_n * columns;
            const int64_t i_end = i + rows < p.m ? i + rows : p.m;
            const int64_t j_end = j + columns < p.n ? j + columns : p.n;
            if (i < i_end && j < j_end) blas_tile(blas, columns_of(rows_of(p, i, i_end), j, j_end));
        }
    });
}

// --- entry points ------------------------------------------------------------------------------

// A product of a single block, with as little around it as possible.
template <class T> TAPEGRAD_INLINE bool single_block(const GemmArgs& g) {
    constexpr int W = Pack<T>::size;
    constexpr int64_t kCopied =
        64;  // elements of B that are quicker moved than anything else set up
    if (g.m > kBlockRows || g.n > 2 * W || g.k > kDepth) return false;
    bool in_place = g.n % W != 0;
    const T* b = static_cast<const T*>(g.b);
    int64_t b_row = g.b_row;
    alignas(64) T copy[kCopied * W];
    if (g.b_col != 1 && g.n > 1) {
        if (g.n * g.k > kCopied) return false;
        b_row = g.n > W ? 2 * W : W;
        pack_elements(b, g.b_row, g.b_col, g.k, g.n, copy, b_row);
        b = copy;
        in_place = false;
    }
    const Panel<T> panel{
        g.k, g.a_row, g.a_col, b, b_row, g.c_row, static_cast<const T*>(g.bias), g.accumulate, g.n};
    const BlockFn<T>* table = g.n > W ? block_table<T, 2>(in_place) : block_table<T, 1>(in_place);
    table[g.m - 1](panel, static_cast<const T*>(g.a), static_cast<T*>(g.c), nullptr);
    return true;
}

template <class T> void multiply(Product<T>& p) {
    if (p.n == 1 && p.m > 1 && p.c_row == 1) {
        // A matrix times a vector: the vector from the left makes C a row.
        if (p.bias) {
            const T bias = *p.bias;
            for (int64_t i = 0; i < p.m; ++i) p.c[i] = p.accumulate ? p.c[i] + bias : bias;
        }
        p = {1,
             p.m,
             p.k,
             p.b,
             0,
             p.b_row,
             p.a,
             p.a_col,
             p.a_row,
             p.c,
             p.m,
             nullptr,
             p.accumulate || p.bias};
    }
    if (blas_suits(p))
        if (const kernels::Blas* blas = kernels::blas()) {
            run_blas(blas, p);
            return;
        }
    run(p);
}

template <class T> void gemm(const GemmArgs& g) {
    if (g.m <= 0 || g.n <= 0) return;
    if (g.k == 0 && (g.a_row | g.a_col | g.b_row | g.b_col)) [[unlikely]] {
        // Nothing is read, and the strides may lead anywhere.
        GemmArgs unread = g;
        unread.a_row = unread.a_col = unread.b_row = unread.b_col = 0;
        gemm<T>(unread);
        return;
    }
    if (single_block<T>(g)) return;
    Product<T> p = product_of<T>(g);
    multiply(p);
}

// Products that are this large share the threads among themselves one after another.
constexpr int64_t kLargeProduct = 16 * kGrainCost;
// Those that make a copy of A are among them: they allocate, which a parallel region must not do.
static_assert(kPackedRows * (kLargeBBytes / 4 * 9 / 10) >= kLargeProduct && kMuch >= kLargeProduct);

template <class T, void (*kGemm)(const GemmArgs&)>
void batched(const GemmArgs& first, int64_t batch, const int64_t* a_offsets,
             const int64_t* b_offsets, const int64_t* c_offsets) {
    const auto range = [&](int64_t begin, int64_t end) {
        GemmArgs g = first;
        for (int64_t i = begin; i < end; ++i) {
            g.a = static_cast<const T*>(first.a) + a_offsets[i];
            g.b = static_cast<const T*>(first.b) + b_offsets[i];
            g.c = static_cast<T*>(first.c) + c_offsets[i];
            kGemm(g);
        }
    };
    const int64_t one = cost<T>(first.m, first.n, first.k);
    if (one >= kLargeProduct || one * batch < 2 * kGrainCost) range(0, batch);
    else parallel_for(batch, kGrainCost / (one + 1) + 1, range);
}

// --- integers ----------------------------------------------------------------------------------

// Unsigned arithmetic wraps; the signed result has the same bits.
template <class U> void integer_rows(const Product<U>& p, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
        U* c = p.c + i * p.c_row;
        for (int64_t j = 0; j < p.n; ++j)
            c[j] = static_cast<U>((p.accumulate ? c[j] : U(0)) + (p.bias ? p.bias[j] : U(0)));
        for (int64_t l = 0; l < p.k; ++l) {
            const U x = p.a[i * p.a_row + l * p.a_col];
            const U* b = p.b + l * p.b_row;
            if (p.b_col == 1)
                for (int64_t j = 0; j < p.n; ++j) c[j] = static_cast<U>(c[j] + x * b[j]);
            else
                for (int64_t j = 0; j < p.n; ++j) c[j] = static_cast<U>(c[j] + x * b[j * p.b_col]);
        }
    }
}

template <class U> void integer_gemm(const GemmArgs& g) {
    if (g.m <= 0 || g.n <= 0) return;
    const Product<U> p = product_of<U>(g);
    const int64_t row_cost = p.n * (p.k + 1) * 8;
    parallel_for(p.m, kGrainCost / row_cost + 1,
                 [&](int64_t begin, int64_t end) { integer_rows(p, begin, end); });
}

}  // namespace

void fill(kernels::GemmKernels& kernels) {
    const auto set = [&](DType dtype, kernels::GemmFn gemm, kernels::BatchedGemmFn batched) {
        kernels.gemm[dtype] = gemm;
        kernels.batched[dtype] = batched;
    };
    set(DType::Bool, nullptr, nullptr);
    set(DType::UInt8, integer_gemm<uint8_t>, batched<uint8_t, integer_gemm<uint8_t>>);
    set(DType::Int32, integer_gemm<uint32_t>, batched<uint32_t, integer_gemm<uint32_t>>);
    set(DType::Int64, integer_gemm<uint64_t>, batched<uint64_t, integer_gemm<uint64_t>>);
    set(DType::Float32, gemm<float>, batched<float, gemm<float>>);
    set(DType::Float64, gemm<double>, batched<double, gemm<double>>);
}

}  // namespace tapegrad::TAPEGRAD_ISA
