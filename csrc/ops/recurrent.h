// Recurrent layers: tanh or relu of Elman, LSTM (Hochreiter and Schmidhuber) and GRU (Cho et al.).
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

// All layers and directions over sequences. input: (length, batch, features), or (batch, length, features) with
// batch_first; parameters: for each layer and direction w_ih, w_hh and, if there are
// biases, b_ih, b_hh (and w_hr, of an LSTM with projections). Results: the outputs, h_n and, of an LSTM, c_n.
std::vector<Tensor> lstm(const Tensor& input, const std::vector<Tensor>& hx,
                         const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                         double dropout, bool train, bool bidirectional, bool batch_first);
std::vector<Tensor> gru(const Tensor& input, const Tensor& hx, const std::vector<Tensor>& params,
                        bool has_biases, int64_t num_layers, double dropout, bool train,
                        bool bidirectional, bool batch_first);
std::vector<Tensor> rnn_tanh(const Tensor& input, const Tensor& hx,
                             const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                             double dropout, bool train, bool bidirectional, bool batch_first);
std::vector<Tensor> rnn_relu(const Tensor& input, const Tensor& hx,
                             const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                             double dropout, bool train, bool bidirectional, bool batch_first);

// The same of packed sequences: data has a row for each element, those of one time step together;
// batch_sizes says how many each step has, which never grows.
std::vector<Tensor> lstm_packed(const Tensor& data, const Tensor& batch_sizes,
                                const std::vector<Tensor>& hx, const std::vector<Tensor>& params,
                                bool has_biases, int64_t num_layers, double dropout, bool train,
                                bool bidirectional);
std::vector<Tensor> gru_packed(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                               const std::vector<Tensor>& params, bool has_biases,
                               int64_t num_layers, double dropout, bool train, bool bidirectional);
std::vector<Tensor> rnn_tanh_packed(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                                    const std::vector<Tensor>& params, bool has_biases,
                                    int64_t num_layers, double dropout, bool train,
                                    bool bidirectional);
std::vector<Tensor> rnn_relu_packed(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                                    const std::vector<Tensor>& params, bool has_biases,
                                    int64_t num_layers, double dropout, bool train,
                                    bool bidirectional);

// One step: (batch, features) or (features).
std::vector<Tensor> lstm_cell(const Tensor& input, const std::vector<Tensor>& hx,
                              const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                              const Tensor& b_hh);
Tensor gru_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                const Tensor& b_ih, const Tensor& b_hh);
Tensor rnn_tanh_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh);
Tensor rnn_relu_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh);

}  // namespace tapegrad
