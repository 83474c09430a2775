// Element-wise kernels: each is a loop over contiguous operands. Strides, broadcasting and threads are
// the driver's business (elementwise_driver.h), which cuts everything else into contiguous blocks.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "formulas/binary.h"
#include "formulas/unary.h"

namespace tapegrad::kernels {

// out[i] = f(in[0][i], in[1][i], ...; parameters). out may be one of the operands.
using BlockFn = void (*)(const void* const* in, void* out, int64_t n, const double* parameters);

struct ElementwiseKernels {
    BlockFn unary[formulas::kUnaryCount][kDTypeCount];
    // in: g, and x and y where the derivative uses them.
    BlockFn unary_backward[formulas::kUnaryCount][kDTypeCount];
    BlockFn binary[formulas::kBinaryCount][kDTypeCount];
    // in: g, and of a, b, y those which the derivative uses.
    BlockFn binary_lhs[formulas::kBinaryCount][kDTypeCount];
    BlockFn binary_rhs[formulas::kBinaryCount][kDTypeCount];
    BlockFn comparison[formulas::kComparisonCount][kDTypeCount];  // out: bool
    BlockFn integer[formulas::kIntegerCount][kDTypeCount];        // floor_divide has floats too
    BlockFn predicate[formulas::kPredicateCount][kDTypeCount];    // out: bool
    BlockFn where[kDTypeCount];                                   // in: bool, a, b
    BlockFn cast[kDTypeCount][kDTypeCount];                       // from, to
};

}  // namespace tapegrad::kernels
