// Memory that an operation writes, and meets a second time: what is refused is what PyTorch refuses.
#pragma once

#include "core/tensor.h"

namespace tapegrad {

inline bool shares_memory(const Tensor& a, const Tensor& b) noexcept {
    return a.storage()->data() == b.storage()->data();
}

// Whether input has to be copied before out is written: it shares the memory otherwise than element for
// element.
bool needs_copy(const Tensor& out, const Tensor& input) noexcept;

// Whether some dimension shows one element several times, as after expand.
bool is_expanded(const Tensor& tensor) noexcept;

// Raises for an expanded tensor.
void refuse_internal_overlap(const Tensor& out);
// Warns instead, where PyTorch has not come to refuse it yet.
void warn_of_internal_overlap(const Tensor& out, const char* function,
                              const char* example = "tensor[mask] = scalar");
// Raises where input shares a part of the memory that is written, or shows all of it in another order. Of
// windows with holes nothing is said; who reads them has to copy.
void refuse_partial_overlap(const Tensor& out, const Tensor& input);
// The same, also where both show the same elements in the same order.
void refuse_overlap(const Tensor& out, const Tensor& input);

}  // namespace tapegrad
