#include "ops/overlap.h"

#include "core/error.h"

namespace tapegrad {
namespace {

enum class Overlap { None, Full, Partial, Unknown };

Overlap overlap_of(const Tensor& a, const Tensor& b) noexcept {
    if (a.is_same(b)) return Overlap::Full;
    if (!shares_memory(a, b) || a.numel() == 0 || b.numel() == 0) return Overlap::None;
    if (!is_non_overlapping_and_dense(a) || !is_non_overlapping_and_dense(b))
        return Overlap::Unknown;
    const char *first = a.data<char>(), *other = b.data<char>();
    const char* end = first + a.numel() * static_cast<int64_t>(a.item_size());
    const char* other_end = other + b.numel() * static_cast<int64_t>(b.item_size());
    if (first == other && end == other_end)
        return a.strides() == b.strides() ? Overlap::Full : Overlap::Partial;
    return first < other_end && other < end ? Overlap::Partial : Overlap::None;
}

bool is_same_window(const Tensor& a, const Tensor& b) noexcept {
    return a.data() == b.data() && a.dtype() == b.dtype() && a.sizes() == b.sizes() &&
           a.strides() == b.strides();
}

[[noreturn]] void refuse_shared_memory() {
    fail(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer "
        "to a single memory location. Please clone() the tensor before performing the operation.");
}

}  // namespace

bool needs_copy(const Tensor& out, const Tensor& input) noexcept {
    return overlap_of(out, input) != Overlap::None && !is_same_window(out, input);
}

bool is_expanded(const Tensor& tensor) noexcept {
    if (tensor.is_contiguous()) return false;
    for (int d = 0; d < tensor.dim(); ++d)
        if (tensor.sizes()[d] > 1 && tensor.strides()[d] == 0) return true;
    return false;
}

void refuse_internal_overlap(const Tensor& out) {
    if (is_expanded(out))
        fail(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation.");
}

void warn_of_internal_overlap(const Tensor& out, const char* function, const char* example) {
    if (is_expanded(out))
        warn(text("Use of ", function,
                  " on expanded tensors is deprecated. Please clone() the tensor before performing "
                  "this operation. This also applies to advanced indexing e.g. ",
                  example));
}

void refuse_partial_overlap(const Tensor& out, const Tensor& input) {
    if (overlap_of(out, input) == Overlap::Partial) refuse_shared_memory();
}

void refuse_overlap(const Tensor& out, const Tensor& input) {
    const Overlap overlap = overlap_of(out, input);
    if (overlap == Overlap::Partial || overlap == Overlap::Full) refuse_shared_memory();
}

}  // namespace tapegrad
