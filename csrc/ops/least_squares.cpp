#include "ops/least_squares.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/matrices.h"
#include "ops/one_step.h"
#include "ops/reductions.h"
#include "ops/results_rule.h"
#include "ops/spectra.h"
#include "replay/recorder.h"

namespace tapegrad {

void from_text(std::string_view text, LstsqDriver& driver) {
    if (text == "gelsy") driver = LstsqDriver::Gelsy;
    else if (text == "gels") driver = LstsqDriver::Gels;
    else if (text == "gelsd") driver = LstsqDriver::Gelsd;
    else if (text == "gelss") driver = LstsqDriver::Gelss;
    else
        fail(
            "tapegrad.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, "
            "gelss)");
}

namespace {

constexpr auto kName = "tapegrad.linalg.lstsq: ";

// LAPACK's arguments, the same for all matrices.
template <class T> struct Routine {
    const kernels::Lapack<T>& lapack = require_lapack<T>();
    LstsqDriver driver;
    int m, n, columns, b_row;
    T rcond;

    int call(T* a, T* b, T* s, int* numbers, int* rank, T* work, int size) const {
        int info = 0;
        const int a_row = std::max(m, 1);
        switch (driver) {
            case LstsqDriver::Gels:
                lapack.gels("N", &m, &n, &columns, a, &a_row, b, &b_row, work, &size, &info, 1);
                break;
            case LstsqDriver::Gelsy:
                lapack.gelsy(&m, &n, &columns, a, &a_row, b, &b_row, numbers, &rcond, rank, work,
                             &size, &info);
                break;
            case LstsqDriver::Gelsd:
                lapack.gelsd(&m, &n, &columns, a, &a_row, b, &b_row, s, &rcond, rank, work, &size,
                             numbers, &info);
                break;
            case LstsqDriver::Gelss:
                lapack.gelss(&m, &n, &columns, a, &a_row, b, &b_row, s, &rcond, rank, work, &size,
                             &info);
        }
        return info;
    }
};

struct Found {
    Tensor x, residuals, rank, singular_values;
};

// x and the residuals lie in b, column by column, in rows of max(m, n).
template <class T>
void solve_all(LstsqDriver driver, const Tensor& a, const Tensor& b, const Found& out,
               const Matrices& m, int64_t columns, double rcond) {
    const int64_t rows = std::max(m.rows, m.columns), k = std::min(m.rows, m.columns);
    const Routine<T> routine{.driver = driver,
                             .m = lapack_int(m.rows),
                             .n = lapack_int(m.columns),
                             .columns = lapack_int(columns),
                             .b_row = lapack_int(std::max<int64_t>(rows, 1)),
                             .rcond = static_cast<T>(rcond)};
    T optimum = 0;
    int numbers_wanted = 0, ignored = 0;
    routine.call(nullptr, nullptr, nullptr, &numbers_wanted, &ignored, &optimum, -1);
    const int size = lapack_size(optimum);
    const int64_t number_count =
        driver == LstsqDriver::Gelsd ? std::max<int64_t>(numbers_wanted, 1) : m.columns;
    const Tensor info = empty(m.batch, DType::Int32);
    for_matrices(m.count, 20 * cube(k) + 5000, [&](int64_t begin, int64_t end) {
        Scratch<T> work(size), values(k);
        for (int64_t i = begin; i < end; ++i) {
            Scratch<int> numbers(number_count);  // zeros: all columns may be exchanged
            T* matrix = a.data<T>() + i * m.rows * m.columns;
            T* right = b.data<T>() + i * rows * columns;
            bool finite = true;  // LAPACK may loop over what is not
            for (int64_t j = 0; j < m.rows * m.columns; ++j) finite &= std::isfinite(matrix[j]);
            int rank = 0;
            T* s =
                out.singular_values.numel() ? out.singular_values.data<T>() + i * k : values.data();
            int& flag = info.data<int32_t>()[i];
            flag = finite ? routine.call(matrix, right, s, numbers.data(), &rank, work.data(), size)
                          : -1;
            if (out.rank.numel()) out.rank.data<int64_t>()[i] = rank;
        }
    });
    const Failure failure = first_failure(info);
    if (failure.flag < 0)
        fail<LinAlgError>(kName, failure.element,
                          "The least squares solution could not be computed because the input "
                          "matrix contained non-finite values.");
    if (failure.flag > 0)
        fail<LinAlgError>(
            kName, failure.element, "The least squares solution could not be computed because ",
            driver == LstsqDriver::Gels ? "the input matrix does not have full rank (error code: "
                                        : "the algorithm failed to converge (error code: ",
            failure.flag, ").");
}

// By the pseudoinverse: see Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least
// squares problems" (1973).
struct Lstsq {
    static constexpr auto node = "LinalgLstsqBackward0";
    static constexpr std::array arguments{"self", "b"};
    static constexpr std::array results{"solution", "residuals"};
    static constexpr unsigned uses_arguments = 3;
    std::array<Tensor, 2> backward(const std::array<Tensor, 2>& g,
                                   const std::array<Tensor, 2>& given,
                                   const std::array<Tensor, 2>& y) const {
        const Tensor& a = given[0];
        const bool vector = given[1].dim() < a.dim();
        const auto matrix = [=](const Tensor& t) { return vector ? unsqueeze(t, -1) : t; };
        const Tensor b = matrix(given[1]), x = matrix(y[0]);
        Tensor ga, gb;
        if (g[0].defined()) {
            const Tensor gx = matrix(g[0]), inverse = pinv(a, nullptr, nullptr, false);
            ga = pinv_gradient(matmul(gx, mT(b)), a, inverse);
            gb = matmul(mT(inverse), gx);
        }
        if (g[1].defined() && y[1].numel() > 0) {
            const Tensor rest = (b - matmul(a, x)) * unsqueeze(g[1], -2) * 2;
            ga = sum_of_gradients(ga, -matmul(rest, mT(x)));
            gb = sum_of_gradients(gb, rest);
        }
        return {ga, vector && gb.defined() ? squeeze(gb, Dims{-1}) : gb};
    }
};

// b may be vectors, where a has matrices.
Found solved(const Tensor& a, const Tensor& b, bool vector, LstsqDriver driver,
             std::optional<double> rcond) {
    const GradMode off(false);
    const Matrices m(a);
    const int64_t rows = std::max(m.rows, m.columns), k = std::min(m.rows, m.columns),
                  columns = vector ? 1 : b.sizes().back();
    const bool values = driver == LstsqDriver::Gelsd || driver == LstsqDriver::Gelss;
    const bool has_residuals = m.rows > m.columns && driver != LstsqDriver::Gelsy;
    if (is_replay_recorded() && !(values && has_residuals)) {
        const auto found = list_in_one_step(
            [=](const std::vector<Tensor>& x) {
                const Found f = solved(x[0], x[1], vector, driver, rcond);
                return std::vector<Tensor>{f.x, f.residuals, f.rank, f.singular_values};
            },
            {a, b});
        return {found[0], found[1], found[2], found[3]};
    }
    if (values && has_residuals) refuse_replay(kShapeOfValues);
    Found out;
    out.rank =
        driver == LstsqDriver::Gels ? empty({0}, DType::Int64) : zeros(m.batch, DType::Int64);
    out.singular_values = values ? zeros(m.of(k), a.dtype()) : empty({0}, a.dtype());
    out.residuals = empty({0}, a.dtype());
    const Tensor right = vector ? unsqueeze(b, -1) : b;
    // Column by column, with room for the solution.
    const Tensor memory = zeros(m.of(columns, rows), a.dtype());
    copy_values(narrow(memory, -1, 0, m.rows), mT_window(right));
    if (a.numel() > 0 && columns > 0) {
        const Tensor matrices = contiguous_clone(mT_window(a));
        const double epsilon = a.dtype() == DType::Float32 ? std::numeric_limits<float>::epsilon()
                                                           : std::numeric_limits<double>::epsilon();
        const double limit = rcond.value_or(epsilon * static_cast<double>(rows));
        visit_float("linalg.lstsq", a.dtype(), [&]<class T>() {
            solve_all<T>(driver, matrices, memory, out, m, columns, limit);
        });
    } else if (a.numel() == 0) {
        fill_values(memory, 0);
    }
    out.x = contiguous_clone(mT_window(narrow(memory, -1, 0, m.columns)));
    if (vector) out.x = squeeze(out.x, Dims{-1});
    if (has_residuals) {
        const bool full = !values || all_values(out.rank == m.columns);
        if (full && a.numel() == 0) {
            out.residuals = sum(right * right, Dims{-2});
        } else if (full) {
            const Tensor rest = narrow(memory, -1, m.columns, m.rows - m.columns);
            out.residuals = sum(rest * rest, Dims{-1});
        }
    }
    return out;
}

}  // namespace

std::array<Tensor, 4> lstsq(const Tensor& a_given, const Tensor& b_given,
                            std::optional<double> rcond, std::optional<LstsqDriver> driver_given) {
    if (a_given.dim() < 2) fail(kName, "input must have at least 2 dimensions.");
    if (b_given.dim() < 1) fail(kName, "other must have at least 1 dimension.");
    if (a_given.dtype() != b_given.dtype())
        fail(kName, "Expected input and other to have the same dtype, but got input's dtype ",
             scalar_type_name(a_given.dtype()), " and other's dtype ",
             scalar_type_name(b_given.dtype()));
    if (!a_given.is_floating() || a_given.item_size() < sizeof(float))
        fail("This function doesn't handle types other than float and double");
    const int dims = a_given.dim();
    const bool vector = b_given.dim() == dims - 1;
    if (b_given.dim() > dims || b_given.dim() < dims - 1)
        fail(kName,
             "input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) "
             "<= 1");
    if (a_given.size(-2) != b_given.size(vector ? -1 : -2))
        fail(kName, "input.size(-2) should match other.size(", vector ? "-1)" : "-2)");
    Tensor a = a_given, b = b_given;
    if (!vector) std::tie(a, b) = with_same_batch(a, b);
    else b = expand(b, Dims(a.sizes().data(), dims - 1));
    const Found out = solved(a, b, vector, driver_given.value_or(LstsqDriver::Gelsy), rcond);
    const auto [x, residuals] = recorded_results({out.x, out.residuals}, Lstsq{}, a, b);
    return {x, residuals, out.rank, out.singular_values};
}

}  // namespace tapegrad
