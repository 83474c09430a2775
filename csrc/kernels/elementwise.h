// Element-wise kernels: each is a loop over contiguous operands. Strides, broadcasting and threads are
// the driver's business (elementwise_driver.h), which cuts everything else into contiguous blocks.
#pragma once

#include <cstdint>

#include "formulas/binary.h"
#include "formulas/integer.h"
#include "formulas/logic.h"
#include "formulas/pointwise.h"
#include "formulas/unary.h"
#include "kernels/dtype_table.h"

namespace tapegrad::kernels {

// out[i] = f(in[0][i], in[1][i], ...; parameters). out may be one of the operands.
using BlockFn = void (*)(const void* const* in, void* out, int64_t n, const double* parameters);

using BlockTable = DTypeTable<BlockFn>;

struct ElementwiseKernels {
    BlockTable unary[formulas::kUnaryCount];
    // in: g, and x and y where the derivative uses them.
    BlockTable unary_backward[formulas::kUnaryCount];
    BlockTable binary[formulas::kBinaryCount];
    // in: g, and of a, b, y those which the derivative uses.
    BlockTable binary_lhs[formulas::kBinaryCount];
    BlockTable binary_rhs[formulas::kBinaryCount];
    BlockTable comparison[formulas::kComparisonCount];  // out: bool
    BlockTable integer[formulas::kIntegerCount];        // some have floats too
    BlockTable pointwise[formulas::kPointwiseCount];
    BlockTable predicate[formulas::kPredicateCount];  // out: bool
    BlockTable where;                                 // in: bool, a, b
    DTypeTable<BlockTable> cast;                      // from, to
};

}  // namespace tapegrad::kernels
