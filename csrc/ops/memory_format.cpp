#include "ops/memory_format.h"

#include "core/checked.h"
#include "ops/copy.h"

namespace tapegrad {
namespace {

bool is_channels_last(MemoryFormat format) {
    return format == MemoryFormat::ChannelsLast || format == MemoryFormat::ChannelsLast3d;
}
int rank_of(MemoryFormat format) { return format == MemoryFormat::ChannelsLast ? 4 : 5; }

// Calls visit with the dimensions from the innermost on: channels, then the places from the last to the
// first, then the samples.
template <class Visit> void from_innermost(int rank, Visit visit) {
    visit(1);
    for (int d = rank - 1; d > 1; --d) visit(d);
    visit(0);
}

}  // namespace

bool is_contiguous(const Tensor& x, MemoryFormat format) {
    if (!is_channels_last(format)) return x.is_contiguous();
    if (x.dim() != rank_of(format)) return false;
    int64_t expected = 1;
    bool result = true;
    from_innermost(x.dim(), [&](int d) {
        if (x.sizes()[d] == 1) return;
        result = result && x.strides()[d] == expected;
        expected = saturating_mul(expected, x.sizes()[d]);
    });
    return result;
}

Dims strides_in(const Dims& sizes, MemoryFormat format) {
    if (!is_channels_last(format)) return contiguous_strides(sizes);
    const int rank = rank_of(format);
    if (sizes.size() != rank)
        fail("required rank ", rank, " tensor to use channels_last", rank == 5 ? "_3d" : "",
             " format");
    Dims strides(rank);
    int64_t next = 1;
    from_innermost(rank, [&](int d) {
        strides[d] = next;
        next = saturating_mul(next, sizes[d]);
    });
    return strides;
}

MemoryFormat suggested_format(const Tensor& x) {
    for (const MemoryFormat format : {MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d})
        if (!x.is_contiguous() && is_contiguous(x, format)) return format;
    return MemoryFormat::Contiguous;
}

Tensor empty(const Dims& sizes, DType dtype, MemoryFormat format) {
    if (format == MemoryFormat::Preserve) fail("unsupported memory format Preserve");
    if (format == MemoryFormat::Contiguous) return empty(sizes, dtype);
    return empty_strided(sizes, strides_in(sizes, format), dtype);
}

Tensor empty_like(const Tensor& x, DType dtype, OptionalFormat format) {
    if (format && *format != MemoryFormat::Preserve) return empty(x.sizes(), dtype, *format);
    return empty_result(x.sizes(), dtype, x);
}

Tensor clone(const Tensor& x, OptionalFormat format) {
    return copy_into(empty_like(x, x.dtype(), format), x, "CloneBackward0");
}

Tensor contiguous(const Tensor& x, OptionalFormat format) {
    const MemoryFormat wanted = format.value_or(MemoryFormat::Contiguous);
    if (is_contiguous(x, wanted)) return x;
    if (wanted == MemoryFormat::Preserve)
        fail("preserve memory format is unsupported by the contiguous operator");
    return clone(x, wanted);
}

Tensor to_copy(const Tensor& x, DType dtype, bool copy, OptionalFormat format) {
    const bool lies_so = !format || *format == MemoryFormat::Preserve || is_contiguous(x, *format);
    if (x.dtype() == dtype && lies_so && !copy) return x;
    return copy_into(empty_like(x, dtype, format), x, "ToCopyBackward0");
}

}  // namespace tapegrad
