#include "ops/recurrent_layer.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/table.h"
#include "ops/composite.h"
#include "ops/elementwise.h"
#include "ops/joining.h"
#include "ops/linalg.h"
#include "ops/one_step.h"
#include "ops/reductions.h"
#include "ops/views.h"

namespace tapegrad {
namespace {

// A matrix in memory: rows of `width` elements.
struct Matrix {
    explicit Matrix(const Tensor& x, int64_t width_given)
        : data(x.defined() ? x.data<char>() : nullptr),
          width(width_given),
          item(x.defined() ? static_cast<int64_t>(x.item_size()) : 0) {}
    char* at(int64_t row, int64_t column = 0) const {
        return data ? data + (row * width + column) * item : nullptr;
    }
    char* data;
    int64_t width, item;
};

void copy_rows(const Matrix& to, int64_t to_row, const Matrix& from, int64_t from_row,
               int64_t rows) {
    if (to.data && rows > 0)
        std::memcpy(to.at(to_row), from.at(from_row),
                    static_cast<size_t>(rows * to.width * to.item));
}

struct Product {
    DType dtype;
    // c [m, n] = (accumulate: +) a [m, k] b [k, n] (+ bias)
    void operator()(int64_t m, int64_t n, int64_t k, const void* a, int64_t a_row, int64_t a_col,
                    const void* b, int64_t b_row, int64_t b_col, void* c, int64_t c_row,
                    bool accumulate, const void* bias = nullptr) const {
        kernel_table().gemm.gemm[dtype](
            {m, n, k, a, a_row, a_col, b, b_row, b_col, c, c_row, bias, accumulate});
    }
};

// A copy of its own of the transpose, in whose memory a few elements follow.
Tensor transposed_values(const Tensor& x_given) {
    if (!x_given.defined()) return {};
    const Tensor x = contiguous_values(x_given);
    const int64_t rows = x.sizes()[0], columns = x.sizes()[1];
    const int64_t slack = rows % kernels::kTransposeSlack ? kernels::kTransposeSlack : 0;
    const Tensor memory = empty({x.numel() + slack}, x.dtype());
    kernel_table().recurrent.transpose[x.dtype()](x.data(), rows, columns, memory.data());
    return alias(memory, {columns, rows}, contiguous_strides({columns, rows}), 0);
}
// A copy of x, or zeros.
Tensor start_of(const Tensor& state, const Tensor& x) {
    if (x.defined()) copy_values(state, x);
    else fill_values(state, 0);
    return state;
}
Tensor state_of(const Tensor& x, int64_t rows, int64_t width, DType dtype) {
    return start_of(empty({rows, width}, dtype), x);
}

struct RecurrentLayer {
    static constexpr std::array arguments{"input",     "h0",      "c0",      "weight_ih",
                                          "weight_hh", "bias_ih", "bias_hh", "weight_hr"};
    enum { kInput, kH, kC, kIh, kHh, kBiasIh, kBiasHh, kHr };
    // The gates; of GRUs the state's part of n, of projections what they take; the state before each step.
    static constexpr size_t kKept = 5;
    enum { kGates, kPart, kCellBefore, kTanhCell, kHidden };
    enum { kOut, kLastH, kLastC, kResults };
    using Arguments = std::array<Tensor, arguments.size()>;
    using Kept = std::array<Tensor, kKept>;

    Cell cell;
    bool reverse;
    Steps steps;
    int64_t units, seen;  // seen: the width of what the layer gives, which projections change

    const char* node() const {
        switch (cell) {
            case Cell::Lstm: return "LstmLayerBackward0";
            case Cell::Gru: return "GruLayerBackward0";
            case Cell::Tanh: return "RnnTanhLayerBackward0";
            default: return "RnnReluLayerBackward0";
        }
    }
    int64_t sums() const { return gates_of(cell) * units; }
    static Arguments arguments_in(const std::vector<Tensor>& given) {
        Arguments x;
        std::copy_n(given.begin(), x.size(), x.begin());
        return x;
    }

    // Whether steps also take the products with their inputs, one by one, where all weights stay in the cache: what
    // a thread has made is then used by itself, which gains more than larger products would. Products of one
    // column are added up in an order that depends on their rows.
    bool steps_take_inputs(int64_t features, size_t item) const {
        constexpr int64_t kCachedBytes = int64_t{1} << 18;
        return features > 1 &&
               sums() * (features + seen) * static_cast<int64_t>(item) <= kCachedBytes;
    }

    // Calls f(step, first row, rows, first sequence) for the steps of some sequences, in the order of the
    // layer or against it. Sequences are independent: threads share them, and what each of them gets does not
    // depend on which are computed together.
    template <class F> void each_step(bool backwards, size_t item, const F& f) const {
        constexpr int64_t kTogether = 64;
        const int64_t weights = sums() * seen, batch = steps.batch(), count = steps.count();
        const bool down = reverse != backwards;
        const auto range = [&](int64_t begin, int64_t end) {
            for (int64_t s = 0; s < count; ++s) {
                const size_t t = static_cast<size_t>(down ? count - 1 - s : s);
                const int64_t rows = std::min(end, steps.sizes[t]) - begin;
                if (rows > 0) f(steps.first[t] + begin, rows, begin);
            }
        };
        // Products with weights that leave the cache are shared themselves; those of one column are added up
        // in an order of their own if there are several rows.
        constexpr int64_t kLargeBytes = int64_t{1} << 21;
        if (weights * static_cast<int64_t>(item) >= kLargeBytes || units == 1 || seen == 1) {
            range(0, batch);
            return;
        }
        const int64_t each = count * (weights + 64 * sums()) + 1;  // multiply-adds of a sequence
        parallel_for(batch, 4, int64_t{2'000'000} / each + 1, [&](int64_t begin, int64_t end) {
            for (int64_t b = begin; b < end; b += kTogether) range(b, std::min(end, b + kTogether));
        });
    }

    // What is added to the products: both biases, but of GRUs' n only that of the input.
    Tensor bias_sum(const Tensor& b_ih, const Tensor& b_hh) const {
        if (!b_ih.defined()) return {};
        const GradMode off(false);
        if (cell != Cell::Gru) return contiguous_values(b_ih + b_hh);
        Tensor total = contiguous_clone(b_ih);
        const Tensor part = narrow(total, 0, 0, 2 * units);
        copy_values(part, part + narrow(b_hh, 0, 0, 2 * units));
        return total;
    }

    LayerResults forward(const Arguments& x, bool keeps, Kept& kept) const {
        const auto found = is_replay_recorded()
                               ? list_in_one_step(
                                     [op = *this, keeps](const std::vector<Tensor>& given,
                                                         const std::vector<Tensor>& places) {
                                         return op.values(arguments_in(given), keeps, places);
                                     },
                                     {x.begin(), x.end()})
                               : values(x, keeps, {});
        std::copy_n(found.begin() + kResults, kKept, kept.begin());
        return {found[kOut], found[kLastH], found[kLastC]};
    }

    // The results and what is kept, in these places if there are any.
    std::vector<Tensor> values(const Arguments& x, bool keeps,
                               const std::vector<Tensor>& places) const {
        const DType dtype = x[kInput].dtype();
        const size_t item = x[kInput].item_size();
        const Product multiply{dtype};
        const int64_t n = units, width = sums(), batch = steps.batch();
        const bool projects = x[kHr].defined();
        const Tensor input = contiguous_values(x[kInput]), w_ih = transposed_values(x[kIh]),
                     w_hh = transposed_values(x[kHh]), w_hr = transposed_values(x[kHr]),
                     bias = bias_sum(x[kBiasIh], x[kBiasHh]), b_hh = values_or_none(x[kBiasHh]);
        const int64_t features = w_ih.sizes()[0];
        const bool lstm = cell == Cell::Lstm, gru = cell == Cell::Gru;
        std::vector<Tensor> found(kResults + kKept);
        const auto make = [&](size_t i, const Dims& sizes) {
            found[i] = places.empty() ? empty(sizes, dtype) : places[i];
            return found[i];
        };
        const auto keep = [&](size_t i, int64_t columns, bool wanted) {
            if (wanted) make(kResults + i, {steps.rows, columns});
            return Matrix(found[kResults + i], columns);
        };
        const Matrix gates = keep(kGates, width, true), part = keep(kPart, n, gru || projects),
                     c_before = keep(kCellBefore, n, keeps && lstm),
                     tanh_c = keep(kTanhCell, n, keeps && lstm),
                     h_before = keep(kHidden, seen, keeps);
        Dims sizes = x[kInput].sizes();
        sizes[sizes.size() - 1] = seen;
        const Matrix out(make(kOut, sizes), seen),
            h(start_of(make(kLastH, {batch, seen}), x[kH]), seen),
            c(lstm ? start_of(make(kLastC, {batch, n}), x[kC]) : Tensor(), n);
        const Matrix inputs(input, features), weights(w_hh, width), biases(b_hh, width),
            down(w_hr, seen);
        const auto take_inputs = [&](int64_t first, int64_t rows) {
            multiply(rows, width, features, inputs.at(first), features, 1, w_ih.data(), width, 1,
                     gates.at(first), width, false, data_or_null(bias));
        };
        const bool one_by_one = steps_take_inputs(features, item);
        if (!one_by_one) take_inputs(0, steps.rows);
        const auto& kernels = kernel_table().recurrent;
        each_step(false, item, [&](int64_t first, int64_t rows, int64_t sequence) {
            if (one_by_one) take_inputs(first, rows);
            const char* before = h.at(sequence);
            copy_rows(h_before, first, h, sequence, rows);
            multiply(rows, gru ? 2 * n : width, seen, before, seen, 1, weights.data, width, 1,
                     gates.at(first), width, true);
            if (lstm) {
                kernels.lstm[dtype](gates.at(first), c.at(sequence), c_before.at(first),
                                    tanh_c.at(first), projects ? part.at(first) : out.at(first),
                                    rows, n);
                if (projects)
                    multiply(rows, seen, n, part.at(first), n, 1, down.data, seen, 1, out.at(first),
                             seen, false);
            } else if (gru) {
                multiply(rows, n, seen, before, seen, 1, weights.at(0, 2 * n), width, 1,
                         part.at(first), n, false, biases.at(0, 2 * n));
                kernels.gru[dtype](gates.at(first), part.at(first), before, out.at(first), rows, n);
            } else {
                (cell == Cell::Tanh ? kernels.tanh : kernels.relu)[dtype](gates.at(first),
                                                                          rows * n);
                copy_rows(out, first, gates, first, rows);
            }
            copy_rows(h, sequence, out, first, rows);
        });
        return found;
    }

    void backward(const Arguments& x, const Kept& kept, const GradList& grads,
                  const std::array<bool, arguments.size()>& wanted, TensorList& gradients) const {
        if (is_replay_recorded()) {
            std::vector<Tensor> given(x.begin(), x.end());
            given.insert(given.end(), kept.begin(), kept.end());
            for (const Tensor& grad : grads) given.push_back(grad);
            const auto found = list_in_one_step(
                [op = *this, wanted](const std::vector<Tensor>& all) {
                    const auto rest = all.begin() + arguments.size();
                    Kept own;
                    std::copy_n(rest, kKept, own.begin());
                    GradList arriving;
                    for (auto grad = rest + kKept; grad != all.end(); ++grad)
                        arriving.push_back(*grad);
                    TensorList own_gradients(arguments.size());
                    op.backward(arguments_in(all), own, arriving, wanted, own_gradients);
                    return std::vector<Tensor>(own_gradients.begin(), own_gradients.end());
                },
                given);
            for (size_t i = 0; i < found.size(); ++i) gradients[i] = found[i];
            return;
        }
        const DType dtype = x[kInput].dtype();
        const Product multiply{dtype};
        const int64_t n = units, width = sums(), batch = steps.batch(), all = steps.rows;
        const bool projects = x[kHr].defined(), lstm = cell == Cell::Lstm, gru = cell == Cell::Gru;
        const Tensor w_ih = contiguous_values(x[kIh]), w_hh = contiguous_values(x[kHh]),
                     w_hr = values_or_none(x[kHr]), grad = values_or_none(grads[0]);
        const int64_t features = w_ih.sizes()[1];
        if (wanted[kInput]) gradients[kInput] = empty(x[kInput].sizes(), dtype);
        const Tensor grad_h = state_of(grads[1], batch, seen, dtype),
                     grad_c = lstm ? state_of(grads[2], batch, n, dtype) : Tensor(),
                     grad_gates = empty({all, width}, dtype),
                     grad_part = gru || projects ? empty({all, n}, dtype) : Tensor(),
                     grad_seen = projects ? state_of(grad, all, seen, dtype) : Tensor();
        const Matrix gates(kept[kGates], width), part(kept[kPart], n),
            c_before(kept[kCellBefore], n), tanh_c(kept[kTanhCell], n),
            h_before(kept[kHidden], seen), dout(grad, seen), dh(grad_h, seen), dc(grad_c, n),
            dgates(grad_gates, width), dpart(grad_part, n), dseen(grad_seen, seen),
            weights(w_hh, seen), dx(gradients[kInput], features);
        const auto give_inputs = [&](int64_t first, int64_t rows) {
            multiply(rows, features, width, dgates.at(first), width, 1, w_ih.data(), features, 1,
                     dx.at(first), features, false);
        };
        const size_t item = x[kInput].item_size();
        const bool one_by_one = steps_take_inputs(features, item);
        const auto& kernels = kernel_table().recurrent;
        each_step(true, item, [&](int64_t first, int64_t rows, int64_t sequence) {
            char *from = dgates.at(first), *to = dh.at(sequence);
            const int64_t summed = gru ? 2 * n : width;
            if (projects) {
                visit_dtype(dtype, [&]<class T>() {
                    T* sum = reinterpret_cast<T*>(dseen.at(first));
                    const T* more = reinterpret_cast<const T*>(to);
                    for (int64_t i = 0; i < rows * seen; ++i)
                        sum[i] = static_cast<T>(sum[i] + more[i]);
                });
                multiply(rows, n, seen, dseen.at(first), seen, 1, w_hr.data(), n, 1,
                         dpart.at(first), n, false);
            }
            if (lstm) {
                kernels.lstm_backward[dtype](gates.at(first), c_before.at(first), tanh_c.at(first),
                                             projects ? nullptr : dout.at(first),
                                             projects ? dpart.at(first) : to, dc.at(sequence), from,
                                             rows, n);
            } else if (gru) {
                kernels.gru_backward[dtype](gates.at(first), part.at(first), h_before.at(first),
                                            dout.at(first), to, from, dpart.at(first), rows, n);
            } else {
                (cell == Cell::Tanh ? kernels.tanh_backward : kernels.relu_backward)[dtype](
                    gates.at(first), dout.at(first), to, from, rows * n);
            }
            multiply(rows, seen, summed, from, width, 1, weights.data, seen, 1, to, seen, gru);
            if (gru)
                multiply(rows, seen, n, dpart.at(first), n, 1, weights.at(2 * n), seen, 1, to, seen,
                         true);
            if (one_by_one && wanted[kInput]) give_inputs(first, rows);
        });
        if (!one_by_one && wanted[kInput]) give_inputs(0, all);

        gradients[kH] = grad_h;
        gradients[kC] = grad_c;
        // The transposed gradient of weights, because products with few rows and long ones are faster: its columns
        // from `column` on, from those of d.
        const auto add_up = [&](const Tensor& to, int64_t column, const Matrix& d, int64_t columns,
                                const char* taken, int64_t taken_width) {
            multiply(taken_width, columns, all, taken, 1, taken_width, d.data, d.width, 1,
                     Matrix(to, width).at(0, column), width, false);
        };
        if (wanted[kIh]) {
            const Tensor input = contiguous_values(x[kInput]),
                         turned = empty({features, width}, dtype);
            add_up(turned, 0, dgates, width, Matrix(input, features).data, features);
            gradients[kIh] = transposed_values(turned);
        }
        if (wanted[kHh]) {
            const Tensor turned = empty({seen, width}, dtype);
            add_up(turned, 0, dgates, gru ? 2 * n : width, h_before.data, seen);
            if (gru) add_up(turned, 2 * n, dpart, n, h_before.data, seen);
            gradients[kHh] = transposed_values(turned);
        }
        if (wanted[kBiasIh] || wanted[kBiasHh]) {
            gradients[kBiasIh] = sum(grad_gates, {0});
            gradients[kBiasHh] = contiguous_clone(gradients[kBiasIh]);
            if (gru) copy_values(narrow(gradients[kBiasHh], 0, 2 * n, n), sum(grad_part, {0}));
        }
        if (wanted[kHr]) {
            gradients[kHr] = empty({seen, n}, dtype);
            multiply(seen, n, all, dseen.data, 1, seen, part.data, n, 1, gradients[kHr].data(), n,
                     false);
        }
        for (size_t i = 0; i < arguments.size(); ++i)
            if (!wanted[i]) gradients[i].reset();
    }

    // One step as an expression: the sums of the gates' inputs, and the state.
    void step(const Arguments& x, const Tensor& sums_given, Tensor& h, Tensor& c) const {
        const auto gate = [&](const Tensor& all, int64_t i) {
            return narrow(all, 1, i * units, units);
        };
        const Tensor from_state = linear(h, x[kHh], x[kBiasHh]);
        if (cell == Cell::Gru) {
            const Tensor r = sigmoid(gate(sums_given, 0) + gate(from_state, 0));
            const Tensor z = sigmoid(gate(sums_given, 1) + gate(from_state, 1));
            const Tensor fresh = tanh(gate(sums_given, 2) + r * gate(from_state, 2));
            h = fresh + z * (h - fresh);
            return;
        }
        const Tensor total = sums_given + from_state;
        if (cell == Cell::Lstm) {
            c = sigmoid(gate(total, 1)) * c + sigmoid(gate(total, 0)) * tanh(gate(total, 2));
            h = sigmoid(gate(total, 3)) * tanh(c);
            if (x[kHr].defined()) h = linear(h, x[kHr], Tensor());
        } else {
            h = cell == Cell::Tanh ? tanh(total) : relu(total);
        }
    }

    TensorList compose(const Arguments& x, const Kept&) const {
        const Tensor rows = reshape(x[kInput], {steps.rows, x[kInput].sizes().back()});
        const Tensor gates = linear(rows, x[kIh], x[kBiasIh]);
        const size_t count = steps.sizes.size();
        std::vector<Tensor> outs(count), ended_h, ended_c;
        const int64_t begin = reverse ? steps.sizes.back() : steps.batch();
        const bool lstm = cell == Cell::Lstm;
        Tensor h = narrow(x[kH], 0, 0, begin), c = lstm ? narrow(x[kC], 0, 0, begin) : Tensor();
        // The state of the sequences that a step has: of those that end, it is put aside, and others begin.
        const auto resize = [](Tensor& state, const Tensor& initial, int64_t size,
                               std::vector<Tensor>& ended) {
            const int64_t now = state.sizes()[0];
            if (size < now) {
                ended.insert(ended.begin(), narrow(state, 0, size, now - size));
                state = narrow(state, 0, 0, size);
            } else if (size > now) {
                state = cat({state, narrow(initial, 0, now, size - now)}, 0);
            }
        };
        for (size_t s = 0; s < count; ++s) {
            const size_t t = reverse ? count - 1 - s : s;
            resize(h, x[kH], steps.sizes[t], ended_h);
            if (lstm) resize(c, x[kC], steps.sizes[t], ended_c);
            step(x, narrow(gates, 0, steps.first[t], steps.sizes[t]), h, c);
            outs[t] = h;
        }
        const auto whole = [](const Tensor& state, std::vector<Tensor>& ended) {
            if (ended.empty()) return state;
            ended.insert(ended.begin(), state);
            return cat(ended, 0);
        };
        Dims sizes = x[kInput].sizes();
        sizes[sizes.size() - 1] = seen;
        TensorList results{reshape(cat(outs, 0), sizes), whole(h, ended_h)};
        if (lstm) results.push_back(whole(c, ended_c));
        return results;
    }
};

}  // namespace

LayerResults recurrent_layer(Cell cell, bool reverse, const Steps& steps, const Tensor& x,
                             const Tensor& h0, const Tensor& c0, const LayerWeights& weights) {
    const int64_t units = weights.hh.sizes()[0] / gates_of(cell);
    const RecurrentLayer op{cell, reverse, steps, units, weights.hh.sizes()[1]};
    const RecurrentLayer::Arguments arguments{
        x, h0, c0, weights.ih, weights.hh, weights.bias_ih, weights.bias_hh, weights.hr};
    if (!kernel_table().recurrent.tanh[x.dtype()]) {
        const TensorList results = op.compose(arguments, {});
        return {results[0], results[1], results.size() > 2 ? results[2] : Tensor()};
    }
    const bool recorded = composite_recorded<RecurrentLayer>(arguments);
    RecurrentLayer::Kept kept;
    LayerResults results = op.forward(arguments, recorded, kept);
    if (recorded) {
        TensorList list{results.out, results.h};
        if (results.c.defined()) list.push_back(results.c);
        record_composite(op, arguments, kept, list);
    }
    return results;
}

}  // namespace tapegrad
