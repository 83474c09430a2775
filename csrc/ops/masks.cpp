#include "ops/masks.h"

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/elementwise_operands.h"
#include "ops/index_access.h"
#include "ops/indexing.h"
#include "ops/joining.h"
#include "ops/one_step.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// -------------------------------------------------------------------------------- masked_fill

namespace {

struct MaskedFill {
    static constexpr auto node = "MaskedFillBackward1";
    static constexpr std::array arguments{"self", "value", "mask"};
    auto backward(auto g, auto, auto, auto mask, auto) const {
        return gradients([=] { return masked_fill(g, mask, 0); },
                         [=] { return sum(where(mask, g, 0), Dims{}); });
    }
    auto forward(auto, auto, auto mask, auto) const {
        return tangents([=](auto t) { return masked_fill(t, mask, 0); },
                        [=](auto t) { return where(mask, t, 0); });
    }
};

struct MaskedFillNumber {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "MaskedFillBackward0";
    static constexpr std::array arguments{"self", "mask"};
    auto backward(auto g, auto, auto mask, auto) const { return masked_fill(g, mask, 0); }
};

void check_masked_fill(const Tensor& x, const Tensor& mask, const Arg& value) {
    if (value.is_tensor() && value.tensor().dim() != 0)
        fail("masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
             value.tensor().dim(), " dimension(s).");
    if (mask.dtype() != DType::Bool)
        fail("masked_fill_ only supports boolean masks, but got mask with dtype ",
             cpp_type_name(mask.dtype()));
    check_value(value, x.dtype());
}

void fill_masked(const Tensor& out, const Tensor& mask, const Arg& value, const Tensor& x) {
    if (value.is_tensor()) {
        Tensor number = empty({}, out.dtype());
        copy_values(number, value.tensor());
        fill_where(out, mask, number, x);
        return;
    }
    visit_dtype(out.dtype(), [&]<class T>() {
        fill_where(out, mask, kernels::Operand::constant<T>(value.scalar().to<T>()), x);
    });
}

// Where x shows an element several times, one true place in the mask is enough.
void fill_masked_in_place(const Tensor& x, const Tensor& mask, const Arg& value) {
    if (!is_expanded(x)) {
        fill_masked(x, mask, value, x);
        return;
    }
    GradMode off(false);
    Dims sizes = x.sizes(), repeated;
    for (int d = 0; d < x.dim(); ++d)
        if (sizes[d] > 1 && x.strides()[d] == 0) {
            repeated.push_back(d);
            sizes[d] = 1;
        }
    const Tensor shown = alias(x, sizes, x.strides(), 0);
    fill_masked(shown, any(expand(mask, x.sizes()), repeated, true), value, shown);
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value) {
    check_masked_fill(x, mask, value);
    Tensor out = empty(broadcast(mask.sizes(), x.sizes()), x.dtype());
    fill_masked(out, mask, value, x);
    if (!value.is_tensor()) return recorded(std::move(out), MaskedFillNumber{}, x, mask);
    return recorded(std::move(out), MaskedFill{}, x, value, mask);
}

const Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Arg& value) {
    const InPlace change(x, value);
    check_masked_fill(x, mask, value);
    const Dims shape = broadcast(x.sizes(), mask.sizes());
    warn_of_internal_overlap(x, "masked_fill_");
    refuse_partial_overlap(x, mask);
    if (!(shape == x.sizes()))
        fail("output with shape ", to_string(x.sizes()), " doesn't match the broadcast shape ",
             to_string(shape));
    Tensor own_mask = mask;
    if (shares_memory(mask, x)) {
        GradMode off(false);
        own_mask = clone(mask);
    }
    const auto write = [&] { fill_masked_in_place(x, own_mask, value); };
    if (!value.is_tensor()) return change.apply(MaskedFillNumber{}, write, own_mask);
    return change.apply(MaskedFill{}, write, value, own_mask);
}

namespace {

Tensor zeros_masked(const Dims& sizes, const Tensor& mask, const Tensor& g) {
    Dims shape = broadcast(mask.sizes(), sizes);
    if (shape.empty()) shape = {1};
    Tensor out = zeros(shape, g.dtype());
    index_put_(out, {expand(mask, shape)}, g, false);
    return out;
}

TAPEGRAD_WORD(zeros_masked)

struct MaskedSelect {
    static constexpr auto node = "MaskedSelectBackward0";
    static constexpr std::array arguments{"self", "mask"};
    auto backward(auto g, auto x, auto mask, auto) const {
        return zeros_masked(x.sizes(), mask, g);
    }
    auto forward(auto t, auto, auto mask, auto) const { return masked_select(t, mask); }
};

}  // namespace

Tensor masked_select(const Tensor& x, const Tensor& mask) {
    if (mask.dtype() != DType::Bool) fail("masked_select: expected BoolTensor for mask");
    Dims shape = broadcast(mask.sizes(), x.sizes());
    if (shape.empty()) shape = {1};
    Tensor out;
    {
        GradMode off(false);
        out = index(expand(x, shape), {expand(mask, shape)});
    }
    return recorded(std::move(out), MaskedSelect{}, x, mask);
}

// ---------------------------------------------------------------------------- masked_scatter

namespace {

// The elements at the mask, and zeros for what is left of the sizes.
Tensor masked_leading(const Tensor& g, const Tensor& mask, const Dims& sizes) {
    if (is_replay_recorded() && !grad_enabled())
        return in_one_step(
            [sizes](const Tensor& grad, const Tensor& places) {
                return masked_leading(grad, places, sizes);
            },
            g, mask);
    Tensor used = masked_select(g, mask);
    const int64_t rest = element_count(sizes) - used.numel();
    if (rest > 0) used = cat({used, zeros({rest}, used.dtype())}, 0);
    return reshape(used, sizes);
}

TAPEGRAD_WORD(masked_leading)

struct MaskedScatter {
    static constexpr auto node = "MaskedScatterBackward0";
    static constexpr std::array arguments{"self", "source", "mask"};
    auto backward(auto g, auto, auto source, auto mask, auto) const {
        return gradients([=] { return masked_fill(g, mask, 0); },
                         [=] { return masked_leading(g, mask, source.sizes()); });
    }
};

void check_masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
    if (x.dtype() != source.dtype())
        fail("masked_scatter: expected self and source to have same dtypes but got",
             scalar_type_name(x.dtype()), " and ", scalar_type_name(source.dtype()));
    if (mask.dtype() != DType::Bool)
        fail("masked_scatter_ only supports boolean masks, but got mask with dtype ",
             scalar_type_name(mask.dtype()));
}

// The elements of source one after the other into the places of the mask, which has the sizes of x.
template <class Target>
Tensor write_masked(const Tensor& mask, const Tensor& source, Target target) {
    GradMode off(false);
    const Tensor places = at_least_1d(mask);
    const auto values_for = [](const Tensor& mask_values, const Tensor& given) {
        const int64_t count = *count_nonzero(mask_values, {}).data<int64_t>();
        if (given.numel() < count) fail("Number of elements of source < number of ones in mask");
        return slice(reshape(given, {-1}), 0, 0, count, 1);
    };
    if (!is_replay_recorded()) {
        const Tensor values = values_for(places, source);
        const Tensor out = target();
        put_values(at_least_1d(out), {places}, values);
        return out;
    }
    const Tensor out = target();
    launch(checking([values_for](const Tensor& to, const Tensor& mask_values, const Tensor& given) {
               const GradMode without_tape(false);
               put_values(at_least_1d(to), {mask_values}, values_for(mask_values, given));
           }),
           writes(out), reads(places), reads(source));
    return out;
}

}  // namespace

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
    const Dims sizes = broadcast(mask.sizes(), x.sizes());
    check_masked_scatter(x, mask, source);
    Tensor out = write_masked(expand(mask, sizes), source,
                              [&] { return copy_of(x.sizes() == sizes ? x : expand(x, sizes)); });
    return recorded(std::move(out), MaskedScatter{}, x, source, mask);
}

const Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
    const InPlace change(x, source);
    refuse_internal_overlap(x);
    check_masked_scatter(x, mask, source);
    return change.apply(
        MaskedScatter{},
        [&] {
            write_masked(expand(mask, x.sizes()),
                         shares_memory(source, x) ? copy_of(source) : source, [&] { return x; });
        },
        source, mask);
}

}  // namespace tapegrad
