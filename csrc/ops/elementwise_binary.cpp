#include "ops/elementwise.h"

#include "autograd/block_program.h"
#include "autograd/forward.h"
#include "formulas/text.h"
#include "formulas/uses.h"
#include "kernels/table.h"
#include "ops/elementwise_operands.h"
#include "ops/formula_use.h"
#include "ops/overlap.h"
#include "ops/record.h"
#include "ops/steady.h"

namespace tapegrad {
namespace {

using formulas::given_or;
using formulas::kUsesA;
using formulas::kUsesB;
using formulas::kUsesResult;
using formulas::Text;
using kernels::BlockFn;
using kernels::Cost;
using kernels::Operand;

// One of the two derivatives.
struct Side {
    unsigned uses;
    bool identity;  // the gradient passes unchanged
    Tensor (*derivative)(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y);
    std::string (*formula)();
};
struct BinaryInfo {
    const char *name, *kernel, *node, *node_of_number_lhs, *node_of_number_rhs, *rhs_name;
    const char *bool_error, *two_bools_error;
    Domain domain;
    Cost cost;
    bool divides;
    Side lhs, rhs;
};

template <class S> constexpr Side side_info() {
    return {
        formulas::side_uses<S>().values(), formulas::side_uses<S>().is_gradient(),
        [](const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) -> Tensor {
            return S::backward(g, a, b, y);
        },
        [] { return S::backward(Text("grad"), Text("self"), Text("other"), Text("result")).s; }};
}

template <class F>
constexpr BinaryInfo binary_info(const char* name, const char* node, const char* kernel) {
    using Facts = formulas::Traits<F>;
    return {name,
            given_or(Facts::kernel(), kernel),
            given_or(Facts::node(), node),
            given_or(Facts::node_of_number_lhs(), node),
            given_or(Facts::node_of_number_rhs(), node),
            Facts::rhs_name(),
            Facts::bool_error(),
            Facts::two_bools_error(),
            Facts::domain(),
            Facts::cost(),
            Facts::divides(),
            side_info<formulas::Lhs<F>>(),
            side_info<formulas::Rhs<F>>()};
}

#define TAPEGRAD_INFO(Name, function) binary_info<formulas::Name>(#function, #Name "Backward0", #function "_cpu"),
constexpr BinaryInfo binary_infos[] = {TAPEGRAD_BINARY(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO
constexpr const BinaryInfo& info_of(Binary op) { return binary_infos[static_cast<int>(op)]; }

// Whether its type is a floating one in which arithmetic is done.
bool has_own_floats(const Tensor& x) { return x.dtype() >= DType::Float32; }

// Operands of one floating type that lie in memory as the result does, or are a number: the frequent case,
// which needs no conversion, no strides and no look at shapes.
class PlainOperands {
public:
    // like: a contiguous tensor of the result's shape and type; the first operand.
    explicit PlainOperands(const Tensor& like) : like_(like) { in_[count_++] = like.data(); }
    // Of two operands one of which is a number.
    PlainOperands(const Arg& a, const Arg& b) : like_(a.is_tensor() ? a.tensor() : b.tensor()) {
        const Scalar& number = a.is_tensor() ? b.scalar() : a.scalar();
        if (!has_own_floats(like_) || !like_.is_contiguous() || number.kind() == DType::Bool ||
            !add_number(number))
            return;
        in_[a.is_tensor() ? 1 : 0] = in_[0];
        in_[a.is_tensor() ? 0 : 1] = like_.data();
        number_bits_ = a.is_tensor() ? 2 : 1;
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
                                nullptr, cost, number_bits_);
    }

private:
    // A number becomes as many as there are elements: only worth it for few.
    bool add_number(const Scalar& scalar) {
        const int64_t n = like_.numel();
        if (n > kFew) return false;
        if (like_.dtype() == DType::Float32)
            std::fill_n(reinterpret_cast<float*>(numbers_), n, scalar.wrapped<float>());
        else std::fill_n(numbers_, n, scalar.to_double());
        number_bits_ |= 1u << count_;
        in_[count_++] = numbers_;
        return true;
    }

    static constexpr int64_t kFew = 256;
    const Tensor& like_;
    int count_ = 0;
    unsigned number_bits_ = 0;
    const void* in_[4];
    alignas(64) double numbers_[kFew];
};

class BinaryNode final : public Node {
public:
    BinaryNode(Binary op, const Arg& a, const Arg& b)
        : Node(gradient_edge(a), gradient_edge(b)),
          op_(op),
          a_is_tensor_(a.is_tensor()),
          b_is_tensor_(b.is_tensor()),
          scalar_((a_is_tensor_ ? b : a).scalar().to_double()) {
        const BinaryInfo& info = info_of(op);
        uses_ = (has_edge(0) ? info.lhs.uses : 0) | (has_edge(1) ? info.rhs.uses : 0);
    }
    // Before the operation where it works in place, and after it otherwise.
    void save_operands(const Arg& a, const Arg& b) {
        if ((uses_ & kUsesA) && a_is_tensor_) a_.save(a.tensor(), false);
        if ((uses_ & kUsesB) && b_is_tensor_) b_.save(b.tensor(), false);
    }
    void save_result(const Tensor& y) {
        if (uses_ & kUsesResult) result_.save(y, true);
    }
    bool uses_a() const { return uses_ & kUsesA; }

    const char* name() const noexcept override {
        const BinaryInfo& info = info_of(op_);
        return !a_is_tensor_   ? info.node_of_number_lhs
               : !b_is_tensor_ ? info.node_of_number_rhs
                               : info.node;
    }
    std::string formula() const override {
        const BinaryInfo& info = info_of(op_);
        std::string text;
        if (has_edge(0)) text += "self: " + info.lhs.formula();
        if (has_edge(1)) text += (text.empty() ? "" : ", ") + ("other: " + info.rhs.formula());
        return text;
    }
    void release_saved() override {
        a_.release();
        b_.release();
        result_.release();
    }
    void visit_saved(SavedVisitor& visitor) const override {
        if (a_.defined()) visitor.tensor("self", a_);
        if (b_.defined()) visitor.tensor(info_of(op_).rhs_name, b_);
        if (result_.defined()) visitor.tensor("result", result_);
        if (!b_is_tensor_ && (uses_ & kUsesB)) visitor.value(info_of(op_).rhs_name, scalar_);
        if (!a_is_tensor_ && (uses_ & kUsesA)) visitor.value("self", scalar_);
    }

    FormulaUse formula_use() const {
        FormulaUse use{info_of(op_).name, {}};
        for (const bool is_tensor : {a_is_tensor_, b_is_tensor_})
            use.numbers.push_back(is_tensor ? std::nullopt : std::optional(scalar_));
        return use;
    }

    void backward(GradList& grads, TensorList& inputs) override {
        const BinaryInfo& info = info_of(op_);
        Tensor g = std::move(grads[0]);
        // Two passes would unpack what both need twice.
        const bool packed = uses_ && (a_.is_packed() || b_.is_packed() || result_.is_packed());
        if (grad_enabled() || (packed && wants(0) && wants(1))) {
            const Tensor a = value(a_, a_is_tensor_, kUsesA, g),
                         b = value(b_, b_is_tensor_, kUsesB, g);
            const Tensor y = result_.unpack(*this);
            if (wants(0)) inputs[0] = info.lhs.derivative(g, a, b, y);
            if (wants(1)) inputs[1] = info.rhs.derivative(g, a, b, y);
            depend_on_inputs(inputs[0], *this, inputs_read(info.lhs));
            depend_on_inputs(inputs[1], *this, inputs_read(info.rhs));
            return;
        }
        // The second derivative may overwrite g, or take it as it is, when the first is done with it.
        const bool wants_lhs = wants(0), wants_rhs = wants(1);
        if (wants_lhs)
            inputs[0] =
                info.lhs.identity ? (wants_rhs ? g : std::move(g)) : fused(true, g, !wants_rhs);
        if (wants_rhs)
            inputs[1] = info.rhs.identity ? std::move(g)
                                          : fused(false, g, !(wants_lhs && info.lhs.identity));
    }

    void forward(TensorList& tangents, GradList& of_results) override {
        forward_by_backward(*this, tangents, of_results);
    }

    bool append_backward(BlockProgram& program, const Tensor& g, TensorList& inputs) override {
        const BinaryInfo& info = info_of(op_);
        const bool wants_lhs = wants(0), wants_rhs = wants(1);
        const unsigned uses = (wants_lhs ? info.lhs.uses : 0) | (wants_rhs ? info.rhs.uses : 0);
        if (!(wants_lhs || wants_rhs) || ((uses & kUsesA) && a_is_tensor_ && !a_.plain_values(g)) ||
            ((uses & kUsesB) && b_is_tensor_ && !b_.plain_values(g)) ||
            ((uses & kUsesResult) && !result_.plain_values(g)))
            return false;
        if (wants_lhs) inputs[0] = info.lhs.identity ? g : appended(program, true, g);
        if (wants_rhs) inputs[1] = info.rhs.identity ? g : appended(program, false, g);
        return true;
    }

private:
    // The result depends on both.
    static uint64_t inputs_read(const Side& side) {
        return side.uses & kUsesResult
                   ? 3
                   : (side.uses & kUsesA ? 1 : 0) + (side.uses & kUsesB ? 2 : 0);
    }
    Tensor value(const SavedTensor& saved, bool is_tensor, unsigned use, const Tensor& g) {
        if (!(uses_ & use)) return {};
        if (is_tensor) return saved.unpack(*this);
        const Tensor number = scalar_tensor(scalar_, DType::Float64);
        return is_half(g.dtype()) ? number : cast_values(number, g.dtype());
    }

    // One derivative, computed in one pass over memory.
    Tensor fused(bool lhs, const Tensor& g, bool may_reuse) {
        const auto& table = kernel_table().elementwise;
        // A number keeps the digits that the type has not.
        if (is_half(g.dtype()) && !(a_is_tensor_ && b_is_tensor_)) [[unlikely]]
            return cast_values(fused(lhs, cast_values(g, wide_of(g.dtype())), true), g.dtype());
        const BinaryInfo& info = info_of(op_);
        const unsigned uses = (lhs ? info.lhs : info.rhs).uses;
        const BlockFn kernel = (lhs ? table.binary_lhs : table.binary_rhs)[int(op_)][g.dtype()];
        const bool contiguous = g.is_contiguous();
        const bool reuse = may_reuse && contiguous && is_sole_owner(g);
        Tensor out;
        if (contiguous) {
            PlainOperands plain(g);
            if ((!(uses & kUsesA) || plain.add(a_, a_is_tensor_, scalar_)) &&
                (!(uses & kUsesB) || plain.add(b_, b_is_tensor_, scalar_)) &&
                (!(uses & kUsesResult) || plain.add(result_, true, scalar_))) {
                out = reuse ? g : empty_row_major_like(g);
                plain.run(kernel, out, info.cost);
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
        else if (contiguous) out = empty_row_major_like(g);
        else
            out = empty_in_order(g.sizes(), g.dtype(),
                                 {&g, count > 1 ? operands[1].tensor : nullptr});
        kernels::run_elementwise(kernel, out, operands, count, g.item_size(), nullptr, info.cost);
        return out;
    }

    Tensor appended(BlockProgram& program, bool lhs, const Tensor& g) {
        const auto& table = kernel_table().elementwise;
        const unsigned uses = (lhs ? info_of(op_).lhs : info_of(op_).rhs).uses;
        SmallVector<BlockProgram::Value, 4> in{program.operand(g)};
        const auto add = [&](const SavedTensor& saved, bool is_tensor) {
            in.push_back(is_tensor ? program.operand(saved.values(*this))
                                   : program.number(scalar_));
        };
        if (uses & kUsesA) add(a_, a_is_tensor_);
        if (uses & kUsesB) add(b_, b_is_tensor_);
        if (uses & kUsesResult) add(result_, true);
        return program.append((lhs ? table.binary_lhs : table.binary_rhs)[int(op_)][g.dtype()],
                              {in.data(), in.size()});
    }

    const Binary op_;
    const bool a_is_tensor_, b_is_tensor_;
    uint16_t uses_ = 0;
    const double scalar_;  // the operand that is a number: the gradient is a floating tensor
    SavedTensor a_, b_, result_;
};
static_assert(sizeof(BinaryNode) == 192);  // three lines of the cache

bool is_bool(const Arg& arg) {
    return (arg.is_tensor() ? arg.tensor().dtype() : arg.scalar().kind()) == DType::Bool;
}

void check_operands(Binary op, const BinaryInfo& info, const Arg& a, const Arg& b, DType dtype) {
    if (info.bool_error && (is_bool(a) || is_bool(b)))
        fail(is_bool(a) && is_bool(b) ? info.two_bools_error : info.bool_error);
    if (op == Binary::Pow && !is_floating(dtype) && !b.is_tensor()) {
        if (b.scalar().to_int() < 0) fail("Integers to negative integer powers are not allowed.");
        check_convertible(b.scalar(), dtype);
    }
}

// Contiguous, of one floating type and one shape.
bool lie_alike(const Tensor& a, const Tensor& b) {
    return a.dtype() == b.dtype() && a.is_floating() && a.is_contiguous() && b.is_contiguous() &&
           same_sizes(a.shape(), b.shape());
}

// A small matrix and a row, such as a bias: a call of the kernel for each row, where the driver would set
// up its strides for more than the arithmetic takes. Undefined where the operands are of another kind.
Tensor by_rows(const kernels::BlockTable& row_of_kernels, const Tensor& rows, const Tensor& row,
               bool rows_first, Cost cost) {
    const int lead = rows.dim() - row.dim();
    const int64_t n = row.numel();
    if (lead <= 0 || n < 4 || rows.numel() >= kernels::enough_of(cost) || !rows.is_floating() ||
        rows.dtype() != row.dtype() || !rows.is_contiguous() || !row.is_contiguous())
        return {};
    for (int i = 0; i < row.dim(); ++i)
        if (row.sizes()[i] != rows.sizes()[lead + i]) return {};
    Tensor out = empty_row_major_like(rows);
    const BlockFn kernel = row_of_kernels[out.dtype()];
    const int64_t bytes = n * static_cast<int64_t>(out.item_size());
    const int64_t end = out.numel() * static_cast<int64_t>(out.item_size());
    launch(
        [=](const char* all, const char* repeated, char* to) {
            for (int64_t at = 0; at < end; at += bytes) {
                const void* in[] = {rows_first ? all + at : repeated,
                                    rows_first ? repeated : all + at};
                kernel(in, to + at, n, nullptr);
            }
        },
        rows.data<char>(), row.data<char>(), out.data<char>());
    return out;
}

// The type to compute in: of mixed operands one that holds them all, but the next number is one of the result's.
DType computing_type(Binary op, DType dtype, const Arg& a, const Arg& b) {
    return op == Binary::Nextafter ? dtype : exact_type(dtype, a, b);
}

Tensor binary_values(Binary op, const BinaryInfo& info, const Arg& a, const Arg& b) {
    const auto& row = kernel_table().elementwise.binary[int(op)];
    if (a.is_tensor() && b.is_tensor()) {
        if (lie_alike(a.tensor(), b.tensor())) {
            Tensor out = empty_row_major_like(a.tensor());
            const void* in[] = {a.tensor().data(), b.tensor().data()};
            kernels::run_contiguous(row[out.dtype()], in, 2, out.data(), out.numel(),
                                    out.item_size(), nullptr, info.cost);
            return out;
        }
        for (const bool first : {true, false})
            if (Tensor out = by_rows(row, first ? a.tensor() : b.tensor(),
                                     first ? b.tensor() : a.tensor(), first, info.cost);
                out.defined())
                return out;
        // One element is a number, which makes no difference between operands of one type. (A replay looks at
        // it anew.)
        if (a.tensor().dtype() == b.tensor().dtype() && has_own_floats(a.tensor()) &&
            !is_replay_recorded()) {
            if (b.tensor().numel() == 1 && b.tensor().dim() <= a.tensor().dim())
                return binary_values(op, info, a, to_number(b.tensor()));
            if (a.tensor().numel() == 1 && a.tensor().dim() <= b.tensor().dim())
                return binary_values(op, info, to_number(a.tensor()), b);
        }
    } else if (const PlainOperands plain(a, b); plain.complete()) {
        Tensor out = empty_row_major_like(plain.like());
        plain.run(row[out.dtype()], out, info.cost);
        return out;
    }
    const DType dtype = compute_type(a, b, info.domain), computed = computing_type(op, dtype, a, b);
    check_operands(op, info, a, b, dtype);
    Tensor out = empty_result(broadcast_shape(a, b), computed, a, b);
    const BlockFn kernel = row.require(computed, info.kernel);
    if (info.divides) check_divisor(b, dtype);
    Prepared pa(a, computed), pb(b, computed);
    const Operand operands[] = {pa.operand, pb.operand};
    kernels::run_elementwise(kernel, out, operands, 2, item_size(computed), nullptr, info.cost);
    return cast_values(out, dtype);
}

}  // namespace

Tensor binary(Binary op, const Arg& a, const Arg& b) {
    const BinaryInfo& info = info_of(op);
    Tensor out = binary_values(op, info, a, b);
    if (recording_args(a, b)) {
        Ref<BinaryNode> node(new BinaryNode(op, a, b));
        node->save_operands(a, b);
        set_history(out, node);
        node->save_result(out);
    }
    return out;
}

const Tensor& binary_in_place(Binary op, const Tensor& a, const Arg& b) {
    const BinaryInfo& info = info_of(op);
    const DType dtype = compute_type(a, b, info.domain);
    const kernels::BlockTable& row = kernel_table().elementwise.binary[int(op)];
    const bool recorded = recording_args(Arg(a), b);
    check_inplace(a, recorded);
    const bool plain = b.is_tensor() && lie_alike(a, b.tensor()) && !shares_memory(a, b.tensor());
    if (!plain) {
        check_operands(op, info, a, b, dtype);
        refuse_overlaps(a, b);
        check_in_place_result(a, broadcast_shape(a, b), dtype);
        row.require(dtype, info.kernel);
        if (info.divides) check_divisor(b, dtype);
    }
    const bool uses_result = (info.lhs.uses | info.rhs.uses) & kUsesResult;
    if (recorded && uses_result && is_view(a))
        return copy_(a, binary(op, clone(a), b));  // as for unary
    Ref<BinaryNode> node;
    Tensor original;
    if (recorded) {
        node = Ref<BinaryNode>(new BinaryNode(op, a, b));
        node->save_operands(node->uses_a() ? Arg(original = clone(a)) : Arg(a), b);
        if (!plain) announce_write(a);
    }
    if (plain) {
        const void* in[] = {a.data(), b.tensor().data()};
        kernels::run_contiguous(row[dtype], in, 2, a.data(), a.numel(), a.item_size(), nullptr,
                                info.cost);
    } else {
        const DType computed = computing_type(op, dtype, a, b);
        apply_in_place(row[computed], a, b, computed, info.cost);
    }
    a.bump_version();
    if (node) {
        rebase_history(a, node);
        node->save_result(a);
    }
    return a;
}

std::optional<FormulaUse> binary_formula_use(const Node& node) {
    const auto* found = dynamic_cast<const BinaryNode*>(&node);
    if (!found) return {};
    return found->formula_use();
}

const char* binary_name(Binary op) { return info_of(op).name; }

}  // namespace tapegrad
