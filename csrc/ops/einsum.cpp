// An equation is read once and kept with the steps that it leads to. Each step takes two operands and is one
// product of matrices where something is summed, and an element-wise product otherwise.
#include "ops/einsum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/checked.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// A to Z and a to z are 0 to 51; the dimensions that an ellipsis stands for come after, the last one first.
constexpr int kLetters = 52, kLabels = 64;
using Labels = std::vector<uint8_t>;
using LabelSet = uint64_t;
LabelSet bit(int label) { return LabelSet{1} << label; }
LabelSet set_of(const Labels& labels) {
    LabelSet set = 0;
    for (int label : labels) set |= bit(label);
    return set;
}

int label_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    return -1;
}
char letter_of(int label) { return static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26); }

// ------------------------------------------------------------------------------------- reading

// The labels of a term, in which kEllipsis stands for an ellipsis.
constexpr uint8_t kEllipsis = 255;

struct Equation {
    std::vector<Labels> terms;
    Labels output;
    bool has_output = false;
};

Equation parse(std::string_view text) {
    Equation result;
    result.terms.emplace_back();
    Labels* term = &result.terms.back();
    const auto where = [&] {
        return result.has_output ? std::string("output")
                                 : "operand " + std::to_string(result.terms.size() - 1);
    };
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == ' ') continue;
        if (c == '.') {
            const bool seen = std::find(term->begin(), term->end(), kEllipsis) != term->end();
            if (seen)
                fail("einsum(): found '.' for ", where(),
                     " for which an ellipsis was already found");
            if (text.substr(i, 3) != "...")
                fail("einsum(): found '.' for ", where(), " that is not part of any ellipsis",
                     result.has_output ? " (...)" : "");
            term->push_back(kEllipsis);
            i += 2;
        } else if (c == ',' && !result.has_output) {
            result.terms.emplace_back();
            term = &result.terms.back();
        } else if (c == '-' && !result.has_output && text.substr(i, 2) == "->") {
            result.has_output = true;
            term = &result.output;
            ++i;
        } else if (label_of(c) >= 0) {
            term->push_back(static_cast<uint8_t>(label_of(c)));
        } else {
            fail("einsum(): invalid subscript given at index ", i,
                 " in the equation string, subscripts must be in [a-zA-Z]");
        }
    }
    return result;
}

// The labels with those of the dimensions that an ellipsis stands for.
Labels spelled_out(const Labels& labels, int unnamed) {
    Labels result;
    for (uint8_t label : labels) {
        if (label != kEllipsis) result.push_back(label);
        else
            for (int d = unnamed - 1; d >= 0; --d)
                result.push_back(static_cast<uint8_t>(kLetters + d));
    }
    return result;
}

// What is the same for operands with the same numbers of dimensions.
struct Meaning {
    std::vector<Labels> terms;
    Labels output;
};

Meaning meaning_of(std::string_view text, const std::vector<Tensor>& operands) {
    const Equation equation = parse(text);
    if (equation.terms.size() > operands.size())
        fail("einsum(): fewer operands were provided than specified in the equation");
    if (equation.terms.size() < operands.size())
        fail("einsum(): more operands were provided than specified in the equation");
    Meaning meaning;
    int most_unnamed = 0;
    std::array<int, kLabels> seen{};
    for (size_t i = 0; i < operands.size(); ++i) {
        const Labels& term = equation.terms[i];
        const bool ellipsis = std::find(term.begin(), term.end(), kEllipsis) != term.end();
        const int named = static_cast<int>(term.size()) - ellipsis, dims = operands[i].dim();
        if (ellipsis ? named > dims : named != dims)
            fail("einsum(): the number of subscripts in the equation (", named,
                 ellipsis ? ") is more than the number of dimensions ("
                          : ") does not match the number of dimensions (",
                 dims, ") for operand ", i, ellipsis ? "" : " and no ellipsis was given");
        const int unnamed = ellipsis ? dims - named : 0;
        if (unnamed > kLabels - kLetters)
            fail("einsum(): an ellipsis may stand for at most ", kLabels - kLetters,
                 " dimensions, but got ", unnamed);
        most_unnamed = std::max(most_unnamed, unnamed);
        meaning.terms.push_back(spelled_out(term, unnamed));
        for (uint8_t label : meaning.terms.back()) ++seen[label];
    }
    if (!equation.has_output) {  // the ellipsis, and in order what is there once
        meaning.output = spelled_out({kEllipsis}, most_unnamed);
        for (int label = 0; label < kLetters; ++label)
            if (seen[static_cast<size_t>(label)] == 1)
                meaning.output.push_back(static_cast<uint8_t>(label));
        return meaning;
    }
    meaning.output = spelled_out(equation.output, most_unnamed);
    LabelSet found = 0;
    for (uint8_t label : meaning.output) {
        if (label < kLetters && found & bit(label))
            fail("einsum(): output subscript ", letter_of(label),
                 " appears more than once in the output");
        if (label < kLetters && !seen[label])
            fail("einsum(): output subscript ", letter_of(label),
                 " does not appear in the equation for any input operand");
        found |= bit(label);
    }
    return meaning;
}

// ------------------------------------------------------------------------------------- steps

// How dimensions are taken to the order that a product needs: an order, and how many make up each group.
struct Arrangement {
    Dims summed, order;
    bool in_order = true;
};

// The product of two operands.
struct Step {
    enum Kind { Dot, Mv, VecMat, Mm, Bmm, Mul } kind;
    Arrangement left, right;
    int batch, rows, summed, columns;  // numbers of dimensions
    Labels result;
};

bool is_in_order(const Dims& order) {
    for (int i = 0; i < order.size(); ++i)
        if (order[i] != i) return false;
    return true;
}

// kept: labels that the result or another operand has. order: where labels should come in the result.
Step plan_step(const Labels& a, const Labels& b, LabelSet kept, const Labels& order) {
    const LabelSet in_a = set_of(a), in_b = set_of(b);
    Labels batch, rows, columns, summed;
    std::array<int, kLabels> at_a{}, at_b{};
    Step step{};
    // Summed before the product: what the other operand does not have.
    const auto places = [&](const Labels& labels, LabelSet other, Arrangement& side,
                            std::array<int, kLabels>& at) {
        int place = 0;
        for (size_t i = 0; i < labels.size(); ++i) {
            if (!((kept | other) & bit(labels[i]))) side.summed.push_back(static_cast<int64_t>(i));
            else at[labels[i]] = place++;
        }
    };
    places(a, in_b, step.left, at_a);
    places(b, in_a, step.right, at_b);
    // In the order of the result, and then as they stand in the operands.
    const auto add = [&](uint8_t label) {
        const bool left = in_a & bit(label), right = in_b & bit(label);
        if (left && right) batch.push_back(label);
        else if (left) rows.push_back(label);
        else if (right) columns.push_back(label);
    };
    LabelSet added = 0;
    const auto add_once = [&](uint8_t label) {
        if (!(kept & bit(label)) || added & bit(label)) return;
        added |= bit(label);
        add(label);
    };
    for (uint8_t label : order) add_once(label);
    for (uint8_t label : a) add_once(label);
    for (uint8_t label : b) add_once(label);
    for (uint8_t label : a)
        if (in_b & bit(label) && !(kept & bit(label))) summed.push_back(label);
    const auto arrange = [](Arrangement& side, const std::array<int, kLabels>& at,
                            std::initializer_list<const Labels*> groups) {
        for (const Labels* group : groups)
            for (uint8_t label : *group) side.order.push_back(at[label]);
        side.in_order = is_in_order(side.order);
    };
    arrange(step.left, at_a, {&batch, &rows, &summed});
    arrange(step.right, at_b, {&batch, &summed, &columns});
    step.batch = static_cast<int>(batch.size());
    step.rows = static_cast<int>(rows.size());
    step.columns = static_cast<int>(columns.size());
    step.summed = static_cast<int>(summed.size());
    if (summed.empty()) step.kind = Step::Mul;
    else if (!batch.empty()) step.kind = Step::Bmm;
    else if (rows.empty()) step.kind = columns.empty() ? Step::Dot : Step::VecMat;
    else step.kind = columns.empty() ? Step::Mv : Step::Mm;
    for (const Labels* group : {&batch, &rows, &columns})
        step.result.insert(step.result.end(), group->begin(), group->end());
    return step;
}

Tensor arranged(const Tensor& x, const Arrangement& side) {
    const Tensor rest = side.summed.empty() ? x : sum(x, side.summed, false);  // int64 of integers
    if (side.in_order) return rest;
    if (side.order.size() == 2) return transpose(rest, 0, 1);
    return permute(rest, side.order);
}

// Groups of dimensions as one each.
Tensor grouped(const Tensor& x, std::initializer_list<int> groups) {
    bool grouped_already = true;
    for (int count : groups) grouped_already &= count == 1;
    if (grouped_already) return x;
    Dims sizes;
    int d = 0;
    for (int count : groups) {
        int64_t size = 1;
        for (int i = 0; i < count; ++i) size = checked_mul(size, x.sizes()[d++]);
        sizes.push_back(size);
    }
    return reshape(x, sizes);
}

Tensor run(const Step& step, const Tensor& a, const Tensor& b) {
    Tensor left = arranged(a, step.left), right = arranged(b, step.right);
    if (a.dtype() == b.dtype() && left.dtype() != right.dtype()) {  // one of them has been summed
        left = to_dtype(left, DType::Int64);
        right = to_dtype(right, DType::Int64);
    }
    if (step.kind == Step::Mul) {  // [batch, rows, 1 ...] * [batch, columns]
        Dims left_sizes = left.sizes(), right_sizes(right.sizes().data(), step.batch);
        for (int i = 0; i < step.columns; ++i) left_sizes.push_back(1);
        for (int i = 0; i < step.rows; ++i) right_sizes.push_back(1);
        for (int i = step.batch; i < right.dim(); ++i) right_sizes.push_back(right.sizes()[i]);
        return (step.columns ? reshape(left, left_sizes) : left) *
               (step.rows ? reshape(right, right_sizes) : right);
    }
    Tensor product;
    switch (step.kind) {
        case Step::Dot:
            product = dot(grouped(left, {step.summed}), grouped(right, {step.summed}));
            break;
        case Step::Mv:
            product = mv(grouped(left, {step.rows, step.summed}), grouped(right, {step.summed}));
            break;
        case Step::VecMat:
            product = mv(transpose(grouped(right, {step.summed, step.columns}), 0, 1),
                         grouped(left, {step.summed}));
            break;
        case Step::Mm:
            product = mm(grouped(left, {step.rows, step.summed}),
                         grouped(right, {step.summed, step.columns}));
            break;
        default:
            product = bmm(grouped(left, {step.batch, step.rows, step.summed}),
                          grouped(right, {step.batch, step.summed, step.columns}));
    }
    Dims sizes(left.sizes().data(), step.batch + step.rows);
    for (int i = 0; i < step.columns; ++i)
        sizes.push_back(right.sizes()[step.batch + step.summed + i]);
    return product.sizes() == sizes ? product : reshape(product, sizes);
}

// ------------------------------------------------------------------------------------- operands

struct Operand {
    Tensor x;
    Labels labels;
};

// Diagonals in place of labels that are there twice.
void take_diagonals(Operand& operand, size_t number) {
    Labels& labels = operand.labels;
    for (size_t j = 1; j < labels.size();) {
        const auto first =
            std::find(labels.begin(), labels.begin() + static_cast<int64_t>(j), labels[j]);
        const auto i = static_cast<size_t>(first - labels.begin());
        if (i == j) {
            ++j;
            continue;
        }
        const Dims& sizes = operand.x.sizes();
        const int64_t one = sizes[static_cast<int>(i)], other = sizes[static_cast<int>(j)];
        if (one != other)
            fail("einsum(): subscript ", letter_of(labels[j]), " is repeated for operand ", number,
                 " but the sizes don't match, ", other, " != ", one);
        const uint8_t label = labels[j];
        operand.x = diagonal(operand.x, 0, static_cast<int64_t>(i), static_cast<int64_t>(j));
        labels.erase(labels.begin() + static_cast<int64_t>(j));
        labels.erase(labels.begin() + static_cast<int64_t>(i));
        labels.push_back(label);
        j = 1;
    }
}

// Of each label the size, 1 where it broadcasts with everything. Raises where sizes do not broadcast.
using Sizes = std::array<int64_t, kLabels>;
Sizes label_sizes(const std::vector<Tensor>& operands, const std::vector<Labels>& terms) {
    Sizes sizes;
    sizes.fill(-1);
    for (size_t i = 0; i < operands.size(); ++i)
        for (size_t d = 0; d < terms[i].size(); ++d) {
            int64_t& size = sizes[terms[i][d]];
            const int64_t own = operands[i].sizes()[static_cast<int>(d)];
            if (size == -1 || size == 1) size = own;
            else if (own != 1 && own != size)
                fail("einsum(): subscript ",
                     terms[i][d] < kLetters ? std::string(1, letter_of(terms[i][d])) : "...",
                     " has size ", own, " for operand ", i,
                     " which does not broadcast with previously seen size ", size);
        }
    return sizes;
}

// Dimensions of size 1 whose label has another size elsewhere broadcast: they need not be there.
void drop_ones(Operand& operand, const Sizes& sizes) {
    Dims ones;
    Labels rest;
    for (size_t d = 0; d < operand.labels.size(); ++d) {
        const bool one =
            operand.x.sizes()[static_cast<int>(d)] == 1 && sizes[operand.labels[d]] != 1;
        if (one) ones.push_back(static_cast<int64_t>(d));
        else rest.push_back(operand.labels[d]);
    }
    if (ones.empty()) return;
    operand.x = squeeze(operand.x, ones);
    operand.labels = rest;
}

// The sum over what the output does not have, in its order.
Tensor finished(const Operand& operand, const Labels& output) {
    const LabelSet wanted = set_of(output);
    Dims summed;
    Labels rest;
    for (size_t d = 0; d < operand.labels.size(); ++d) {
        if (wanted & bit(operand.labels[d])) rest.push_back(operand.labels[d]);
        else summed.push_back(static_cast<int64_t>(d));
    }
    // Integers are added as int64, as PyTorch has it where there is one operand.
    const Tensor x = summed.empty() ? operand.x : sum(operand.x, summed, false);
    Dims order;
    for (uint8_t label : output) {
        const auto at = std::find(rest.begin(), rest.end(), label);
        order.push_back(at - rest.begin());
    }
    return is_in_order(order) ? x : permute(x, order);
}

// Which two operands to multiply next, by the numbers of the operands that are left; the product goes to the end.
using Path = std::vector<std::pair<size_t, size_t>>;

double elements(LabelSet labels, const Sizes& sizes) {
    double count = 1;
    for (; labels; labels &= labels - 1)
        count *= static_cast<double>(sizes[static_cast<size_t>(std::countr_zero(labels))]);
    return count;
}

// The order with the fewest multiplications: of all orders for few operands, otherwise the cheapest product
// first, then the next.
Path best_path(const std::vector<LabelSet>& terms, LabelSet output, const Sizes& sizes) {
    const size_t n = terms.size();
    Path path;
    if (n <= 2) return n == 2 ? Path{{0, 1}} : path;
    constexpr size_t kFew = 8;
    if (n > kFew) {
        std::vector<LabelSet> left = terms;
        while (left.size() > 1) {
            double best = -1;
            std::pair<size_t, size_t> pair;
            LabelSet result = 0;
            for (size_t i = 0; i < left.size(); ++i)
                for (size_t j = i + 1; j < left.size(); ++j) {
                    LabelSet others = output;
                    for (size_t k = 0; k < left.size(); ++k)
                        if (k != i && k != j) others |= left[k];
                    const double cost = elements(left[i] | left[j], sizes);
                    if (best >= 0 && cost >= best) continue;
                    best = cost;
                    pair = {i, j};
                    result = (left[i] | left[j]) & others;
                }
            path.push_back(pair);
            left.erase(left.begin() + static_cast<int64_t>(pair.second));
            left.erase(left.begin() + static_cast<int64_t>(pair.first));
            left.push_back(result);
        }
        return path;
    }
    // For each set of operands the cheapest way to multiply them.
    const size_t count = size_t{1} << n;
    std::vector<double> cost(count, 0);
    std::vector<size_t> half(count, 0);
    std::vector<LabelSet> inside(count, 0), result(count, 0);
    for (size_t set = 1; set < count; ++set) {
        LabelSet outside = output;
        for (size_t i = 0; i < n; ++i) (set >> i & 1 ? inside[set] : outside) |= terms[i];
        result[set] = std::has_single_bit(set) ? inside[set] : inside[set] & outside;
        if (std::has_single_bit(set)) continue;
        cost[set] = -1;
        for (size_t part = (set - 1) & set; part != 0; part = (part - 1) & set) {
            const size_t rest = set ^ part;
            if (part < rest) continue;  // the same in the other order
            const double total =
                cost[part] + cost[rest] + elements(result[part] | result[rest], sizes);
            if (cost[set] < 0 || total < cost[set]) {
                cost[set] = total;
                half[set] = part;
            }
        }
    }
    // From the last product back to the first, then numbered as they are done.
    std::vector<size_t> list(n);  // sets that are left
    for (size_t i = 0; i < n; ++i) list[i] = size_t{1} << i;
    const std::function<void(size_t)> visit = [&](size_t set) {
        if (std::has_single_bit(set)) return;
        const size_t one = half[set], other = set ^ half[set];
        visit(one);
        visit(other);
        const auto place = [&](size_t wanted) {
            return static_cast<size_t>(std::find(list.begin(), list.end(), wanted) - list.begin());
        };
        const auto [i, j] = std::minmax({place(one), place(other)});
        path.emplace_back(i, j);
        list.erase(list.begin() + static_cast<int64_t>(j));
        list.erase(list.begin() + static_cast<int64_t>(i));
        list.push_back(set);
    };
    visit(count - 1);
    return path;
}

// ------------------------------------------------------------------------------------- the whole

// An equation with operands of given sizes, and what has been found out about it. A single step says it all where
// there are two operands without repeated labels and nothing broadcasts.
struct Plan {
    std::string equation;
    std::vector<Dims> sizes;
    Meaning meaning;
    Path path;             // found when it is first needed
    bool simple = false;   // the step says it all
    bool swapped = false;  // ... of the operands in the other order
    Step step;
    Dims order;  // from the step's result to the output; empty: as it is
};

std::shared_ptr<Plan> make_plan(std::string_view equation, const std::vector<Tensor>& operands) {
    auto plan = std::make_shared<Plan>();
    plan->equation = equation;
    for (const Tensor& x : operands) plan->sizes.push_back(x.sizes());
    plan->meaning = meaning_of(equation, operands);
    const std::vector<Labels>& terms = plan->meaning.terms;
    const Labels& output = plan->meaning.output;
    bool plain = true;
    for (size_t i = 0; i < terms.size(); ++i)
        plain &= static_cast<size_t>(std::popcount(set_of(terms[i]))) == terms[i].size();
    if (operands.size() != 2 || !plain) return plan;
    const Sizes sizes = label_sizes(operands, terms);
    for (size_t i = 0; i < 2; ++i)
        for (size_t d = 0; d < terms[i].size(); ++d)
            if (operands[i].sizes()[static_cast<int>(d)] != sizes[terms[i][d]]) return plan;
    // Of both orders of the operands that in which the result needs no permutation.
    for (const bool swapped : {false, true}) {
        Step step = plan_step(terms[swapped], terms[!swapped], set_of(output), output);
        Dims order;
        for (uint8_t label : output)
            order.push_back(std::find(step.result.begin(), step.result.end(), label) -
                            step.result.begin());
        if (swapped && !is_in_order(order)) break;
        plan->step = step;
        plan->order = is_in_order(order) ? Dims() : order;
        plan->simple = true;
        plan->swapped = swapped;
        if (plan->order.empty()) break;
    }
    return plan;
}

Tensor evaluate(Plan& plan, const std::vector<Tensor>& tensors) {
    const Labels& output = plan.meaning.output;
    std::vector<Operand> operands;
    for (size_t i = 0; i < tensors.size(); ++i) {
        operands.push_back({tensors[i], plan.meaning.terms[i]});
        take_diagonals(operands.back(), i);
    }
    std::vector<Tensor> values;
    std::vector<Labels> terms;
    for (const Operand& operand : operands) {
        values.push_back(operand.x);
        terms.push_back(operand.labels);
    }
    const Sizes sizes = label_sizes(values, terms);
    if (operands.size() == 1) return finished(operands[0], output);
    std::vector<LabelSet> sets;
    for (Operand& operand : operands) {
        drop_ones(operand, sizes);
        sets.push_back(set_of(operand.labels));
    }
    const LabelSet wanted = set_of(output);
    if (plan.path.empty()) plan.path = best_path(sets, wanted, sizes);
    for (const auto& [i, j] : plan.path) {
        LabelSet kept = wanted;
        for (size_t k = 0; k < operands.size(); ++k)
            if (k != i && k != j) kept |= set_of(operands[k].labels);
        const Step step = plan_step(operands[i].labels, operands[j].labels, kept, output);
        Operand product{run(step, operands[i].x, operands[j].x), step.result};
        operands.erase(operands.begin() + static_cast<int64_t>(j));
        operands.erase(operands.begin() + static_cast<int64_t>(i));
        operands.push_back(std::move(product));
    }
    return finished(operands[0], output);
}

bool matches(const Plan& plan, std::string_view equation, const std::vector<Tensor>& operands) {
    if (plan.equation != equation || plan.sizes.size() != operands.size()) return false;
    for (size_t i = 0; i < operands.size(); ++i)
        if (!(plan.sizes[i] == operands[i].sizes())) return false;
    return true;
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
    if (operands.empty())
        fail<ValueError>(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list");
    constexpr size_t kPlans = 256;
    static std::array<std::shared_ptr<Plan>, kPlans> plans;
    size_t place = std::hash<std::string_view>()(equation);
    for (const Tensor& x : operands)
        for (int64_t size : x.sizes()) place = place * 31 + static_cast<size_t>(size);
    std::shared_ptr<Plan>& slot = plans[place % kPlans];
    if (!slot || !matches(*slot, equation, operands)) slot = make_plan(equation, operands);
    // Other threads and hooks, which may run meanwhile, may put another plan there.
    const std::shared_ptr<Plan> plan = slot;
    if (plan->simple) {
        const Tensor result = run(plan->step, operands[plan->swapped], operands[!plan->swapped]);
        return plan->order.empty() ? result : permute(result, plan->order);
    }
    return evaluate(*plan, operands);
}

}  // namespace tapegrad
