#include "ops/pooling.h"

#include <algorithm>
#include <array>

#include "core/checked.h"
#include "core/parallel.h"
#include "kernels/table.h"
#include "ops/axis_map.h"
#include "ops/copy.h"
#include "ops/reductions.h"
#include "ops/rule.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

// ------------------------------------------------------------------------- places in planes

// The last dimensions, in which places are counted, and all the others.
struct Planes {
    Planes(const Dims& sizes, int spatial) {
        for (int d = 0; d < sizes.size(); ++d)
            (d < sizes.size() - spatial ? count : size) *= sizes[d];
    }
    int64_t count = 1, size = 1;
};

// Calls f(plane, element, place) for all places.
template <class F> void each_place(const int64_t* place, const Planes& planes, int64_t size, F f) {
    for (int64_t i = 0; i < planes.count * planes.size; ++i)
        if (static_cast<uint64_t>(place[i]) >= static_cast<uint64_t>(size)) [[unlikely]]
            fail<IndexError>("index ", place[i], " is out of bounds for a plane of ", size,
                             " elements");
    parallel_for(planes.count, 1, 16 * 1024 / (planes.size + 1) + 1,
                 [&](int64_t begin, int64_t end) {
                     for (int64_t p = begin; p < end; ++p)
                         for (int64_t i = p * planes.size; i < (p + 1) * planes.size; ++i)
                             f(p, i, place[i]);
                 });
}

enum class Write { Add, Set };

Tensor scattered(const Tensor& g, const Tensor& places_given, const Dims& sizes, int spatial,
                 Write write) {
    const Tensor places = contiguous_values(places_given);
    const DType wide = wide_of(g.dtype());
    const Tensor values = cast_values(contiguous_values(g), wide), out = zeros(sizes, wide);
    const int64_t size = Planes(sizes, spatial).size;
    visit_float("max_pool", wide, [&]<class T>() {
        launch(checking([size, write, planes = Planes(places.sizes(), spatial)](
                            const T* from, const int64_t* at, T* to) {
                   each_place(at, planes, size, [=](int64_t p, int64_t i, int64_t place) {
                       T& element = to[p * size + place];
                       element = write == Write::Add ? element + from[i] : from[i];
                   });
               }),
               values.data<T>(), places.data<int64_t>(), out.data<T>());
    });
    return cast_values(out, g.dtype());
}

Tensor gathered(const Tensor& x, const Tensor& places_given, int spatial) {
    const Tensor places = contiguous_values(places_given);
    const DType wide = wide_of(x.dtype());
    const Tensor values = cast_values(contiguous_values(x), wide),
                 out = empty(places.sizes(), wide);
    const int64_t size = Planes(x.sizes(), spatial).size;
    visit_float("max_pool", wide, [&]<class T>() {
        launch(checking([size, planes = Planes(places.sizes(), spatial)](const T* from,
                                                                         const int64_t* at, T* to) {
                   each_place(at, planes, size, [=](int64_t p, int64_t i, int64_t place) {
                       to[i] = from[p * size + place];
                   });
               }),
               values.data<T>(), places.data<int64_t>(), out.data<T>());
    });
    return cast_values(out, x.dtype());
}

Tensor gather_places(const Tensor& x, const Tensor& places, int64_t spatial);
Tensor scatter_places(const Tensor& g, const Tensor& places, const Dims& sizes, int64_t spatial);
TAPEGRAD_WORD(gather_places)
TAPEGRAD_WORD(scatter_places)

// Linear, and each the derivative of the other.
struct GatherPlaces {
    static constexpr auto node = "MaxPoolDoubleBackwardBackward0";
    static constexpr std::array arguments{"self", "indices"};
    int64_t spatial;
    auto backward(auto g, auto x, auto places, auto) const {
        return scatter_places(g, places, x.sizes(), spatial);
    }
    auto forward(auto t, auto, auto index, auto) const { return gather_places(t, index, spatial); }
};
struct ScatterPlaces {
    static constexpr auto node = "MaxPoolWithIndicesBackwardBackward0";
    static constexpr std::array arguments{"grad", "indices"};
    int64_t spatial;
    auto backward(auto g, auto, auto places, auto) const {
        return gather_places(g, places, spatial);
    }
    auto forward(auto t, auto, auto places, auto y) const {
        return scatter_places(t, places, y.sizes(), spatial);
    }
};
Tensor gather_places(const Tensor& x, const Tensor& places, int64_t spatial) {
    return recorded(gathered(x, places, static_cast<int>(spatial)), GatherPlaces{spatial}, x,
                    places);
}
Tensor scatter_places(const Tensor& g, const Tensor& places, const Dims& sizes, int64_t spatial) {
    return recorded(scattered(g, places, sizes, static_cast<int>(spatial), Write::Add),
                    ScatterPlaces{spatial}, g, places);
}

struct MaxPool {
    static constexpr std::array arguments{"self", "result1"};
    const char* name;
    int64_t spatial;
    const char* node() const { return name; }
    auto backward(auto g, auto x, auto places, auto) const {
        return scatter_places(g, places, x.sizes(), spatial);
    }
    auto forward(auto t, auto, auto index, auto) const { return gather_places(t, index, spatial); }
};
struct MaxUnpool {
    static constexpr std::array arguments{"self", "indices"};
    const char* name;
    int64_t spatial;
    const char* node() const { return name; }
    auto backward(auto g, auto, auto places, auto) const {
        return gather_places(g, places, spatial);
    }
    auto forward(auto t, auto, auto places, auto y) const {
        return scatter_places(t, places, y.sizes(), spatial);
    }
};

// ------------------------------------------------------------------------------------- shapes

Dims expand_window(const char* function, const char* name, const Dims& given, int spatial,
                   const char* must = "must either be a single int") {
    if (given.size() == 1) return Dims(spatial, given[0]);
    if (given.size() != spatial)
        fail(function, ": ", name, " ", must, ", or a tuple of ", spatial == 2 ? "two" : "three",
             " ints");
    return given;
}

// (2x5x5), without the images
std::string crossed(const Dims& sizes, int spatial) {
    std::string result;
    for (int d = sizes.size() - spatial - 1; d < sizes.size(); ++d)
        result += (result.empty() ? "(" : "x") + std::to_string(sizes[d]);
    return result + ")";
}

std::string named(const char* what, const Dims& values) {
    static constexpr const char* names[] = {"T", "H", "W"};
    std::string result;
    for (int i = 0; i < values.size(); ++i)
        result += text(" ", what, names[3 - values.size() + i], ": ", values[i]);
    return result;
}

void check_pool_rank(const Tensor& x, int spatial) {
    if (x.dim() != spatial + 1 && x.dim() != spatial + 2)
        fail("non-empty ", spatial + 1, "D or ", spatial + 2,
             "D (batch mode) tensor expected for input");
    for (int d = x.dim() == spatial + 2; d < x.dim(); ++d)
        if (x.sizes()[d] == 0)
            fail("Expected ", spatial + 1, "D or ", spatial + 2,
                 "D (batch mode) tensor with optional 0 dim batch size for input, but got:",
                 to_string(x.sizes()));
}

struct Windows {
    Dims kernel, stride, padding, dilation;
    bool ceil_mode;
};

int64_t positions(int64_t n, const Windows& w, int i) {
    const int64_t reach = checked_mul(w.dilation[i], w.kernel[i] - 1),
                  padded = checked_add(n, checked_mul(2, w.padding[i])), stride = w.stride[i];
    const int64_t room = padded - reach - 1;
    int64_t count = (w.ceil_mode ? ceil_div(room, stride) : floor_div(room, stride)) + 1;
    if (room < 0) return count;
    // The last window begins inside, or in the padding before.
    if (w.ceil_mode && checked_mul(count - 1, stride) >= checked_add(n, w.padding[i])) --count;
    return count;
}

Dims pooled_sizes(const Tensor& x, const Windows& w) {
    const int spatial = w.kernel.size();
    for (const int64_t stride : w.stride)
        if (stride == 0) fail("stride should not be zero");
    for (int i = 0; i < spatial; ++i) {
        if (w.padding[i] < 0) fail("pad must be non-negative, but got pad: ", w.padding[i]);
        if (w.kernel[i] > 0 && w.dilation[i] > 0 &&
            w.padding[i] > checked_add(checked_mul(w.kernel[i] - 1, w.dilation[i]), 1) / 2)
            fail("pad should be at most half of effective kernel size, but got pad=", w.padding[i],
                 ", kernel_size=", w.kernel[i], " and dilation=", w.dilation[i]);
    }
    const auto check = [](const Dims& values, const char* what, const char* letter) {
        for (const int64_t value : values)
            if (value <= 0)
                fail(what, " should be greater than zero, but got", named(letter, values));
    };
    check(w.kernel, "kernel size", "k");
    check(w.stride, "stride", "d");
    check(w.dilation, "dilation", "dilation");
    check_pool_rank(x, spatial);
    Dims sizes = x.sizes();
    bool small = false;
    for (int i = 0; i < spatial; ++i) {
        int64_t& size = sizes[x.dim() - spatial + i];
        size = positions(size, w, i);
        small = small || size < 1;
    }
    if (small)
        fail("Given input size: ", crossed(x.sizes(), spatial),
             ". Calculated output size: ", crossed(sizes, spatial), ". Output size is too small");
    check_memory(sizes, x.dtype());
    return sizes;
}

// ------------------------------------------------------------------------------------- maxima

// The windows of three axes, those in front of the last ones having one element.
struct WindowLists {
    std::array<std::vector<int64_t>, 3> start, count;
    kernels::WindowAxis axes[3];  // without the lists

    explicit WindowLists(const Dims& sizes, int spatial) {
        for (int i = 0; i < 3; ++i) {
            const int d = sizes.size() - 3 + i;
            axes[i] = {nullptr, nullptr, 1, i < 3 - spatial ? 1 : sizes[d], 1};
            if (i < 3 - spatial) add(i, 0, 1);
        }
    }
    void add(int axis, int64_t first, int64_t length) {
        start[static_cast<size_t>(axis)].push_back(first);
        count[static_cast<size_t>(axis)].push_back(length);
    }
    void run(kernels::MaxPoolFn kernel, const void* x, void* out, int64_t* places,
             int64_t planes) const {
        kernels::WindowAxis all[3];
        for (size_t i = 0; i < 3; ++i) {
            all[i] = axes[i];
            all[i].start = start[i].data();
            all[i].count = count[i].data();
            all[i].m = static_cast<int64_t>(start[i].size());
        }
        kernel(x, out, places, planes, all);
    }
};

// A kernel for integers, which are rarely pooled.
void max_pool_integers(const void* x, void* out, int64_t* places, int64_t planes,
                       const kernels::WindowAxis* axes) {
    const kernels::WindowAxis &d = axes[0], &h = axes[1], &w = axes[2];
    const auto* from = static_cast<const int64_t*>(x);
    auto* to = static_cast<int64_t*>(out);
    const auto each_tap = [&](int64_t od, int64_t oh, int64_t ow, auto visit) {
        for (int64_t kd = 0; kd < d.count[od]; ++kd)
            for (int64_t kh = 0; kh < h.count[oh]; ++kh)
                for (int64_t kw = 0; kw < w.count[ow]; ++kw)
                    visit(((d.start[od] + kd * d.step) * h.source + h.start[oh] + kh * h.step) *
                              w.source +
                          w.start[ow] + kw * w.step);
    };
    for (int64_t p = 0; p < planes; ++p, from += d.source * h.source * w.source)
        for (int64_t od = 0; od < d.m; ++od)
            for (int64_t oh = 0; oh < h.m; ++oh)
                for (int64_t ow = 0; ow < w.m; ++ow) {
                    int64_t best = (d.start[od] * h.source + h.start[oh]) * w.source + w.start[ow];
                    each_tap(od, oh, ow, [&](int64_t place) {
                        if (from[place] > from[best]) best = place;
                    });
                    *to++ = from[best];
                    *places++ = best;
                }
}

std::vector<Tensor> pool_maxima(int spatial, const Tensor& x, const Dims& sizes,
                                WindowLists& windows, const char* function, const char* node) {
    const DType dtype = x.dtype();
    if (dtype == DType::Bool) refuse_dtype(function, dtype);
    const DType wide = !x.is_floating() ? DType::Int64 : is_half(dtype) ? DType::Float32 : dtype;
    const auto kernel =
        x.is_floating() ? kernel_table().convolution.max_pool[wide] : max_pool_integers;
    const Tensor values = cast_values(contiguous_values(x), wide), out = empty(sizes, wide),
                 places = empty(sizes, DType::Int64);
    if (out.numel() > 0)
        launch([kernel, planes = Planes(sizes, spatial).count, windows = std::move(windows)](
                   const void* from, void* to,
                   int64_t* at) { windows.run(kernel, from, to, at, planes); },
               values.data(), out.data(), places.data<int64_t>());
    return {recorded(cast_values(out, dtype), MaxPool{node, spatial}, x, places), places};
}

// On the last dimension of two, as PyTorch's graph has it.
std::vector<Tensor> without_height(std::vector<Tensor> found) {
    for (Tensor& x : found) x = squeeze(x, Dims{-2});
    return found;
}
Dims with_one(const Dims& given, int64_t before) {
    return given.size() == 1 ? Dims{before, given[0]} : given;
}

void check_max_pool1d(const Tensor& x, const Windows& w) {
    if (x.dim() != 2 && x.dim() != 3)
        fail(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            "input, but got:",
            to_string(x.sizes()));
    const int64_t kernel = w.kernel[0], stride = w.stride[0], padding = w.padding[0],
                  dilation = w.dilation[0];
    if (kernel <= 0) fail("max_pool1d() kernel_size must be greater than zero, but got ", kernel);
    if (stride <= 0) fail("max_pool1d() stride must be greater than zero, but got ", stride);
    if (padding < 0) fail("max_pool1d() padding must be non-negative, but got ", padding);
    if (padding > kernel / 2)
        fail("max_pool1d() padding should be at most half of kernel size, but got padding=",
             padding, " and kernel_size=", kernel);
    if (dilation <= 0) fail("max_pool1d() dilation must be greater than zero, but got ", dilation);
    const int64_t size = positions(x.sizes().back(), w, 0);
    if (size <= 0) fail("max_pool1d() Invalid computed output size: ", size);
}

}  // namespace

std::vector<Tensor> max_pool(int spatial, const Tensor& x, const Dims& kernel, const Dims& stride,
                             const Dims& padding, const Dims& dilation, bool ceil_mode) {
    const char* function = spatial == 1 ? "max_pool1d" : spatial == 2 ? "max_pool2d" : "max_pool3d";
    if (spatial == 1) {
        const auto one = [&](const char* name, const Dims& given) {
            if (given.size() != 1)
                fail(function, ": ", name, " must be a single int, or a tuple of one int");
            return given;
        };
        const Windows w{one("kernel_size", kernel), one("stride", stride.empty() ? kernel : stride),
                        one("padding", padding), one("dilation", dilation), ceil_mode};
        check_max_pool1d(x, w);
        return without_height(max_pool(2, unsqueeze(x, -2), with_one(kernel, 1),
                                       with_one(w.stride, 1), with_one(padding, 0),
                                       with_one(dilation, 1), ceil_mode));
    }
    const Windows w{
        expand_window(function, "kernel_size", kernel, spatial),
        stride.empty() ? expand_window(function, "kernel_size", kernel, spatial)
                       : expand_window(function, "stride", stride, spatial,
                                       "must either be omitted, a single int"),
        expand_window(function, "padding", padding, spatial),
        expand_window(function, "dilation", dilation, spatial, "must be either a single int"),
        ceil_mode};
    const Dims sizes = pooled_sizes(x, w);
    WindowLists windows(x.sizes(), spatial);
    for (int i = 0; i < spatial; ++i) {
        const int axis = 3 - spatial + i, d = x.dim() - spatial + i;
        const int64_t step = w.dilation[i], n = x.sizes()[d];
        windows.axes[axis].step = step;
        for (int64_t j = 0; j < sizes[d]; ++j) {
            const int64_t start = j * w.stride[i] - w.padding[i];
            const int64_t skipped = start < 0 ? ceil_div(-start, step) : 0;
            const int64_t first = start + skipped * step;
            const int64_t inside = first < n ? ceil_div(n - first, step) : 0;
            windows.add(axis, std::min(first, n - 1), std::min(w.kernel[i] - skipped, inside));
        }
    }
    return pool_maxima(
        spatial, x, sizes, windows, function,
        spatial == 2 ? "MaxPool2DWithIndicesBackward0" : "MaxPool3DWithIndicesBackward0");
}

// ------------------------------------------------------------------------------------- means

Tensor avg_pool(int spatial, const Tensor& x, const Dims& kernel, const Dims& stride,
                const Dims& padding, bool ceil_mode, bool count_include_pad,
                std::optional<int64_t> divisor) {
    if (spatial == 1) {
        if (x.dim() != 2 && x.dim() != 3)
            fail("Expected 2 to 3 dimensions, but got ", x.dim(),
                 "-dimensional tensor for argument #1 'self' (while checking arguments for "
                 "avg_pool1d)");
        const auto one = [](const char* name, const Dims& given) {
            if (given.size() != 1)
                fail("avg_pool1d: ", name, " must be a single int, or a tuple of one int");
        };
        one("kernel_size", kernel);
        one("padding", padding);
        if (!stride.empty()) one("stride", stride);
        return squeeze(avg_pool(2, unsqueeze(x, -2), with_one(kernel, 1),
                                with_one(stride.empty() ? kernel : stride, 1), with_one(padding, 0),
                                ceil_mode, count_include_pad, divisor),
                       Dims{-2});
    }
    const char* function = spatial == 2 ? "avg_pool2d" : "avg_pool3d";
    const Dims window = expand_window(function, "kernel_size", kernel, spatial);
    const Windows w{window,
                    stride.empty() ? window
                                   : expand_window(function, "stride", stride, spatial,
                                                   "must either be omitted, a single int"),
                    expand_window(function, "padding", padding, spatial), Dims(spatial, 1),
                    ceil_mode};
    if (divisor && *divisor == 0) fail("divisor must be not zero");
    const Dims sizes = pooled_sizes(x, w);
    if (!x.is_floating()) refuse_dtype(function, x.dtype());
    auto matrices = std::make_shared<std::vector<SparseMatrix>>();
    for (int i = 0; i < spatial; ++i) {
        const int d = x.dim() - spatial + i;
        const int64_t n = x.sizes()[d];
        SparseMatrix matrix(n);
        for (int64_t j = 0; j < sizes[d]; ++j) {
            const int64_t start = j * w.stride[i] - w.padding[i],
                          end = std::min(start + w.kernel[i], n + w.padding[i]);
            const int64_t first = std::max<int64_t>(start, 0), last = std::min(end, n);
            const int64_t count = count_include_pad ? end - start : last - first;
            const double weight = !divisor ? 1 / static_cast<double>(count)
                                  : i == 0 ? 1 / static_cast<double>(*divisor)
                                           : 1;
            for (int64_t k = first; k < last; ++k) matrix.add(k, weight);
            matrix.end_row();
        }
        matrices->push_back(std::move(matrix));
    }
    return map_axes(x, matrices, spatial == 2 ? "AvgPool2DBackward0" : "AvgPool3DBackward0");
}

namespace {

// Part j of m of n elements.
struct Part {
    Part(int64_t j, int64_t n, int64_t m)
        : begin(j / m * n + j % m * n / m),
          end(((j + 1) * n + m - 1) / m) {}
    int64_t begin, end;
};

Dims adaptive_sizes(int spatial, const Tensor& x, const Dims& given, const std::string& function,
                    bool maxima) {
    const Dims output = given.size() == 1 && spatial > 1 ? Dims(spatial, given[0]) : given;
    if (output.size() != spatial) fail(function, ": output_size must be ", spatial);
    if (x.dim() != spatial + 1 && x.dim() != spatial + 2)
        fail(function, "(): Expected ", spatial + 1, "D or ", spatial + 2, "D tensor, but got",
             maxima ? ": " : " ", to_string(x.sizes()));
    Dims sizes = x.sizes();
    for (int i = 0; i < spatial; ++i) sizes[x.dim() - spatial + i] = output[i];
    for (int d = x.dim() - spatial - (maxima && x.dim() == spatial + 2); d < x.dim(); ++d)
        if (x.sizes()[d] == 0)
            fail(function,
                 "(): Expected input to have non-zero size for non-batch dimensions, but input has "
                 "sizes ",
                 to_string(x.sizes()), " with dimension ", d, " being empty");
    for (const int64_t size : output) {
        if (size >= 0) continue;
        if (maxima)
            fail("Trying to create tensor with negative dimension ", size, ": ", to_string(sizes));
        std::string list = to_string(output);
        list.front() = '{';
        list.back() = '}';
        fail(function, ": elements of output_size must be greater than or equal to 0 but received ",
             list);
    }
    for (int i = 0; i < spatial; ++i)
        checked_mul(checked_add(output[i], 1), x.sizes()[x.dim() - spatial + i]);
    check_memory(sizes, x.dtype());
    return sizes;
}

}  // namespace

std::vector<Tensor> adaptive_max_pool(int spatial, const Tensor& x, const Dims& output_size) {
    const std::string function = text("adaptive_max_pool", spatial, "d");
    const Dims sizes = adaptive_sizes(spatial, x, output_size, function, true);
    if (!x.is_floating()) refuse_dtype(function.c_str(), x.dtype());
    if (spatial == 1)
        return without_height(adaptive_max_pool(2, unsqueeze(x, -2), Dims{1, sizes.back()}));
    WindowLists windows(x.sizes(), spatial);
    for (int i = 0; i < spatial; ++i) {
        const int d = x.dim() - spatial + i;
        for (int64_t j = 0; j < sizes[d]; ++j) {
            const Part part(j, x.sizes()[d], sizes[d]);
            windows.add(3 - spatial + i, part.begin, part.end - part.begin);
        }
    }
    return pool_maxima(spatial, x, sizes, windows, function.c_str(),
                       spatial == 2 ? "AdaptiveMaxPool2DBackward0" : "AdaptiveMaxPool3DBackward0");
}

Tensor adaptive_avg_pool(int spatial, const Tensor& x, const Dims& output_size) {
    const std::string function = text("adaptive_avg_pool", spatial, "d");
    const Dims sizes = adaptive_sizes(spatial, x, output_size, function, false);
    if (!x.is_floating()) refuse_dtype(function.c_str(), x.dtype());
    if (spatial == 1)
        return squeeze(adaptive_avg_pool(2, unsqueeze(x, -2), Dims{1, sizes.back()}), Dims{-2});
    auto matrices = std::make_shared<std::vector<SparseMatrix>>();
    Dims dims;
    bool single = true;
    for (int i = 0; i < spatial; ++i) {
        const int d = x.dim() - spatial + i;
        dims.push_back(d);
        single = single && sizes[d] == 1;
        SparseMatrix matrix(x.sizes()[d]);
        for (int64_t j = 0; j < sizes[d]; ++j) {
            const Part part(j, x.sizes()[d], sizes[d]);
            for (int64_t k = part.begin; k < part.end; ++k)
                matrix.add(k, 1 / static_cast<double>(part.end - part.begin));
            matrix.end_row();
        }
        matrices->push_back(std::move(matrix));
    }
    if (single) return mean(x, dims, true);
    return map_axes(x, matrices,
                    spatial == 2 ? "AdaptiveAvgPool2DBackward0" : "AdaptiveAvgPool3DBackward0");
}

Tensor max_unpool(int spatial, const Tensor& x, const Tensor& indices, const Dims& output_size) {
    if (spatial == 1)
        return squeeze(
            max_unpool(2, unsqueeze(x, -2), unsqueeze(indices, -2), with_one(output_size, 1)),
            Dims{-2});
    if (indices.dtype() != DType::Int64)
        fail("elements in indices should be type int64 but got: ",
             scalar_type_name(indices.dtype()));
    if (output_size.size() != spatial)
        fail("There should be exactly ", spatial == 2 ? "two" : "three", " elements (",
             spatial == 2 ? "" : "depth, ", "height, width) in output_size, but got ",
             output_size.size(), " elements.");
    if (x.dim() != spatial + 1 && x.dim() != spatial + 2)
        fail("Input to max_unpooling", spatial, "d should be a ", spatial + 1, "d or ", spatial + 2,
             "d Tensor, but got a tensor with ", x.dim(), " dims.");
    if (!(indices.sizes() == x.sizes()))
        fail("Expected shape of indices to be same as that of the input tensor (",
             to_string(x.sizes()),
             ") but got indices tensor with shape: ", to_string(indices.sizes()));
    Dims sizes = x.sizes();
    std::string volume;
    for (int i = 0; i < spatial; ++i) {
        sizes[x.dim() - spatial + i] = output_size[i];
        volume += (i ? "x" : "") + std::to_string(output_size[i]);
        if (output_size[i] < 0)
            fail("Trying to create tensor with negative dimension ", output_size[i], ": ",
                 to_string(sizes));
    }
    element_count(sizes);
    if (!x.is_floating())
        refuse_dtype(spatial == 2 ? "max_unpooling2d" : "max_unpooling3d", x.dtype());
    const Tensor places = contiguous_values(indices);
    const int64_t size = Planes(sizes, spatial).size;
    launch(checking([size, volume, count = places.numel()](const int64_t* at) {
               for (int64_t i = 0; i < count; ++i)
                   if (at[i] < 0 || at[i] >= size)
                       fail("Found an invalid max index: ", at[i], " (output volumes are of size ",
                            volume, ")");
           }),
           places.data<int64_t>());
    return recorded(
        scattered(x, places, sizes, spatial, Write::Set),
        MaxUnpool{spatial == 2 ? "MaxUnpool2DBackward0" : "MaxUnpool3DBackward0", spatial}, x,
        indices);
}

}  // namespace tapegrad
