#include "ops/svd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// Columns of an m x n matrix, m >= n, that rotations in pairs make orthogonal (one-sided Jacobi; Hestenes 1958):
// what they become is U S, and the rotations together are V.
class Jacobi {
public:
    Jacobi(int64_t m, int64_t n)
        : m_(m),
          n_(n),
          w_(size(m, n)),
          v_(size(n, n)),
          order_(size(n, 1)) {}

    double& at(int64_t row, int64_t column) { return w_[size(column, m_) + size(row, 1)]; }

    void run() {
        scale_down();
        std::fill(v_.begin(), v_.end(), 0.0);
        for (int64_t j = 0; j < n_; ++j) right(j)[j] = 1;
        constexpr int kSweeps = 60;  // ten are many
        for (int sweep = 0, rotations = 1; rotations > 0 && sweep < kSweeps; ++sweep) {
            rotations = 0;
            for (int64_t p = 0; p < n_; ++p)
                for (int64_t q = p + 1; q < n_; ++q) rotations += rotate(p, q);
        }
        norms_.resize(order_.size());
        for (int64_t j = 0; j < n_; ++j)
            norms_[size(j, 1)] = std::sqrt(product(column(j), column(j), m_));
        std::iota(order_.begin(), order_.end(), int64_t{0});
        std::stable_sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) {
            return norms_[size(a, 1)] > norms_[size(b, 1)];
        });
    }

    // Of the k-th largest value; the left vector of a value of zero is zero.
    double value(int64_t k) const { return std::ldexp(norms_[place(k)], exponent_); }
    double left(int64_t k, int64_t i) const {
        const double norm = norms_[place(k)];
        return norm > 0 ? w_[place(k) * size(m_, 1) + size(i, 1)] / norm : 0;
    }
    double right(int64_t k, int64_t i) const { return v_[place(k) * size(n_, 1) + size(i, 1)]; }

private:
    static size_t size(int64_t a, int64_t b) { return static_cast<size_t>(a * b); }
    size_t place(int64_t k) const { return static_cast<size_t>(order_[size(k, 1)]); }
    double* column(int64_t j) { return w_.data() + j * m_; }
    double* right(int64_t j) { return v_.data() + j * n_; }
    static double product(const double* a, const double* b, int64_t n) {
        double sums[4] = {};  // chains that do not wait for one another
        int64_t i = 0;
        for (; i + 4 <= n; i += 4)
            for (int k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
        for (; i < n; ++i) sums[0] += a[i] * b[i];
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    // By a power of two, so that no square overflows or vanishes that counts.
    void scale_down() {
        double largest = 0;
        for (double w : w_) largest = std::max(largest, std::fabs(w));
        exponent_ = largest > 0 ? std::ilogb(largest) : 0;
        for (double& w : w_) w = std::ldexp(w, -exponent_);
    }

    bool rotate(int64_t p, int64_t q) {
        const double a = product(column(p), column(p), m_), b = product(column(q), column(q), m_),
                     c = product(column(p), column(q), m_);
        if (!(std::fabs(c) > kSmall * std::sqrt(a) * std::sqrt(b))) return false;
        const double zeta = (b - a) / (2 * c);
        const double t = std::copysign(1.0, zeta) / (std::fabs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1 / std::hypot(1.0, t), sine = cosine * t;
        const auto turn = [=](double* x, double* y, int64_t n) {
            for (int64_t i = 0; i < n; ++i) {
                const double u = x[i], v = y[i];
                x[i] = cosine * u - sine * v;
                y[i] = sine * u + cosine * v;
            }
        };
        turn(column(p), column(q), m_);
        turn(right(p), right(q), n_);
        return true;
    }

    static constexpr double kSmall = std::numeric_limits<double>::epsilon();
    int64_t m_, n_;
    int exponent_ = 0;
    std::vector<double> w_, v_, norms_;
    std::vector<int64_t> order_;
};

struct Decomposition {
    Tensor u, s, v;  // x = u diag(s) v.mT
};

template <class T>
void decompose(const Tensor& x, const Decomposition& out, int64_t m, int64_t n, int64_t batch) {
    const int64_t k = std::min(m, n);
    const bool wide = m < n;
    parallel_for(batch, std::max<int64_t>(1, 4096 / (m * n * k)), [&](int64_t begin, int64_t end) {
        Jacobi jacobi(std::max(m, n), k);
        for (int64_t b = begin; b < end; ++b) {
            const T* from = x.data<T>() + b * m * n;
            for (int64_t i = 0; i < m; ++i)
                for (int64_t j = 0; j < n; ++j)
                    (wide ? jacobi.at(j, i) : jacobi.at(i, j)) = from[i * n + j];
            jacobi.run();
            T *u = out.u.data<T>() + b * m * k, *s = out.s.data<T>() + b * k,
              *v = out.v.data<T>() + b * n * k;
            const Jacobi& found = jacobi;
            for (int64_t j = 0; j < k; ++j) {
                s[j] = static_cast<T>(found.value(j));
                for (int64_t i = 0; i < m; ++i)
                    u[i * k + j] = static_cast<T>(wide ? found.right(j, i) : found.left(j, i));
                for (int64_t i = 0; i < n; ++i)
                    v[i * k + j] = static_cast<T>(wide ? found.left(j, i) : found.right(j, i));
            }
        }
    });
}

Decomposition decompose(const Tensor& x) {
    GradMode off(false);
    Dims sizes(x.sizes().data(), x.dim() - 2), left, right, values;
    const int64_t m = x.sizes()[x.dim() - 2], n = x.sizes().back(), k = std::min(m, n);
    const int64_t batch = element_count(sizes);
    left = right = values = sizes;
    left.push_back(m);
    left.push_back(k);
    right.push_back(n);
    right.push_back(k);
    values.push_back(k);
    Decomposition out{empty(left, x.dtype()), empty(values, x.dtype()), empty(right, x.dtype())};
    if (x.numel() == 0) return out;
    if (is_half(x.dtype())) refuse_dtype("linalg_svd_cpu", x.dtype());
    const Tensor data = contiguous_values(x);
    if (any_values(isnan(data)))
        fail(
            "linalg.svd: The algorithm failed to converge because the input matrix contained "
            "non-finite values.");
    if (any_values(isinf(data))) {
        for (const Tensor& part : {out.u, out.s, out.v})
            fill_values(part, std::numeric_limits<double>::quiet_NaN());
        return out;
    }
    if (x.dtype() == DType::Float32) decompose<float>(data, out, m, n, batch);
    else decompose<double>(data, out, m, n, batch);
    return out;
}

// ------------------------------------------------------------------------------- derivatives

// The parts of a decomposition as functions of x, whose values are known.
Tensor values_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v);
Tensor left_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v);
Tensor right_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v);
TAPEGRAD_WORD(values_of)
TAPEGRAD_WORD(left_of)
TAPEGRAD_WORD(right_of)
using rules::Text;
Text values_of(const Text&, const Text&, const Text& s, const Text&) { return s; }
Text left_of(const Text&, const Text& u, const Text&, const Text&) { return u; }
Text right_of(const Text&, const Text&, const Text&, const Text& v) { return v; }

Tensor mT(const Tensor& x) { return transpose(x, -2, -1); }
TAPEGRAD_WORD(matmul)
Text matmul(const Text& a, const Text& b) { return mm(a, b); }

// 1 / (s_j^2 - s_i^2), and 0 in the diagonal.
Tensor inverse_gaps(const Tensor& s) {
    const Tensor row = unsqueeze(s, -2), column = unsqueeze(s, -1);
    const Tensor diagonal =
        to_dtype(eye(s.sizes().back(), s.sizes().back(), s.dtype()), DType::Bool);
    return where(diagonal, 0, 1 / where(diagonal, 1, (row - column) * (row + column)));
}
TAPEGRAD_WORD(inverse_gaps)

struct SingularValues {
    static constexpr auto node = "LinalgSvdBackward0";
    static constexpr std::array arguments{"self", "U", "S", "V"};
    auto backward(auto g, auto x, auto u, auto s, auto v, auto) const {
        return matmul(left_of(x, u, s, v) * unsqueeze(g, -2), mT(right_of(x, u, s, v)));
    }
};

// See Giles, "An extended collection of matrix derivative results", 2008. Where singular values are equal, these
// have no derivative of their own, and there are infinities and NaN.
struct LeftVectors {
    static constexpr auto node = "LinalgSvdBackward0";
    static constexpr std::array arguments{"self", "U", "S", "V"};
    auto backward(auto g, auto x, auto u_known, auto s_known, auto v_known, auto) const {
        auto u = left_of(x, u_known, s_known, v_known);
        auto s = values_of(x, u_known, s_known, v_known);
        auto v = right_of(x, u_known, s_known, v_known);
        auto k = matmul(mT(u), g);
        auto inside = inverse_gaps(s) * (k - mT(k)) * unsqueeze(s, -2);
        auto outside = (g - matmul(u, k)) / unsqueeze(s, -2);
        return matmul(matmul(u, inside) + outside, mT(v));
    }
};
struct RightVectors {
    static constexpr auto node = "LinalgSvdBackward0";
    static constexpr std::array arguments{"self", "U", "S", "V"};
    auto backward(auto g, auto x, auto u_known, auto s_known, auto v_known, auto) const {
        auto u = left_of(x, u_known, s_known, v_known);
        auto s = values_of(x, u_known, s_known, v_known);
        auto v = right_of(x, u_known, s_known, v_known);
        auto k = matmul(mT(v), g);
        auto inside = unsqueeze(s, -1) * (inverse_gaps(s) * (k - mT(k)));
        auto outside = (g - matmul(v, k)) / unsqueeze(s, -2);
        return matmul(u, matmul(inside, mT(v)) + mT(outside));
    }
};

Tensor values_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v) {
    return recorded(alias(s), SingularValues{}, x, u, s, v);
}
Tensor left_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v) {
    return recorded(alias(u), LeftVectors{}, x, u, s, v);
}
Tensor right_of(const Tensor& x, const Tensor& u, const Tensor& s, const Tensor& v) {
    return recorded(alias(v), RightVectors{}, x, u, s, v);
}

}  // namespace

Tensor singular_values(const Tensor& x) {
    if (x.dim() < 2) fail("linalg.svd: The input tensor A must have at least 2 dimensions.");
    if (!x.is_floating())
        fail("linalg.svd: Expected a floating point or complex tensor as input. Got ",
             scalar_type_name(x.dtype()));
    const Decomposition known = decompose(x);
    return values_of(x, known.u, known.s, known.v);
}

void refuse_matrix_dims(const Dims& dims) {
    std::string list;
    for (int64_t d : dims) list += " " + std::to_string(d);
    fail("linalg.matrix_norm: dim must be a 2-tuple. Got", list);
}

Tensor nuclear_norm(const Tensor& x, const Dims& given, bool keepdim) {
    constexpr auto name = "linalg.matrix_norm: ";
    if (x.dim() < 2) fail(name, "The input tensor A must have at least 2 dimensions.");
    Dims dims = given;
    for (int d = 0; given.empty() && d < x.dim(); ++d) dims.push_back(d);
    if (dims.size() != 2) refuse_matrix_dims(dims);
    const int rows = wrap_dim(dims[0], x.dim()), columns = wrap_dim(dims[1], x.dim());
    if (rows == columns) fail(name, "dims must be different. Got (", dims[0], ", ", dims[1], ")");
    const Tensor out = sum(singular_values(movedim(x, {rows, columns}, {-2, -1})), {-1});
    return keepdim ? unsqueeze(unsqueeze(out, std::min(rows, columns)), std::max(rows, columns))
                   : out;
}

}  // namespace tapegrad
