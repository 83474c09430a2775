// Float32 and float64, in which loops over elements are written; half-precision types are computed in float32.
#pragma once

#include "core/dtype.h"

namespace tapegrad {

constexpr DType wide_float(DType dtype) { return dtype == DType::Float64 ? dtype : DType::Float32; }

// Calls f.template operator()<T>() for one of both.
template <class F> void visit_float(DType dtype, F f) {
    if (dtype == DType::Float32) f.template operator()<float>();
    else f.template operator()<double>();
}

}  // namespace tapegrad
