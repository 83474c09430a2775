#include "ops/matrix_functions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/checked.h"
#include "ops/copy.h"
#include "ops/creation.h"
#include "ops/elementwise.h"
#include "ops/extremes.h"
#include "ops/joining.h"
#include "ops/linalg.h"
#include "ops/linear_systems.h"
#include "ops/lu_values.h"
#include "ops/matrices.h"
#include "ops/norms.h"
#include "ops/one_step.h"
#include "ops/rearranging.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/scans.h"
#include "ops/spectra.h"

namespace tapegrad {

// ------------------------------------------------------------------------------------- powers

namespace {
// The power of zero, which is the same for all matrices.
struct ZerothPower {
    static constexpr auto node = "CopyBackwards";
    static constexpr bool reads_all = true;
    auto backward(auto, auto x, auto) const { return zeros_like(x); }
    Tensor forward(const Tensor&, const Tensor&, const Tensor&) const { return {}; }
};
}  // namespace

Tensor matrix_power(const Tensor& a, int64_t n) {
    require_square("linalg.matrix_power", a);
    if (n == 0) {
        const int64_t size = a.sizes().back();
        return recorded(contiguous_clone(expand(eye(size, size, a.dtype()), a.sizes())),
                        ZerothPower{}, a);
    }
    if (n == 1) return clone(a);
    if (n < 0) {
        if (n == std::numeric_limits<int64_t>::min()) fail("matrix_power: n is out of range");
        const Tensor inverse = inv(a);
        return n == -1 ? inverse : matrix_power(inverse, -n);
    }
    Tensor power = a, result;
    for (uint64_t left = static_cast<uint64_t>(n);; power = matmul(power, power)) {
        if (left & 1) result = result.defined() ? matmul(result, power) : power;
        left >>= 1;
        if (left == 0) return result;
    }
}

// ------------------------------------------------------------------------------------- exponential

namespace {

// Scaling and squaring with the Pade approximant of Higham, "The scaling and squaring method for the matrix
// exponential revisited" (2005): of degree 13, or 7 for float32.
constexpr std::array kPade13{64764752532480000.0,
                             32382376266240000.0,
                             7771770303897600.0,
                             1187353796428800.0,
                             129060195264000.0,
                             10559470521600.0,
                             670442572800.0,
                             33522128640.0,
                             1323241920.0,
                             40840800.0,
                             960960.0,
                             16380.0,
                             182.0,
                             1.0};
constexpr std::array kPade7{17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0};
constexpr double kBound13 = 5.371920351148152, kBound7 = 3.925724783138660;

Tensor exp_values(const Tensor& a_given) {
    if (is_replay_recorded())
        return in_one_step([](const Tensor& a) { return exp_values(a); }, a_given);
    GradMode off(false);
    const int64_t n = a_given.sizes().back();
    const Matrices m(a_given);
    if (a_given.numel() == 0) return empty(a_given.sizes(), a_given.dtype());
    const bool wide = a_given.dtype() == DType::Float64;
    // How often each matrix is halved, and squared again afterwards.
    const Tensor norms = contiguous_values(to_dtype(
        extremes(Extreme::Max, sum(abs(a_given), Dims{-2}), Dims{-1}, false), DType::Float64));
    const Tensor halvings = empty(m.of(1, 1), DType::Float64),
                 factors = empty(m.of(1, 1), DType::Float64);
    int most = 0;
    for (int64_t i = 0; i < m.count; ++i) {
        const double norm = norms.data<double>()[i], bound = wide ? kBound13 : kBound7;
        int halved = 0;
        if (std::isfinite(norm) && norm > bound)
            halved = std::max(0, static_cast<int>(std::ceil(std::log2(norm / bound))));
        halvings.data<double>()[i] = halved;
        factors.data<double>()[i] = std::ldexp(1.0, -halved);
        most = std::max(most, halved);
    }
    const Tensor a = a_given * to_dtype(factors, a_given.dtype());
    const Tensor identity = eye(n, n, a.dtype()), a2 = matmul(a, a), a4 = matmul(a2, a2),
                 a6 = matmul(a2, a4);
    Tensor odd, even;
    if (wide) {
        const auto& c = kPade13;
        odd = matmul(a, matmul(a6, a6 * c[13] + a4 * c[11] + a2 * c[9]) + a6 * c[7] + a4 * c[5] +
                            a2 * c[3] + identity * c[1]);
        even = matmul(a6, a6 * c[12] + a4 * c[10] + a2 * c[8]) + a6 * c[6] + a4 * c[4] + a2 * c[2] +
               identity * c[0];
    } else {
        const auto& c = kPade7;
        odd = matmul(a, a6 * c[7] + a4 * c[5] + a2 * c[3] + identity * c[1]);
        even = a6 * c[6] + a4 * c[4] + a2 * c[2] + identity * c[0];
    }
    Tensor result = solve_values(even - odd, even + odd, false).x;
    for (int done = 0; done < most; ++done) {
        const Tensor squared = matmul(result, result);
        result = m.count == 1 ? squared : where(halvings > double(done), squared, result);
    }
    return result;
}

// The derivative of the exponential of a in a direction: a block of that of [[a, e], [0, a]] (Mathias,
// "A chain rule for matrix functions and applications", 1996).
Tensor exp_derivative(const Tensor& a, const Tensor& e) {
    const int64_t n = a.sizes().back();
    const Tensor block = cat({cat({a, e}, -1), cat({zeros_like(a), a}, -1)}, -2);
    return narrow(narrow(matrix_exp(block), -2, 0, n), -1, n, n);
}
TAPEGRAD_WORD(exp_derivative)

struct MatrixExp {
    static constexpr auto node = "LinalgMatrixExpBackward0";
    auto backward(auto g, auto a, auto) const { return exp_derivative(mT(a), g); }
    auto forward(auto t, auto a, auto) const { return exp_derivative(a, t); }
};

}  // namespace

Tensor matrix_exp(const Tensor& a) {
    require_square("linalg.matrix_exp", a);
    require_float("linalg.matrix_exp", a);
    if (const DType dtype = a.dtype(); is_half(dtype))
        return to_dtype(matrix_exp(to_dtype(a, wide_of(dtype))), dtype);
    return recorded(exp_values(a), MatrixExp{}, a);
}

// ------------------------------------------------------------------------------------- products

namespace {

Tensor spread_diagonal(const Tensor& g, const Dims& sizes) {
    return zeros_diagonal(sizes, 0, 0, 1, expand(g, {std::min(sizes[0], sizes[1])}));
}
TAPEGRAD_WORD(spread_diagonal)

struct Trace {
    static constexpr auto node = "TraceBackward0";
    auto backward(auto g, auto x, auto) const { return spread_diagonal(g, x.sizes()); }
    auto forward(auto t, auto, auto) const { return trace(t); }
};

struct Cross {
    static constexpr auto node = "LinalgCrossBackward0";
    static constexpr std::array arguments{"self", "other"};
    int64_t dim;
    auto backward(auto g, auto a, auto b, auto) const {
        return gradients([=, this] { return cross_of(b, g, dim); },
                         [=, this] { return cross_of(g, a, dim); });
    }
    auto forward(auto a, auto b, auto) const {
        return tangents([=, this](auto t) { return cross_of(t, b, dim); },
                        [=, this](auto t) { return cross_of(a, t, dim); });
    }
    static Tensor cross_of(const Tensor& a, const Tensor& b, int64_t dim) {
        return tapegrad::cross(a, b, dim);
    }
    static rules::Text cross_of(const rules::Text& a, const rules::Text& b, int64_t dim) {
        return formulas::call("cross", {a.s, b.s, std::to_string(dim)});
    }
    static constexpr rules::Uses cross_of(rules::Uses a, rules::Uses b, int64_t) { return a | b; }
    void parameters(auto show) const { show("dim", dim); }
};

}  // namespace

Tensor trace(const Tensor& a) {
    if (a.dim() != 2) fail("trace: expected a matrix, but got tensor with dim ", a.dim());
    if (a.dtype() == DType::Bool) refuse_dtype("trace", a.dtype());
    Tensor out;
    {
        GradMode off(false);
        out = sum(diagonal(a, 0, 0, 1), Dims{});
    }
    return recorded(std::move(out), Trace{}, a);
}

Tensor multi_dot(const std::vector<Tensor>& given) {
    constexpr auto name = "multi_dot(): ";
    const size_t n = given.size();
    if (n < 2) fail(name, "expected at least 2 tensors but got ", n);
    std::vector<Tensor> tensors = given;
    const bool row = tensors.front().dim() == 1, column = tensors.back().dim() == 1;
    if (row) tensors.front() = unsqueeze(tensors.front(), 0);
    else if (tensors.front().dim() != 2)
        fail(name, "the first tensor must be 1D or 2D but got ", tensors.front().dim(), "D");
    if (column) tensors.back() = unsqueeze(tensors.back(), -1);
    else if (tensors.back().dim() != 2)
        fail(name, "the last tensor must be 1D or 2D but got ", tensors.back().dim(), "D");
    for (size_t i = 0; i < n; ++i) {
        if (tensors[i].dim() != 2)
            fail(name, "tensor ", i, " must be 2D but got ", tensors[i].dim(), "D");
        if (tensors[i].dtype() != tensors[0].dtype())
            fail(name, "all tensors must have be the same dtype but tensor 0 is ",
                 cpp_type_name(tensors[0].dtype()), " and tensor ", i, " ",
                 cpp_type_name(tensors[i].dtype()));
        if (i > 0 && tensors[i - 1].sizes()[1] != tensors[i].sizes()[0])
            fail(name, "tensors ", i - 1, " and ", i, " with shapes ",
                 to_string(tensors[i - 1].sizes()), " and ", to_string(tensors[i].sizes()),
                 " cannot be multiplied");
    }
    // cost[i][j]: of the cheapest product of the tensors from i to j, which is split behind last[i][j].
    std::vector<double> cost(n * n, 0);
    std::vector<size_t> last(n * n, 0);
    const auto size = [&](size_t i) {
        return static_cast<double>(i < n ? tensors[i].sizes()[0] : tensors[n - 1].sizes()[1]);
    };
    for (size_t length = 1; length < n; ++length)
        for (size_t i = 0; i + length < n; ++i) {
            const size_t j = i + length;
            cost[i * n + j] = -1;
            for (size_t k = i; k < j; ++k) {
                const double total =
                    cost[i * n + k] + cost[(k + 1) * n + j] + size(i) * size(k + 1) * size(j + 1);
                if (cost[i * n + j] >= 0 && total >= cost[i * n + j]) continue;
                cost[i * n + j] = total;
                last[i * n + j] = k;
            }
        }
    // Without recursion: ranges whose parts are to be done first.
    struct Range {
        size_t i, j;
        bool parts_done;
    };
    std::vector<Range> ranges{{0, n - 1, false}};
    std::vector<Tensor> done;
    while (!ranges.empty()) {
        const Range range = ranges.back();
        ranges.pop_back();
        if (range.i == range.j) {
            done.push_back(tensors[range.i]);
        } else if (range.parts_done) {
            const Tensor right = done.back();
            done.pop_back();
            done.back() = mm(done.back(), right);
        } else {
            const size_t k = last[range.i * n + range.j];
            ranges.push_back({range.i, range.j, true});
            ranges.push_back({k + 1, range.j, false});
            ranges.push_back({range.i, k, false});
        }
    }
    Tensor result = done.back();
    if (column) result = squeeze(result, Dims{1});
    if (row) result = squeeze(result, Dims{0});
    return result;
}

Tensor chain_matmul(const std::vector<Tensor>& matrices) {
    if (matrices.empty()) fail("chain_matmul(): Expected one or more matrices");
    for (const Tensor& x : matrices)
        if (x.dim() != 2) fail("Tensor dimension is ", x.dim(), ", expected 2 instead.");
    return matrices.size() == 1 ? matrices[0] : multi_dot(matrices);
}

Tensor tensordot(const Tensor& a_given, const Tensor& b_given, const Dims& dims_a,
                 const Dims& dims_b) {
    if (dims_a.size() != dims_b.size()) fail("both dimension lists should have same length");
    if (a_given.dtype() != b_given.dtype()) fail("both inputs should have same dtype");
    Tensor a = a_given, b = b_given;
    Dims places_a, places_b;
    const DimSet set_a = wrap_dims(dims_a, a.dim()), set_b = wrap_dims(dims_b, b.dim());
    int64_t summed = 1;
    for (int i = 0; i < dims_a.size(); ++i) {
        const int da = wrap_dim(dims_a[i], a.dim()), db = wrap_dim(dims_b[i], b.dim());
        const int64_t left = a.sizes()[da], right = b.sizes()[db];
        // A size of 1 broadcasts: the other one is added up before.
        if (right == 1 && left != 1) a = sum(a, Dims{da}, true, a.dtype());
        else if (left == 1 && right != 1) b = sum(b, Dims{db}, true, b.dtype());
        else if (left != right)
            fail("contracted dimensions need to match, but first has size ", left, " in dim ",
                 dims_a[i], " and second has size ", right, " in dim ", dims_b[i]);
        summed = checked_mul(summed, a.sizes()[da]);
        places_a.push_back(da);
        places_b.push_back(db);
    }
    Dims order_a, order_b = places_b, sizes;
    int64_t rows = 1, columns = 1;
    for (int d = 0; d < a.dim(); ++d) {
        if (!dims_a.empty() && set_a.contains(d)) continue;
        order_a.push_back(d);
        sizes.push_back(a.sizes()[d]);
        rows *= a.sizes()[d];
    }
    for (int64_t d : places_a) order_a.push_back(d);
    for (int d = 0; d < b.dim(); ++d) {
        if (!dims_b.empty() && set_b.contains(d)) continue;
        order_b.push_back(d);
        sizes.push_back(b.sizes()[d]);
        columns *= b.sizes()[d];
    }
    const auto matrix = [](const Tensor& x, const Dims& order, int64_t m, int64_t n) {
        bool in_order = true;
        for (int i = 0; i < order.size(); ++i) in_order &= order[i] == i;
        const Tensor permuted = in_order ? x : permute(x, order);
        return permuted.sizes() == Dims{m, n} ? permuted : reshape(permuted, {m, n});
    };
    const Tensor product =
        mm(matrix(a, order_a, rows, summed), matrix(b, order_b, summed, columns));
    return product.sizes() == sizes ? product : reshape(product, sizes);
}

Tensor kron(const Tensor& a, const Tensor& b) {
    const int dims = std::max(a.dim(), b.dim());
    Dims left, right, sizes;
    for (int d = 0; d < dims; ++d) {
        const int da = d - (dims - a.dim()), db = d - (dims - b.dim());
        const int64_t m = da >= 0 ? a.sizes()[da] : 1, n = db >= 0 ? b.sizes()[db] : 1;
        left.push_back(m);
        left.push_back(1);
        right.push_back(1);
        right.push_back(n);
        sizes.push_back(checked_mul(m, n));
    }
    return reshape(reshape(a, left) * reshape(b, right), sizes);
}

Tensor block_diag(const std::vector<Tensor>& tensors) {
    if (tensors.empty()) return empty({1, 0}, default_float_type);
    DType dtype = tensors[0].dtype();
    int64_t columns = 0;
    std::vector<Tensor> blocks;
    for (size_t i = 0; i < tensors.size(); ++i) {
        const Tensor& x = tensors[i];
        if (x.dim() > 2)
            fail("tapegrad.block_diag: Input tensors must have 2 or fewer dimensions. Input ", i,
                 " has ", x.dim(), " dimensions");
        dtype = promote(dtype, x.dtype());
        blocks.push_back(x.dim() == 2 ? x : x.dim() == 1 ? unsqueeze(x, 0) : reshape(x, {1, 1}));
        columns = checked_add(columns, blocks.back().sizes()[1]);
    }
    std::vector<Tensor> rows;
    int64_t before = 0;
    for (const Tensor& block : blocks) {
        const int64_t height = block.sizes()[0], width = block.sizes()[1];
        rows.push_back(cat({zeros({height, before}, dtype), block,
                            zeros({height, columns - before - width}, dtype)},
                           1));
        before += width;
    }
    return cat(rows, 0);
}

Tensor cross(const Tensor& a_given, const Tensor& b_given, int64_t dim_given) {
    constexpr auto name = "linalg.cross: ";
    if (a_given.dim() != b_given.dim())
        fail(name, "inputs must have the same number of dimensions.");
    const int64_t size = a_given.size(dim_given), other = b_given.size(dim_given);
    if (size != 3 || other != 3)
        fail(name, "inputs dimension ", dim_given, " must have length 3. Got ", size, " and ",
             other);
    if (a_given.dtype() != b_given.dtype())
        fail("expected scalar type ", scalar_type_name(a_given.dtype()), " but found ",
             scalar_type_name(b_given.dtype()));
    if (a_given.dtype() == DType::Bool) refuse_dtype("cross", a_given.dtype());
    const int dim = wrap_dim(dim_given, a_given.dim());
    const Dims sizes = broadcast(a_given.sizes(), b_given.sizes());
    const Tensor a = expand(a_given, sizes), b = expand(b_given, sizes);
    Tensor out;
    {
        GradMode off(false);
        out = roll(a, {-1}, {dim}) * roll(b, {-2}, {dim}) -
              roll(a, {-2}, {dim}) * roll(b, {-1}, {dim});
    }
    return recorded(std::move(out), Cross{dim}, a, b);
}

Tensor cross_old(const Tensor& a, const Tensor& b, std::optional<int64_t> dim) {
    if (dim) return cross(a, b, *dim);
    for (int d = 0; d < a.dim(); ++d)
        if (a.sizes()[d] == 3) return cross(a, b, d);
    fail("no dimension of size 3 in input");
}

Tensor vecdot(const Tensor& a, const Tensor& b, int64_t dim) {
    if (a.dtype() != b.dtype())
        fail("linalg.vecdot: Expected x and y to have the same dtype, but found x of type ",
             scalar_type_name(a.dtype()), " and y of type ", scalar_type_name(b.dtype()),
             " instead");
    require_float("linalg.vecdot", a);
    if (a.dim() == 1 && b.dim() == 1) {
        wrap_dim(dim, 1);
        return dot(a, b);
    }
    return sum(a * b, Dims{dim}, false, a.dtype());
}

namespace {
struct Vdot {
    static constexpr auto node = "VdotBackward0";
    static constexpr std::array arguments{"self", "other"};
    auto backward(auto g, auto a, auto b, auto) const {
        return gradients([=] { return g * b; }, [=] { return g * a; });
    }
};
}  // namespace

Tensor vdot(const Tensor& a, const Tensor& b) {
    Tensor out;
    {
        GradMode off(false);
        out = dot(a, b);
    }
    return recorded(std::move(out), Vdot{}, a, b);
}

// ------------------------------------------------------------------------------------- the rest

Tensor linalg_vander(const Tensor& given, std::optional<int64_t> count) {
    const Tensor x = given.dim() ? given : reshape(given, {1});
    if (x.dtype() == DType::Bool || (x.is_floating() && x.item_size() < sizeof(float)))
        fail("linalg.vander supports floating point, complex, and integer tensors, but got ",
             scalar_type_name(x.dtype()));
    const int64_t n = count.value_or(x.sizes().back());
    if (n <= 1) fail("N must be greater than 1.");
    Dims sizes = x.sizes();
    sizes.push_back(n - 1);
    const Tensor powers = cumprod(expand(unsqueeze(x, -1), sizes), -1);
    sizes[x.dim()] = 1;
    return cat({full(sizes, 1, powers.dtype()), powers}, -1);
}

Tensor vander(const Tensor& x, std::optional<int64_t> count, bool increasing) {
    if (x.dim() != 1) fail("x must be a one-dimensional tensor.");
    const int64_t length = x.sizes()[0], n = count.value_or(length);
    if (n < 0) fail("N must be non-negative.");
    const DType dtype = x.is_floating() ? x.dtype() : DType::Int64;
    Tensor result = full({length, std::min<int64_t>(n, 1)}, 1, dtype);
    if (n > 1)
        result =
            cat({result, cumprod(expand(unsqueeze(to_dtype(x, dtype), 1), {length, n - 1}), 1)}, 1);
    return increasing ? result : flip(result, {1});
}

Tensor tensorinv(const Tensor& a, int64_t ind) {
    if (ind <= 0) fail("Expected a strictly positive integer for 'ind', but got ", ind);
    const int split = static_cast<int>(std::min<int64_t>(ind, a.dim()));
    const Dims front(a.sizes().data(), split), back(a.sizes().data() + split, a.dim() - split);
    const int64_t rows = element_count(front), columns = element_count(back);
    if (rows != columns)
        fail(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            "prod(self.shape[:ind]), but got ",
            columns, " != ", rows);
    const auto [inverse, info] = inv_ex(reshape(a, {rows, rows}), false);
    check_flags(info, [](const Failure& failure) {
        fail<LinAlgError>("inv: The diagonal element ", failure.flag,
                          " is zero, the inversion could not be completed because the input matrix "
                          "is singular.");
    });
    Dims sizes = back;
    for (int64_t size : front) sizes.push_back(size);
    return reshape(inverse, sizes);
}

Tensor tensorsolve(const Tensor& a_given, const Tensor& b, const std::optional<Dims>& dims) {
    Tensor a = a_given;
    if (dims) {
        Dims last;
        for (int i = 0; i < dims->size(); ++i) last.push_back(i - dims->size());
        a = movedim(a, *dims, last);
    }
    if (b.dim() > a.dim())
        fail("Expected self.ndim >= other.ndim, but got ", a.dim(), " and ", b.dim());
    const Dims unknown(a.sizes().data() + b.dim(), a.dim() - b.dim());
    const int64_t count = element_count(unknown), rows = b.numel();
    return reshape(solve(reshape(a, {rows, count}), reshape(b, {rows}), true), unknown);
}

Tensor cond(const Tensor& a, const std::optional<NormOrder>& order) {
    if (a.dim() < 2) fail("linalg.cond: The input tensor must have at least 2 dimensions.");
    const bool named = order && (order->nuclear || order->frobenius);
    const bool spectral = !order || (!named && std::fabs(order->p) == 2);
    if (!spectral && !named && std::fabs(order->p) != 1 && !std::isinf(order->p))
        fail("linalg.cond got an invalid norm type: ", order->p);
    if (spectral) {
        const Tensor s = svdvals(a);
        if (s.numel() == 0) return zeros(Matrices(a).batch, a.dtype());
        const Tensor largest = squeeze(narrow(s, -1, 0, 1), Dims{-1});
        const Tensor smallest = squeeze(narrow(s, -1, s.size(-1) - 1, 1), Dims{-1});
        return order && order->p < 0 ? smallest / largest : largest / smallest;
    }
    const std::string name = order->nuclear     ? "linalg.cond(ord=nuc)"
                             : order->frobenius ? "linalg.cond(ord=fro)"
                                                : text("linalg.cond(ord=", order->p, ")");
    require_square(name.c_str(), a);
    require_float("linalg.inv", a);
    if (a.numel() == 0) return zeros(Matrices(a).batch, a.dtype());
    const auto [inverse, info] = inv_ex(a, false);
    const Tensor singular = ne(info, 0);
    const auto size = [&](const Tensor& x) { return matrix_norm(x, *order, {}, false, {}); };
    const Tensor known = where(unsqueeze(unsqueeze(singular, -1), -1), 0, inverse);
    return where(singular, std::numeric_limits<double>::infinity(), size(a) * size(known));
}

}  // namespace tapegrad
