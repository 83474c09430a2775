#include "ops/reshape.h"

#include <algorithm>
#include <string>

#include "core/checked.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reductions.h"
#include "ops/rule.h"

namespace tapegrad {
namespace {

// Replaces -1 by what remains; false where the sizes do not multiply up to numel. before: of the messages
// about sizes that mean nothing.
bool infer(Dims& sizes, int64_t numel, const char* before) {
    int64_t known = 1;
    int unknown = -1;
    for (int i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == -1) {
            if (unknown >= 0) fail(before, "only one dimension can be inferred");
            unknown = i;
        } else if (sizes[i] < 0) {
            fail(before, "invalid shape dimension ", sizes[i], " at index ", i, " of shape ",
                 to_string(sizes));
        } else if (__builtin_mul_overflow(known, sizes[i], &known)) {
            return false;
        }
    }
    if (unknown < 0) return known == numel;
    if (known == 0 && numel == 0)
        fail(before, "cannot reshape tensor of 0 elements into shape ", to_string(sizes),
             " because the unspecified dimension size -1 can be any value and is ambiguous");
    if (known == 0 || numel % known) return false;
    sizes[unknown] = numel / known;
    return true;
}

// sizes with -1 replaced by what remains.
Dims infer_sizes(const Dims& sizes, int64_t numel) {
    Dims result = sizes;
    if (!infer(result, numel, ""))
        fail("shape '", to_string(sizes), "' is invalid for input of size ", numel);
    return result;
}

// Strides that give x's elements the new shape without moving them; false where there are none.
bool view_strides(const Tensor& x, const Dims& sizes, Dims& strides) {
    if (x.is_contiguous() || x.numel() == 0) {
        strides = contiguous_strides(sizes);
        return true;
    }
    strides.resize(sizes.size());
    int at = sizes.size() - 1;
    int64_t chunk_stride = x.strides()[x.dim() - 1], old_count = 1, new_count = 1;
    for (int i = x.dim() - 1; i >= 0; --i) {
        old_count *= x.sizes()[i];
        // A run of dimensions that lie evenly in memory ends where the next stride does not continue it.
        if (i == 0 || (x.sizes()[i - 1] != 1 && x.strides()[i - 1] != old_count * chunk_stride)) {
            while (at >= 0 && (new_count < old_count || sizes[at] == 1)) {
                strides[at] = new_count * chunk_stride;
                new_count *= sizes[at--];
            }
            if (new_count != old_count) return false;
            if (i > 0) {
                chunk_stride = x.strides()[i - 1];
                old_count = new_count = 1;
            }
        }
    }
    return at < 0;
}

}  // namespace

Tensor view(const Tensor& x, const Dims& sizes) {
    const Dims inferred = infer_sizes(sizes, x.numel());
    Dims strides;
    if (!view_strides(x, inferred, strides))
        fail(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead.");
    return recorded_view(alias(x, inferred, strides, 0), Reshaped{"ViewBackward0"}, x);
}

Tensor view_of_type(const Tensor& x, DType dtype) {
    const auto from = static_cast<int64_t>(x.item_size()),
               to = static_cast<int64_t>(item_size(dtype));
    Dims sizes = x.sizes(), strides = x.strides();
    if (from != to) {
        const std::string how = text(" to view ", scalar_type_name(x.dtype()), " as ",
                                     scalar_type_name(dtype), " (different element sizes)");
        if (x.dim() == 0) fail("self.dim() cannot be 0", how);
        const int last = x.dim() - 1;
        const int64_t ratio = std::max(from, to) / std::min(from, to);
        const auto divide = [&](const std::string& name, int64_t& value) {
            if (value % ratio)
                fail(name, " must be divisible by ", ratio, how, ", but got ", value);
            value /= ratio;
        };
        if (to > from) {
            int64_t offset = x.storage_offset();
            divide("self.size(-1)", sizes[last]);
            divide("self.storage_offset()", offset);
        } else {
            sizes[last] = checked_mul(sizes[last], ratio);
        }
        if (strides[last] != 1) fail("self.stride(-1) must be 1", how, ", but got ", strides[last]);
        for (int d = 0; d < last; ++d) {
            if (to > from) divide("self.stride(" + std::to_string(d) + ")", strides[d]);
            else strides[d] = checked_mul(strides[d], ratio);
        }
    }
    Tensor view(
        new TensorImpl(Shape::strided(sizes, strides), dtype, x.storage(), x->data, x->inference));
    // Bytes that are neither 0 nor 1 are no bools.
    if (dtype == DType::Bool && x.dtype() != DType::Bool && x.numel())
        require_all(view_of_type(x, DType::UInt8) <= 1,
                    [] { fail("a view as Bool needs memory that has nothing but 0 and 1"); });
    return view;
}

Tensor reshape(const Tensor& x, const Dims& sizes) {
    const Dims inferred = infer_sizes(sizes, x.numel());
    Dims strides;
    if (view_strides(x, inferred, strides))
        return recorded_view(
            alias(x, inferred, strides, 0),
            Reshaped{x.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0"}, x);
    // The copy belongs to nobody else, so its reshaping is no view that a user could write through.
    const Tensor copy = contiguous_clone(x);
    return recorded(alias(copy, inferred, contiguous_strides(inferred), 0),
                    Reshaped{"UnsafeViewBackward0"}, copy);
}

Tensor flatten(const Tensor& x, int64_t start, int64_t end) {
    const int first = wrap_dim(start, x.dim()), last = wrap_dim(end, x.dim());
    if (first > last) fail("flatten() has invalid args: start_dim cannot come after end_dim");
    if (x.dim() == 0) return reshape(x, {1});
    if (first == last) return x;
    Dims sizes;
    const int64_t merged = element_count(Dims(x.sizes().data() + first, last - first + 1));
    for (int i = 0; i < first; ++i) sizes.push_back(x.sizes()[i]);
    sizes.push_back(merged);
    for (int i = last + 1; i < x.dim(); ++i) sizes.push_back(x.sizes()[i]);
    return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes) {
    if (sizes.empty()) fail("unflatten: sizes must be non-empty");
    const int at = wrap_dim(dim, x.dim());
    constexpr auto unexpected = "unflatten got an unexpected error:\n";
    if (x.dim() == 0)
        fail(unexpected, "Dimension specified as ", at, " but tensor has no dimensions");
    Dims parts = sizes, shape;
    if (!infer(parts, x.sizes()[at], unexpected))
        fail("unflatten: Provided sizes ", to_string(sizes),
             " don't multiply up to the size of dim ", at, " (", x.sizes()[at],
             ") in the input tensor");
    for (int i = 0; i < at; ++i) shape.push_back(x.sizes()[i]);
    for (int64_t size : parts) shape.push_back(size);
    for (int i = at + 1; i < x.dim(); ++i) shape.push_back(x.sizes()[i]);
    return view(x, shape);
}

Tensor atleast_1d(const Tensor& x) { return x.dim() ? x : reshape(x, {1}); }

}  // namespace tapegrad
