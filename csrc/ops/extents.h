// A dimension among the others: contiguous memory seen as [outer, n, inner], as kernels take it.
#pragma once

#include "core/checked.h"
#include "core/dims.h"

namespace tapegrad {

struct Extents {
    int64_t outer = 1, n = 1, inner = 1;
};

// dim is that of the middle; of a 0-d tensor all three are 1.
inline Extents extents_at(const Dims& sizes, int dim) {
    Extents result;
    for (int d = 0; d < sizes.size(); ++d) {
        int64_t& part = d < dim ? result.outer : d == dim ? result.n : result.inner;
        part = saturating_mul(part, sizes[d]);
    }
    return result;
}

}  // namespace tapegrad
