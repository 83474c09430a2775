#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/checked.h"
#include "core/parallel.h"
#include "core/random.h"
#include "kernels/table.h"
#include "ops/composite.h"
#include "ops/dropout.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/masks.h"
#include "ops/offsets.h"
#include "ops/reductions.h"
#include "ops/softmax.h"
#include "ops/triangles.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// The matrices of a batch: the last two dimensions of a tensor, where they lie for each index of the others.
struct Matrices {
    explicit Matrices(const Tensor& x) {
        if (!x.defined()) return;
        const int last = x.dim() - 1;
        data = x.data<char>();
        item = static_cast<int64_t>(x.item_size());
        row = x.strides()[last - 1];
        column = x.strides()[last];
        offsets =
            offset_table(Dims(x.sizes().data(), last - 1), Dims(x.strides().data(), last - 1));
    }
    char* operator[](int64_t i) const {
        return data ? data + offsets[static_cast<size_t>(i)] * item : nullptr;
    }
    char* data = nullptr;
    int64_t item = 0, row = 0, column = 0;
    std::vector<int64_t> offsets;
};

// Memory for results whose rows a product can write, in the order of dimensions of `like`.
Tensor empty_rows(const Dims& sizes, const Tensor& like) {
    if (like.strides().back() == 1) {
        Tensor x = empty_in_order(sizes, like.dtype(), {&like});
        if (x.strides().back() == 1) return x;
    }
    return empty(sizes, like.dtype());
}

struct Attention {
    static constexpr std::array arguments{"query", "key", "value", "attn_mask"};
    enum { kQuery, kKey, kValue, kMask };
    static constexpr size_t kKept = 2;
    enum { kProbabilities, kDropped };  // what is left by dropout: a bool for each
    using Arguments = std::array<Tensor, arguments.size()>;
    using Kept = std::array<Tensor, kKept>;

    Dims batch;
    int64_t count, length, keys, width, value_width;
    double scale, dropout_p;
    bool causal;

    const char* node() const { return "ScaledDotProductFlashAttentionForCpuBackward0"; }

    Dims with_batch(int64_t rows, int64_t columns) const {
        Dims sizes = batch;
        sizes.push_back(rows);
        sizes.push_back(columns);
        return sizes;
    }
    // The mask as large as the scores, without a place on the tape.
    Tensor expanded_mask(const Tensor& mask) const {
        const GradMode off(false);
        return mask.defined() ? expand(mask, with_batch(length, keys)) : Tensor();
    }
    int64_t cost() const { return length * keys * (width + value_width + 16); }
    // Calls f(begin, end) on ranges of the batch. Large products share the threads themselves; all that copy a
    // factor (32 rows by 2 MB and more) are among them: they allocate, which a parallel region must not do.
    template <class F> void each(const F& f) const {
        constexpr int64_t kWorth = 1'000'000, kLarge = 8'000'000;
        if (cost() >= kLarge)
            for (int64_t i = 0; i < count; ++i) f(i, i + 1);
        else parallel_for(count, kWorth / (cost() + 1) + 1, f);
    }

    static void multiply(DType dtype, int64_t m, int64_t n, int64_t k, const void* a, int64_t a_row,
                         int64_t a_col, const void* b, int64_t b_row, int64_t b_col, void* c,
                         int64_t c_row) {
        kernel_table().gemm.gemm[dtype](
            {m, n, k, a, a_row, a_col, b, b_row, b_col, c, c_row, nullptr, false});
    }

    Tensor forward(const Arguments& x, Kept& kept) const {
        const DType dtype = x[kQuery].dtype();
        const Tensor mask = expanded_mask(x[kMask]), p = empty({count, length, keys}, dtype),
                     out = empty_rows(with_batch(length, value_width), x[kQuery]);
        kept[kProbabilities] = p;
        if (dropout_p > 0) kept[kDropped] = empty(p.sizes(), DType::Bool);
        const auto run = [op = *this, numbers = Ref<Generator>(&default_generator())](
                             const Tensor& to, const Tensor& probabilities, const Tensor& dropped,
                             const Tensor& query, const Tensor& key, const Tensor& value,
                             const Tensor& mask_values) {
            op.compute(to, probabilities, dropped, query, key, value, mask_values, *numbers);
        };
        const auto start = [&](const auto& f) {
            launch(f, writes(out), writes(p), writes(kept[kDropped]), reads(x[kQuery]),
                   reads(x[kKey]), reads(x[kValue]), reads(mask));
        };
        if (dropout_p > 0) start(drawing(run));
        else start(run);
        return out;
    }

    // dropped: what is left by dropout, or none.
    void compute(const Tensor& out, const Tensor& p, const Tensor& dropped, const Tensor& query,
                 const Tensor& key, const Tensor& value, const Tensor& mask_values,
                 Generator& generator) const {
        const DType dtype = query.dtype();
        const auto softmax = kernel_table().attention.softmax[dtype];
        const Matrices q(query), k(key), v(value), mask(mask_values), scores(p), to(out);
        const bool flags = mask_values.defined() && mask_values.dtype() == DType::Bool;
        const auto probabilities = [&](int64_t i) {
            multiply(dtype, length, keys, width, q[i], q.row, q.column, k[i], k.column, k.row,
                     scores[i], keys);
            softmax(scores[i], {length, keys, scale, causal, 0, flags ? nullptr : mask[i],
                                flags ? reinterpret_cast<const uint8_t*>(mask[i]) : nullptr,
                                mask.row, mask.column});
        };
        const auto averages = [&](int64_t i, const char* from) {
            multiply(dtype, length, value_width, keys, from, keys, 1, v[i], v.row, v.column, to[i],
                     to.row);
        };
        if (!dropped.defined()) {
            each([&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) {
                    probabilities(i);
                    averages(i, scores[i]);
                }
            });
            return;
        }
        each([&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) probabilities(i);
        });
        const Tensor left = empty(p.sizes(), dtype);
        const Generator::State state = generator.reserve(kernels::counters_used(p.numel()));
        kernel_table().random.dropout[dtype](p.data(), left.data(), dropped.data<uint8_t>(),
                                             p.numel(), state.seed, state.offset, dropout_p);
        const Matrices rest(left);
        each([&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) averages(i, rest[i]);
        });
    }

    void backward(const Arguments& x, const Kept& kept, const GradList& grads,
                  const std::array<bool, arguments.size()>& wanted, TensorList& gradients) const {
        const bool of_mask = wanted[kMask];
        const auto result = [&](size_t i, int64_t rows, int64_t columns) {
            if (wanted[i]) gradients[i] = empty_rows(with_batch(rows, columns), x[i]);
        };
        result(kQuery, length, width);
        result(kKey, keys, width);
        result(kValue, keys, value_width);
        const Tensor scores = empty({count, length, keys}, x[kQuery].dtype());
        launch(
            [op = *this, of_mask](const Tensor& dq, const Tensor& dk, const Tensor& dv,
                                  const Tensor& ds, const Tensor& query, const Tensor& key,
                                  const Tensor& value, const Tensor& grad, const Tensor& p,
                                  const Tensor& dropped) {
                op.compute_gradients(dq, dk, dv, ds, of_mask, query, key, value, grad, p, dropped);
            },
            writes(gradients[kQuery]), writes(gradients[kKey]), writes(gradients[kValue]),
            writes(scores), reads(x[kQuery]), reads(x[kKey]), reads(x[kValue]), reads(grads[0]),
            reads(kept[kProbabilities]), reads(kept[kDropped]));
        if (!of_mask) return;
        for (const size_t i : {size_t{kQuery}, size_t{kKey}})
            if (wanted[i]) gradients[i] = gradients[i] * scale;
        gradients[kMask] = sum_to(alias(scores, with_batch(length, keys),
                                        contiguous_strides(with_batch(length, keys)), 0),
                                  x[kMask].sizes());
    }

    // Gradients that are not defined are not wanted; those of the scores have a place for each range, which
    // those of one range use in turn, unless all are to be kept.
    void compute_gradients(const Tensor& dquery, const Tensor& dkey, const Tensor& dvalue,
                           const Tensor& dscores, bool of_mask, const Tensor& query,
                           const Tensor& key, const Tensor& value, const Tensor& grad,
                           const Tensor& probabilities, const Tensor& dropped) const {
        const DType dtype = query.dtype();
        const bool drops = dropped.defined();
        const Matrices q(query), k(key), v(value), g(grad), p(probabilities), dq(dquery), dk(dkey),
            dv(dvalue);
        const Tensor rest = drops ? empty({count, length, keys}, dtype) : Tensor();
        const Matrices ds(dscores), left(rest);
        const auto undrop = kernel_table().random.dropout_backward[dtype];
        const auto softmax_backward = kernel_table().attention.softmax_backward[dtype];
        const int64_t all = length * keys;
        each([&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                char* d = ds[of_mask ? i : begin];
                const char* seen = p[i];
                const uint8_t* flags = drops ? dropped.data<uint8_t>() + i * all : nullptr;
                if (drops && dv.data) {
                    undrop(p[i], flags, left[begin], all, dropout_p);
                    seen = left[begin];
                }
                if (dv.data)
                    multiply(dtype, keys, value_width, length, seen, 1, keys, g[i], g.row, g.column,
                             dv[i], dv.row);
                if (!dq.data && !dk.data && !of_mask) continue;
                multiply(dtype, length, keys, value_width, g[i], g.row, g.column, v[i], v.column,
                         v.row, d, keys);
                if (drops) undrop(d, flags, d, all, dropout_p);
                softmax_backward(p[i], d, length, keys, of_mask ? 1 : scale);
                if (dq.data)
                    multiply(dtype, length, width, keys, d, keys, 1, k[i], k.row, k.column, dq[i],
                             dq.row);
                if (dk.data)
                    multiply(dtype, keys, width, length, d, 1, keys, q[i], q.row, q.column, dk[i],
                             dk.row);
            }
        });
    }

    TensorList compose(const Arguments& x, const Kept& kept) const {
        const double lowest = -std::numeric_limits<double>::infinity();
        Tensor scores = matmul(x[kQuery], transpose(x[kKey], -2, -1)) * scale;
        const Tensor& mask = x[kMask];
        if (mask.defined())
            scores = mask.dtype() == DType::Bool ? masked_fill(scores, logical_not(mask), lowest)
                                                 : scores + mask;
        if (causal) {
            const Tensor beyond = triu(full({length, keys}, Scalar(true), DType::Bool), 1);
            scores = masked_fill(scores, beyond, lowest);
        }
        // A query that sees no key: its scores count as zeros and its probabilities too.
        Tensor p;
        if (mask.defined() && keys > 0) {
            Tensor blind;
            {
                const GradMode off(false);
                blind = all(scores == lowest, {-1}, true);
            }
            p = masked_fill(softmax(masked_fill(scores, blind, 0.0), -1), blind, 0.0);
        } else {
            p = softmax(scores, -1);
        }
        if (kept[kDropped].defined())
            p = masked_scale(p, alias(kept[kDropped], p.sizes(), contiguous_strides(p.sizes()), 0),
                             dropout_p);
        return {matmul(p, x[kValue])};
    }
};

// Heads of key and value repeated for the groups of heads of the query.
Tensor repeat_heads(const Tensor& x, int64_t heads) {
    const int64_t own = x.size(-3);
    if (own == heads) return x;
    if (own == 0 || heads % own != 0)
        fail("Number of heads in key and value must divide the number of heads in query");
    Dims sizes = x.sizes(), result = x.sizes();
    const int at = x.dim() - 3;
    sizes.insert(at + 1, heads / own);
    result[at] = heads;
    return reshape(expand(unsqueeze(x, at + 1), sizes), result);
}

Dims leading(const Tensor& x) { return Dims(x.sizes().data(), x.dim() - 2); }

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key_given,
                                    const Tensor& value_given, const Tensor& mask_given,
                                    double dropout_p, bool causal, std::optional<double> scale,
                                    bool enable_gqa) {
    const DType dtype = query.dtype();
    if (key_given.dtype() != dtype || value_given.dtype() != dtype)
        fail("Expected query, key, and value to have the same dtype, but got query.dtype: ",
             cpp_type_name(dtype), " key.dtype: ", cpp_type_name(key_given.dtype()),
             " and value.dtype: ", cpp_type_name(value_given.dtype()), " instead.");
    if (query.dim() < 2 || key_given.dim() < 2 || value_given.dim() < 2)
        fail(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
            query.dim(), " key.dim: ", key_given.dim(), " and value.dim: ", value_given.dim(),
            " instead.");
    if (!query.is_floating())
        fail("expected scalar type Float but found ", scalar_type_name(dtype));
    Tensor mask = mask_given;
    if (mask.defined()) {
        const DType type = mask.dtype();
        if (type != DType::Bool && type != DType::Float32 && type != dtype)
            fail(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                "attn_mask.dtype: ",
                cpp_type_name(type), " and  query.dtype: ", cpp_type_name(dtype), " instead.");
        if (type != DType::Bool) mask = to_dtype(mask, dtype);
    }
    if (!(dropout_p >= 0 && dropout_p <= 1))
        fail("dropout probability has to be between 0 and 1, but got ", dropout_p);
    Tensor key = key_given, value = value_given;
    if (enable_gqa) {
        const int64_t heads = query.size(-3);
        key = repeat_heads(key, heads);
        value = repeat_heads(value, heads);
    }
    const int64_t length = query.size(-2), keys = key.size(-2), width = query.size(-1),
                  value_width = value.size(-1);
    if (key.size(-1) != width)
        fail("query and key must have vectors of one size, but got ", width, " and ", key.size(-1));
    if (value.size(-2) != keys)
        fail("key and value must have one length, but got ", keys, " and ", value.size(-2));
    const Dims batch = broadcast(broadcast(leading(query), leading(key)), leading(value));
    Attention op{batch, element_count(batch), length, keys, width, value_width, 0, dropout_p,
                 causal};
    op.scale = scale ? *scale : width > 0 ? 1 / std::sqrt(static_cast<double>(width)) : 1;
    const auto full_size = [&](const Tensor& x) {
        const Dims sizes = op.with_batch(x.size(-2), x.size(-1));
        return x.sizes() == sizes ? x : expand(x, sizes);
    };
    const Attention::Arguments x{full_size(query), full_size(key), full_size(value), mask};
    if (mask.defined()) op.expanded_mask(mask);  // raises where it does not fit
    checked_mul(checked_mul(op.count, length), keys);
    Attention::Kept kept;
    if (!kernel_table().attention.softmax[dtype]) {
        if (dropout_p > 0) {
            const Tensor ones = full({op.count, length, keys}, Scalar(1.0), DType::Float32);
            kept[Attention::kDropped] =
                cast_values(dropout(ones, dropout_p, true, default_generator()), DType::Bool);
        }
        return op.compose(x, kept)[0];
    }
    const bool recorded = composite_recorded<Attention>(x);
    const Tensor out = op.forward(x, kept);
    if (recorded) record_composite(op, x, kept, {out});
    return out;
}

}  // namespace tapegrad
