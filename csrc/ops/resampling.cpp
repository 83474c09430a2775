#include "ops/resampling.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"
#include "ops/axis_map.h"
#include "ops/copy.h"
#include "ops/rule.h"
#include "replay/recorder.h"

namespace tapegrad {

void from_text(std::string_view text, Interpolation& mode) {
    if (text == "nearest") mode = Interpolation::Nearest;
    else if (text == "nearest-exact") mode = Interpolation::NearestExact;
    else if (text == "linear") mode = Interpolation::Linear;
    else if (text == "bilinear") mode = Interpolation::Bilinear;
    else if (text == "trilinear") mode = Interpolation::Trilinear;
    else if (text == "bicubic") mode = Interpolation::Bicubic;
    else fail<NotImplementedError>("interpolation mode ", text, " is not known");
}

namespace {

// An axis of n elements that becomes one of m.
struct AxisChange {
    int64_t n, m;
    double scale;  // the given ratio m / n, or 0
};

// The whole number below, from 0 to `most`. A given scale may lead anywhere, also beyond an int64.
int64_t index_below(double at, int64_t most) {
    return at > 0 ? static_cast<int64_t>(std::min(std::floor(at), static_cast<double>(most))) : 0;
}

// The nearest element, in the precision that PyTorch finds it with.
SparseMatrix nearest(const AxisChange& a, bool exact) {
    const float scale = a.scale > 0 ? static_cast<float>(1.0 / a.scale)
                                    : static_cast<float>(a.n) / static_cast<float>(a.m);
    SparseMatrix matrix(a.n);
    for (int64_t j = 0; j < a.m; ++j) {
        const float at =
            exact ? (static_cast<float>(j) + 0.5f) * scale : static_cast<float>(j) * scale;
        const int64_t i = !exact && a.m == a.n       ? j
                          : !exact && a.m == 2 * a.n ? j / 2
                                                     : index_below(at, a.n - 1);
        matrix.add(i, 1);
        matrix.end_row();
    }
    return matrix;
}

// Where element j lies among those of the input.
double source_of(const AxisChange& a, int64_t j, bool align_corners) {
    const auto at = static_cast<double>(j);
    if (align_corners)
        return a.m > 1 ? at * static_cast<double>(a.n - 1) / static_cast<double>(a.m - 1) : 0;
    const double scale =
        a.scale > 0 ? 1 / a.scale : static_cast<double>(a.n) / static_cast<double>(a.m);
    return scale * (at + 0.5) - 0.5;
}

SparseMatrix linear(const AxisChange& a, bool align_corners) {
    SparseMatrix matrix(a.n);
    for (int64_t j = 0; j < a.m; ++j) {
        const double at = std::max(source_of(a, j, align_corners), 0.0);
        const int64_t i = index_below(at, a.n - 1);
        const double rest = std::clamp(at - static_cast<double>(i), 0.0, 1.0);
        if (a.n == a.m && rest == 0) {
            matrix.add(i, 1);
        } else {
            matrix.add(i, 1 - rest);
            matrix.add(std::min(i + 1, a.n - 1), rest);
        }
        matrix.end_row();
    }
    return matrix;
}

// Keys' kernel at distance x.
double cubic_weight(double x, double a) {
    x = std::abs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

SparseMatrix cubic(const AxisChange& a, bool align_corners) {
    SparseMatrix matrix(a.n);
    for (int64_t j = 0; j < a.m; ++j) {
        const double at = source_of(a, j, align_corners), low = std::floor(at);
        for (int k = -1; k <= 2; ++k)
            matrix.add(index_below(low + k, a.n - 1), cubic_weight(at - low - k, -0.75));
        matrix.end_row();
    }
    return matrix;
}

// Linear or cubic weights that reach over all elements that one of the result stands for.
SparseMatrix antialiased(const AxisChange& a, bool align_corners, bool is_cubic) {
    const double scale =
        align_corners ? (a.m > 1 ? static_cast<double>(a.n - 1) / static_cast<double>(a.m - 1) : 0)
        : a.scale > 0 ? 1 / a.scale
                      : static_cast<double>(a.n) / static_cast<double>(a.m);
    const double wide = std::max(scale, 1.0), reach = (is_cubic ? 2 : 1) * wide;
    SparseMatrix matrix(a.n);
    for (int64_t j = 0; j < a.m; ++j) {
        const double center = scale * (static_cast<double>(j) + 0.5);
        const int64_t first = index_below(center - reach + 0.5, a.n),
                      last = index_below(center + reach + 0.5, a.n);
        std::vector<double> weights;
        double total = 0;
        for (int64_t i = first; i < last; ++i) {
            const double x = (static_cast<double>(i) - center + 0.5) / wide;
            weights.push_back(is_cubic ? cubic_weight(x, -0.5) : std::max(1 - std::abs(x), 0.0));
            total += weights.back();
        }
        for (int64_t i = first; i < last; ++i)
            matrix.add(i, total != 0 ? weights[static_cast<size_t>(i - first)] / total : 0);
        matrix.end_row();
    }
    return matrix;
}

const char* upsample_node(Interpolation mode, int spatial, bool antialias) {
    static constexpr const char* nearest_names[] = {
        "UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0", "UpsampleNearest3DBackward0"};
    static constexpr const char* exact_names[] = {"UpsampleNearestExact1DBackward0",
                                                  "UpsampleNearestExact2DBackward0",
                                                  "UpsampleNearestExact3DBackward0"};
    switch (mode) {
        case Interpolation::Nearest: return nearest_names[spatial - 1];
        case Interpolation::NearestExact: return exact_names[spatial - 1];
        case Interpolation::Linear: return "UpsampleLinear1DBackward0";
        case Interpolation::Bilinear:
            return antialias ? "UpsampleBilinear2DAaBackward0" : "UpsampleBilinear2DBackward0";
        case Interpolation::Trilinear: return "UpsampleTrilinear3DBackward0";
        default: return antialias ? "UpsampleBicubic2DAaBackward0" : "UpsampleBicubic2DBackward0";
    }
}

std::string named_sizes(const Dims& sizes, int first) {
    static constexpr const char* names[] = {"D", "H", "W"};
    std::string result;
    for (int i = first; i < sizes.size(); ++i)
        result +=
            text(i > first ? ", " : "",
                 sizes.size() - first == 1 ? "W" : names[3 - sizes.size() + i], ": ", sizes[i]);
    return result;
}

}  // namespace

Tensor upsample(const Tensor& x, const Dims& size, Interpolation mode, bool align_corners,
                const std::optional<std::vector<double>>& scales, bool antialias) {
    const int spatial = x.dim() - 2;
    if (spatial < 1 || spatial > 3 || size.size() != spatial)
        fail("It is expected output_size equals to ", spatial, ", but got size ", size.size());
    if (scales && static_cast<int>(scales->size()) != spatial)
        fail("It is expected scale_factors equals to ", spatial, ", but got size ", scales->size());
    Dims sizes = x.sizes();
    bool small = false;
    for (int i = 0; i < spatial; ++i) {
        small = small || size[i] <= 0 || x.sizes()[2 + i] <= 0;
        sizes[2 + i] = size[i];
    }
    if (small)
        fail("Input and output sizes should be greater than 0, but got input (",
             named_sizes(x.sizes(), 2), ") output (", named_sizes(size, 0), ")");
    if (x.sizes()[1] == 0)
        fail("Non-empty ", x.dim(), "D data tensor expected but got a tensor with sizes ",
             to_string(x.sizes()));
    const bool copies = mode == Interpolation::Nearest || mode == Interpolation::NearestExact;
    const char* node = upsample_node(mode, spatial, antialias);
    if (!x.is_floating() && !(copies && x.dtype() == DType::UInt8))
        fail<NotImplementedError>("\"upsample\" not implemented for '", scalar_type_name(x.dtype()),
                                  "'");
    check_memory(sizes, x.dtype());
    auto matrices = std::make_shared<std::vector<SparseMatrix>>();
    for (int i = 0; i < spatial; ++i) {
        const AxisChange axis{x.sizes()[2 + i], size[i],
                              scales ? (*scales)[static_cast<size_t>(i)] : 0};
        const bool is_cubic = mode == Interpolation::Bicubic;
        if (copies) matrices->push_back(nearest(axis, mode == Interpolation::NearestExact));
        else if (antialias) matrices->push_back(antialiased(axis, align_corners, is_cubic));
        else if (is_cubic) matrices->push_back(cubic(axis, align_corners));
        else matrices->push_back(linear(axis, align_corners));
    }
    return map_axes(x, matrices, node);
}

// ------------------------------------------------------------------------------------- the windows

namespace {

struct Sliding {
    Dims kernel, dilation, padding, stride;
};

// The number of positions in each of both dimensions; those of an image of this size.
Dims positions(const Dims& size, const Sliding& s) {
    Dims result(2);
    for (int i = 0; i < 2; ++i) {
        const int64_t room = checked_add(size[i], checked_mul(2, s.padding[i])) -
                             checked_add(checked_mul(s.dilation[i], s.kernel[i] - 1), 1);
        result[i] = floor_div(room, s.stride[i]) + 1;
    }
    return result;
}

Tensor unfold_windows(const Tensor& x, const Sliding& sliding);
Tensor fold_windows(const Tensor& x, const Dims& size, const Sliding& sliding);
using rules::Text;
using rules::Uses;
Text unfold_windows(const Text& x, const Sliding&) { return formulas::call("unfold", {x.s}); }
Text fold_windows(const Text& x, const Text&, const Sliding&) {
    return formulas::call("fold", {x.s});
}
constexpr Uses unfold_windows(Uses x, const Sliding&) { return x | Uses(); }
constexpr Uses fold_windows(Uses x, Uses size, const Sliding&) { return x | size; }

Dims image_size(const Dims& sizes) { return {sizes[sizes.size() - 2], sizes.back()}; }
Uses image_size(Uses sizes) { return sizes; }
Text image_size(const Text& sizes) { return sizes; }

struct Im2Col {
    static constexpr auto node = "Im2ColBackward0";
    Sliding sliding;
    auto backward(auto g, auto x, auto) const {
        return fold_windows(g, image_size(x.sizes()), sliding);
    }
    auto forward(auto t, auto, auto) const { return unfold_windows(t, sliding); }
    void parameters(auto show) const {
        show("kernel_size", sliding.kernel, "dilation", sliding.dilation, "padding",
             sliding.padding, "stride", sliding.stride);
    }
};
struct Col2Im {
    static constexpr auto node = "Col2ImBackward0";
    Sliding sliding;
    Dims output_size;
    auto backward(auto g, auto, auto) const { return unfold_windows(g, sliding); }
    auto forward(auto t, auto, auto y) const {
        return fold_windows(t, image_size(y.sizes()), sliding);
    }
    void parameters(auto show) const {
        show("output_size", output_size, "kernel_size", sliding.kernel, "dilation",
             sliding.dilation, "padding", sliding.padding, "stride", sliding.stride);
    }
};

// Calls f(image, column) for each row of positions of each place of the kernel: where it begins in an image of
// this size, or before its start, and in the columns.
template <class F>
void each_row(const Dims& size, const Dims& count, const Sliding& s, int64_t channels, F f) {
    int64_t column = 0;
    for (int64_t c = 0; c < channels; ++c)
        for (int64_t kh = 0; kh < s.kernel[0]; ++kh)
            for (int64_t kw = 0; kw < s.kernel[1]; ++kw)
                for (int64_t i = 0; i < count[0]; ++i, column += count[1]) {
                    const int64_t row = i * s.stride[0] + kh * s.dilation[0] - s.padding[0];
                    const bool inside = row >= 0 && row < size[0];
                    f((c * size[0] + (inside ? row : 0)) * size[1], inside,
                      kw * s.dilation[1] - s.padding[1], column);
                }
}

// Images [N, C, H, W] or [C, H, W].
Tensor unfold_windows(const Tensor& x, const Sliding& s) {
    const DType wide = wide_of(x.dtype());
    const Tensor values = cast_values(contiguous_values(x), wide);
    const Dims size = image_size(x.sizes()), count = positions(size, s);
    const int64_t channels = x.sizes()[x.dim() - 3];
    Dims sizes(x.sizes().data(), x.dim() - 3);
    sizes.push_back(checked_mul(channels, checked_mul(s.kernel[0], s.kernel[1])));
    sizes.push_back(checked_mul(count[0], count[1]));
    const Tensor out = empty(sizes, wide);
    const int64_t images = x.dim() == 4 ? x.sizes()[0] : 1;
    visit_float("im2col", wide, [&]<class T>() {
        launch(
            [size, count, s, channels, images, total = out.numel()](const T* from, T* to) {
                for (int64_t n = 0; n < images && total > 0; ++n) {
                    each_row(size, count, s, channels,
                             [&](int64_t row, bool inside, int64_t start, int64_t column) {
                                 for (int64_t j = 0; j < count[1]; ++j) {
                                     const int64_t at = start + j * s.stride[1];
                                     to[column + j] =
                                         inside && at >= 0 && at < size[1] ? from[row + at] : T(0);
                                 }
                             });
                    from += channels * size[0] * size[1];
                    to += total / images;
                }
            },
            values.data<T>(), out.data<T>());
    });
    return recorded(cast_values(out, x.dtype()), Im2Col{s}, x);
}

// Columns [N, C * kernel, positions] or [C * kernel, positions].
Tensor fold_windows(const Tensor& x, const Dims& size, const Sliding& s) {
    const DType wide = wide_of(x.dtype());
    const Tensor values = cast_values(contiguous_values(x), wide);
    const Dims count = positions(size, s);
    const int64_t channels = x.sizes()[x.dim() - 2] / (s.kernel[0] * s.kernel[1]);
    Dims sizes(x.sizes().data(), x.dim() - 2);
    sizes.push_back(channels);
    sizes.push_back(size[0]);
    sizes.push_back(size[1]);
    const Tensor out = zeros(sizes, wide);
    const int64_t images = x.dim() == 3 ? x.sizes()[0] : 1;
    visit_float("col2im", wide, [&]<class T>() {
        launch(
            [size, count, s, channels, images, total = values.numel()](const T* from, T* to) {
                for (int64_t n = 0; n < images && total > 0; ++n) {
                    each_row(size, count, s, channels,
                             [&](int64_t row, bool inside, int64_t start, int64_t column) {
                                 for (int64_t j = 0; inside && j < count[1]; ++j) {
                                     const int64_t at = start + j * s.stride[1];
                                     if (at >= 0 && at < size[1]) to[row + at] += from[column + j];
                                 }
                             });
                    from += total / images;
                    to += channels * size[0] * size[1];
                }
            },
            values.data<T>(), out.data<T>());
    });
    return recorded(cast_values(out, x.dtype()), Col2Im{s, size}, x);
}

Dims pair_of(const Dims& given, const char* name) {
    if (given.size() == 1) return Dims(2, given[0]);
    if (given.size() != 2)
        fail("It is expected ", name, " equals to 2, but got size ", given.size());
    return given;
}

std::string in_parentheses(const Dims& sizes) {
    std::string list = to_string(sizes);
    list.front() = '(';
    list.back() = ')';
    return list;
}

Sliding checked_windows(const Dims& kernel, const Dims& dilation, const Dims& padding,
                        const Dims& stride) {
    const Sliding s{pair_of(kernel, "kernel_size"), pair_of(dilation, "dilation"),
                    pair_of(padding, "padding"), pair_of(stride, "stride")};
    const auto check = [](const Dims& v, int64_t least, const char* what, const char* name) {
        if (v[0] < least || v[1] < least)
            fail(what, ", but got ", name, "_height: ", v[0], " ", name, "_width: ", v[1]);
    };
    check(s.kernel, 1, "kernel size should be greater than zero", "kernel");
    check(s.dilation, 1, "dilation should be greater than zero", "dilation");
    check(s.padding, 0, "padding should be non-negative", "pad");
    check(s.stride, 1, "stride should be greater than zero", "stride");
    return s;
}

void check_windows_type(const Tensor& x, const char* name) {
    if (!x.is_floating()) refuse_dtype(name, x.dtype());
}

}  // namespace

Tensor im2col(const Tensor& x, const Dims& kernel, const Dims& dilation, const Dims& padding,
              const Dims& stride) {
    const Sliding s = checked_windows(kernel, dilation, padding, stride);
    bool fits = x.dim() == 3 || x.dim() == 4;
    for (int d = x.dim() == 4; fits && d < x.dim(); ++d) fits = x.sizes()[d] != 0;
    if (!fits)
        fail(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            "dimensions for input, but got: ",
            to_string(x.sizes()));
    const Dims size = image_size(x.sizes()), count = positions(size, s);
    if (count[0] < 1 || count[1] < 1)
        fail("Given input with spatial size ", in_parentheses(size),
             ", kernel_size=", in_parentheses(s.kernel), ", dilation=", in_parentheses(s.dilation),
             ", padding=", in_parentheses(s.padding),
             ", calculated shape of the array of sliding blocks as ", in_parentheses(count),
             ", but its components must be at least one.");
    check_windows_type(x, "im2col_out_cpu");
    return unfold_windows(x, s);
}

Tensor col2im(const Tensor& x, const Dims& output_size, const Dims& kernel, const Dims& dilation,
              const Dims& padding, const Dims& stride) {
    const Dims size = pair_of(output_size, "output_size");
    const Sliding s = checked_windows(kernel, dilation, padding, stride);
    bool fits = x.dim() == 2 || x.dim() == 3;
    for (int d = x.dim() == 3; fits && d < x.dim(); ++d) fits = x.sizes()[d] != 0;
    if (!fits)
        fail(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            "non-zero dimensions for input, but got: ",
            to_string(x.sizes()));
    const int first = x.dim() - 2;
    const int64_t rows = x.sizes()[first], columns = x.sizes()[first + 1];
    if (rows % checked_mul(s.kernel[0], s.kernel[1]) != 0)
        fail(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            "but got input.size(1)=",
            rows, " and kernel_size=", in_parentheses(s.kernel), ".");
    const Dims count = positions(size, s);
    if (size[0] < 0 || size[1] < 0 || count[0] < 1 || count[1] < 1 ||
        checked_mul(count[0], count[1]) != columns)
        fail("Given output_size=", in_parentheses(size), ", kernel_size=", in_parentheses(s.kernel),
             ", dilation=", in_parentheses(s.dilation), ", padding=", in_parentheses(s.padding),
             ", stride=", in_parentheses(s.stride),
             ", expected size of input's dimension 2 to match the calculated number of sliding "
             "blocks ",
             count[0], " * ", count[1], " = ",
             saturating_mul(std::max<int64_t>(count[0], 0), std::max<int64_t>(count[1], 0)),
             ", but got input.size(2)=", columns, ".");
    check_windows_type(x, "col2im_out_cpu");
    return fold_windows(x, size, s);
}

// ------------------------------------------------------------------------------------- shuffles

namespace {

// x seen in other sizes, its dimensions in another order, and that in the sizes of the result.
Tensor reordered(const Tensor& x, const Dims& view, const Dims& order, const Dims& sizes) {
    const Tensor values = contiguous_values(x);
    const Dims strides = contiguous_strides(view);
    Dims to(view.size()), by(view.size());
    for (int d = 0; d < view.size(); ++d) {
        to[d] = view[static_cast<int>(order[d])];
        by[d] = strides[static_cast<int>(order[d])];
    }
    const Tensor out = empty(to, x.dtype());
    copy_values(out, alias(values, to, by, 0));
    return alias(out, sizes, contiguous_strides(sizes), 0);
}

TAPEGRAD_WORD(pixel_shuffle)
TAPEGRAD_WORD(pixel_unshuffle)
TAPEGRAD_WORD(channel_shuffle)

struct PixelShuffle {
    static constexpr auto node = "PixelShuffleBackward0";
    int64_t factor;
    auto backward(auto g, auto, auto) const { return pixel_unshuffle(g, factor); }
    auto forward(auto t, auto, auto) const { return pixel_shuffle(t, factor); }
    void parameters(auto show) const { show("upscale_factor", factor); }
};
struct PixelUnshuffle {
    static constexpr auto node = "PixelUnshuffleBackward0";
    int64_t factor;
    auto backward(auto g, auto, auto) const { return pixel_shuffle(g, factor); }
    auto forward(auto t, auto, auto) const { return pixel_unshuffle(t, factor); }
    void parameters(auto show) const { show("downscale_factor", factor); }
};
struct ChannelShuffle {
    static constexpr auto node = "ChannelShuffleBackward0";
    int64_t groups, back;
    auto backward(auto g, auto, auto) const { return channel_shuffle(g, back); }
    auto forward(auto t, auto, auto) const { return channel_shuffle(t, groups); }
    void parameters(auto show) const { show("groups", groups); }
};

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t factor) {
    if (x.dim() < 3)
        fail("pixel_shuffle expects input to have at least 3 dimensions, but got input with ",
             x.dim(), " dimension(s)");
    if (factor <= 0) fail("pixel_shuffle expects a positive upscale_factor, but got ", factor);
    const int first = x.dim() - 3;
    const int64_t channels = x.sizes()[first], h = x.sizes()[first + 1], w = x.sizes()[first + 2],
                  squared = checked_mul(factor, factor);
    if (channels % squared != 0)
        fail(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            "of upscale_factor, but input.size(-3)=",
            channels, " is not divisible by ", squared);
    const int64_t c = channels / squared;
    Dims sizes(x.sizes().data(), first);
    const int64_t batch = element_count(sizes);
    sizes.push_back(c);
    sizes.push_back(checked_mul(h, factor));
    sizes.push_back(checked_mul(w, factor));
    return recorded(reordered(x, {batch, c, factor, factor, h, w}, {0, 1, 4, 2, 5, 3}, sizes),
                    PixelShuffle{factor}, x);
}

Tensor pixel_unshuffle(const Tensor& x, int64_t factor) {
    if (x.dim() < 3)
        fail("pixel_unshuffle expects input to have at least 3 dimensions, but got input with ",
             x.dim(), " dimension(s)");
    if (factor <= 0) fail("pixel_unshuffle expects a positive downscale_factor, but got ", factor);
    const int first = x.dim() - 3;
    const int64_t c = x.sizes()[first], h = x.sizes()[first + 1], w = x.sizes()[first + 2];
    if (h % factor != 0)
        fail(
            "pixel_unshuffle expects height to be divisible by downscale_factor, but "
            "input.size(-2)=",
            h, " is not divisible by ", factor);
    if (w % factor != 0)
        fail(
            "pixel_unshuffle expects width to be divisible by downscale_factor, but "
            "input.size(-1)=",
            w, " is not divisible by ", factor);
    Dims sizes(x.sizes().data(), first);
    const int64_t batch = element_count(sizes);
    sizes.push_back(checked_mul(c, checked_mul(factor, factor)));
    sizes.push_back(h / factor);
    sizes.push_back(w / factor);
    return recorded(
        reordered(x, {batch, c, h / factor, factor, w / factor, factor}, {0, 1, 3, 5, 2, 4}, sizes),
        PixelUnshuffle{factor}, x);
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
    if (x.dim() <= 2)
        fail("channel_shuffle expects input with > 2 dims, but got input with sizes ",
             to_string(x.sizes()));
    if (groups <= 0)
        fail("Number of groups to divide channels in must be positive. Value of groups:", groups);
    const int64_t channels = x.sizes()[1];
    if (channels % groups != 0)
        fail("Number of channels must be divisible by groups. Got ", channels, " channels and ",
             groups, " groups.");
    const int64_t each = channels / groups;
    const int64_t rest = element_count(Dims(x.sizes().data() + 2, x.dim() - 2));
    return recorded(reordered(x, {x.sizes()[0], groups, each, rest}, {0, 2, 1, 3}, x.sizes()),
                    ChannelShuffle{groups, std::max<int64_t>(each, 1)}, x);
}

}  // namespace tapegrad
