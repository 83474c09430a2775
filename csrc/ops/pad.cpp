#include "ops/pad.h"

#include <algorithm>
#include <vector>

#include "core/checked.h"
#include "ops/axis_map.h"
#include "ops/copy.h"
#include "ops/rule.h"

namespace tapegrad {
namespace {

Dims negated(const Dims& pad) {
    Dims result = pad;
    for (int64_t& count : result) count = -count;
    return result;
}

Tensor constant_pad(const Tensor& x, const Dims& pad, double value) {
    return constant_pad(x, pad, Scalar(value));
}
TAPEGRAD_WORD(constant_pad)

struct ConstantPad {
    static constexpr auto node = "ConstantPadNdBackward0";
    Dims pad;
    auto backward(auto g, auto, auto) const { return constant_pad(g, negated(pad), 0.0); }
    auto forward(auto t, auto, auto) const { return constant_pad(t, pad, 0.0); }
    void parameters(auto show) const { show("pad", pad); }
};

Tensor part_of(const Tensor& x, int d, int64_t start, int64_t length) {
    Dims sizes = x.sizes();
    sizes[d] = length;
    const int64_t shift = sizes[d] > 0 && x.numel() > 0 ? start * x.strides()[d] : 0;
    return alias(x, sizes, x.strides(), shift);
}

void check_even(const Dims& pad) {
    if (pad.size() % 2 != 0) fail("Length of pad must be even but instead it equals ", pad.size());
}

}  // namespace

Tensor constant_pad(const Tensor& x, const Dims& pad, const Scalar& value) {
    check_even(pad);
    const int count = pad.size() / 2;
    if (count > x.dim())
        fail(
            "Length of pad should be no more than twice the number of dimensions of the input. "
            "Pad length is ",
            pad.size(), "while the input has ", x.dim(), "dimensions.");
    Dims sizes = x.sizes();
    // The part of the result that comes from x: views without a place on the tape.
    struct Part {
        int d;
        int64_t start, length;
    };
    std::vector<Part> parts;
    Tensor source = alias(x);
    for (int i = 0; i < count; ++i) {
        const int d = x.dim() - 1 - i;
        const int64_t before = pad[2 * i], after = pad[2 * i + 1], n = x.sizes()[d];
        const int64_t kept = checked_add(n, std::min<int64_t>(before, 0)),
                      length = checked_add(kept, std::min<int64_t>(after, 0));
        if (kept < 0 || length < 0) fail("narrow(): length must be non-negative.");
        sizes[d] = checked_add(checked_add(n, before), after);
        if (sizes[d] < 0)
            fail("The input size ", n, ", plus negative padding ", before, " and ", after,
                 " resulted in a negative output size, which is invalid. Check dimension ", d,
                 " of your input.");
        source = part_of(source, d, std::max<int64_t>(-before, 0), length);
        parts.push_back({d, std::max<int64_t>(before, 0), length});
    }
    const Tensor out = full(sizes, value, x.dtype());
    Tensor target = out;
    for (const Part& part : parts) target = part_of(target, part.d, part.start, part.length);
    copy_values(target, source);
    return recorded(out, ConstantPad{pad}, x);
}

namespace {

enum class Border { Reflect, Replicate, Circular };

// What is left of an axis where padding takes away.
struct Rest {
    int64_t begin, end;
};

// The element that position i shows, which may lie outside. What comes from the other end comes from the other
// end of the rest.
int64_t shown(Border border, int64_t i, int64_t n, const Rest& rest) {
    switch (border) {
        case Border::Reflect: return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
        case Border::Replicate: return std::clamp<int64_t>(i, 0, n - 1);
        default: {
            const int64_t count = rest.end - rest.begin, turned = (i - rest.begin) % count;
            return rest.begin + (turned < 0 ? turned + count : turned);
        }
    }
}

Tensor pad_axes(Border border, const Tensor& x, const Dims& pad, const char* node) {
    const int count = pad.size() / 2;
    Dims sizes = x.sizes();
    for (int i = 0; i < count; ++i) {
        int64_t& size = sizes[x.dim() - 1 - i];
        size = checked_add(checked_add(size, pad[2 * i]), pad[2 * i + 1]);
    }
    for (const int64_t size : sizes)
        if (size < 0)
            fail("Trying to create tensor with negative dimension ", size, ": ", to_string(sizes));
    check_memory(sizes, x.dtype());
    auto matrices = std::make_shared<std::vector<SparseMatrix>>();
    for (int i = count - 1; i >= 0; --i) {
        const int d = x.dim() - 1 - i;
        const int64_t n = x.sizes()[d];
        const Rest rest{std::max<int64_t>(-pad[2 * i], 0),
                        n + std::min<int64_t>(pad[2 * i + 1], 0)};
        if (border == Border::Circular && sizes[d] > 0 && rest.begin >= rest.end)
            fail("Negative padding value is resulting in an empty dimension");
        SparseMatrix matrix(n);
        for (int64_t j = 0; j < sizes[d]; ++j) {
            matrix.add(shown(border, j - pad[2 * i], n, rest), 1);
            matrix.end_row();
        }
        matrices->push_back(std::move(matrix));
    }
    return map_axes(x, matrices, node);
}

// The dimensions that an operator for so many accepts, none but the first of them empty.
void check_rank(int spatial, const Tensor& x) {
    bool fits = x.dim() == spatial + 1 || x.dim() == spatial + 2;
    for (int d = x.dim() == spatial + 2; fits && d < x.dim(); ++d) fits = x.sizes()[d] > 0;
    if (!fits)
        fail("Expected ", spatial + 1, "D or ", spatial + 2,
             "D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
             "input, but got: ",
             to_string(x.sizes()));
}
void check_length(int spatial, const Dims& pad) {
    if (pad.size() != 2 * spatial) fail("padding size is expected to be ", 2 * spatial);
}

const char* numbered(int spatial, const char* const (&names)[3]) { return names[spatial - 1]; }

}  // namespace

Tensor reflection_pad(int spatial, const Tensor& x, const Dims& pad) {
    check_length(spatial, pad);
    check_rank(spatial, x);
    for (int i = 0; i < spatial; ++i) {
        const int d = x.dim() - 1 - i;
        if (pad[2 * i] >= x.sizes()[d] || pad[2 * i + 1] >= x.sizes()[d])
            fail(
                "Argument #4: Padding size should be less than the corresponding input dimension, "
                "but got: padding (",
                pad[2 * i], ", ", pad[2 * i + 1], ") at dimension ", d, " of input ",
                to_string(x.sizes()));
    }
    return pad_axes(Border::Reflect, x, pad,
                    numbered(spatial, {"ReflectionPad1DBackward0", "ReflectionPad2DBackward0",
                                       "ReflectionPad3DBackward0"}));
}

Tensor replication_pad(int spatial, const Tensor& x, const Dims& pad) {
    check_length(spatial, pad);
    check_rank(spatial, x);
    return pad_axes(Border::Replicate, x, pad,
                    numbered(spatial, {"ReplicationPad1DBackward0", "ReplicationPad2DBackward0",
                                       "ReplicationPad3DBackward0"}));
}

Tensor circular_pad(const Tensor& x, const Dims& pad) {
    check_even(pad);
    if (x.dim() != pad.size() / 2 + 1 && x.dim() != pad.size() / 2 + 2)
        fail("Invalid padding size, expected ", 2 * (x.dim() - 2), " but got ", pad.size());
    for (int i = 0; i < pad.size() / 2; ++i) {
        const int64_t n = x.sizes()[x.dim() - 1 - i];
        if (pad[2 * i] > n || pad[2 * i + 1] > n)
            fail("Padding value causes wrapping around more than once.");
        if (checked_add(checked_add(n, pad[2 * i]), pad[2 * i + 1]) < 0)
            fail("Negative padding value is resulting in an empty dimension");
    }
    return pad_axes(Border::Circular, x, pad, "CopySlices");
}

}  // namespace tapegrad
