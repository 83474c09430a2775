#include "ops/convolution.h"

#include <array>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/convolution_values.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/pad.h"
#include "ops/reductions.h"
#include "ops/reshape.h"
#include "ops/rule.h"
#include "ops/views.h"

namespace tapegrad {

void from_text(std::string_view text, ConvolutionPadding& padding) {
    if (text == "same") padding.kind = ConvolutionPadding::Same;
    else if (text == "valid") padding.kind = ConvolutionPadding::Valid;
    else fail("Invalid padding string: '", text, "'");
}

// One value for each of `count` dimensions, or one for all of those that the function has.
static Dims expand_parameter(const Dims& given, const char* name, int count, int spatial) {
    if (given.size() == 1 && count == spatial) return Dims(count, given[0]);
    const Dims values = given.size() == 1 ? Dims(spatial, given[0]) : given;
    if (values.size() != count)
        fail("expected ", name, " to be a single integer value or a list of ", count,
             " values to match the convolution dimensions, but got ", name, "=", to_string(values));
    return values;
}

namespace {

struct Geometry {
    Dims stride, padding, dilation;
    int64_t groups;
};

// ------------------------------------------------------------------------------------- the maps

// Of what a convolution reads, what it writes, and its weight.
ConvolutionSizes sizes_of(const Dims& in, const Dims& out, const Dims& weight, const Geometry& g) {
    ConvolutionSizes s{in[0],     g.groups,  in[1],     out[1],    {1, 1, 1},
                       {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
    const int spatial = g.stride.size();
    for (int i = 0; i < spatial; ++i) {
        const int to = 3 - spatial + i;
        s.in[to] = in[2 + i];
        s.out[to] = out[2 + i];
        s.kernel[to] = weight[2 + i];
        s.stride[to] = g.stride[i];
        s.padding[to] = g.padding[i];
        s.dilation[to] = g.dilation[i];
    }
    return s;
}

using ValuesFn = Tensor (*)(const ConvolutionSizes&, const Tensor&, const Tensor&, const Tensor&);

// The result of a map in the shape that was asked for. Half-precision types are computed in float32.
Tensor map_values(ValuesFn map, const ConvolutionSizes& s, const Tensor& a, const Tensor& b,
                  const Tensor& bias, const Dims& sizes) {
    const DType dtype = a.dtype(), wide = is_half(dtype) ? DType::Float32 : dtype;
    kernel_table().convolution.convolve.require(wide, "convolution");
    const auto values = [&](const Tensor& x) {
        return x.defined() ? cast_values(contiguous_values(x), wide) : Tensor();
    };
    const Tensor result = cast_values(map(s, values(a), values(b), values(bias)), dtype);
    return alias(result, sizes, contiguous_strides(sizes), 0);
}
Tensor weight_map(const ConvolutionSizes& s, const Tensor& g, const Tensor& x, const Tensor&) {
    return convolve_weight_values(s, g, x);
}

// Linear in both: the derivatives of each are the other two.
Tensor convolve(const Tensor& x, const Tensor& weight, const Dims& out, const Geometry& geometry);
Tensor convolve_transposed(const Tensor& g, const Tensor& weight, const Dims& in,
                           const Geometry& geometry);
Tensor convolve_weight(const Tensor& g, const Tensor& x, const Dims& weight,
                       const Geometry& geometry);

using rules::Text;
using rules::Uses;
Text convolve(const Text& x, const Text& weight, const Text&, const Geometry&) {
    return formulas::call("convolution", {x.s, weight.s});
}
Text convolve_transposed(const Text& g, const Text& weight, const Text&, const Geometry&) {
    return formulas::call("conv_transpose", {g.s, weight.s});
}
Text convolve_weight(const Text& g, const Text& x, const Text&, const Geometry&) {
    return formulas::call("conv_weight", {g.s, x.s});
}
constexpr Uses convolve(Uses x, Uses weight, Uses out, const Geometry&) { return x | weight | out; }
constexpr Uses convolve_transposed(Uses g, Uses weight, Uses in, const Geometry&) {
    return g | weight | in;
}
constexpr Uses convolve_weight(Uses g, Uses x, Uses weight, const Geometry&) {
    return g | x | weight;
}

struct Convolve {
    static constexpr auto node = "ConvolutionBackwardBackward0";
    static constexpr std::array arguments{"self", "weight"};
    Geometry geometry;
    auto backward(auto g, auto x, auto weight, auto) const {
        return gradients([=, this] { return convolve_transposed(g, weight, x.sizes(), geometry); },
                         [=, this] { return convolve_weight(g, x, weight.sizes(), geometry); });
    }
    auto forward(auto x, auto weight, auto y) const {
        return tangents([=, this](auto t) { return convolve(t, weight, y.sizes(), geometry); },
                        [=, this](auto t) { return convolve(x, t, y.sizes(), geometry); });
    }
};
struct ConvolveTransposed {
    static constexpr auto node = "ConvolutionBackwardBackward0";
    static constexpr std::array arguments{"grad", "weight"};
    Geometry geometry;
    auto backward(auto g, auto y, auto weight, auto) const {
        return gradients([=, this] { return convolve(g, weight, y.sizes(), geometry); },
                         [=, this] { return convolve_weight(y, g, weight.sizes(), geometry); });
    }
    auto forward(auto x, auto weight, auto y) const {
        return tangents(
            [=, this](auto t) { return convolve_transposed(t, weight, y.sizes(), geometry); },
            [=, this](auto t) { return convolve_transposed(x, t, y.sizes(), geometry); });
    }
};
struct ConvolveWeight {
    static constexpr auto node = "ConvolutionBackwardBackward0";
    static constexpr std::array arguments{"grad", "self"};
    Geometry geometry;
    auto backward(auto g, auto y, auto x, auto) const {
        return gradients([=, this] { return convolve(x, g, y.sizes(), geometry); },
                         [=, this] { return convolve_transposed(y, g, x.sizes(), geometry); });
    }
    auto forward(auto x, auto other, auto y) const {
        return tangents(
            [=, this](auto t) { return convolve_weight(t, other, y.sizes(), geometry); },
            [=, this](auto t) { return convolve_weight(x, t, y.sizes(), geometry); });
    }
};

Tensor convolve(const Tensor& x, const Tensor& weight, const Dims& out, const Geometry& geometry) {
    return recorded(map_values(convolve_values, sizes_of(x.sizes(), out, weight.sizes(), geometry),
                               x, weight, Tensor(), out),
                    Convolve{geometry}, x, weight);
}
Tensor convolve_transposed(const Tensor& g, const Tensor& weight, const Dims& in,
                           const Geometry& geometry) {
    return recorded(
        map_values(convolve_input_values, sizes_of(in, g.sizes(), weight.sizes(), geometry), g,
                   weight, Tensor(), in),
        ConvolveTransposed{geometry}, g, weight);
}
Tensor convolve_weight(const Tensor& g, const Tensor& x, const Dims& weight,
                       const Geometry& geometry) {
    return recorded(map_values(weight_map, sizes_of(x.sizes(), g.sizes(), weight, geometry), g, x,
                               Tensor(), weight),
                    ConvolveWeight{geometry}, g, x);
}

// ------------------------------------------------------------------------------------- the operators

// All dimensions but that of the channels.
Dims around_channels(int dims) {
    Dims result{0};
    for (int d = 2; d < dims; ++d) result.push_back(d);
    return result;
}

template <bool kTransposed> struct Convolution {
    static constexpr auto node = "ConvolutionBackward0";
    static constexpr std::array arguments{"input", "weight", "bias"};
    Geometry geometry;
    Dims output_padding;
    auto backward(auto g, auto x, auto weight, auto, auto) const {
        return gradients(
            [=, this] {
                if constexpr (kTransposed) return convolve(g, weight, x.sizes(), geometry);
                else return convolve_transposed(g, weight, x.sizes(), geometry);
            },
            [=, this] {
                if constexpr (kTransposed) return convolve_weight(x, g, weight.sizes(), geometry);
                else return convolve_weight(g, x, weight.sizes(), geometry);
            },
            [=, this] { return sum(g, around_channels(geometry.stride.size() + 2)); });
    }
    auto forward(auto x, auto weight, auto, auto y) const {
        const auto product = [=, this](const Tensor& a, const Tensor& b) {
            if constexpr (kTransposed) return convolve_transposed(a, b, y.sizes(), geometry);
            else return convolve(a, b, y.sizes(), geometry);
        };
        return tangents([=](auto t) { return product(t, weight); },
                        [=](auto t) { return product(x, t); },
                        [=, this](auto t) {
                            Dims sizes(geometry.stride.size() + 1, 1);
                            sizes[0] = -1;
                            return reshape(t, sizes);
                        });
    }
    void parameters(auto show) const {
        show("stride", geometry.stride, "padding", geometry.padding, "dilation", geometry.dilation,
             "transposed", kTransposed, "output_padding", output_padding, "groups",
             geometry.groups);
    }
};

// Raises unless all are at least the least that is allowed.
void check_each(const Dims& values, int64_t least, const char* message) {
    for (const int64_t value : values)
        if (value < least) fail(message);
}

std::string by_times(const Dims& sizes) {
    std::string result = "(";
    for (int i = 0; i < sizes.size(); ++i) result += (i ? " x " : "") + std::to_string(sizes[i]);
    return result + ")";
}

// What the dimensions of a volume, an area or a line are called.
std::string named(const char* what, const Dims& values) {
    static constexpr const char* names[] = {"depth", "height", "width"};
    std::string result;
    for (int i = 0; i < values.size(); ++i)
        result += text(" ", what, "_", names[3 - values.size() + i], ": ", values[i]);
    return result;
}

void check_types(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    if (bias.defined() && bias.dtype() != input.dtype())
        fail("Input type (", cpp_type_name(input.dtype()), ") and bias type (",
             cpp_type_name(bias.dtype()), ") should be the same");
    if (weight.dtype() != input.dtype())
        fail("expected scalar type ", scalar_type_name(input.dtype()), " but found ",
             scalar_type_name(weight.dtype()));
}

// input has a dimension of images here.
void check_shapes(bool transposed, const Tensor& input, const Tensor& weight, const Tensor& bias,
                  const Geometry& g, const Dims& output_padding) {
    const int spatial = g.stride.size();
    const Dims &in = input.sizes(), &w = weight.sizes();
    check_each(g.padding, 0, "negative padding is not supported");
    check_each(output_padding, 0, "negative output_padding is not supported");
    check_each(g.stride, 1, "non-positive stride is not supported");
    if (g.groups <= 0) fail("non-positive groups is not supported");
    for (const int64_t value : g.dilation)
        if (value <= 0)
            fail("dilation should be greater than zero, but got ", to_string(g.dilation));
    if (w.size() != spatial + 2)
        fail("Expected ", w.size(), "-dimensional input for ", w.size(), "-dimensional weight ",
             to_string(w), ", but got ", in.size(), "-dimensional input of size ", to_string(in),
             " instead");
    for (int i = 0; i < spatial; ++i)
        if (g.padding[i] > std::numeric_limits<int64_t>::max() / 2)
            fail("Given padding=", g.padding[i], " at dimension ", i,
                 " , expected padding to be at most ", std::numeric_limits<int64_t>::max() / 2);
    const std::string given = transposed ? "Given transposed=1" : text("Given groups=", g.groups);
    if (w[0] < g.groups)
        fail("Given groups=", g.groups, ", expected weight to be at least ", g.groups,
             " at dimension 0, but got weight of size ", to_string(w), " instead");
    if (w[0] % g.groups != 0)
        fail("Given groups=", g.groups, ", expected weight to be divisible by ", g.groups,
             " at dimension 0, but got weight of size [", to_string(w), "] instead");
    const int64_t channels = transposed ? w[0] : checked_mul(w[1], g.groups),
                  filters = transposed ? checked_mul(w[1], g.groups) : w[0];
    if (in[1] != channels)
        fail(given, ", weight of size ", to_string(w), ", expected input", to_string(in),
             " to have ", channels, " channels, but got ", in[1], " channels instead");
    if (bias.defined() && (bias.dim() != 1 || bias.sizes()[0] != filters))
        fail(transposed ? given : std::string("Given"), transposed ? ", " : " ", "weight of size ",
             to_string(w), ", expected bias to be 1-dimensional with ", filters,
             " elements, but got bias of size ", to_string(bias.sizes()), " instead");
    Dims kernel(w.data() + 2, spatial);
    bool small = false;
    Dims padded(spatial);
    for (int i = 0; i < spatial; ++i) {
        padded[i] = checked_add(in[2 + i], checked_mul(2, g.padding[i]));
        kernel[i] =
            kernel[i] > 0 ? checked_add(checked_mul(g.dilation[i], kernel[i] - 1), 1) : kernel[i];
        small = small || kernel[i] > padded[i];
    }
    if (!transposed && small)
        fail("Calculated padded input size per channel: ", by_times(padded),
             ". Kernel size: ", by_times(kernel),
             ". Kernel size can't be greater than actual input size");
    for (const int64_t size : kernel)
        if (size <= 0)
            fail("kernel size should be greater than zero, but got", named("kernel", kernel));
}

// The convolution in any number of dimensions, images first.
Tensor run(bool transposed, const Tensor& input, const Tensor& weight, const Tensor& bias,
           const Geometry& g, const Dims& output_padding) {
    check_shapes(transposed, input, weight, bias, g, output_padding);
    check_types(input, weight, bias);
    const int spatial = g.stride.size();
    const Dims &in = input.sizes(), &w = weight.sizes();
    Dims out{in[0], transposed ? w[1] * g.groups : w[0]};
    bool small = false;
    for (int i = 0; i < spatial; ++i) {
        const int64_t reach = checked_mul(g.dilation[i], w[2 + i] - 1), n = in[2 + i];
        if (transposed) {
            if (output_padding[i] >= g.stride[i] && output_padding[i] >= g.dilation[i])
                fail("output padding must be smaller than either stride or dilation, but got",
                     named("output_padding", output_padding), named("stride", g.stride),
                     named("dilation", g.dilation));
            out.push_back(
                checked_add(checked_add(checked_add(checked_mul(n - 1, g.stride[i]), reach + 1),
                                        output_padding[i]),
                            -2 * g.padding[i]));
            small = small || out.back() < 1;
        } else {
            out.push_back((n + 2 * g.padding[i] - reach - 1) / g.stride[i] + 1);
        }
    }
    if (small)
        fail("Given input size per channel: ", by_times(Dims(in.data() + 2, spatial)),
             ". Calculated output size per channel: ", by_times(Dims(out.data() + 2, spatial)),
             ". Output size is too small");
    if (transposed)
        return recorded(
            map_values(convolve_input_values, sizes_of(out, in, w, g), input, weight, bias, out),
            Convolution<true>{g, output_padding}, input, weight, bias);
    return recorded(map_values(convolve_values, sizes_of(in, out, w, g), input, weight, bias, out),
                    Convolution<false>{g, output_padding}, input, weight, bias);
}

// Whether the input has images, of which it must have a dimension or none.
bool is_batched(const Tensor& input, int spatial, const char* name) {
    if (input.dim() != spatial + 1 && input.dim() != spatial + 2)
        fail("Expected ", spatial + 1, "D (unbatched) or ", spatial + 2, "D (batched) input to ",
             name, spatial, "d, but got input of size: ", to_string(input.sizes()));
    return input.dim() == spatial + 2;
}

void check_weight_rank(const Tensor& weight) {
    if (weight.dim() < 3) fail("weight should have at least three dimensions");
}

// Pads to the size of the input; what is odd goes to the end.
Tensor same_convolution(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        Geometry geometry) {
    const int spatial = geometry.stride.size();
    for (const int64_t step : geometry.stride)
        if (step != 1) fail("padding='same' is not supported for strided convolutions");
    Dims after(2 * spatial, 0);
    bool uneven = false;
    geometry.padding = Dims(spatial, 0);
    for (int i = 0; i < spatial && i + 2 < weight.dim(); ++i) {
        const int64_t total =
            std::max<int64_t>(checked_mul(geometry.dilation[i], weight.sizes()[2 + i] - 1), 0);
        geometry.padding[i] = total / 2;
        after[2 * (spatial - 1 - i) + 1] = total % 2;
        uneven = uneven || total % 2;
    }
    return run(false, uneven ? constant_pad(input, after, 0) : input, weight, bias, geometry,
               Dims(spatial, 0));
}

}  // namespace

Tensor convolution(int spatial, const Tensor& input_given, const Tensor& weight, const Tensor& bias,
                   const Dims& stride, const ConvolutionPadding& padding, const Dims& dilation,
                   int64_t groups) {
    const bool batched = is_batched(input_given, spatial, "conv");
    check_weight_rank(weight);
    const int count = weight.dim() - 2;
    Geometry geometry{expand_parameter(stride, "stride", count, spatial), Dims(count, 0),
                      expand_parameter(dilation, "dilation", count, spatial), groups};
    if (padding.kind == ConvolutionPadding::Numbers)
        geometry.padding = expand_parameter(padding.sizes, "padding", count, spatial);
    const Tensor input = batched ? input_given : unsqueeze(input_given, 0);
    const Tensor out = padding.kind == ConvolutionPadding::Same
                           ? same_convolution(input, weight, bias, geometry)
                           : run(false, input, weight, bias, geometry, Dims(count, 0));
    return batched ? out : squeeze(out, Dims{0});
}

Tensor transposed_convolution(int spatial, const Tensor& input, const Tensor& weight,
                              const Tensor& bias, const Dims& stride, const Dims& padding,
                              const Dims& output_padding, int64_t groups, const Dims& dilation) {
    const bool batched = is_batched(input, spatial, "conv_transpose");
    check_weight_rank(weight);
    const int count = weight.dim() - 2;
    const Geometry geometry{expand_parameter(stride, "stride", count, spatial),
                            expand_parameter(padding, "padding", count, spatial),
                            expand_parameter(dilation, "dilation", count, spatial), groups};
    const Dims more = expand_parameter(output_padding, "output_padding", count, spatial);
    const Tensor out =
        run(true, batched ? input : unsqueeze(input, 0), weight, bias, geometry, more);
    return batched ? out : squeeze(out, Dims{0});
}

}  // namespace tapegrad
