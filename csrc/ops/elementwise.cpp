#include "ops/elementwise.h"

#include <cmath>
#include <limits>

#include "formulas/text.h"
#include "formulas/uses.h"
#include "kernels/elementwise_driver.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "ops/overlap.h"
#include "ops/record.h"
#include "ops/reductions.h"

namespace tapegrad {
namespace {

using formulas::kUsesA;
using formulas::kUsesB;
using formulas::kUsesResult;
using formulas::Text;
using kernels::BlockFn;
using kernels::Cost;
using kernels::Operand;

enum Domain { kNumbers, kFloats, kFloatOnly };
constexpr int kMaxParameters = 2;

// "LeakyRelu" -> "leaky_relu", as the function is called.
std::string snake_case(const char* name) {
    std::string result;
    for (const char* c = name; *c; ++c) {
        if (*c >= 'A' && *c <= 'Z') {
            if (c != name) result += '_';
            result += static_cast<char>(*c - 'A' + 'a');
        } else {
            result += *c;
        }
    }
    return result;
}

// Names under which PyTorch's nodes are known where they do not follow from the function's own.
std::string node_name(const std::string& name) {
    if (name == "Square" || name == "Cube" || name == "PowScalar") return "PowBackward0";
    if (name == "GeluTanh") return "GeluBackward0";
    if (name == "Clamp") return "ClampBackward1";
    return name + "Backward0";
}

template <class F, class G, class P> auto apply_parameters(G g, const P* p) {
    constexpr int count = formulas::parameter_count<F>();
    if constexpr (count == 0) return g();
    else if constexpr (count == 1) return g(p[0]);
    else return g(p[0], p[1]);
}

// ------------------------------------------------------------------------------------- unary

struct UnaryInfo {
    std::string name, node;
    Domain domain;
    unsigned uses;
    int parameters;
    const char* parameter_names[kMaxParameters];
    Tensor (*derivative)(const Tensor& g, const Tensor& x, const Tensor& y, const double* p);
    std::string (*formula)(const double* p);
};

template <class F>
Tensor tensor_reading(const Tensor& g, const Tensor& x, const Tensor& y, const double* p) {
    return apply_parameters<F>(
        [&](auto... parameters) { return F::backward(g, x, y, parameters...); }, p);
}
template <class F> std::string text_reading(const double* p) {
    return apply_parameters<F>(
        [&](auto... parameters) {
            return F::backward(Text("grad"), Text("self"), Text("result"), Text(parameters)...).s;
        },
        p);
}

template <class F> UnaryInfo unary_info(const char* name, Domain domain) {
    UnaryInfo info{snake_case(name),
                   node_name(name),
                   domain,
                   formulas::unary_uses<F>(),
                   formulas::parameter_count<F>(),
                   {},
                   tensor_reading<F>,
                   text_reading<F>};
    if constexpr (formulas::parameter_count<F>() > 0)
        for (int i = 0; i < info.parameters; ++i) info.parameter_names[i] = F::parameters[i];
    return info;
}

#define TAPEGRAD_INFO(Name, Domain) unary_info<formulas::Name>(#Name, k##Domain),
const UnaryInfo unary_infos[] = {TAPEGRAD_UNARY(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO
const UnaryInfo& info_of(Unary op) { return unary_infos[static_cast<int>(op)]; }

Cost cost_of(const UnaryInfo& info) { return info.domain == kNumbers ? Cost::Light : Cost::Heavy; }

class UnaryNode final : public Node {
public:
    UnaryNode(Unary op, const UnaryInfo& info, const double* p)
        : op_(op),
          info_(info),
          parameters_{p[0], p[1]} {}

    const char* name() const noexcept override { return info_.node.c_str(); }
    std::string formula() const override { return info_.formula(parameters_); }
    void release_saved() override { saved.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        if (saved.defined()) visitor.tensor(info_.uses == kUsesA ? "self" : "result", saved);
        for (int i = 0; i < info_.parameters; ++i)
            visitor.scalar(info_.parameter_names[i], parameters_[i]);
        if (op_ == Unary::Square) visitor.scalar("exponent", 2);
        if (op_ == Unary::Cube) visitor.scalar("exponent", 3);
    }

    void backward(TensorList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor g = std::move(grads[0]);
        if (grad_enabled()) {
            const Tensor value = info_.uses ? saved.unpack(*this) : Tensor();
            inputs[0] = info_.derivative(g, value, value, parameters_);
            return;
        }
        const BlockFn kernel = kernel_table().elementwise.unary_backward[int(op_)][int(g.dtype())];
        const bool contiguous = g.is_contiguous(), reuse = contiguous && is_sole_owner(g);
        if (const char* value = contiguous && info_.uses ? saved.plain_values(g) : nullptr;
            value || (contiguous && !info_.uses)) {
            const void* in[] = {g.data(), value};
            Tensor out = reuse ? g : empty_like_contiguous(g);
            kernels::run_contiguous(kernel, in, info_.uses ? 2 : 1, out.data(), g.numel(),
                                    g.item_size(), parameters_, cost_of(info_));
            inputs[0] = std::move(out);
            return;
        }
        const Tensor value = info_.uses ? cast_values(saved.values(*this), g.dtype()) : g;
        Tensor out = reuse ? g : empty_result(g.sizes(), g.dtype(), g, value);
        const Operand operands[] = {g, value};
        kernels::run_elementwise(kernel, out, operands, info_.uses ? 2 : 1, g.item_size(),
                                 parameters_, cost_of(info_));
        inputs[0] = std::move(out);
    }

    SavedTensor saved;

private:
    const Unary op_;
    const UnaryInfo& info_;
    double parameters_[kMaxParameters];
};

BlockFn unary_kernel(Unary op, const UnaryInfo& info, DType dtype) {
    const BlockFn kernel = kernel_table().elementwise.unary[int(op)][int(dtype)];
    if (!kernel) {
        if (op == Unary::Neg)
            fail(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                "to invert a mask, use the `~` or `logical_not()` operator instead.");
        if (op == Unary::Relu) fail("Boolean inputs not supported for relu");
        fail<NotImplementedError>("\"", info.name, info.domain == kFloatOnly ? "_cpu" : "",
                                  "\" not implemented for '", scalar_type_name(dtype), "'");
    }
    return kernel;
}

}  // namespace

Tensor unary(Unary op, const Tensor& x, double p0, double p1) {
    const UnaryInfo& info = info_of(op);
    const double parameters[kMaxParameters] = {p0, p1};
    const Tensor* input = &x;
    Tensor converted;
    if (info.domain == kFloats && !x.is_floating()) {
        converted = cast_values(x, default_float_type);
        input = &converted;
    }
    if (op == Unary::Sign && x.dtype() == DType::Bool) return clone(x);
    const DType dtype = input->dtype();
    const BlockFn kernel = unary_kernel(op, info, dtype);
    Tensor out;
    if (input->is_contiguous()) {
        out = empty_like_contiguous(*input);
        const void* in[] = {input->data()};
        kernels::run_contiguous(kernel, in, 1, out.data(), out.numel(), out.item_size(), parameters,
                                cost_of(info));
    } else {
        out = empty_result(x.sizes(), dtype, x);
        const Operand operand(*input);
        kernels::run_elementwise(kernel, out, &operand, 1, input->item_size(), parameters,
                                 cost_of(info));
    }
    if (recording(x)) {
        Ref<UnaryNode> node(new UnaryNode(op, info, parameters));
        node->add_edge(gradient_edge(x));
        set_history(out, node);
        if (info.uses == kUsesA) node->saved = SavedTensor(x, false);
        else if (info.uses) node->saved = SavedTensor(out, true);
    }
    return out;
}

const Tensor& unary_in_place(Unary op, const Tensor& x, double p0, double p1) {
    const UnaryInfo& info = info_of(op);
    const double parameters[kMaxParameters] = {p0, p1};
    const bool recorded = recording(x);
    check_inplace(x, recorded);
    if (op == Unary::Sign && x.dtype() == DType::Bool) return copy_(x, clone(x));
    const bool refused_bool = x.dtype() == DType::Bool && (op == Unary::Neg || op == Unary::Relu);
    if (!refused_bool) refuse_internal_overlap(x);
    if (info.domain == kFloats && !x.is_floating())
        fail("result type Float can't be cast to the desired output type ",
             scalar_type_name(x.dtype()));
    const BlockFn kernel = unary_kernel(op, info, x.dtype());
    // What a view holds after the change is no result of this node but a part of its base.
    if (recorded && info.uses == kUsesResult && is_view(x)) return copy_(x, unary(op, x, p0, p1));
    Ref<UnaryNode> node;
    if (recorded) {
        node = Ref<UnaryNode>(new UnaryNode(op, info, parameters));
        node->add_edge(gradient_edge(x));
        // The derivative needs what is overwritten: nobody else can have that, so it is kept as a copy.
        if (info.uses == kUsesA) node->saved = SavedTensor(clone(x), false);
    }
    const Operand operand(x);
    kernels::run_elementwise(kernel, x, &operand, 1, x.item_size(), parameters, cost_of(info));
    x.bump_version();
    if (node) {
        rebase_history(x, node);
        if (info.uses == kUsesResult) node->saved = SavedTensor(x, true);
    }
    return x;
}

const char* unary_name(Unary op) { return info_of(op).name.c_str(); }
int unary_parameters(Unary op) { return info_of(op).parameters; }

Tensor predicate(Predicate op, const Tensor& x) {
    Tensor out = empty_result(x.sizes(), DType::Bool, x);
    const Operand operand(x);
    kernels::run_elementwise(kernel_table().elementwise.predicate[int(op)][int(x.dtype())], out,
                             &operand, 1, x.item_size());
    return out;
}

// ------------------------------------------------------------------------------------ binary

namespace {

struct BinaryInfo {
    std::string name, node;
    bool floats;
    unsigned lhs_uses, rhs_uses;
    bool lhs_identity, rhs_identity;  // the gradient passes unchanged
    Tensor (*lhs)(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y);
    Tensor (*rhs)(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y);
    std::string lhs_formula, rhs_formula;
};

template <class F> BinaryInfo binary_info(const char* name, bool floats) {
    const Text g("grad"), a("self"), b("other"), y("result");
    BinaryInfo info{snake_case(name),
                    std::string(name) + "Backward",
                    floats,
                    formulas::lhs_uses<F>(),
                    formulas::rhs_uses<F>(),
                    false,
                    false,
                    [](const Tensor& gt, const Tensor& at, const Tensor& bt,
                       const Tensor& yt) -> Tensor { return F::lhs(gt, at, bt, yt); },
                    [](const Tensor& gt, const Tensor& at, const Tensor& bt,
                       const Tensor& yt) -> Tensor { return F::rhs(gt, at, bt, yt); },
                    F::lhs(g, a, b, y).s,
                    F::rhs(g, a, b, y).s};
    info.lhs_identity = info.lhs_formula == "grad";
    info.rhs_identity = info.rhs_formula == "grad";
    return info;
}

#define TAPEGRAD_INFO(Name, Domain) binary_info<formulas::Name>(#Name, k##Domain),
const BinaryInfo binary_infos[] = {TAPEGRAD_BINARY(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO
const BinaryInfo& info_of(Binary op) { return binary_infos[static_cast<int>(op)]; }

Cost cost_of(Binary op) {
    return op == Binary::Pow || op == Binary::Atan2 || op == Binary::Fmod || op == Binary::Remainder
               ? Cost::Heavy
               : Cost::Light;
}

// PyTorch numbers the overloads of an operator; which one this is shows in the node's name.
const char* numbered_name(Binary op, bool a_tensor, bool b_tensor) {
    switch (op) {
        case Binary::Add: return "AddBackward0";
        case Binary::Sub: return a_tensor ? "SubBackward0" : "RsubBackward1";
        case Binary::Mul: return "MulBackward0";
        case Binary::Div: return "DivBackward0";
        case Binary::Pow: return a_tensor ? "PowBackward1" : "PowBackward2";
        case Binary::Maximum: return "MaximumBackward0";
        case Binary::Minimum: return "MinimumBackward0";
        case Binary::Remainder: return b_tensor ? "RemainderBackward1" : "RemainderBackward0";
        case Binary::Fmod: return b_tensor ? "FmodBackward1" : "FmodBackward0";
        default: return "Atan2Backward0";
    }
}

Operand constant_operand(const Scalar& value, DType dtype) {
    return visit_dtype(dtype, [&]<class T>() { return Operand::constant<T>(value.to<T>()); });
}

// An operand brought to the dtype of the computation.
struct Prepared {
    Tensor holder;
    Operand operand;
    Prepared(const Arg& arg, DType dtype)
        : operand(arg.is_tensor() ? Operand(convert(arg.tensor(), dtype))
                                  : constant_operand(arg.scalar(), dtype)) {}
    Prepared(const Prepared&) = delete;

private:
    const Tensor& convert(const Tensor& tensor, DType dtype) {
        if (tensor.dtype() == dtype) return tensor;
        holder = cast_values(tensor, dtype);
        return holder;
    }
};

// Operands of one floating type that lie in memory as the result does, or are a number: the frequent case,
// which needs no conversion, no strides and no look at shapes.
class PlainOperands {
public:
    // like: a contiguous tensor of the result's shape and type; the first operand.
    explicit PlainOperands(const Tensor& like) : like_(like) { in_[count_++] = like.data(); }
    // Of two operands one of which is a number.
    PlainOperands(const Arg& a, const Arg& b) : like_(a.is_tensor() ? a.tensor() : b.tensor()) {
        const Scalar& number = a.is_tensor() ? b.scalar() : a.scalar();
        if (!like_.is_floating() || !like_.is_contiguous() || number.kind() == DType::Bool ||
            !add_number(number))
            return;
        in_[a.is_tensor() ? 1 : 0] = in_[0];
        in_[a.is_tensor() ? 0 : 1] = like_.data();
        count_ = 2;
    }
    PlainOperands(const PlainOperands&) = delete;

    bool complete() const { return count_ == 2; }
    const Tensor& like() const { return like_; }
    bool add(const SavedTensor& saved, bool is_tensor, const Scalar& scalar) {
        if (!is_tensor) return add_number(scalar);
        in_[count_] = saved.plain_values(like_);
        return in_[count_++] != nullptr;
    }
    void run(BlockFn kernel, const Tensor& out, Cost cost) const {
        kernels::run_contiguous(kernel, in_, count_, out.data(), out.numel(), out.item_size(),
                                nullptr, cost);
    }

private:
    // A number becomes as many as there are elements: only worth it for few.
    bool add_number(const Scalar& scalar) {
        const int64_t n = like_.numel();
        if (n > kNumbers) return false;
        if (like_.dtype() == DType::Float32)
            std::fill_n(reinterpret_cast<float*>(numbers_), n, scalar.to<float>());
        else std::fill_n(numbers_, n, scalar.to<double>());
        in_[count_++] = numbers_;
        return true;
    }

    static constexpr int64_t kNumbers = 256;
    const Tensor& like_;
    int count_ = 0;
    const void* in_[4];
    alignas(64) double numbers_[kNumbers];
};

class BinaryNode final : public Node {
public:
    BinaryNode(Binary op, const BinaryInfo& info, const Arg& a, const Arg& b)
        : op_(op),
          info_(info),
          scalar_(a.is_tensor() ? b.scalar() : a.scalar()),
          a_is_tensor_(a.is_tensor()),
          b_is_tensor_(b.is_tensor()) {
        add_edge(gradient_edge(a));
        add_edge(gradient_edge(b));
        uses_ = (has_edge(0) ? info.lhs_uses : 0) | (has_edge(1) ? info.rhs_uses : 0);
    }
    // Before the operation where it works in place, and after it otherwise.
    void save_operands(const Arg& a, const Arg& b) {
        if ((uses_ & kUsesA) && a_is_tensor_) a_ = SavedTensor(a.tensor(), false);
        if ((uses_ & kUsesB) && b_is_tensor_) b_ = SavedTensor(b.tensor(), false);
    }
    void save_result(const Tensor& y) {
        if (uses_ & kUsesResult) result_ = SavedTensor(y, true);
    }
    bool uses_a() const { return uses_ & kUsesA; }

    const char* name() const noexcept override {
        return numbered_name(op_, a_is_tensor_, b_is_tensor_);
    }
    std::string formula() const override {
        std::string text;
        if (has_edge(0)) text += "self: " + info_.lhs_formula;
        if (has_edge(1)) text += (text.empty() ? "" : ", ") + ("other: " + info_.rhs_formula);
        return text;
    }
    void release_saved() override {
        a_.release();
        b_.release();
        result_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        if (a_.defined()) visitor.tensor("self", a_);
        if (b_.defined()) visitor.tensor(op_ == Binary::Pow ? "exponent" : "other", b_);
        if (result_.defined()) visitor.tensor("result", result_);
        if (!b_is_tensor_ && (uses_ & kUsesB)) visitor.scalar("other", scalar_.to_double());
        if (!a_is_tensor_ && (uses_ & kUsesA)) visitor.scalar("self", scalar_.to_double());
    }

    void backward(TensorList& grads, TensorList& inputs) override {
        Tensor g = std::move(grads[0]);
        if (grad_enabled()) {
            const Tensor a = value(a_, a_is_tensor_, kUsesA, g),
                         b = value(b_, b_is_tensor_, kUsesB, g);
            const Tensor y = result_.unpack(*this);
            if (wants(0)) inputs[0] = info_.lhs(g, a, b, y);
            if (wants(1)) inputs[1] = info_.rhs(g, a, b, y);
            return;
        }
        // The second derivative may overwrite g, or take it as it is, when the first is done with it.
        if (wants(0)) {
            const bool last = !wants(1);
            inputs[0] = info_.lhs_identity ? (last ? std::move(g) : g) : fused(true, g, last);
        }
        if (wants(1))
            inputs[1] = info_.rhs_identity ? std::move(g)
                                           : fused(false, g, !(wants(0) && info_.lhs_identity));
    }

private:
    Tensor value(const SavedTensor& saved, bool is_tensor, unsigned use, const Tensor& g) {
        if (!(uses_ & use)) return {};
        return is_tensor ? saved.unpack(*this) : scalar_tensor(scalar_, g.dtype());
    }

    // One derivative, computed in one pass over memory.
    Tensor fused(bool lhs, const Tensor& g, bool may_reuse) {
        const auto& table = kernel_table().elementwise;
        const unsigned uses = lhs ? info_.lhs_uses : info_.rhs_uses;
        const BlockFn kernel =
            (lhs ? table.binary_lhs : table.binary_rhs)[int(op_)][int(g.dtype())];
        const bool contiguous = g.is_contiguous();
        const bool reuse = may_reuse && contiguous && is_sole_owner(g);
        Tensor out;
        if (contiguous) {
            PlainOperands plain(g);
            if ((!(uses & kUsesA) || plain.add(a_, a_is_tensor_, scalar_)) &&
                (!(uses & kUsesB) || plain.add(b_, b_is_tensor_, scalar_)) &&
                (!(uses & kUsesResult) || plain.add(result_, true, scalar_))) {
                out = reuse ? g : empty_like_contiguous(g);
                plain.run(kernel, out, cost_of(op_));
                return out;
            }
        }
        Tensor values[3];
        Operand operands[4] = {g, g, g, g};
        int count = 1;
        auto add = [&](const SavedTensor& saved, bool is_tensor) {
            if (!is_tensor) {
                operands[count++] = constant_operand(scalar_, g.dtype());
                return;
            }
            Tensor& value = values[count - 1] = cast_values(saved.values(*this), g.dtype());
            operands[count++] = Operand(value);
        };
        if (uses & kUsesA) add(a_, a_is_tensor_);
        if (uses & kUsesB) add(b_, b_is_tensor_);
        if (uses & kUsesResult) add(result_, true);
        if (reuse) out = g;
        else if (contiguous) out = empty_like_contiguous(g);
        else
            out = empty_in_order(g.sizes(), g.dtype(),
                                 {&g, count > 1 ? operands[1].tensor : nullptr});
        kernels::run_elementwise(kernel, out, operands, count, g.item_size(), nullptr,
                                 cost_of(op_));
        return out;
    }

    const Binary op_;
    const BinaryInfo& info_;
    Scalar scalar_;
    const bool a_is_tensor_, b_is_tensor_;
    unsigned uses_ = 0;
    SavedTensor a_, b_, result_;
};

[[noreturn]] void refuse_dtype(const std::string& name, DType dtype) {
    fail<NotImplementedError>("\"", name, "\" not implemented for '", scalar_type_name(dtype), "'");
}

DType compute_type(const Arg& a, const Arg& b, bool floats) {
    if (a.is_tensor() && b.is_tensor() && a.tensor().dtype() == b.tensor().dtype() &&
        a.tensor().is_floating())
        return a.tensor().dtype();
    const DType dtype = result_type(a, b);
    return floats && !is_floating(dtype) ? default_float_type : dtype;
}

Dims broadcast_shape(const Arg& a, const Arg& b) {
    if (!a.is_tensor()) return b.tensor().sizes();
    if (!b.is_tensor()) return a.tensor().sizes();
    return broadcast(a.tensor().sizes(), b.tensor().sizes());
}

// Integers have no infinity to divide by zero into.
void check_divisor(const Arg& divisor, DType dtype) {
    if (is_floating(dtype)) return;
    const bool zero =
        divisor.is_tensor() ? !all_values(divisor.tensor()) : divisor.scalar().to_int() == 0;
    if (zero) fail("ZeroDivisionError");
}

bool is_bool(const Arg& arg) {
    return (arg.is_tensor() ? arg.tensor().dtype() : arg.scalar().kind()) == DType::Bool;
}

void check_operands(Binary op, const Arg& a, const Arg& b, DType dtype) {
    if (op == Binary::Sub && (is_bool(a) || is_bool(b))) {
        if (is_bool(a) && is_bool(b))
            fail(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the "
                "`^` or `logical_xor()` operator instead.");
        fail(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead.");
    }
    if (op == Binary::Pow && !is_floating(dtype) && !b.is_tensor() && b.scalar().to_int() < 0)
        fail("Integers to negative integer powers are not allowed.");
}

// The result of an in-place operation has the shape and the type of the tensor that it is written to.
void check_in_place_result(const Tensor& a, const Dims& shape, DType computed) {
    if (!(shape == a.sizes()))
        fail("output with shape ", to_string(a.sizes()), " doesn't match the broadcast shape ",
             to_string(shape));
    if (!can_cast(computed, a.dtype()))
        fail("result type ", scalar_type_name(computed),
             " can't be cast to the desired output type ", scalar_type_name(a.dtype()));
}

// Whether b reads memory that writing to a changes, other than element for element.
bool overlaps(const Tensor& a, const Arg& b) {
    if (!b.is_tensor()) return false;
    const Tensor& t = b.tensor();
    if (t.storage()->data() != a.storage()->data()) return false;
    return !(t.data<char>() == a.data<char>() && t.sizes() == a.sizes() &&
             t.strides() == a.strides());
}

// What PyTorch refuses; other overlaps are resolved by a copy.
void refuse_overlaps(const Tensor& a, const Arg& b) {
    refuse_internal_overlap(a);
    if (b.is_tensor()) refuse_partial_overlap(a, b.tensor());
}

// a = kernel(a, b) in place.
void apply_in_place(BlockFn kernel, const Tensor& a, const Arg& b, DType computed, Cost cost) {
    Tensor copy;
    if (overlaps(a, b)) {
        GradMode off(false);
        copy = clone(b.tensor());
    }
    const Arg& source = copy.defined() ? Arg(copy) : b;
    Prepared other(source, computed);
    if (computed == a.dtype()) {
        const Operand operands[] = {a, other.operand};
        kernels::run_elementwise(kernel, a, operands, 2, a.item_size(), nullptr, cost);
    } else {
        Prepared self(a, computed);
        Tensor result = empty(a.sizes(), computed);
        const Operand operands[] = {self.operand, other.operand};
        kernels::run_elementwise(kernel, result, operands, 2, result.item_size(), nullptr, cost);
        copy_values(a, result);
    }
}

// Contiguous, of one floating type and one shape.
bool lie_alike(const Tensor& a, const Tensor& b) {
    return a.dtype() == b.dtype() && a.is_floating() && a.is_contiguous() && b.is_contiguous() &&
           a.sizes() == b.sizes();
}

// A tensor of one element as a number. Between operands of one type that makes no difference.
Scalar only_element(const Tensor& x) {
    return x.dtype() == DType::Float32 ? static_cast<double>(*x.data<float>()) : *x.data<double>();
}

// A small matrix and a row, such as a bias: a call of the kernel for each row, where the driver would set
// up its strides for more than the arithmetic takes. Undefined where the operands are of another kind.
Tensor by_rows(const BlockFn* row_of_kernels, const Tensor& rows, const Tensor& row,
               bool rows_first, Cost cost) {
    const int lead = rows.dim() - row.dim();
    const int64_t n = row.numel();
    if (lead <= 0 || n < 4 || rows.numel() >= kernels::enough_of(cost) || !rows.is_floating() ||
        rows.dtype() != row.dtype() || !rows.is_contiguous() || !row.is_contiguous())
        return {};
    for (int i = 0; i < row.dim(); ++i)
        if (row.sizes()[i] != rows.sizes()[lead + i]) return {};
    Tensor out = empty_like_contiguous(rows);
    const BlockFn kernel = row_of_kernels[int(out.dtype())];
    const int64_t bytes = n * static_cast<int64_t>(out.item_size());
    const int64_t end = out.numel() * static_cast<int64_t>(out.item_size());
    for (int64_t at = 0; at < end; at += bytes) {
        const void* moving = rows.data<char>() + at;
        const void* in[] = {rows_first ? moving : row.data(), rows_first ? row.data() : moving};
        kernel(in, out.data<char>() + at, n, nullptr);
    }
    return out;
}

Tensor binary_values(Binary op, const BinaryInfo& info, const Arg& a, const Arg& b) {
    const auto& row = kernel_table().elementwise.binary[int(op)];
    if (a.is_tensor() && b.is_tensor()) {
        if (lie_alike(a.tensor(), b.tensor())) {
            Tensor out = empty_like_contiguous(a.tensor());
            const void* in[] = {a.tensor().data(), b.tensor().data()};
            kernels::run_contiguous(row[int(out.dtype())], in, 2, out.data(), out.numel(),
                                    out.item_size(), nullptr, cost_of(op));
            return out;
        }
        for (const bool first : {true, false})
            if (Tensor out = by_rows(row, first ? a.tensor() : b.tensor(),
                                     first ? b.tensor() : a.tensor(), first, cost_of(op));
                out.defined())
                return out;
        if (a.tensor().dtype() == b.tensor().dtype() && a.tensor().is_floating()) {
            if (b.tensor().numel() == 1 && b.tensor().dim() <= a.tensor().dim())
                return binary_values(op, info, a, only_element(b.tensor()));
            if (a.tensor().numel() == 1 && a.tensor().dim() <= b.tensor().dim())
                return binary_values(op, info, only_element(a.tensor()), b);
        }
    } else if (const PlainOperands plain(a, b); plain.complete()) {
        Tensor out = empty_like_contiguous(plain.like());
        plain.run(row[int(out.dtype())], out, cost_of(op));
        return out;
    }
    const DType dtype = compute_type(a, b, info.floats);
    const BlockFn kernel = row[int(dtype)];
    check_operands(op, a, b, dtype);
    Tensor out = empty_result(broadcast_shape(a, b), dtype, a, b);
    if (!kernel) refuse_dtype(info.name, dtype);
    if (op == Binary::Remainder || op == Binary::Fmod) check_divisor(b, dtype);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel, out, operands, 2, item_size(dtype), nullptr, cost_of(op));
    return out;
}

}  // namespace

Tensor binary(Binary op, const Arg& a, const Arg& b) {
    const BinaryInfo& info = info_of(op);
    Tensor out = binary_values(op, info, a, b);
    if (recording_args(a, b)) {
        Ref<BinaryNode> node(new BinaryNode(op, info, a, b));
        node->save_operands(a, b);
        set_history(out, node);
        node->save_result(out);
    }
    return out;
}

const Tensor& binary_in_place(Binary op, const Tensor& a, const Arg& b) {
    const BinaryInfo& info = info_of(op);
    const DType dtype = compute_type(a, b, info.floats);
    const BlockFn kernel = kernel_table().elementwise.binary[int(op)][int(dtype)];
    const bool recorded = recording_args(Arg(a), b);
    check_inplace(a, recorded);
    const bool plain = b.is_tensor() && lie_alike(a, b.tensor()) && !shares_memory(a, b.tensor());
    if (!plain) {
        check_operands(op, a, b, dtype);
        refuse_overlaps(a, b);
        check_in_place_result(a, broadcast_shape(a, b), dtype);
        if (!kernel) refuse_dtype(info.name, dtype);
        if (op == Binary::Remainder || op == Binary::Fmod) check_divisor(b, dtype);
    }
    const bool uses_result = (info.lhs_uses | info.rhs_uses) & kUsesResult;
    if (recorded && uses_result && is_view(a)) return copy_(a, binary(op, a, b));  // as for unary
    Ref<BinaryNode> node;
    Tensor original;
    if (recorded) {
        node = Ref<BinaryNode>(new BinaryNode(op, info, a, b));
        node->save_operands(node->uses_a() ? Arg(original = clone(a)) : Arg(a), b);
    }
    if (plain) {
        const void* in[] = {a.data(), b.tensor().data()};
        kernels::run_contiguous(kernel, in, 2, a.data(), a.numel(), a.item_size(), nullptr,
                                cost_of(op));
    } else {
        apply_in_place(kernel, a, b, dtype, cost_of(op));
    }
    a.bump_version();
    if (node) {
        rebase_history(a, node);
        node->save_result(a);
    }
    return a;
}

const char* binary_name(Binary op) { return info_of(op).name.c_str(); }

Tensor compare(Comparison op, const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    Tensor out = empty_result(broadcast_shape(a, b), DType::Bool, a, b);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel_table().elementwise.comparison[int(op)][int(dtype)], out,
                             operands, 2, item_size(dtype));
    return out;
}

namespace {

const char* integer_name(Integer op) {
    constexpr const char* names[] = {"floor_divide", "bitwise_and", "bitwise_or",
                                     "bitwise_xor",  "lshift",      "rshift"};
    return names[static_cast<int>(op)];
}

BlockFn integer_kernel(Integer op, DType dtype) {
    const BlockFn kernel = kernel_table().elementwise.integer[int(op)][int(dtype)];
    if (!kernel)
        fail<NotImplementedError>("\"", integer_name(op), "_cpu\" not implemented for '",
                                  scalar_type_name(dtype), "'");
    return kernel;
}

// Floor division is recorded so that asking for its derivative is an error and not a silent zero.
class NotImplementedNode final : public Node {
public:
    const char* name() const noexcept override { return "NotImplemented"; }
    void backward(TensorList&, TensorList&) override {
        fail<NotImplementedError>("derivative for aten::floor_divide is not implemented");
    }
};

}  // namespace

Tensor integer_binary(Integer op, const Arg& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (op == Integer::FloorDivide) check_divisor(b, dtype);
    Tensor out = empty_result(broadcast_shape(a, b), dtype, a, b);
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel, out, operands, 2, item_size(dtype), nullptr, Cost::Heavy);
    if (recording_args(a, b)) {
        Ref<NotImplementedNode> node(new NotImplementedNode);
        node->add_edge(gradient_edge(a));
        node->add_edge(gradient_edge(b));
        set_history(out, node);
    }
    return out;
}

const Tensor& integer_in_place(Integer op, const Tensor& a, const Arg& b) {
    const DType dtype = result_type(a, b);
    const bool recorded = recording_args(Arg(a), b);
    check_inplace(a, recorded);
    refuse_overlaps(a, b);
    check_in_place_result(a, broadcast_shape(a, b), dtype);
    const BlockFn kernel = integer_kernel(op, dtype);
    if (op == Integer::FloorDivide) check_divisor(b, dtype);
    apply_in_place(kernel, a, b, dtype, Cost::Heavy);
    a.bump_version();
    if (recorded) {
        Ref<NotImplementedNode> node(new NotImplementedNode);
        node->add_edge(gradient_edge(a));
        node->add_edge(gradient_edge(b));
        rebase_history(a, node);
    }
    return a;
}

// ------------------------------------------------------------------------- where, clamp, pow

namespace {

class WhereNode final : public Node {
public:
    explicit WhereNode(const Tensor& condition) : condition_(condition, false) {}
    const char* name() const noexcept override { return "WhereBackward0"; }
    std::string formula() const override {
        return "self: where(condition, grad, 0), other: where(condition, 0, grad)";
    }
    void release_saved() override { condition_.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        visitor.tensor("condition", condition_);
    }
    void backward(TensorList& grads, TensorList& inputs) override {
        const Tensor condition = condition_.unpack(*this);
        if (wants(0)) inputs[0] = where(condition, grads[0], 0);
        if (wants(1)) inputs[1] = where(condition, 0, grads[0]);
    }

private:
    SavedTensor condition_;
};

}  // namespace

Tensor where(const Tensor& condition, const Arg& a, const Arg& b) {
    if (condition.dtype() != DType::Bool && condition.dtype() != DType::UInt8)
        fail("where expected condition to be a boolean tensor, but got a tensor with dtype ",
             scalar_type_name(condition.dtype()));
    const DType dtype =
        !a.is_tensor() && !b.is_tensor() && (a.scalar().is_floating() || b.scalar().is_floating())
            ? DType::Float32
            : result_type(a, b);
    Dims shape = condition.sizes();
    if (a.is_tensor()) shape = broadcast(shape, a.tensor().sizes());
    if (b.is_tensor()) shape = broadcast(shape, b.tensor().sizes());
    auto tensor_of = [](const Arg& arg) { return arg.is_tensor() ? &arg.tensor() : nullptr; };
    auto plain = [](const Arg& arg) { return !arg.is_tensor() || arg.tensor().is_contiguous(); };
    Tensor out = condition.is_contiguous() && plain(a) && plain(b)
                     ? empty(shape, dtype)
                     : empty_in_order(shape, dtype, {&condition, tensor_of(a), tensor_of(b)});
    Prepared pa(a, dtype), pb(b, dtype);
    const Operand operands[] = {condition, pa.operand, pb.operand};
    const size_t bytes[] = {1, item_size(dtype), item_size(dtype)};
    kernels::run_elementwise(kernel_table().elementwise.where[int(dtype)], out, operands, 3, bytes);
    if (recording_args(a, b)) {
        Ref<WhereNode> node(new WhereNode(condition));
        node->add_edge(gradient_edge(a));
        node->add_edge(gradient_edge(b));
        set_history(out, node);
    }
    return out;
}

namespace {

double bound(const Arg* arg, double otherwise) {
    return arg ? arg->scalar().to_double() : otherwise;
}

// Both bounds are numbers (or absent) and x is a float: one fused kernel does it.
bool scalar_clamp(const Tensor& x, const Arg* low, const Arg* high) {
    if (!low && !high) fail("tapegrad.clamp: At least one of 'min' or 'max' must not be None");
    const bool tensors = (low && low->is_tensor()) || (high && high->is_tensor());
    return !tensors && x.is_floating();
}

}  // namespace

Tensor clamp(const Tensor& x, const Arg* low, const Arg* high) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (scalar_clamp(x, low, high))
        return unary(Unary::Clamp, x, bound(low, -inf), bound(high, inf));
    Tensor result = low ? binary(Binary::Maximum, x, *low) : x;
    return high ? binary(Binary::Minimum, result, *high) : result;
}

const Tensor& clamp_(const Tensor& x, const Arg* low, const Arg* high) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (!low && !high) check_inplace(x, recording(x));
    if (scalar_clamp(x, low, high))
        return unary_in_place(Unary::Clamp, x, bound(low, -inf), bound(high, inf));
    if (low && high) {
        check_inplace(x, recording_args(Arg(x), *low, *high));
        refuse_overlaps(x, *low);
        refuse_overlaps(x, *high);
        const Tensor result = clamp(clone(x), low, high);
        check_in_place_result(x, result.sizes(), result.dtype());
        return copy_(x, result);
    }
    return low ? binary_in_place(Binary::Maximum, x, *low)
               : binary_in_place(Binary::Minimum, x, *high);
}

namespace {

// Common exponents have kernels of their own.
bool special_power(const Tensor& x, double exponent, Unary& op) {
    if (exponent == 2) op = Unary::Square;
    else if (exponent == 3) op = Unary::Cube;
    else if (x.is_floating()) op = Unary::PowScalar;
    else return false;
    return true;
}

bool is_zero_power(const Tensor& x, const Scalar& exponent) {
    return x.is_floating() && exponent.to_double() == 0;
}

}  // namespace

Tensor pow(const Tensor& x, const Scalar& exponent) {
    Unary op;
    if (x.dtype() == DType::Bool && exponent.kind() == DType::Bool)
        return exponent.to_bool() ? clone(x) : full(x.sizes(), true, DType::Bool);
    if (x.dtype() == DType::Bool || (exponent.is_floating() && !x.is_floating()))
        return binary(Binary::Pow, x, exponent);
    // x ** 0 has derivative 0 everywhere, also at 0: the tensor form says so.
    if (is_zero_power(x, exponent)) return binary(Binary::Pow, x, exponent);
    if (!special_power(x, exponent.to_double(), op)) return binary(Binary::Pow, x, exponent);
    return unary(op, x, exponent.to_double());
}

const Tensor& pow_(const Tensor& x, const Scalar& exponent) {
    Unary op;
    if (x.dtype() == DType::Bool && exponent.kind() == DType::Bool)
        return copy_(x, pow(x, exponent));
    if (x.dtype() == DType::Bool || is_zero_power(x, exponent) ||
        (exponent.is_floating() && !x.is_floating()) || !special_power(x, exponent.to_double(), op))
        return binary_in_place(Binary::Pow, x, exponent);
    return unary_in_place(op, x, exponent.to_double());
}

Tensor floor_divide(const Arg& a, const Arg& b) {
    return integer_binary(Integer::FloorDivide, a, b);
}
Tensor add(const Arg& a, const Arg& b) { return binary(Binary::Add, a, b); }

bool equal(const Tensor& a, const Tensor& b) {
    return a.sizes() == b.sizes() && all_values(compare(Comparison::Eq, a, b));
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    if (a.dtype() != b.dtype())
        fail(scalar_type_name(a.dtype()), " did not match ", scalar_type_name(b.dtype()));
    if (rtol < 0) fail("rtol must be greater than or equal to zero, but got ", rtol);
    if (atol < 0) fail("atol must be greater than or equal to zero, but got ", atol);
    GradMode off(false);
    Tensor same = compare(Comparison::Eq, a, b);
    const Tensor x = to_dtype(a, promote(a.dtype(), DType::Float32)),
                 y = to_dtype(b, promote(b.dtype(), DType::Float32));
    const Tensor difference = abs(x - y);
    const Tensor near = difference <= abs(y) * rtol + atol;
    same =
        compare(Comparison::LogicalOr, same,
                compare(Comparison::LogicalAnd, near, predicate(Predicate::IsFinite, difference)));
    if (equal_nan)
        same = compare(Comparison::LogicalOr, same,
                       compare(Comparison::LogicalAnd, predicate(Predicate::IsNan, x),
                               predicate(Predicate::IsNan, y)));
    return same;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    return all_values(isclose(a, b, rtol, atol, equal_nan));
}

}  // namespace tapegrad
