#include "ops/recurrent.h"

#include "core/checked.h"
#include "ops/dropout.h"
#include "ops/joining.h"
#include "ops/offsets.h"
#include "ops/recurrent_layer.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

const char* name_of(Cell cell) {
    switch (cell) {
        case Cell::Lstm: return "lstm";
        case Cell::Gru: return "gru";
        case Cell::Tanh: return "rnn_tanh";
        default: return "rnn_relu";
    }
}

struct Network {
    Cell cell;
    bool has_biases;
    int64_t num_layers;
    double dropout;
    bool train, bidirectional;

    int64_t directions() const { return bidirectional ? 2 : 1; }
};

void check_type(const char* name, const char* what, const Tensor& x, const Tensor& input) {
    if (x.dtype() != input.dtype())
        fail(name, ": expected ", what, " of the dtype of the input, ",
             scalar_type_name(input.dtype()), ", but got ", scalar_type_name(x.dtype()));
}
void check_floating(const char* name, const Tensor& input) {
    if (!input.is_floating())
        fail<NotImplementedError>("\"", name, "\" not implemented for '",
                                  scalar_type_name(input.dtype()), "'");
}
void check_shape(const char* name, const char* what, const Tensor& x, const Dims& sizes,
                 const Tensor& input) {
    if (!(x.sizes() == sizes))
        fail(name, ": expected ", what, " of size ", to_string(sizes), ", but got ",
             to_string(x.sizes()));
    check_type(name, what, x, input);
}

void check_weights(const char* name, Cell cell, const LayerWeights& w, const Tensor& input,
                   int64_t features, int64_t units, int64_t seen) {
    const int64_t sums = checked_mul(gates_of(cell), units);
    check_shape(name, "weight_ih", w.ih, {sums, features}, input);
    check_shape(name, "weight_hh", w.hh, {sums, seen}, input);
    if (w.bias_ih.defined()) check_shape(name, "bias_ih", w.bias_ih, {sums}, input);
    if (w.bias_hh.defined()) check_shape(name, "bias_hh", w.bias_hh, {sums}, input);
    if (w.hr.defined()) check_shape(name, "weight_hr", w.hr, {seen, units}, input);
}

// x: (length, batch, features), or packed rows.
std::vector<Tensor> run_layers(const Network& net, Tensor x, const Steps& steps, const Tensor& hx,
                               const Tensor& cx, const std::vector<Tensor>& params) {
    const char* name = name_of(net.cell);
    check_floating(name, x);
    if (net.num_layers <= 0) fail(name, ": num_layers must be greater than zero");
    if (!(net.dropout >= 0 && net.dropout <= 1))
        fail<ValueError>("dropout probability has to be between 0 and 1, but got ", net.dropout);
    const bool lstm = net.cell == Cell::Lstm;
    const int64_t directions = net.directions(), states = checked_mul(net.num_layers, directions);
    if (hx.dim() != 3 || (lstm && cx.dim() != 3))
        fail(name, ": hidden states must have 3 dimensions, got ",
             hx.dim() != 3 ? hx.dim() : cx.dim());
    const int64_t seen = hx.sizes()[2], units = lstm ? cx.sizes()[2] : seen;
    const bool projects = seen != units;
    check_shape(name, "hx", hx, {states, steps.batch(), seen}, x);
    if (lstm) check_shape(name, "cx", cx, {states, steps.batch(), units}, x);
    if (units == 0 || seen == 0) fail(name, ": hidden states must not be empty");
    const int64_t each = (net.has_biases ? 4 : 2) + (projects ? 1 : 0);
    if (static_cast<int64_t>(params.size()) != checked_mul(states, each))
        fail(name, ": expected ", each, " parameters for each of ", states,
             " layers and directions, but got ", params.size(), " parameters");
    std::vector<LayerWeights> weights;
    for (size_t i = 0, at = 0; i < static_cast<size_t>(states); ++i) {
        LayerWeights w{params[at], params[at + 1], {}, {}, {}};
        at += 2;
        if (net.has_biases) {
            w.bias_ih = params[at++];
            w.bias_hh = params[at++];
        }
        if (projects) w.hr = params[at++];
        const int64_t features =
            static_cast<int64_t>(i) < directions ? x.sizes().back() : seen * directions;
        check_weights(name, net.cell, w, x, features, units, seen);
        weights.push_back(std::move(w));
    }

    const auto state = [&](const Tensor& all, int64_t i) {
        return states == 1 ? squeeze(all, {0}) : select(all, 0, i);
    };
    std::vector<Tensor> last_h, last_c;
    for (int64_t layer = 0; layer < net.num_layers; ++layer) {
        std::vector<Tensor> outs;
        for (int64_t direction = 0; direction < directions; ++direction) {
            const int64_t i = layer * directions + direction;
            LayerResults results =
                recurrent_layer(net.cell, direction == 1, steps, x, state(hx, i),
                                lstm ? state(cx, i) : Tensor(), weights[static_cast<size_t>(i)]);
            outs.push_back(std::move(results.out));
            last_h.push_back(std::move(results.h));
            if (lstm) last_c.push_back(std::move(results.c));
        }
        x = directions == 1 ? std::move(outs[0]) : cat(outs, -1);
        if (net.train && net.dropout > 0 && layer + 1 < net.num_layers)
            x = dropout(x, net.dropout, true, default_generator());
    }
    const auto joined = [](const std::vector<Tensor>& all) {
        return all.size() == 1 ? unsqueeze(all[0], 0) : stack(all, 0);
    };
    std::vector<Tensor> results{std::move(x), joined(last_h)};
    if (lstm) results.push_back(joined(last_c));
    return results;
}

std::vector<Tensor> of_sequences(const Network& net, const Tensor& input, const Tensor& hx,
                                 const Tensor& cx, const std::vector<Tensor>& params,
                                 bool batch_first) {
    if (input.dim() != 3)
        fail(name_of(net.cell), ": input must have 3 dimensions, got ", input.dim());
    const Tensor x = batch_first ? transpose(input, 0, 1) : input;
    const int64_t length = x.sizes()[0], batch = x.sizes()[1];
    if (length == 0) fail("Expected sequence length to be larger than 0 in RNN");
    Steps steps;
    for (int64_t t = 0; t < length; ++t) steps.add(batch);
    std::vector<Tensor> results = run_layers(net, x, steps, hx, cx, params);
    if (batch_first) results[0] = transpose(results[0], 0, 1);
    return results;
}

std::vector<Tensor> of_packed(const Network& net, const Tensor& data, const Tensor& batch_sizes,
                              const Tensor& hx, const Tensor& cx,
                              const std::vector<Tensor>& params) {
    const char* name = name_of(net.cell);
    if (data.dim() != 2) fail(name, ": packed input must have 2 dimensions, got ", data.dim());
    if (batch_sizes.dim() != 1 || batch_sizes.dtype() != DType::Int64 || batch_sizes.numel() == 0)
        fail(name, ": batch_sizes must be a vector of dtype int64 that is not empty");
    refuse_replay(kShapeOfValues);
    const Tensor values = int64_values(batch_sizes);
    const int64_t* sizes = values.data<int64_t>();
    Steps steps;
    for (int64_t t = 0; t < values.numel(); ++t) {
        if (sizes[t] <= 0 || (t > 0 && sizes[t] > sizes[t - 1]) ||
            sizes[t] > data.sizes()[0] - steps.rows)
            fail(name, ": batch_sizes must be positive, must not grow, and must add up to the ",
                 data.sizes()[0], " rows of the data, but got ", sizes[t], " at step ", t);
        steps.add(sizes[t]);
    }
    if (steps.rows != data.sizes()[0])
        fail(name, ": batch_sizes add up to ", steps.rows, ", but the data has ", data.sizes()[0],
             " rows");
    return run_layers(net, data, steps, hx, cx, params);
}

void check_two_states(const std::vector<Tensor>& hx) {
    if (hx.size() != 2) fail("lstm expects two hidden states");
}

LayerResults run_cell(const char* name, Cell cell, const Tensor& input, const Tensor& hx,
                      const Tensor& cx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                      const Tensor& b_hh) {
    const bool lstm = cell == Cell::Lstm;
    check_floating(name, input);
    if (input.dim() != 1 && input.dim() != 2)
        fail(name, ": Expected input to be 1D or 2D, got ", input.dim(), "D instead");
    if (hx.dim() != input.dim() || (lstm && cx.dim() != input.dim()))
        fail(name, ": Expected hidden to be ", input.dim(), "D as the input, got ",
             hx.dim() != input.dim() ? hx.dim() : cx.dim(), "D instead");
    const bool batched = input.dim() == 2;
    const Tensor x = batched ? input : unsqueeze(input, 0), h = batched ? hx : unsqueeze(hx, 0),
                 c = batched || !lstm ? cx : unsqueeze(cx, 0);
    const int64_t batch = x.sizes()[0], features = x.sizes()[1], units = h.sizes()[1];
    if (h.sizes()[0] != batch)
        fail("Input batch size ", batch, " doesn't match hidden0 batch size ", h.sizes()[0]);
    if (lstm) check_shape(name, "the cell state", c, {batch, units}, x);
    check_type(name, "hx", h, x);
    if (units == 0) fail(name, ": hidden states must not be empty");
    if (b_ih.defined() != b_hh.defined()) fail(name, ": expected both biases or none");
    const LayerWeights weights{w_ih, w_hh, b_ih, b_hh, {}};
    check_weights(name, cell, weights, x, features, units, units);
    Steps steps;
    steps.add(batch);
    LayerResults results = recurrent_layer(cell, false, steps, x, h, c, weights);
    if (!batched) {
        results.out = squeeze(results.out, {0});
        if (lstm) results.c = squeeze(results.c, {0});
    }
    return results;
}

}  // namespace

std::vector<Tensor> lstm(const Tensor& input, const std::vector<Tensor>& hx,
                         const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                         double dropout, bool train, bool bidirectional, bool batch_first) {
    check_two_states(hx);
    return of_sequences({Cell::Lstm, has_biases, num_layers, dropout, train, bidirectional}, input,
                        hx[0], hx[1], params, batch_first);
}
std::vector<Tensor> lstm_packed(const Tensor& data, const Tensor& batch_sizes,
                                const std::vector<Tensor>& hx, const std::vector<Tensor>& params,
                                bool has_biases, int64_t num_layers, double dropout, bool train,
                                bool bidirectional) {
    check_two_states(hx);
    return of_packed({Cell::Lstm, has_biases, num_layers, dropout, train, bidirectional}, data,
                     batch_sizes, hx[0], hx[1], params);
}

#define TAPEGRAD_LAYERS_(name, cell)                                                              \
    std::vector<Tensor> name(const Tensor& input, const Tensor& hx,                               \
                             const std::vector<Tensor>& params, bool has_biases,                  \
                             int64_t num_layers, double dropout, bool train, bool bidirectional,  \
                             bool batch_first) {                                                  \
        return of_sequences({cell, has_biases, num_layers, dropout, train, bidirectional}, input, \
                            hx, {}, params, batch_first);                                         \
    }                                                                                             \
    std::vector<Tensor> name##_packed(                                                            \
        const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,                          \
        const std::vector<Tensor>& params, bool has_biases, int64_t num_layers, double dropout,   \
        bool train, bool bidirectional) {                                                         \
        return of_packed({cell, has_biases, num_layers, dropout, train, bidirectional}, data,     \
                         batch_sizes, hx, {}, params);                                            \
    }                                                                                             \
    Tensor name##_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih,                 \
                       const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {              \
        return run_cell(#name "_cell", cell, input, hx, {}, w_ih, w_hh, b_ih, b_hh).out;          \
    }
TAPEGRAD_LAYERS_(gru, Cell::Gru)
TAPEGRAD_LAYERS_(rnn_tanh, Cell::Tanh)
TAPEGRAD_LAYERS_(rnn_relu, Cell::Relu)
#undef TAPEGRAD_LAYERS_

std::vector<Tensor> lstm_cell(const Tensor& input, const std::vector<Tensor>& hx,
                              const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                              const Tensor& b_hh) {
    if (hx.size() != 2) fail("lstm_cell expects two hidden states");
    LayerResults results =
        run_cell("lstm_cell", Cell::Lstm, input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh);
    return {std::move(results.out), std::move(results.c)};
}

}  // namespace tapegrad
