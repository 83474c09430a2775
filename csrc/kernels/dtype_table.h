// Kernels by dtype.
#pragma once

#include "core/dtype.h"

namespace tapegrad::kernels {

// An entry for each dtype; null where there is no kernel. Always inlined, so that no instruction set's copy
// is shared with others.
template <class Entry> struct DTypeTable {
    Entry entries[kDTypeCount];

    [[gnu::always_inline]] Entry& operator[](DType dtype) {
        return entries[static_cast<int>(dtype)];
    }
    [[gnu::always_inline]] const Entry& operator[](DType dtype) const {
        return entries[static_cast<int>(dtype)];
    }

    // Raises '"name" not implemented for ...' where there is none.
    [[gnu::always_inline]] const Entry& require(DType dtype, const char* name) const {
        if (!(*this)[dtype]) [[unlikely]]
            refuse_dtype(name, dtype);
        return (*this)[dtype];
    }
};

// Calls fill<T>(dtype of T) for each of the types.
template <class... T, class F> [[gnu::always_inline]] inline void each_type(F fill) {
    (fill.template operator()<T>(dtype_of<T>), ...);
}

}  // namespace tapegrad::kernels
