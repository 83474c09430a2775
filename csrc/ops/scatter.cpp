// Values written to, or combined with, the places that an index names.
#include "ops/scatter.h"

#include <atomic>
#include <limits>
#include <optional>

#include "core/parallel.h"
#include "kernels/elementwise_driver.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/index_access.h"
#include "ops/index_select.h"
#include "ops/masks.h"
#include "ops/overlap.h"
#include "ops/reductions.h"
#include "ops/refusal.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// The index is not larger than the sizes, apart from one dimension (-1: none).
bool fits(const Dims& index, const Dims& sizes, int dim) {
    for (int d = 0; d < index.size(); ++d)
        if (d != dim && index[d] > sizes[d]) return false;
    return true;
}

// Combines (old, new) in the order of the index; chunks are parts of the destination. source: the index's
// shape, or a single value. Whether all places are there; others are not written to.
template <class T, class Combine>
bool scatter_values(T* x, const T* source, const int64_t* index, bool single, const Access& a,
                    Combine combine) {
    std::atomic<bool> bad = false;
    const auto part = [&](int64_t o, int64_t begin, int64_t end) {
        // Copies that stay in registers: what is written may be anything to the compiler.
        T* const window = x + a.outer_offsets[static_cast<size_t>(o)];
        const int64_t* const offsets = a.inner_offsets.data();
        const int64_t length = a.length, inner = a.inner, stride = a.stride;
        const auto size = static_cast<uint64_t>(a.size);
        const bool one = single;
        const T* from = source + (one ? 0 : o * length * inner);
        const int64_t* at = index + o * length * inner;
        for (int64_t l = 0; l < length; ++l, at += inner, from += one ? 0 : inner)
            for (int64_t k = begin; k < end; ++k) {
                const int64_t j = at[k];
                if (static_cast<uint64_t>(j) >= size) [[unlikely]] {
                    bad = true;
                    return;
                }
                T& place = window[j * stride + offsets[k]];
                place = combine(place, from[one ? 0 : k]);
            }
    };
    for_windows(a.outer, a.length, a.inner, part);
    return !bad;
}

template <class T>
bool scatter_combined(T* x, const T* source, const int64_t* index, bool single, const Access& a,
                      Reduce reduce) {
    auto run = [&](auto combine) { return scatter_values(x, source, index, single, a, combine); };
    // NaN wins, as in amax and amin.
    switch (reduce) {
        case Reduce::Prod:
            if constexpr (std::is_same_v<T, bool>) return run([](T p, T v) { return p && v; });
            else return run([](T p, T v) { return static_cast<T>(p * v); });
        case Reduce::Amax: return run([](T p, T v) { return p != p || p > v ? p : v; });
        case Reduce::Amin: return run([](T p, T v) { return p != p || p < v ? p : v; });
        default:
            if constexpr (std::is_same_v<T, bool>) return run([](T p, T v) { return p || v; });
            else return run([](T p, T v) { return static_cast<T>(p + v); });
    }
}

void check_scatter(const Tensor& x, int dim, const Tensor& index, const Tensor* source) {
    check_index_type("scatter", index);
    if (source && source->dtype() != x.dtype())
        fail("scatter(): Expected self.dtype to be equal to src.dtype");
    if (index.numel() == 0) return;
    if (std::max(index.dim(), 1) != std::max(x.dim(), 1))
        fail("Index tensor must have the same number of dimensions as self tensor");
    if (source && std::max(index.dim(), 1) != std::max(source->dim(), 1))
        fail("Index tensor must have the same number of dimensions as src tensor");
    const Dims sizes = at_least_1d(index.sizes());
    if (fits(sizes, at_least_1d(x.sizes()), dim) &&
        (!source || fits(sizes, at_least_1d(source->sizes()), -1)))
        return;
    fail("Expected index ", to_string(index.sizes()), " to be no larger than self ",
         to_string(x.sizes()), " apart from dimension ", dim,
         source ? " and to be no larger size than src " + to_string(source->sizes())
                : std::string());
}

void refuse_overlaps(const Tensor& x, const Tensor& index, const Arg& source) {
    refuse_internal_overlap(x);
    refuse_overlap(x, index);
    if (source.is_tensor()) refuse_overlap(x, source.tensor());
}

// Calls write(to, from, places, access), which says whether all places are there.
template <class T, class Write>
void launch_writing(const Tensor& out, const Tensor& values, const Tensor& places, int dim,
                    Access access, Write write) {
    launch(checking([write, access = std::move(access), count = places.numel(), dim](
                        T* to, const T* from, const int64_t* at) {
               if (!write(to, from, at, access)) refuse_index(at, count, access.size, dim);
           }),
           out.data<T>(), values.data<T>(), places.data<int64_t>());
}

void write_at(const Tensor& out, const Tensor& values, const Tensor& places, bool single, int dim,
              Access access) {
    visit_item(out.item_size(), [&]<class T>() {
        launch_writing<T>(out, values, places, dim, std::move(access),
                          [single](T* to, const T* from, const int64_t* at, const Access& a) {
                              return scatter_values(to, from, at, single, a,
                                                    [](T, T value) { return value; });
                          });
    });
}

void combine_at(const Tensor& out, const Tensor& values, const Tensor& places, bool single, int dim,
                Access access, Reduce reduce) {
    visit_dtype(out.dtype(), [&]<class T>() {
        launch_writing<T>(
            out, values, places, dim, std::move(access),
            [single, reduce](T* to, const T* from, const int64_t* at, const Access& a) {
                return scatter_combined(to, from, at, single, a, reduce);
            });
    });
}

// x with the values written or added, without the tape. The tensor that is written to is asked for when
// nothing can fail any more; it has the sizes of x.
template <class Target>
Tensor write_scattered(const Tensor& x, int dim, const Tensor& index, const Arg& source,
                       std::optional<Reduce> reduce, bool writes_in_place, Target target) {
    check_scatter(x, dim, index, source.is_tensor() ? &source.tensor() : nullptr);
    if (writes_in_place) refuse_overlaps(x, index, source);
    if (!source.is_tensor()) check_convertible(source.scalar(), x.dtype());
    if (index.numel() == 0) {
        const Tensor out = target();
        write_nothing(out);
        return out;
    }
    GradMode off(false);
    KeepLock keep;  // the index must not change between check and use
    Access access(x, dim, index.sizes());
    Tensor places = int64_values(index), values;
    // A new tensor may be written to until the first place that is not there.
    if (writes_in_place) check_bounds(places, access.size, dim);
    if (places.storage()->data() == x.storage()->data()) places = clone(places);
    if (source.is_tensor()) {
        // The leading part of the source that has the index's shape.
        const Tensor& given = source.tensor();
        values =
            given.dim() == index.dim() ? alias(given, index.sizes(), given.strides(), 0) : given;
        values = values.storage()->data() == x.storage()->data() ? contiguous_clone(values)
                                                                 : contiguous_values(values);
    } else {
        values = full({}, source.scalar(), x.dtype());
    }
    const Tensor out = target();
    if (!(out.strides() == x.strides())) access = Access(out, dim, index.sizes());
    const bool single = !source.is_tensor();
    if (reduce) combine_at(out, values, places, single, dim, std::move(access), *reduce);
    else write_at(out, values, places, single, dim, std::move(access));
    return out;
}

// Zeros, but for g, the gradient of the leading part of a tensor of these sizes.
Tensor zeros_leading(const Dims& sizes, const Tensor& grad) {
    if (grad.sizes() == sizes) return grad;
    if (grad.numel() == 1 && element_count(sizes) == 1) return reshape(grad, sizes);
    Tensor result = zeros(sizes, grad.dtype());
    if (grad.numel() == 0) return result;
    Tensor window = result;
    for (int d = 0; d < sizes.size(); ++d) window = slice(window, d, 0, grad.sizes()[d], 1);
    copy_(window, grad);
    return result;
}

TAPEGRAD_WORD(zeros_leading)

struct Scatter : AlongDim {
    static constexpr auto node = "ScatterBackward0";
    static constexpr std::array arguments{"self", "src", "index"};
    auto backward(auto g, auto, auto src, auto index, auto) const {
        return gradients([=, this] { return scatter(g, dim, index, 0); },
                         [=, this] { return zeros_leading(src.sizes(), gather(g, dim, index)); });
    }
    auto forward(auto, auto, auto index, auto y) const {
        return tangents(
            [=, this](auto t) { return scatter(t, dim, index, 0); },
            [=, this](auto t) { return scatter(zeros(y.sizes(), t.dtype()), dim, index, t); });
    }
};

struct ScatterValue : AlongDim {
    static constexpr bool is_symmetric = true;
    static constexpr auto node = "ScatterBackward1";
    static constexpr std::array arguments{"self", "index"};
    auto backward(auto g, auto, auto index, auto) const { return scatter(g, dim, index, 0); }
};

struct ScatterAdd : AlongDim {
    static constexpr auto node = "ScatterAddBackward0";
    static constexpr std::array arguments{"self", "src", "index"};
    auto backward(auto g, auto, auto src, auto index, auto) const {
        return gradients([=] { return g; },
                         [=, this] { return zeros_leading(src.sizes(), gather(g, dim, index)); });
    }
    auto forward(auto, auto, auto index, auto y) const {
        return tangents(
            [](auto t) { return t; },
            [=, this](auto t) { return scatter_add(zeros(y.sizes(), t.dtype()), dim, index, t); });
    }
};

// What is zero but for the sums, of which the source has the index's sizes.
struct ZerosScatterAdd : AlongDim {
    static constexpr auto node = "ScatterAddBackward0";
    static constexpr std::array arguments{"src", "index"};
    auto backward(auto g, auto, auto index, auto) const { return gather(g, dim, index); }
};

}  // namespace

Tensor zeros_scatter_add(const Dims& sizes, int64_t dim_given, const Tensor& index,
                         const Tensor& source) {
    const Tensor out = zeros(sizes, source.dtype());
    const int dim = wrap_dim(dim_given, out.dim());
    return recorded(
        write_scattered(out, dim, index, source, Reduce::Sum, false, [&] { return out; }),
        ZerosScatterAdd{dim}, source, index);
}

Tensor scatter(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    Tensor out =
        write_scattered(x, dim, index, source, std::nullopt, false, [&] { return copy_of(x); });
    if (!source.is_tensor()) return recorded(std::move(out), ScatterValue{dim}, x, index);
    return recorded(std::move(out), Scatter{dim}, x, source, index);
}

const Tensor& scatter_(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    const auto write = [&] {
        write_scattered(x, dim, index, source, std::nullopt, true, [&] { return x; });
    };
    if (!source.is_tensor()) return change.apply(ScatterValue{dim}, write, index);
    return change.apply(Scatter{dim}, write, source, index);
}

Tensor scatter_add(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source) {
    const int dim = wrap_dim(dim_given, x.dim());
    return recorded(
        write_scattered(x, dim, index, source, Reduce::Sum, false, [&] { return copy_of(x); }),
        ScatterAdd{dim}, x, source, index);
}

const Tensor& scatter_add_(const Tensor& x, int64_t dim_given, const Tensor& index,
                           const Tensor& source) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    return change.apply(
        ScatterAdd{dim},
        [&] { write_scattered(x, dim, index, source, Reduce::Sum, true, [&] { return x; }); },
        source, index);
}

// ---------------------------------------------------------------------------- scatter_reduce

namespace {
std::string name_of(Reduce reduce) {
    constexpr const char* names[] = {"sum", "prod", "mean", "amax", "amin"};
    return names[static_cast<int>(reduce)];
}
}  // namespace

std::string as_text(Reduce reduce) { return "'" + name_of(reduce) + "'"; }

namespace {

// What a place holds before anything is combined with it.
template <class T> T identity(Reduce reduce) {
    using Limits = std::numeric_limits<T>;
    switch (reduce) {
        case Reduce::Prod: return T(1);
        case Reduce::Amax: return Limits::has_infinity ? T(-Limits::infinity()) : Limits::lowest();
        case Reduce::Amin: return Limits::has_infinity ? Limits::infinity() : Limits::max();
        default: return T(0);
    }
}

// How many values meet at each place; at least 1.
Tensor meeting_count(const Tensor& x, int64_t dim, const Tensor& index, bool include_self) {
    GradMode off(false);
    const Tensor start = full(x.sizes(), include_self, x.dtype());
    const Tensor count = scatter_add(start, dim, index, full(index.sizes(), 1, x.dtype()));
    return masked_fill(count, count == 0, 1);
}

TAPEGRAD_WORD(meeting_count)

// g itself; with several zeros at one place its formula holds, but the derivative of that does not.
Tensor refuse_second_derivative(const Tensor& g, const Tensor& zeros_there) {
    if (!recording(g) || !any_values(zeros_there > 1)) return g;
    const Tensor values = detach(g);
    set_history(values, refusing_node(
                            kErrorNode,
                            [] {
                                fail(
                                    "scatter_reduce(): Double backward is unsupported for src when "
                                    ">1 zeros in src are scattered to the same position in self");
                            },
                            g));
    return values;
}

TAPEGRAD_WORD(refuse_second_derivative)

struct ScatterReduce {
    static constexpr auto node = "ScatterReduceBackward0";
    static constexpr std::array arguments{"self", "src", "index"};
    int64_t dim;
    Reduce reduce;
    bool include_self;

    auto backward(auto g, auto x, auto src, auto index, auto y) const {
        return gradients(
            [=, this] {
                auto own = of_self(g, x, src, index, y);
                return include_self ? own : scatter(own, dim, index, 0);
            },
            [=, this] { return of_source(g, x, src, index, y); });
    }
    void parameters(auto show) const {
        show("dim", dim, "include_self", include_self, "reduce", name_of(reduce));
    }

private:
    template <class T>
    T of_self(const T& g, const T& x, const T& src, const T& index, const T& y) const {
        switch (reduce) {
            case Reduce::Sum: return g;
            case Reduce::Mean: return g / meeting_count(g, dim, index, include_self);
            case Reduce::Prod: {  // the product of all the other factors
                auto factor = masked_fill(x, x == 0, 1);
                return g * scatter_reduce(factor, dim, index, src, Reduce::Prod, include_self) /
                       factor;
            }
            default: return share(g, x, src, index, y) * cast_like(x == y, g);
        }
    }
    template <class T>
    T of_source(const T& g, const T& x, const T& src, const T& index, const T& y) const {
        switch (reduce) {
            case Reduce::Sum: return gather(g, dim, index);
            case Reduce::Mean:
                return gather(g / meeting_count(g, dim, index, include_self), dim, index);
            case Reduce::Prod: {
                auto zero = src == 0;
                auto zeros_there =
                    gather(scatter_add(zeros_like(x), dim, index, cast_like(zero, x)), dim, index);
                auto single = zero & (zeros_there == 1);
                auto others = scatter_reduce(x, dim, index, masked_fill(src, single, 1),
                                             Reduce::Prod, include_self);
                return refuse_second_derivative(
                    where(single, gather(g * others, dim, index),
                          gather(g * y, dim, index) / masked_fill(src, zero, 1)),
                    zeros_there);
            }
            default:
                return gather(share(g, x, src, index, y), dim, index) *
                       cast_like(src == gather(y, dim, index), g);
        }
    }
    // Places that hold the extreme share the gradient.
    template <class T>
    T share(const T& g, const T& x, const T& src, const T& index, const T& y) const {
        auto own = cast_like(x == y, g);
        auto counted = include_self ? own : scatter(own, dim, index, 0);
        auto count = scatter_add(counted, dim, index, cast_like(src == gather(y, dim, index), g));
        return g / masked_fill(count, count == 0, 1);
    }
};

// The index of a slice as one for each of the elements that come from a source of these sizes.
Tensor index_of_elements(int64_t dim, const Tensor& index, const Dims& source) {
    Dims one(source.size(), 1);
    if (!source.empty()) one[static_cast<int>(dim)] = index.numel();
    return expand(reshape(int64_values(index), one), source);
}

TAPEGRAD_WORD(index_of_elements)

// The same for whole slices.
struct IndexReduce : ScatterReduce {
    static constexpr auto node = "IndexReduceBackward0";
    static constexpr std::array arguments{"self", "source", "index"};
    auto backward(auto g, auto x, auto source, auto index, auto y) const {
        return ScatterReduce::backward(g, x, source, index_of_elements(dim, index, source.sizes()),
                                       y);
    }
};

// The leading part of the source that has the sizes of the index.
Tensor fitting(const Tensor& source, const Tensor& index) {
    if (source.dim() != index.dim()) return source;
    Tensor part = source;
    for (int d = 0; d < index.dim(); ++d)
        if (part.sizes()[d] > index.sizes()[d]) part = slice(part, d, 0, index.sizes()[d], 1);
    return part;
}

template <class Target>
Tensor write_reduced(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                     Reduce reduce, bool include_self, bool writes_in_place, Target target) {
    GradMode off(false);
    if (reduce == Reduce::Mean && x.dtype() == DType::Bool)
        fail<NotImplementedError>(
            "\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'");
    const Tensor out = write_scattered(x, dim, index, source, reduce, writes_in_place, [&] {
        const Tensor place = target();
        if (!include_self && index.numel() > 0) {
            const Tensor start = empty({}, place.dtype());
            visit_dtype(place.dtype(), [&]<class T>() {
                kernels::fill_number(start.data<T>(), identity<T>(reduce), 1);
            });
            write_at(place, start, int64_values(index), true, dim,
                     Access(place, dim, index.sizes()));
        }
        return place;
    });
    if (reduce == Reduce::Mean && index.numel() > 0) {
        const Tensor count = meeting_count(out, dim, index, include_self);
        copy_values(out, out.is_floating() ? out / count : floor_divide(out, count));
    }
    return out;
}

// given: the index as the rule takes it.
template <class Rule>
Tensor reduced(const Tensor& x, const Rule& rule, const Tensor& index, const Tensor& source,
               const Tensor& given) {
    Tensor out = write_reduced(x, static_cast<int>(rule.dim), index, source, rule.reduce,
                               rule.include_self, false, [&] { return copy_of(x); });
    return recorded(std::move(out), rule, x, fitting(source, index), given);
}

template <class Rule>
const Tensor& reduce_into(const InPlace& change, const Tensor& x, const Rule& rule,
                          const Tensor& index, const Tensor& source, const Tensor& given) {
    if (change.recorded() && is_view(x)) {  // the rule uses the result
        refuse_overlaps(x, index, source);
        return copy_(x, reduced(clone(x), rule, index, source, given));
    }
    return change.apply(
        rule,
        [&] {
            write_reduced(x, static_cast<int>(rule.dim), index, source, rule.reduce,
                          rule.include_self, true, [&] { return x; });
        },
        fitting(source, index), given);
}

void check_index_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& source,
                        Reduce reduce, bool include_self) {
    if (reduce == Reduce::Sum)
        fail("index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got sum.");
    check_slices("index_reduce_", x, dim, index, source);
    if (x.dtype() == DType::Bool && !include_self)
        fail<NotImplementedError>(
            "\"index_reduce_func_exclude_input_init\" not implemented for 'Bool'");
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source,
                      Reduce reduce, bool include_self) {
    const int dim = wrap_dim(dim_given, x.dim());
    return reduced(x, ScatterReduce{dim, reduce, include_self}, index, source, index);
}

const Tensor& scatter_reduce_(const Tensor& x, int64_t dim_given, const Tensor& index,
                              const Tensor& source, Reduce reduce, bool include_self) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    return reduce_into(change, x, ScatterReduce{dim, reduce, include_self}, index, source, index);
}

Tensor index_reduce(const Tensor& x, int64_t dim_given, const Tensor& index, const Tensor& source,
                    Reduce reduce, bool include_self) {
    const int dim = wrap_dim(dim_given, x.dim());
    check_index_reduce(x, dim, index, source, reduce, include_self);
    return reduced(x, IndexReduce{{dim, reduce, include_self}},
                   index_of_elements(dim, index, source.sizes()), source, index);
}

const Tensor& index_reduce_(const Tensor& x, int64_t dim_given, const Tensor& index,
                            const Tensor& source, Reduce reduce, bool include_self) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    check_index_reduce(x, dim, index, source, reduce, include_self);
    return reduce_into(change, x, IndexReduce{{dim, reduce, include_self}},
                       index_of_elements(dim, index, source.sizes()), source, index);
}

// ------------------------------------------------------------------- the older form of it

namespace {

void warn_of_reduce(const Arg& source) {
    if (source.is_tensor())
        warn(
            "The reduce argument of tapegrad.scatter with Tensor src is deprecated and will be "
            "removed in a future PyTorch release. Use tapegrad.scatter_reduce instead for more "
            "reduction options.");
}

[[noreturn]] void refuse_derivative() { fail("derivative for aten::scatter is not implemented"); }

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source,
               Reduce reduce) {
    const int dim = wrap_dim(dim_given, x.dim());
    warn_of_reduce(source);
    const Tensor out =
        write_scattered(x, dim, index, source, reduce, false, [&] { return copy_of(x); });
    if (const Ref<Node> node = refusing_node(kNotImplementedNode, refuse_derivative, x, source))
        set_history(out, node);
    return out;
}

const Tensor& scatter_(const Tensor& x, int64_t dim_given, const Tensor& index, const Arg& source,
                       Reduce reduce) {
    const InPlace change(x, source);
    const int dim = wrap_dim(dim_given, x.dim());
    warn_of_reduce(source);
    return change.apply(refusing_node(kNotImplementedNode, refuse_derivative, x, source), [&] {
        write_scattered(x, dim, index, source, reduce, true, [&] { return x; });
    });
}

void from_text(std::string_view text, Reduce& reduce) {
    constexpr std::pair<std::string_view, Reduce> known[] = {
        {"sum", Reduce::Sum},   {"prod", Reduce::Prod}, {"mean", Reduce::Mean},
        {"amax", Reduce::Amax}, {"amin", Reduce::Amin}, {"max", Reduce::Amax},
        {"min", Reduce::Amin}};
    for (const auto& [name, value] : known)
        if (text == name) {
            reduce = value;
            return;
        }
    fail("reduce argument must be either sum, prod, mean, amax or amin, got ", text);
}

void from_text(std::string_view text, Accumulate& accumulate) {
    if (text == "add") accumulate = Accumulate::Add;
    else if (text == "multiply") accumulate = Accumulate::Multiply;
    else fail("reduce argument must be either add or multiply.");
}

}  // namespace tapegrad
