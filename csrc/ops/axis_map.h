// Linear maps that act on each axis apart, as sparse matrices: means over windows, interpolation, padding with
// what is there. Their transposes, and so their derivatives, are maps of the same kind.
#pragma once

#include <memory>
#include <vector>

#include "core/tensor.h"

namespace tapegrad {

struct SparseMatrix {
    explicit SparseMatrix(int64_t columns) : n(columns) {}
    void add(int64_t column, double value) {
        index.push_back(column);
        weight.push_back(value);
    }
    void end_row() { begin.push_back(static_cast<int64_t>(index.size())); }
    int64_t rows() const { return static_cast<int64_t>(begin.size()) - 1; }
    bool is_identity() const;
    SparseMatrix transposed() const;

    int64_t n;                      // columns: elements that are read
    std::vector<int64_t> begin{0};  // row j has the entries from begin[j] on
    std::vector<int64_t> index;
    std::vector<double> weight;
};
using AxisMatrices = std::shared_ptr<const std::vector<SparseMatrix>>;

// Raises where a result of these sizes does not fit into memory, before lists of its lengths are made.
void check_memory(const Dims& sizes, DType dtype);

// x with one matrix applied to each of its last axes, recorded under the name of the node. For other types
// than floats each row must have one entry, of weight 1.
Tensor map_axes(const Tensor& x, const AxisMatrices& matrices, const char* node);

}  // namespace tapegrad
