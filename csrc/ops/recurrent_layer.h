// One layer of a recurrent network in one direction, over all time steps, as one operator.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tapegrad {

enum class Cell { Tanh, Relu, Lstm, Gru };

constexpr int64_t gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

// How many sequences of the batch each time step has; it never grows. Their rows lie one step after the other.
struct Steps {
    std::vector<int64_t> sizes, first;  // first: the first row of each step
    int64_t rows = 0;

    void add(int64_t size) {
        sizes.push_back(size);
        first.push_back(rows);
        rows += size;
    }
    int64_t count() const { return static_cast<int64_t>(sizes.size()); }
    int64_t batch() const { return sizes.empty() ? 0 : sizes[0]; }
};

struct LayerWeights {
    Tensor ih, hh, bias_ih, bias_hh;  // the biases: both or none
    Tensor hr;                        // of an LSTM with projections
};
struct LayerResults {
    Tensor out, h, c;  // c: of an LSTM
};

// x: rows of all steps, in any number of dimensions; h0, c0: (batch, units). Everything is of one floating
// type, and the shapes fit.
LayerResults recurrent_layer(Cell cell, bool reverse, const Steps& steps, const Tensor& x,
                             const Tensor& h0, const Tensor& c0, const LayerWeights& weights);

}  // namespace tapegrad
