#include "ops/pointwise.h"

#include <limits>

#include "kernels/table.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/index_access.h"
#include "ops/overlap.h"
#include "ops/rule.h"

namespace tapegrad {
namespace {

using kernels::Operand;

constexpr int kMostOperands = 3;

struct PointwiseInfo {
    const char* kernel;
    kernels::Cost cost;
};
#define TAPEGRAD_INFO(Name, kernel) \
    PointwiseInfo{kernel, formulas::Traits<formulas::Name>::cost()},
constexpr PointwiseInfo infos[] = {TAPEGRAD_POINTWISE(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO

bool lies_as(const Tensor& x, const Tensor& first, DType dtype) {
    return x.dtype() == dtype && x.is_contiguous() && same_sizes(x.shape(), first.shape());
}

// Into a tensor that has the shape and the dtype of the result.
void compute(Pointwise op, const Tensor& out, std::initializer_list<const Tensor*> operands,
             std::initializer_list<double> parameters) {
    const PointwiseInfo& info = infos[static_cast<int>(op)];
    const DType dtype = out.dtype();
    const kernels::BlockFn kernel =
        kernel_table().elementwise.pointwise[static_cast<int>(op)].require(dtype, info.kernel);
    const int count = static_cast<int>(operands.size());
    bool alike = out.is_contiguous();
    for (const Tensor* x : operands) alike = alike && lies_as(*x, out, dtype);
    if (alike) {
        const void* in[kMostOperands];
        int i = 0;
        for (const Tensor* x : operands) in[i++] = x->data();
        kernels::run_contiguous(kernel, in, count, out.data(), out.numel(), out.item_size(),
                                {parameters.begin(), parameters.size()}, info.cost);
        return;
    }
    Tensor values[kMostOperands];
    Operand list[kMostOperands] = {out, out, out};
    int i = 0;
    for (const Tensor* x : operands) {
        values[i] = cast_values(*x, dtype);
        list[i] = values[i];
        ++i;
    }
    kernels::run_elementwise(kernel, out, list, count, out.item_size(),
                             {parameters.begin(), parameters.size()}, info.cost);
}

Dims broadcast_all(std::initializer_list<const Tensor*> operands) {
    Dims shape = (*operands.begin())->sizes();
    for (const Tensor* x : operands) shape = broadcast(shape, x->sizes());
    return shape;
}

}  // namespace

Tensor pointwise(Pointwise op, std::initializer_list<const Tensor*> operands, DType dtype,
                 std::initializer_list<double> parameters) {
    const Tensor& first = **operands.begin();
    bool alike = true, contiguous = true;
    for (const Tensor* x : operands) {
        alike = alike && lies_as(*x, first, dtype);
        contiguous = contiguous && x->is_contiguous();
    }
    Tensor out;
    if (alike) out = empty_row_major_like(first);
    else {
        const auto at = [&](size_t i) {
            return i < operands.size() ? operands.begin()[i] : &first;
        };
        const Dims shape = broadcast_all(operands);
        out =
            contiguous ? empty(shape, dtype) : empty_in_order(shape, dtype, {at(0), at(1), at(2)});
    }
    compute(op, out, operands, parameters);
    return out;
}

namespace {

// x = op(x, ...) where x has the shape of the result; others: the operands after x.
template <class Rule, class... Given>
const Tensor& in_place(Pointwise op, const Tensor& x, std::initializer_list<double> parameters,
                       DType dtype, const Rule& rule, const Given&... others) {
    const InPlace change(x, others...);
    refuse_internal_overlap(x);
    (refuse_partial_overlap(x, others), ...);
    check_in_place_result(x, broadcast_all({&x, &others...}), dtype);
    return change.apply(
        rule,
        [&] {
            if (dtype == x.dtype() && !(needs_copy(x, others) || ...))
                compute(op, x, {&x, &others...}, parameters);
            else copy_values(x, pointwise(op, {&x, &others...}, dtype, parameters));
        },
        others...);
}

// ---------------------------------------------------------------- lerp

struct LerpNumber {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "LerpBackward0";
    static constexpr std::array arguments{"self", "end"};
    double weight;
    auto backward(auto g, auto, auto, auto) const {
        return gradients([=, *this] { return g * (1 - weight); },
                         [=, *this] { return g * weight; });
    }
    void parameters(auto show) const { show("weight", weight); }
};
struct Lerp {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "LerpBackward1";
    static constexpr std::array arguments{"self", "end", "weight"};
    auto backward(auto g, auto x, auto end, auto weight, auto) const {
        return gradients([=] { return g * (1 - weight); }, [=] { return g * weight; },
                         [=] { return g * (end - x); });
    }
};

void check_lerp(const Tensor& x, const Tensor& other, const char* name) {
    if (other.dtype() != x.dtype())
        fail("expected dtype ", cpp_type_name(x.dtype()), " for `", name, "` but got dtype ",
             cpp_type_name(other.dtype()));
}

}  // namespace

Tensor lerp(const Tensor& x, const Tensor& end, const Tensor& weight) {
    check_lerp(x, end, "end");
    check_lerp(x, weight, "weight");
    return recorded(pointwise(Pointwise::Lerp, {&x, &end, &weight}, x.dtype()), Lerp{}, x, end,
                    weight);
}
Tensor lerp_number(const Tensor& x, const Tensor& end, const Scalar& weight) {
    check_lerp(x, end, "end");
    const double w = weight.to_double();
    return recorded(pointwise(Pointwise::LerpNumber, {&x, &end}, x.dtype(), {w}), LerpNumber{w}, x,
                    end);
}
const Tensor& lerp_(const Tensor& x, const Tensor& end, const Tensor& weight) {
    check_lerp(x, end, "end");
    check_lerp(x, weight, "weight");
    return in_place(Pointwise::Lerp, x, {}, x.dtype(), Lerp{}, end, weight);
}
const Tensor& lerp_number_(const Tensor& x, const Tensor& end, const Scalar& weight) {
    check_lerp(x, end, "end");
    const double w = weight.to_double();
    return in_place(Pointwise::LerpNumber, x, {w}, x.dtype(), LerpNumber{w}, end);
}

// ---------------------------------------------------------------- addcmul, addcdiv

namespace {

struct Addcmul {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "AddcmulBackward0";
    static constexpr std::array arguments{"self", "tensor1", "tensor2"};
    double value;
    auto backward(auto g, auto, auto a, auto b, auto) const {
        return gradients([=] { return g; }, [=, *this] { return g * (b * value); },
                         [=, *this] { return g * (a * value); });
    }
    void parameters(auto show) const { show("value", value); }
};
struct Addcdiv {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "AddcdivBackward0";
    static constexpr std::array arguments{"self", "tensor1", "tensor2"};
    double value;
    auto backward(auto g, auto, auto a, auto b, auto) const {
        return gradients([=] { return g; }, [=, *this] { return g * (value / b); },
                         [=, *this] { return -g * (a / b / b * value); });
    }
    void parameters(auto show) const { show("value", value); }
};

DType type_of_all(const Tensor& x, const Tensor& a, const Tensor& b) {
    if (x.dtype() == a.dtype() && x.dtype() == b.dtype()) return x.dtype();
    // Tensors with dimensions count before those without.
    DType dtype = DType::Bool;
    int category = -1;
    for (const bool flat : {false, true}) {
        bool any = false;
        DType found = DType::Bool;
        for (const Tensor* t : {&x, &a, &b})
            if ((t->dim() == 0) == flat) {
                found = any ? promote(found, t->dtype()) : t->dtype();
                any = true;
            }
        if (any && dtype_category(found) > category) {
            dtype = found;
            category = dtype_category(found);
        }
    }
    return dtype;
}

// The scalar, which has to be one of the dtype.
double factor(const Scalar& value, DType dtype) {
    if (dtype == DType::Bool)
        fail<NotImplementedError>("\"addcmul_cpu_out\" not implemented for 'Bool'");
    check_convertible(value, dtype);
    return value.to_double();
}

Tensor of_integers(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value,
                   DType dtype) {
    factor(value, dtype);
    return to_dtype(x, dtype) + to_dtype(a, dtype) * value.as(dtype) * to_dtype(b, dtype);
}

DType type_of_quotient(const Tensor& x, const Tensor& a, const Tensor& b) {
    if (!a.is_floating() && !b.is_floating())
        fail(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes.");
    return type_of_all(x, a, b);
}

}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
    const DType dtype = type_of_all(x, a, b);
    if (!is_floating(dtype)) return of_integers(x, a, b, value, dtype);
    const double v = factor(value, dtype);
    return recorded(pointwise(Pointwise::Addcmul, {&x, &a, &b}, dtype, {v}), Addcmul{v}, x, a, b);
}
const Tensor& addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
    const DType dtype = type_of_all(x, a, b);
    if (is_floating(dtype)) {
        const double v = factor(value, dtype);
        return in_place(Pointwise::Addcmul, x, {v}, dtype, Addcmul{v}, a, b);
    }
    const InPlace change(x, a, b);
    refuse_internal_overlap(x);
    refuse_partial_overlap(x, a);
    refuse_partial_overlap(x, b);
    check_in_place_result(x, broadcast_all({&x, &a, &b}), dtype);
    const Tensor result = of_integers(x, a, b, value, dtype);
    return change.apply(Ref<Node>(), [&] { copy_values(x, result); });
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
    const DType dtype = type_of_quotient(x, a, b);
    const double v = factor(value, dtype);
    return recorded(pointwise(Pointwise::Addcdiv, {&x, &a, &b}, dtype, {v}), Addcdiv{v}, x, a, b);
}
const Tensor& addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
    const DType dtype = type_of_quotient(x, a, b);
    const double v = factor(value, dtype);
    return in_place(Pointwise::Addcdiv, x, {v}, dtype, Addcdiv{v}, a, b);
}

// ---------------------------------------------------------------- nan_to_num

namespace {

struct NanToNum {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "NanToNumBackward0";
    auto backward(auto g, auto x, auto) const { return where(isfinite(x), g, 0); }
};

struct Replacements {
    double nan, positive, negative;
    Replacements(DType dtype, std::optional<double> n, std::optional<double> p,
                 std::optional<double> m)
        : nan(n.value_or(0)),
          positive(p.value_or(largest_number(dtype))),
          negative(m.value_or(-largest_number(dtype))) {}
};

}  // namespace

double largest_number(DType dtype) {
    return visit_dtype(
        dtype, []<class T>() { return static_cast<double>(std::numeric_limits<T>::max()); });
}

Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
    if (!x.is_floating()) return clone(x);
    const Replacements r(x.dtype(), nan, posinf, neginf);
    return recorded(
        pointwise(Pointwise::NanToNum, {&x}, x.dtype(), {r.nan, r.positive, r.negative}),
        NanToNum{}, x);
}
const Tensor& nan_to_num_(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                          std::optional<double> neginf) {
    if (!x.is_floating()) return InPlace(x).apply(Ref<Node>(), [&] { write_nothing(x); });
    const Replacements r(x.dtype(), nan, posinf, neginf);
    return in_place(Pointwise::NanToNum, x, {r.nan, r.positive, r.negative}, x.dtype(), NanToNum{});
}

}  // namespace tapegrad
