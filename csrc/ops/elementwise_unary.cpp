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
using formulas::kUsesResult;
using formulas::Text;
using kernels::BlockFn;
using kernels::Cost;
using kernels::Operand;

constexpr int kMaxParameters = 2;

template <class F, class G, class P> auto apply_parameters(G g, const P* p) {
    constexpr int count = formulas::parameter_count<F>();
    if constexpr (count == 0) return g();
    else if constexpr (count == 1) return g(p[0]);
    else return g(p[0], p[1]);
}

struct UnaryInfo {
    const char *name, *node, *node_in_place, *kernel, *bool_error;
    Domain domain;
    Cost cost;
    unsigned uses;
    int exponent;  // built in, or 0
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

template <class F>
constexpr UnaryInfo unary_info(const char* name, const char* node, const char* kernel) {
    using Facts = formulas::Traits<F>;
    UnaryInfo info{name,
                   given_or(Facts::node(), node),
                   Facts::node_in_place(),
                   given_or(Facts::kernel(), kernel),
                   Facts::bool_error(),
                   Facts::domain(),
                   Facts::cost(),
                   formulas::unary_uses<F>().values(),
                   Facts::exponent(),
                   formulas::parameter_count<F>(),
                   {},
                   tensor_reading<F>,
                   text_reading<F>};
    if constexpr (formulas::parameter_count<F>() > 0)
        for (int i = 0; i < info.parameters; ++i) info.parameter_names[i] = F::parameters[i];
    return info;
}

#define TAPEGRAD_INFO(Name, function) \
    unary_info<formulas::Name>(#function, #Name "Backward0", #function "_cpu"),
constexpr UnaryInfo unary_infos[] = {TAPEGRAD_UNARY(TAPEGRAD_INFO)};
#undef TAPEGRAD_INFO
constexpr const UnaryInfo& info_of(Unary op) { return unary_infos[static_cast<int>(op)]; }

class UnaryNode : public Node {
public:
    UnaryNode(Unary op, const UnaryInfo& info, const double* p, const Tensor& x)
        : Node(gradient_edge(x)),
          op_(op),
          info_(info),
          parameters_{p[0], p[1]} {}

    const char* name() const noexcept override { return info_.node; }
    std::string formula() const override { return info_.formula(parameters_); }
    void release_saved() override { saved.release(); }
    void visit_saved(SavedVisitor& visitor) const override {
        if (saved.defined()) visitor.tensor(info_.uses == kUsesA ? "self" : "result", saved);
        for (int i = 0; i < info_.parameters; ++i)
            visitor.value(info_.parameter_names[i], parameters_[i]);
        if (info_.exponent) visitor.value("exponent", int64_t{info_.exponent});
    }

    void backward(GradList& grads, TensorList& inputs) override {
        if (!wants(0)) return;
        Tensor g = std::move(grads[0]);
        if (grad_enabled()) {
            const Tensor value = info_.uses ? saved.unpack(*this) : Tensor();
            inputs[0] = info_.derivative(g, value, value, parameters_);
            depend_on_inputs(inputs[0], *this, info_.uses ? 1 : 0);
            return;
        }
        const BlockFn kernel = kernel_table().elementwise.unary_backward[int(op_)][g.dtype()];
        const bool contiguous = g.is_contiguous(), reuse = contiguous && is_sole_owner(g);
        if (const char* value = contiguous && info_.uses ? saved.plain_values(g) : nullptr;
            value || (contiguous && !info_.uses)) {
            const void* in[] = {g.data(), value};
            Tensor out = reuse ? g : empty_row_major_like(g);
            kernels::run_contiguous(kernel, in, info_.uses ? 2 : 1, out.data(), g.numel(),
                                    g.item_size(), parameters_, info_.cost);
            inputs[0] = std::move(out);
            return;
        }
        const Tensor value = info_.uses ? cast_values(saved.values(*this), g.dtype()) : g;
        Tensor out = reuse ? g : empty_result(g.sizes(), g.dtype(), g, value);
        const Operand operands[] = {g, value};
        kernels::run_elementwise(kernel, out, operands, info_.uses ? 2 : 1, g.item_size(),
                                 parameters_, info_.cost);
        inputs[0] = std::move(out);
    }

    void forward(TensorList& tangents, GradList& of_results) override {
        forward_by_backward(*this, tangents, of_results);
    }

    bool append_backward(BlockProgram& program, const Tensor& g, TensorList& inputs) override {
        if (!wants(0) || (info_.uses && !saved.plain_values(g))) return false;
        BlockProgram::Value in[] = {program.operand(g), 0};
        if (info_.uses) in[1] = program.operand(saved.values(*this));
        inputs[0] = program.append(kernel_table().elementwise.unary_backward[int(op_)][g.dtype()],
                                   {in, info_.uses ? size_t{2} : size_t{1}}, parameters_);
        return true;
    }

    FormulaUse formula_use() const {
        FormulaUse use{info_.name, {}};
        for (int i = 0; i < info_.parameters; ++i) use.numbers.emplace_back(parameters_[i]);
        return use;
    }

    SavedTensor saved;

protected:
    const Unary op_;
    const UnaryInfo& info_;
    double parameters_[kMaxParameters];
};
class UnaryNodeInPlace final : public UnaryNode {
public:
    using UnaryNode::UnaryNode;
    const char* name() const noexcept override { return info_.node_in_place; }
};

BlockFn unary_kernel(Unary op, const UnaryInfo& info, DType dtype) {
    const kernels::BlockTable& row = kernel_table().elementwise.unary[int(op)];
    if (!row[dtype] && info.bool_error) [[unlikely]]
        fail(info.bool_error);
    return row.require(dtype, info.kernel);
}

}  // namespace

Tensor unary(Unary op, const Tensor& x, double p0, double p1) {
    const UnaryInfo& info = info_of(op);
    const double parameters[kMaxParameters] = {p0, p1};
    const Tensor* input = &x;
    Tensor converted;
    if (info.domain == Domain::Floats && !x.is_floating()) {
        converted = cast_values(x, default_float_type);
        input = &converted;
    }
    const DType dtype = input->dtype();
    const BlockFn kernel = unary_kernel(op, info, dtype);
    Tensor out;
    if (input->is_contiguous()) {
        out = empty_row_major_like(*input);
        const void* in[] = {input->data()};
        kernels::run_contiguous(kernel, in, 1, out.data(), out.numel(), out.item_size(), parameters,
                                info.cost);
    } else {
        out = empty_result(x.sizes(), dtype, x);
        const Operand operand(*input);
        kernels::run_elementwise(kernel, out, &operand, 1, input->item_size(), parameters,
                                 info.cost);
    }
    if (recording(x)) {
        Ref<UnaryNode> node(new UnaryNode(op, info, parameters, x));
        set_history(out, node);
        if (info.uses == kUsesA) node->saved.save(x, false);
        else if (info.uses) node->saved.save(out, true);
    }
    return out;
}

const Tensor& unary_in_place(Unary op, const Tensor& x, double p0, double p1) {
    const UnaryInfo& info = info_of(op);
    const double parameters[kMaxParameters] = {p0, p1};
    const bool recorded = recording(x);
    check_inplace(x, recorded);
    if (!(info.bool_error && x.dtype() == DType::Bool)) refuse_internal_overlap(x);
    if (info.domain == Domain::Floats && !x.is_floating())
        fail("result type Float can't be cast to the desired output type ",
             scalar_type_name(x.dtype()));
    const BlockFn kernel = unary_kernel(op, info, x.dtype());
    // What a view holds after the change is no result of this node but a part of its base.
    if (recorded && info.uses == kUsesResult && is_view(x)) return copy_(x, unary(op, x, p0, p1));
    Ref<UnaryNode> node;
    if (recorded) {
        node = Ref<UnaryNode>(info.node_in_place ? new UnaryNodeInPlace(op, info, parameters, x)
                                                 : new UnaryNode(op, info, parameters, x));
        // The derivative needs what is overwritten: nobody else can have that, so it is kept as a copy.
        if (info.uses == kUsesA) node->saved.save(clone(x), false);
    }
    const Operand operand(x);
    kernels::run_elementwise(kernel, x, &operand, 1, x.item_size(), parameters, info.cost);
    x.bump_version();
    if (node) {
        rebase_history(x, node);
        if (info.uses == kUsesResult) node->saved.save(x, true);
    }
    return x;
}

std::optional<FormulaUse> unary_formula_use(const Node& node) {
    const auto* found = dynamic_cast<const UnaryNode*>(&node);
    if (!found) return {};
    return found->formula_use();
}

Tensor predicate(Predicate op, const Tensor& x) {
    Tensor out = empty_result(x.sizes(), DType::Bool, x);
    const Operand operand(x);
    kernels::run_elementwise(kernel_table().elementwise.predicate[int(op)][x.dtype()], out,
                             &operand, 1, x.item_size());
    return out;
}

}  // namespace tapegrad
