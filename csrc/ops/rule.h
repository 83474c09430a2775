// Rules: how operators that are not element-wise are differentiated, each written once and read three ways.
//
//     struct Softmax {
//         static constexpr auto node = "SoftmaxBackward0";
//         int64_t dim;
//         auto backward(auto g, auto, auto y) const { return y * (g - sum(g * y, Dims{dim}, true)); }
//         void parameters(auto show) const { show("dim", dim); }
//     };
//     ...
//     return recorded(out, Softmax{dim}, x);
//
// backward(g, arguments..., y) takes the gradient of the result, the tensors that the operator took, and the
// result. It is a template over "a tensor":
//   Tensor   the differentiable expression, for derivatives of every order
//   Text     what grad_fn.formula shows
//   Uses     which values the derivative needs, and of which tensors only the sizes: what the tape saves
//
// Members are the operator's other parameters, with their own types; parameters() shows them, pairs of a name
// and a value, as _saved_<name>. Beyond that a rule may have
//   arguments   the names of the tensors, std::array{"self"} if there is none. backward() gives the gradients
//               of the first ones: an expression for one, gradients(functions...) for several.
//   fused       fused(g, arguments..., y): a kernel that computes the same where nothing is recorded; with
//               several gradients also which of them are wanted, and it gives an array of them. It may answer
//               with an undefined tensor, and then the expression counts. What it reads beyond backward()
//               is declared by fused_needs().
//   reads_all   true where every gradient counts as a function of all arguments, as it does in PyTorch,
//               although it is the same for all their values
//   node()      a function, where the name depends on the parameters
//   forward     how tangents pass, where that is cheaper than to differentiate backward() by g:
//               forward(t, arguments..., y) of the tangent of one argument; of several
//               forward(arguments..., y) gives tangents(functions...), of each argument's tangent, which are
//               added. A linear operator applies itself. It may use what backward() uses for the same
//               argument; of y the sizes are always there.
//   is_symmetric  true where the derivative by each argument, made as large as the result, is its own
//               transpose, as those of element-wise operators are: backward() of the tangent is the tangent
#pragma once

#include <array>
#include <tuple>
#include <utility>

#include "autograd/forward.h"
#include "autograd/saved_tensor.h"
#include "autograd/variable.h"
#include "formulas/words.h"
#include "ops/copy.h"
#include "ops/steady.h"

namespace tapegrad {

// Gradients of several arguments, as functions: only those are computed that are asked for.
template <class... Functions> struct Gradients {
    std::tuple<Functions...> of;
};
template <class... Functions> Gradients<Functions...> gradients(Functions... functions) {
    return {{std::move(functions)...}};
}

// Tangents of the result, as functions of those of several arguments.
template <class... Functions> struct Tangents {
    std::tuple<Functions...> of;
};
template <class... Functions> Tangents<Functions...> tangents(Functions... functions) {
    return {{std::move(functions)...}};
}

// Bases of rules: of operators along a dimension, and of nodes that come with a name.
struct AlongDim {
    int64_t dim;
    void parameters(auto show) const { show("dim", dim); }
};
struct Named {
    const char* name;
    const char* node() const { return name; }
};

// Where nothing of the argument is left in the result: it was written over, or drawn anew.
struct Overwritten : Named {
    static constexpr bool is_symmetric = true;
    auto backward(auto g, auto, auto) const { return zero_like(g); }
};

// In place of a derivative that is missing: to ask for it is an error.
Tensor underivable(const Tensor& grad, const char* what);
TAPEGRAD_WORD(underivable)

namespace rules {

using formulas::Text;
using formulas::Uses;

template <class Rule> consteval auto argument_names() {
    if constexpr (requires { Rule::arguments; }) return Rule::arguments;
    else return std::array{"self"};
}
template <class Rule> inline constexpr size_t kArguments = argument_names<Rule>().size();

// rule.backward, or rule.fused, with a list of arguments.
template <class Rule, class T>
decltype(auto) call_backward(const Rule& rule, const T& g, const std::array<T, kArguments<Rule>>& x,
                             const T& y) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
        return rule.backward(g, x[I]..., y);
    }(std::make_index_sequence<kArguments<Rule>>());
}
template <class Rule, class... More>
auto call_fused(const Rule& rule, const Tensor& g, const std::array<Tensor, kArguments<Rule>>& x,
                const Tensor& y, const More&... more) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
        return rule.fused(g, x[I]..., y, more...);
    }(std::make_index_sequence<kArguments<Rule>>());
}

template <class T> inline constexpr size_t kGradientsIn = 1;
template <class... F> inline constexpr size_t kGradientsIn<Gradients<F...>> = sizeof...(F);
template <class Rule>
inline constexpr size_t kGradients = kGradientsIn<decltype(call_backward(
    std::declval<const Rule&>(), Uses(), std::array<Uses, kArguments<Rule>>(), Uses()))>;

// Calls visit(i, function) for each gradient; function() computes it.
template <class Rule, class T, class Visit>
void each_gradient(const Rule& rule, const T& g, const std::array<T, kArguments<Rule>>& x,
                   const T& y, Visit visit) {
    auto found = call_backward(rule, g, x, y);
    if constexpr (kGradients<Rule> == 1) {
        visit(size_t{0}, [&]() -> T { return std::move(found); });
    } else {
        [&]<size_t... I>(std::index_sequence<I...>) {
            (visit(I, [&]() -> T { return std::get<I>(found.of)(); }), ...);
        }(std::make_index_sequence<kGradients<Rule>>());
    }
}

template <class Rule>
concept HasFused = requires { &Rule::fused; };

// rule.forward, of the tangent of the only argument that has one, or of several.
template <class Rule>
auto call_forward(const Rule& rule, const Tensor& t, const std::array<Tensor, kArguments<Rule>>& x,
                  const Tensor& y) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
        if constexpr (kGradients<Rule> == 1) return rule.forward(t, x[I]..., y);
        else return rule.forward(x[I]..., y);
    }(std::make_index_sequence<kArguments<Rule>>());
}
template <size_t> using TensorAt = const Tensor&;
template <class Rule> consteval bool has_forward() {
    return []<size_t... I>(std::index_sequence<I...>) {
        if constexpr (kGradients<Rule> == 1)
            return requires(const Rule& rule, TensorAt<I>... x, const Tensor& t) {
                rule.forward(t, x..., t);
            };
        else
            return requires(const Rule& rule, TensorAt<I>... x, const Tensor& y) {
                rule.forward(x..., y);
            };
    }(std::make_index_sequence<kArguments<Rule>>());
}
// Of a rule whose backward() multiplies g by slopes, and which adds what leaves it (see Reduced).
template <class Rule>
Tensor forward_by_slopes(const Rule& rule, const Tensor& t,
                         const std::array<Tensor, kArguments<Rule>>& x, Tensor y) {
    if (y.defined()) y = rule.arriving(y, x[0]);
    return rule.leaving(call_backward(rule, t, x, y));
}
// A tensor that has a shape and a type alone.
inline Tensor without_values(const ResultInfo& info) {
    return Tensor(new TensorImpl(info.shape, info.dtype, nullptr, nullptr));
}
// The sum of the tangents that those of the arguments give.
template <class Rule>
Tensor sum_of_tangents(const Rule& rule, TensorList& given,
                       const std::array<Tensor, kArguments<Rule>>& x, const Tensor& y) {
    if constexpr (kGradients<Rule> == 1) {
        return call_forward(rule, given[0], x, y);
    } else {
        const auto found = call_forward(rule, Tensor(), x, y);
        Tensor sum;
        [&]<size_t... I>(std::index_sequence<I...>) {
            (add_tangent(sum, given[I].defined() ? std::get<I>(found.of)(given[I]) : Tensor()),
             ...);
        }(std::make_index_sequence<kGradients<Rule>>());
        return sum;
    }
}

// An argument of an operator: a tensor, or a number, which nothing is kept of.
inline const Tensor& tensor_of(const Tensor& x) { return x; }
inline const Tensor& tensor_of(const Arg& x) {
    static const Tensor none;
    return x.is_tensor() ? x.tensor() : none;
}
// What a node does with each of its values, whatever the rule.
void keep(SavedTensor& place, const Tensor& tensor, bool value, bool sizes);
void visit(SavedVisitor& visitor, const char* name, const SavedTensor& value);
// "dim", dim, "keepdim", keepdim
inline void show(SavedVisitor&) {}
template <class T, class... More>
void show(SavedVisitor& visitor, const char* name, const T& value, const More&... more) {
    visitor.value(name, value);
    show(visitor, more...);
}
void add_formula(std::string& all, const char* name, const std::string& formula);

inline Edge edge_of(const Tensor& x) { return x.defined() ? gradient_edge(x) : Edge{}; }
inline bool is_recorded(const Tensor& x) { return x.defined() && x.requires_grad(); }
// recording(), of tensors that may be none.
template <class... Tensors> bool any_recorded(const Tensors&... tensors) {
    if (grad_enabled()) [[likely]]
        return (is_recorded(tensors) || ...);
    if (thread_state.cuts_to_note) [[unlikely]]
        (note_unrecorded(tensors), ...);
    return false;
}

}  // namespace rules

template <class Rule> class RuleNode final : public Node {
    static constexpr size_t kArguments = rules::kArguments<Rule>;
    static_assert(kArguments <= rules::Uses::kMaxArguments);
    static constexpr size_t kGradients = rules::kGradients<Rule>;
    using Arguments = std::array<Tensor, kArguments>;

public:
    // The tensors whose gradients are computed.
    template <class Input>
    RuleNode(Rule given, const Input& input)
        : Node(rules::edge_of(rules::tensor_of(input))),
          rule(std::move(given)) {
        static_assert(kGradients == 1);
    }
    template <class First, class Second, class... More>
    RuleNode(Rule given, const First& first, const Second& second, const More&... more)
        : Node(rules::edge_of(rules::tensor_of(first)), rules::edge_of(rules::tensor_of(second))),
          rule(std::move(given)) {
        static_assert(kGradients == 2 + sizeof...(More));
        (add_edge(rules::edge_of(rules::tensor_of(more))), ...);
    }

    // Keeps of the arguments what the rule uses.
    template <class... Given> void save_arguments(const Given&... given) {
        static_assert(sizeof...(Given) == kArguments);
        const rules::Uses uses = needed();
        [&]<size_t... I>(std::index_sequence<I...>, const auto&... tensors) {
            (rules::keep(saved_[I], tensors, uses.uses_value(I), uses.uses_sizes(I)), ...);
        }(std::make_index_sequence<kArguments>(), rules::tensor_of(given)...);
    }
    // The result, once it is registered as one of this node. What a view holds after a change in place is none
    // but a part of its base: an operation whose rule uses the result writes that by copying.
    void save_result(const Tensor& out) {
        const rules::Uses uses = needed();
        if (uses.uses_result()) result_.save(out, true);
        else if (uses.uses_result_sizes()) result_.save_shape(out);
    }

    // The value of the first argument, which an operation in place overwrites.
    bool uses_first_value() const { return needed().uses_value(0); }

    const char* name() const noexcept override {
        if constexpr (requires { rule.node(); }) return rule.node();
        else return Rule::node;
    }
    [[gnu::cold]] std::string formula() const override {
        constexpr auto names = rules::argument_names<Rule>();
        const auto x = [&]<size_t... I>(std::index_sequence<I...>) {
            return std::array<rules::Text, kArguments>{rules::Text(names[I])...};
        }(std::make_index_sequence<kArguments>());
        std::string all;
        rules::each_gradient(rule, rules::Text("grad"), x, rules::Text("result"),
                             [&](size_t i, auto gradient) {
                                 if (kGradients == 1) all = gradient().s;
                                 else if (has_edge(i))
                                     rules::add_formula(all, names[i], gradient().s);
                             });
        return all;
    }
    void release_saved() override {
        for (SavedTensor& value : saved_) value.release();
        result_.release();
    }
    [[gnu::cold]] void visit_saved(SavedVisitor& visitor) const override {
        constexpr auto names = rules::argument_names<Rule>();
        for (size_t i = 0; i < kArguments; ++i) rules::visit(visitor, names[i], saved_[i]);
        rules::visit(visitor, "result", result_);
        if constexpr (requires { rule.parameters([](auto...) {}); })
            rule.parameters([&](const auto&... pairs) { rules::show(visitor, pairs...); });
    }
    void backward(GradList& grads, TensorList& inputs) override {
        std::array<bool, kGradients> wanted;
        bool any = false;
        for (size_t i = 0; i < kGradients; ++i) any |= wanted[i] = wants(i);
        if (!any) return;
        const Arguments x = arguments();
        Tensor y = result_.unpack(*this), g = std::move(grads[0]);
        if constexpr (requires { rule.arriving(g, x[0]); }) {
            g = rule.arriving(g, x[0]);
            if (y.defined()) y = rule.arriving(y, x[0]);
        }
        if constexpr (rules::HasFused<Rule>)
            if (!grad_enabled() && fused(g, x, y, wanted, inputs)) return;
        rules::each_gradient(rule, g, x, y, [&](size_t i, auto gradient) {
            if (wanted[i]) inputs[i] = gradient();
        });
        if (grad_enabled()) depend_on_read(inputs);
    }

    void forward(TensorList& tangents, GradList& of_results) override {
        if constexpr (rules::has_forward<Rule>()) {
            const Arguments x = arguments();
            const Tensor y =
                result_.defined() ? result_.unpack(*this) : rules::without_values(results[0]);
            of_results[0] = rules::sum_of_tangents(rule, tangents, x, y);
        } else if constexpr (requires { rule.leaving(tangents[0]); }) {
            const Arguments x = arguments();
            of_results[0] = rules::forward_by_slopes(rule, tangents[0], x, result_.unpack(*this));
        } else if constexpr (requires { Rule::is_symmetric; }) {
            forward_by_backward(*this, tangents, of_results);
        } else {
            Node::forward(tangents, of_results);
        }
    }

    const Rule rule;

private:
    Arguments arguments() const {
        Arguments x;
        for (size_t i = 0; i < kArguments; ++i) x[i] = saved_[i].unpack(*this);
        return x;
    }
    // Calls visit(i, what it uses) for each gradient that somebody may ask for.
    template <class Visit> void each_use(Visit visit) const {
        std::array<rules::Uses, kArguments> x;
        for (size_t i = 0; i < kArguments; ++i) x[i] = rules::Uses::argument(static_cast<int>(i));
        rules::each_gradient(rule, rules::Uses(), x, rules::Uses::result(),
                             [&](size_t i, auto gradient) {
                                 if (has_edge(i)) visit(i, gradient());
                             });
    }
    rules::Uses needed() const {
        rules::Uses uses;
        each_use([&](size_t, rules::Uses used) { uses = uses | used; });
        if constexpr (requires { rule.fused_needs(); }) uses = uses | rule.fused_needs();
        return uses;
    }
    void depend_on_read(TensorList& inputs) const {
        constexpr uint64_t kAll = ~uint64_t{0};
        each_use([&](size_t i, rules::Uses used) {
            uint64_t read = requires { Rule::reads_all; } || used.uses_result() ? kAll : 0;
            for (size_t j = 0; j < kGradients; ++j)
                if (used.uses_value(static_cast<int>(j))) read |= uint64_t{1} << j;
            depend_on_inputs(inputs[i], *this, read);
        });
    }
    bool fused(const Tensor& g, const Arguments& x, const Tensor& y,
               const std::array<bool, kGradients>& wanted, TensorList& inputs) {
        if constexpr (kGradients == 1) {
            inputs[0] = rules::call_fused(rule, g, x, y);
        } else {
            std::array<Tensor, kGradients> found = rules::call_fused(rule, g, x, y, wanted);
            for (size_t i = 0; i < kGradients; ++i)
                if (wanted[i]) inputs[i] = std::move(found[i]);
        }
        for (size_t i = 0; i < kGradients; ++i)
            if (wanted[i] && inputs[i].defined()) return true;
        return false;
    }

    std::array<SavedTensor, kArguments> saved_;
    SavedTensor result_;
};

namespace rules {

// Calls f with the first arguments, those that have gradients.
template <class Rule, class F, class... Given>
decltype(auto) with_inputs(F f, const Given&... given) {
    const std::tuple<const Given&...> all(given...);
    return [&]<size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
        return f(std::get<I>(all)...);
    }(std::make_index_sequence<kGradients<Rule>>());
}

template <class Rule, class... Given>
Ref<RuleNode<Rule>> make_node(const Rule& rule, const Given&... given) {
    return with_inputs<Rule>(
        [&](const auto&... inputs) {
            return Ref<RuleNode<Rule>>(new RuleNode<Rule>(rule, inputs...));
        },
        given...);
}

}  // namespace rules

// Whether an operation with this rule on these arguments is recorded.
template <class Rule, class... Given> bool is_recorded(const Given&... given) {
    return rules::with_inputs<Rule>(
        [](const auto&... inputs) { return rules::any_recorded(rules::tensor_of(inputs)...); },
        given...);
}

// out, which an operator made of the arguments: recorded if that is asked for.
template <class Rule, class... Given>
Tensor recorded(Tensor out, const Rule& rule, const Given&... given) {
    if (is_recorded<Rule>(given...)) {
        const Ref<RuleNode<Rule>> node = rules::make_node(rule, given...);
        node->save_arguments(given...);
        set_history(out, node);
        node->save_result(out);
    }
    return out;
}

// A view of the memory of base.
template <class Rule> Tensor recorded_view(Tensor view, const Rule& rule, const Tensor& base) {
    view = recorded(std::move(view), rule, base);
    mark_view(view, base);
    return view;
}

// An operation that writes into x: the checks that come before it, and what is recorded after it.
class InPlace {
public:
    // Raises unless x may be written. others: what may have gradients beside x.
    template <class... Others>
    explicit InPlace(const Tensor& x, const Others&... others)
        : x_(x),
          recorded_(rules::any_recorded(x, rules::tensor_of(others)...)) {
        check_inplace(x, recorded_);
    }
    bool recorded() const { return recorded_; }

    // Runs write, which has checked everything else before it changes anything. given: the arguments of the
    // rule after x.
    template <class Rule, class Write, class... Given>
    const Tensor& apply(const Rule& rule, Write write, const Given&... given) const {
        Ref<RuleNode<Rule>> node;
        if (recorded_) {
            node = rules::make_node(rule, x_, given...);
            if (node->uses_first_value()) node->save_arguments(clone(x_), given...);
            else node->save_arguments(x_, given...);
            announce_write(x_);
        }
        apply(Ref<Node>(node), write);
        if (node) node->save_result(x_);
        return x_;
    }
    // The same with a node of another kind; null where nothing is recorded.
    template <class Write> const Tensor& apply(const Ref<Node>& node, Write write) const {
        write();
        x_.bump_version();
        if (node) rebase_history(x_, node);
        return x_;
    }

    // x shows another window of its memory.
    template <class Rule> const Tensor& show(const Tensor& window, const Rule& rule) const {
        Ref<RuleNode<Rule>> node;
        if (recorded_) {
            node = rules::make_node(rule, x_);
            node->save_arguments(x_);
        }
        change_window(x_, window, node);
        return x_;
    }

private:
    const Tensor& x_;
    const bool recorded_;
};

}  // namespace tapegrad
