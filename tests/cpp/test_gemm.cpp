// Matrix products against a plain loop in double; prints failures, exits with 1 if there are any.
// test_gemm --quick: a sample of the checks, for sanitizers.
// test_gemm --bench [m n k ...]: GFLOP/s of the kernels and of one call of OpenBLAS.
// Built for one instruction set, with the same TAPEGRAD_ISA as csrc/kernels/gemm.cpp.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "core/dtype.h"
#include "core/parallel.h"
#include "kernels/blas.h"
#include "kernels/gemm.h"

namespace tapegrad::TAPEGRAD_ISA {
void fill(kernels::GemmKernels&);
}

namespace {

using namespace tapegrad;
using kernels::GemmArgs;

kernels::GemmKernels table;
std::mt19937 generator(1);
int64_t checks = 0, failures = 0;

template <class T> void randomize(std::vector<T>& values) {
    for (T& x : values)
        if constexpr (std::is_floating_point_v<T>)
            x = std::uniform_real_distribution<T>(-1, 1)(generator);
        else x = static_cast<T>(generator());
}

// How a matrix lies in memory.
enum class Layout { Rows, Columns, PaddedRows, PaddedColumns, Spread, SameRow, SameColumn };

struct Strides {
    int64_t row, column, elements;
};

Strides strides_of(Layout layout, int64_t rows, int64_t columns) {
    switch (layout) {
        case Layout::Rows: return {columns, 1, rows * columns};
        case Layout::Columns: return {1, rows, rows * columns};
        case Layout::PaddedRows: return {columns + 3, 1, rows * (columns + 3)};
        case Layout::PaddedColumns: return {1, rows + 5, columns * (rows + 5)};
        case Layout::Spread: return {2 * columns + 1, 2, rows * (2 * columns + 1)};
        case Layout::SameRow: return {0, 1, columns};
        default: return {1, 0, rows};
    }
}

// Sums as the operators promise them: float sums may differ by rounding, integers wrap.
template <class T> using Exact = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

template <class T> bool close(T got, Exact<T> want, double magnitude, double k) {
    if constexpr (std::is_floating_point_v<T>) {
        const double epsilon = sizeof(T) == 4 ? 6e-8 : 1.2e-16;
        return std::fabs(got - want) <= (4 + k) * 2 * epsilon * (magnitude + 1);
    } else {
        return got == static_cast<T>(want);
    }
}

template <class T>
void check(int64_t m, int64_t n, int64_t k, Layout a_layout, Layout b_layout, bool with_bias,
           bool accumulate, int64_t c_padding = 0) {
    const Strides sa = strides_of(a_layout, m, k), sb = strides_of(b_layout, k, n);
    // Exactly as long as needed, so that a sanitizer sees reads past the end.
    std::vector<T> a(sa.elements), b(sb.elements), bias(n), c(m * (n + c_padding));
    randomize(a);
    randomize(b);
    randomize(bias);
    randomize(c);
    const std::vector<T> before = c;
    const GemmArgs args{
        m,         n,      k,         a.data(), sa.row,        sa.column,
        b.data(),  sb.row, sb.column, c.data(), n + c_padding, with_bias ? bias.data() : nullptr,
        accumulate};
    const auto gemm = table.gemm[dtype_of<T>];

    std::vector<T> first;
    for (const int threads : {1, 2, 3}) {
        // Small products never see a second thread.
        if (threads > 1 && m * n * k < 100000) break;
        set_num_threads(threads);
        c = before;
        gemm(args);
        if (threads == 1) first = c;
        else if (std::memcmp(c.data(), first.data(), c.size() * sizeof(T)) != 0) {
            ++failures;
            std::printf("bits differ at %d threads: %s %ldx%ldx%ld layouts %d %d\n", threads,
                        dtype_name(dtype_of<T>), long(m), long(n), long(k), int(a_layout),
                        int(b_layout));
        }
    }
    c = first.empty() ? c : first;

    // Rounding errors of like terms do not cancel.
    const bool alike = sa.column == 0 && sb.row == 0;
    const double growth = alike ? double(k) : std::sqrt(double(k));

    // Large products: some rows are enough.
    const int64_t step = m * n * k > 20000000 ? m / 7 + 1 : 1;
    std::vector<Exact<T>> row(n);
    std::vector<double> magnitude(n);
    for (int64_t i = 0; i < m; i += step) {
        for (int64_t j = 0; j < n + c_padding; ++j) {
            const T old = before[i * (n + c_padding) + j];
            if (j >= n) {
                if (std::memcmp(&c[i * (n + c_padding) + j], &old, sizeof(T)) == 0) continue;
                ++failures;
                std::printf("wrote past a row: %ldx%ldx%ld\n", long(m), long(n), long(k));
                return;
            }
            row[j] = Exact<T>(accumulate ? old : T(0)) + Exact<T>(with_bias ? bias[j] : T(0));
            magnitude[j] = 0;
        }
        for (int64_t l = 0; l < k; ++l)
            for (int64_t j = 0; j < n; ++j) {
                const Exact<T> x = a[i * sa.row + l * sa.column], y = b[l * sb.row + j * sb.column];
                row[j] += x * y;
                magnitude[j] += std::fabs(double(x) * double(y));
            }
        for (int64_t j = 0; j < n; ++j) {
            const T got = c[i * (n + c_padding) + j];
            ++checks;
            if (close<T>(got, row[j], magnitude[j], growth)) continue;
            ++failures;
            std::printf(
                "%s %ldx%ldx%ld layouts %d %d bias %d accumulate %d at (%ld, %ld): %.17g, "
                "not %.17g\n",
                dtype_name(dtype_of<T>), long(m), long(n), long(k), int(a_layout), int(b_layout),
                with_bias, accumulate, long(i), long(j), double(got), double(row[j]));
            return;
        }
    }
}

template <class T> void check_batched(int64_t batch, int64_t m, int64_t n, int64_t k) {
    std::vector<T> a(batch * m * k), b(batch * k * n), c(batch * m * n), want(batch * m * n);
    randomize(a);
    randomize(b);
    std::vector<int64_t> a_at(batch), b_at(batch), c_at(batch);
    for (int64_t i = 0; i < batch; ++i) {
        a_at[i] = i * m * k;
        b_at[i] = (batch - 1 - i) / 2 * k * n;  // shared by two
        c_at[i] = i * m * n;
    }
    GemmArgs args{m, n, k, a.data(), k, 1, b.data(), 1, k, c.data(), n, nullptr, false};
    const DType dtype = dtype_of<T>;
    for (const int threads : {1, 2, 3}) {
        set_num_threads(threads);
        std::fill(c.begin(), c.end(), T(7));
        table.batched[dtype](args, batch, a_at.data(), b_at.data(), c_at.data());
        for (int64_t i = 0; i < batch && threads == 1; ++i) {
            GemmArgs one = args;
            one.a = a.data() + a_at[i];
            one.b = b.data() + b_at[i];
            one.c = want.data() + c_at[i];
            table.gemm[dtype](one);
        }
        ++checks;
        if (std::memcmp(c.data(), want.data(), c.size() * sizeof(T)) == 0) continue;
        ++failures;
        std::printf("batched %s %ld of %ldx%ldx%ld differs from single ones at %d threads\n",
                    dtype_name(dtype_of<T>), long(batch), long(m), long(n), long(k), threads);
    }
}

constexpr Layout kLayouts[] = {Layout::Rows,         Layout::Columns, Layout::PaddedRows,
                               Layout::Spread,       Layout::SameRow, Layout::SameColumn,
                               Layout::PaddedColumns};

template <class T> void check_quick() {
    int turn = 0;
    for (const int64_t m : {0, 1, 3, 13, 33})
        for (const int64_t n : {0, 1, 7, 33, 100})
            for (const int64_t k : {0, 1, 3, 19, 300})
                for (const Layout a : kLayouts)
                    for (const Layout b : kLayouts)
                        if (++turn % 4 == 0) check<T>(m, n, k, a, b, turn % 8 == 0, turn % 3 == 0);
    // A is copied too.
    for (int layouts = 0; layouts < 4 && std::is_floating_point_v<T>; ++layouts)
        check<T>(33, 530, 1001, layouts & 1 ? Layout::Columns : Layout::Rows,
                 layouts & 2 ? Layout::Columns : Layout::Rows, layouts & 1, layouts & 2, 3);
    check_batched<T>(5, 30, 40, 50);
}

template <class T> void check_all() {
    for (int64_t m = 0; m < 10; ++m)
        for (int64_t n = 0; n < 10; ++n)
            for (int64_t k = 0; k < 10; ++k)
                for (const Layout a : kLayouts)
                    for (const Layout b : kLayouts)
                        check<T>(m, n, k, a, b, (m + n + k) % 2, (m + n) % 3 == 0, n % 2);
    const int64_t sizes[] = {1, 2, 5, 11, 13, 31, 32, 33, 47, 64, 97, 100, 257};
    int turn = 0;
    for (const int64_t m : sizes)
        for (const int64_t n : sizes)
            for (const int64_t k : sizes)
                for (int layouts = 0; layouts < 4; ++layouts, ++turn) {
                    if (!std::is_floating_point_v<T> && turn % 11) continue;
                    const bool padded = turn / 4 % 2;
                    const Layout rows = padded ? Layout::PaddedRows : Layout::Rows;
                    const Layout columns = padded ? Layout::PaddedColumns : Layout::Columns;
                    check<T>(m, n, k, layouts & 1 ? columns : rows, layouts & 2 ? columns : rows,
                             turn % 3 == 0, turn % 5 == 0, padded ? 5 : 0);
                }
    if constexpr (std::is_floating_point_v<T>)
        for (const Layout a : kLayouts)
            for (const Layout b : kLayouts) {
                check<T>(70, 130, 300, a, b, true, false);
                check<T>(1, 300, 517, a, b, true, false);
                check<T>(300, 1, 517, a, b, true, true);
                check<T>(300, 1, 517, a, b, true, true, 2);
                check<T>(3, 700, 1000, a, b, false, true);
                check<T>(2000, 7, 65, a, b, true, false);
                check<T>(1, 1, 100003, a, b, true, true);
                check<T>(37, 700, 1001, a, b, true, true, 3);  // A is copied too
            }
    for (int layouts = 0; layouts < 4 && std::is_floating_point_v<T>; ++layouts) {
        const Layout a = layouts & 1 ? Layout::Columns : Layout::Rows;
        const Layout b = layouts & 2 ? Layout::Columns : Layout::Rows;
        check<T>(521, 1031, 613, a, b, layouts & 1, layouts & 2);
        check<T>(1300, 800, 1029, a, b, true, true, 3);
        check<T>(5, 6, 100000, a, b, false, false);
    }
    check_batched<T>(1, 3, 4, 5);
    check_batched<T>(200, 3, 4, 5);
    check_batched<T>(64, 64, 64, 64);
    check_batched<T>(2, 300, 200, 310);
}

// --- timing ------------------------------------------------------------------------------------

double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

// Seconds of one call: the best of some, for a machine that others use too.
template <class F> double time_of(F f) {
    f();
    double start = now();
    f();
    const int64_t calls = std::max<int64_t>(1, static_cast<int64_t>(2e-3 / (now() - start + 1e-9)));
    std::vector<double> times(15);
    for (double& time : times) {
        start = now();
        for (int64_t i = 0; i < calls; ++i) f();
        time = (now() - start) / static_cast<double>(calls);
    }
    return *std::min_element(times.begin(), times.end());
}

template <class T> void bench(int64_t m, int64_t n, int64_t k) {
    std::vector<T> a(m * k), b(k * n), c(m * n);
    randomize(a);
    randomize(b);
    const double flops =
        2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    std::printf("%s %4ldx%4ldx%4ld", sizeof(T) == 4 ? "f32" : "f64", long(m), long(n), long(k));
    for (int layout = 0; layout < 3; ++layout) {
        const bool ta = layout == 2, tb = layout == 1;
        const GemmArgs args{m,          n,        k,          a.data(),   ta ? 1 : k,
                            ta ? m : 1, b.data(), tb ? 1 : n, tb ? k : 1, c.data(),
                            n,          nullptr,  false};
        std::printf(" | %s", layout == 0 ? "NN" : layout == 1 ? "NT" : "TN");
        for (const int threads : {1, 2}) {
            set_num_threads(threads);
            const double time = time_of([&] { table.gemm[dtype_of<T>](args); });
            if (flops < 1e5) std::printf(" %7.1f ns", time * 1e9);
            else std::printf(" %6.1f", flops / time * 1e-9);
        }
        if (const kernels::Blas* blas = kernels::blas()) {
            const auto call = [&] {
                const int op_a = ta ? kernels::kBlasTrans : kernels::kBlasNoTrans;
                const int op_b = tb ? kernels::kBlasTrans : kernels::kBlasNoTrans;
                const int lda = int(ta ? m : k), ldb = int(tb ? k : n);
                if constexpr (sizeof(T) == 4)
                    blas->sgemm(kernels::kBlasRowMajor, op_a, op_b, int(m), int(n), int(k), 1,
                                a.data(), lda, b.data(), ldb, 0, c.data(), int(n));
                else
                    blas->dgemm(kernels::kBlasRowMajor, op_a, op_b, int(m), int(n), int(k), 1,
                                a.data(), lda, b.data(), ldb, 0, c.data(), int(n));
            };
            const double time = time_of(call);
            if (flops < 1e5) std::printf(" (%7.1f ns)", time * 1e9);
            else std::printf(" (%6.1f)", flops / time * 1e-9);
        }
    }
    std::printf("\n");
    std::fflush(stdout);
}

int run_bench(int argc, char** argv) {
    std::printf("GFLOP/s (or ns) at 1 and 2 threads (one call of OpenBLAS, one thread)\n");
    const int64_t default_shapes[][3] = {
        {4, 8, 2},       {4, 1, 8},       {32, 10, 32},    {32, 64, 64},
        {64, 128, 64},   {64, 10, 128},   {128, 256, 784}, {1, 256, 256},
        {1024, 1, 1024}, {32, 32, 32},    {64, 64, 64},    {128, 128, 128},
        {256, 256, 256}, {512, 512, 512}, {768, 768, 768}, {1024, 1024, 1024}};
    if (argc > 0) {
        for (int i = 0; i + 2 < argc; i += 3) {
            bench<float>(std::atol(argv[i]), std::atol(argv[i + 1]), std::atol(argv[i + 2]));
            bench<double>(std::atol(argv[i]), std::atol(argv[i + 1]), std::atol(argv[i + 2]));
        }
        return 0;
    }
    for (const auto& s : default_shapes) bench<float>(s[0], s[1], s[2]);
    for (const auto& s : default_shapes) bench<double>(s[0], s[1], s[2]);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    tapegrad::TAPEGRAD_ISA::fill(table);
    if (argc > 1 && std::string(argv[1]) == "--bench") return run_bench(argc - 2, argv + 2);
    const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
    const auto check_type = [&]<class T>(T) { quick ? check_quick<T>() : check_all<T>(); };
    check_type(float{});
    check_type(double{});
    check_type(int32_t{});
    check_type(int64_t{});
    check_type(uint8_t{});
    std::printf("%ld values checked, %ld failures; OpenBLAS %s\n", long(checks), long(failures),
                kernels::blas() ? "used" : "absent");
    return failures ? 1 : 0;
}
