#include "ops/convolution_values.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checked.h"
#include "kernels/table.h"
#include "ops/copy.h"
#include "replay/recorder.h"

namespace tapegrad {
namespace {

using kernels::Columns;

using Numbers = std::vector<int64_t>;

// How one axis of a copy is laid out (kernels/convolution.h): tap t is `shift` columns on in one of the planes.
struct Axis {
    struct Tap {
        int64_t plane, shift;
    };
    Numbers starts;  // of the planes
    std::vector<Tap> taps;
    int64_t step, length, used, source;
};

Numbers sorted_once(Numbers values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
}
int64_t place_in(const Numbers& sorted, int64_t value) {
    return std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
}

// Tap t reads source[first[t] + q * step] for the columns q < used.
Axis lay_out(const Numbers& first, int64_t step, int64_t used, int64_t source) {
    Axis axis{{}, {}, step, used, used, source};
    if (first.empty()) {
        axis.starts.push_back(0);
        return axis;
    }
    const Numbers distinct = sorted_once(first);
    const int64_t low = distinct.front(), most = (distinct.back() - low) / step;
    // Taps share a plane where they are whole steps apart, ...
    Numbers rests;
    for (const int64_t start : distinct) rests.push_back((start - low) % step);
    rests = sorted_once(std::move(rests));
    axis.length = checked_add(used, most);
    // ... unless that takes more than a plane for each.
    const auto count = static_cast<int64_t>(distinct.size());
    const bool apart =
        count > 1 && saturating_mul(count, used) <=
                         saturating_mul(static_cast<int64_t>(rests.size()), axis.length);
    if (apart) {
        for (const int64_t start : first) axis.taps.push_back({place_in(distinct, start), 0});
        axis.starts = distinct;
        axis.length = used;
        return axis;
    }
    for (const int64_t rest : rests) axis.starts.push_back(low + rest);
    for (const int64_t start : first)
        axis.taps.push_back({place_in(rests, (start - low) % step), (start - low) / step});
    return axis;
}

// A copy of some images at a time.
class Copy {
public:
    Copy(Axis (&&axes)[3], int64_t channels, int64_t images, DType dtype)
        : axes_{std::move(axes[0]), std::move(axes[1]), std::move(axes[2])},
          channels_(channels),
          images_(images) {
        for (const Axis& axis : axes_) {
            block_ = checked_mul(block_, axis.length);
            planes_ = checked_mul(planes_, static_cast<int64_t>(axis.starts.size()));
        }
        memory_ = empty(
            {checked_add(checked_mul(checked_mul(checked_mul(planes_, block_), images_), channels_),
                         kernels::kCopyTail)},
            dtype);
    }
    // Of images first to first + images of x.
    void fill(const Tensor& x, int64_t first, int64_t images) const {
        const int64_t size = axes_[0].source * axes_[1].source * axes_[2].source;
        kernels::ArrangeArgs args{
            x.data<char>() + first * channels_ * size * static_cast<int64_t>(x.item_size()),
            channels_ * size,
            size,
            memory_.data(),
            channels_,
            images,
            {}};
        for (int i = 0; i < 3; ++i)
            args.axes[i] = {static_cast<int64_t>(axes_[i].starts.size()), axes_[i].starts.data(),
                            axes_[i].step, axes_[i].length, axes_[i].source};
        kernel_table().convolution.arrange[x.dtype()](args);
    }
    const Axis& axis(int i) const { return axes_[i]; }
    void* data() const { return memory_.data(); }
    int64_t block() const { return block_; }
    // From channel to channel, where there are so many images.
    int64_t channel(int64_t images) const { return planes_ * images * block_; }
    int64_t offset(const Axis::Tap& d, const Axis::Tap& h, const Axis::Tap& w,
                   int64_t images) const {
        const auto count = [](const Axis& axis) {
            return static_cast<int64_t>(axis.starts.size());
        };
        const int64_t plane = (d.plane * count(axes_[1]) + h.plane) * count(axes_[2]) + w.plane;
        return plane * images * block_ + (d.shift * axes_[1].length + h.shift) * axes_[2].length +
               w.shift;
    }

private:
    Axis axes_[3];
    int64_t channels_, images_, block_ = 1, planes_ = 1;
    Tensor memory_;
};

// Images whose copies, of so many elements each, stay in the cache together. Not a matter of threads: sums over
// images are cut here.
int64_t images_at_a_time(int64_t images, int64_t elements, DType dtype) {
    constexpr int64_t kBytes = int64_t{2} << 20;
    const int64_t bytes = saturating_mul(elements, static_cast<int64_t>(item_size(dtype)));
    const int64_t most = std::clamp<int64_t>(kBytes / (bytes + 1), 1, std::max<int64_t>(images, 1));
    const int64_t blocks = (images + most - 1) / most;
    return blocks ? (images + blocks - 1) / blocks : 1;
}
int64_t elements_of(const Axis (&axes)[3], int64_t channels) {
    int64_t result = channels;
    for (const Axis& axis : axes)
        result = saturating_mul(
            result, saturating_mul(static_cast<int64_t>(axis.starts.size()), axis.length));
    return result;
}

// The axis of a convolution's input.
Axis input_axis(const ConvolutionSizes& s, int i) {
    Numbers first;
    for (int64_t k = 0; k < s.kernel[i]; ++k)
        first.push_back(checked_mul(k, s.dilation[i]) - s.padding[i]);
    return lay_out(first, s.stride[i], s.out[i], s.in[i]);
}

// Offsets of the taps of all channels of a group.
Numbers input_offsets(const ConvolutionSizes& s, const Copy& copy, int64_t images) {
    Numbers offsets;
    offsets.reserve(static_cast<size_t>(s.channels / s.groups * s.kernel_size()));
    for (int64_t c = 0; c < s.channels / s.groups; ++c)
        for (const Axis::Tap& d : copy.axis(0).taps)
            for (const Axis::Tap& h : copy.axis(1).taps)
                for (const Axis::Tap& w : copy.axis(2).taps)
                    offsets.push_back(c * copy.channel(images) + copy.offset(d, h, w, images));
    return offsets;
}

Columns columns_of(const Copy& copy, int64_t images) {
    Columns columns{images, {}, {}};
    for (int i = 0; i < 3; ++i) {
        columns.length[i] = copy.axis(i).length;
        columns.used[i] = copy.axis(i).used;
    }
    return columns;
}

Numbers counted(int64_t n) {
    Numbers result(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) result[static_cast<size_t>(i)] = i;
    return result;
}

char* at(const Tensor& x, int64_t element) {
    return x.data<char>() + element * static_cast<int64_t>(x.item_size());
}

int64_t volume(const int64_t (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }

// Whether each filter has one position and covers all: a product of matrices.
bool is_dense(const ConvolutionSizes& s) {
    bool dense = s.groups == 1;
    for (int i = 0; i < 3; ++i)
        dense = dense && s.out[i] == 1 && s.padding[i] == 0 && s.kernel[i] == s.in[i];
    return dense;
}
// out [m, n] = a [m, k] b [k, n], with the strides of a and b.
Tensor product(const Dims& sizes, int64_t m, int64_t n, int64_t k, const Tensor& a, int64_t a_row,
               int64_t a_col, const Tensor& b, int64_t b_row, int64_t b_col, const Tensor& bias) {
    const Tensor out = empty(sizes, a.dtype());
    launch(kernel_table().gemm.gemm[a.dtype()],
           kernels::GemmArgs{m, n, k, a.data(), a_row, a_col, b.data(), b_row, b_col, out.data(), n,
                             data_or_null(bias), false});
    return out;
}

void convolve(const Tensor& out, const ConvolutionSizes& s, const Tensor& x, const Tensor& weight,
              const Tensor& bias) {
    Axis axes[3] = {input_axis(s, 0), input_axis(s, 1), input_axis(s, 2)};
    const int64_t most = images_at_a_time(s.images, elements_of(axes, s.channels), x.dtype());
    const Copy copy(std::move(axes), s.channels, most, x.dtype());
    const int64_t channels = s.channels / s.groups, taps = channels * s.kernel_size(),
                  filters = s.filters / s.groups;
    const Tensor scratch = empty({s.filters * taps}, x.dtype());
    const Numbers weights = counted(taps);
    Numbers offsets;
    int64_t offsets_of = -1;
    for (int64_t first = 0; first < s.images; first += most) {
        const int64_t images = std::min(most, s.images - first);
        copy.fill(x, first, images);
        if (images != offsets_of) offsets = input_offsets(s, copy, images);
        offsets_of = images;
        kernel_table().convolution.convolve[x.dtype()]({copy.data(),
                                                        channels * copy.channel(images),
                                                        offsets.data(),
                                                        taps,
                                                        weight.data(),
                                                        filters * taps,
                                                        taps,
                                                        weights.data(),
                                                        data_or_null(bias),
                                                        s.groups,
                                                        filters,
                                                        columns_of(copy, images),
                                                        at(out, first * s.filters * volume(s.out)),
                                                        s.filters * volume(s.out),
                                                        volume(s.out),
                                                        {s.out[1] * s.out[2], s.out[2], 1},
                                                        scratch.data()});
    }
}

}  // namespace

Tensor convolve_values(const ConvolutionSizes& s, const Tensor& x, const Tensor& weight,
                       const Tensor& bias) {
    if (is_dense(s)) {
        const int64_t n = s.channels * volume(s.in);
        return product({s.images, s.filters, 1, 1, 1}, s.images, s.filters, n, x, n, 1, weight, 1,
                       n, bias);
    }
    Tensor out = empty({s.images, s.filters, s.out[0], s.out[1], s.out[2]}, x.dtype());
    if (out.numel() > 0) launch(&convolve, writes(out), s, reads(x), reads(weight), reads(bias));
    return out;
}

namespace {

// What reaches the elements of one rest modulo the stride: taps, and the column of g that each is for.
struct Phase {
    Numbers taps, index;  // of the kernel, and in the axis
    int64_t used;
};

// The axis of the output's gradient, whose columns are strides of the input.
Axis output_axis(const ConvolutionSizes& s, int i, std::vector<Phase>& phases) {
    const int64_t stride = s.stride[i], size = s.in[i];
    Numbers first;
    for (int64_t rest = 0; rest < std::min(stride, size); ++rest) {
        Phase phase{{}, {}, ceil_div(size - rest, stride)};
        for (int64_t k = 0; k < s.kernel[i]; ++k) {
            const int64_t distance = rest + s.padding[i] - checked_mul(k, s.dilation[i]);
            if (distance % stride != 0) continue;
            phase.taps.push_back(k);
            phase.index.push_back(static_cast<int64_t>(first.size()));
            first.push_back(distance / stride);
        }
        phases.push_back(std::move(phase));
    }
    return lay_out(first, 1, phases.empty() ? 0 : phases.front().used, s.out[i]);
}

// One phase of each axis.
void convolve_phase(const ConvolutionSizes& s, const Copy& copy, int64_t images,
                    const Phase* const (&phases)[3], const Tensor& weight, const Tensor& bias,
                    const Tensor& scratch, char* out) {
    const int64_t filters = s.filters / s.groups, channels = s.channels / s.groups,
                  kernel = s.kernel_size();
    Numbers offsets, weights;
    const auto tap = [&](int i, size_t t) {
        return copy.axis(i).taps[static_cast<size_t>(phases[i]->index[t])];
    };
    for (int64_t o = 0; o < filters; ++o)
        for (size_t d = 0; d < phases[0]->taps.size(); ++d)
            for (size_t h = 0; h < phases[1]->taps.size(); ++h)
                for (size_t w = 0; w < phases[2]->taps.size(); ++w) {
                    offsets.push_back(o * copy.channel(images) +
                                      copy.offset(tap(0, d), tap(1, h), tap(2, w), images));
                    weights.push_back(o * channels * kernel +
                                      (phases[0]->taps[d] * s.kernel[1] + phases[1]->taps[h]) *
                                          s.kernel[2] +
                                      phases[2]->taps[w]);
                }
    Columns columns = columns_of(copy, images);
    for (int i = 0; i < 3; ++i) columns.used[i] = phases[i]->used;
    kernel_table().convolution.convolve[weight.dtype()](
        {copy.data(),
         filters * copy.channel(images),
         offsets.data(),
         static_cast<int64_t>(offsets.size()),
         weight.data(),
         filters * channels * kernel,
         kernel,
         weights.data(),
         data_or_null(bias),
         s.groups,
         channels,
         columns,
         out,
         s.channels * volume(s.in),
         volume(s.in),
         {s.stride[0] * s.in[1] * s.in[2], s.stride[1] * s.in[2], s.stride[2]},
         scratch.data()});
}

void convolve_input(const Tensor& out, const ConvolutionSizes& s, const Tensor& g,
                    const Tensor& weight, const Tensor& bias) {
    std::vector<Phase> phases[3];
    Axis axes[3] = {output_axis(s, 0, phases[0]), output_axis(s, 1, phases[1]),
                    output_axis(s, 2, phases[2])};
    const int64_t most = images_at_a_time(s.images, elements_of(axes, s.filters), g.dtype());
    const Copy copy(std::move(axes), s.filters, most, g.dtype());
    const Tensor scratch = empty({weight.numel()}, g.dtype());
    for (int64_t first = 0; first < s.images; first += most) {
        const int64_t images = std::min(most, s.images - first);
        copy.fill(g, first, images);
        int64_t slice = 0;
        for (const Phase& d : phases[0]) {
            int64_t row = 0;
            for (const Phase& h : phases[1]) {
                int64_t column = 0;
                for (const Phase& w : phases[2]) {
                    convolve_phase(s, copy, images, {&d, &h, &w}, weight, bias, scratch,
                                   at(out, first * s.channels * volume(s.in) +
                                               (slice * s.in[1] + row) * s.in[2] + column));
                    ++column;
                }
                ++row;
            }
            ++slice;
        }
    }
}

}  // namespace

Tensor convolve_input_values(const ConvolutionSizes& s, const Tensor& g, const Tensor& weight,
                             const Tensor& bias) {
    if (is_dense(s) && !bias.defined()) {
        const int64_t n = s.channels * volume(s.in);
        return product({s.images, s.channels, s.in[0], s.in[1], s.in[2]}, s.images, n, s.filters, g,
                       s.filters, 1, weight, n, 1, bias);
    }
    Tensor out = empty({s.images, s.channels, s.in[0], s.in[1], s.in[2]}, g.dtype());
    if (out.numel() > 0)
        launch(&convolve_input, writes(out), s, reads(g), reads(weight), reads(bias));
    return out;
}

namespace {

bool all_finite(const Tensor& x) {
    bool finite = true;
    visit_dtype(x.dtype(), [&]<class T>() {
        if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
            const T* values = x.data<T>();
            T difference = 0;  // NaN as soon as one is not finite
            for (int64_t i = 0; i < x.numel(); ++i) difference += values[i] - values[i];
            finite = difference == 0;
        }
    });
    return finite;
}

// The same as convolve_weight_values, without the products with zeros that infinite values make NaN.
template <class T>
void weight_of_positions(const ConvolutionSizes& s, const T* g, const T* x, T* out) {
    const int64_t channels = s.channels / s.groups, filters = s.filters / s.groups;
    for (int64_t o = 0; o < s.filters; ++o)
        for (int64_t c = 0; c < channels; ++c)
            for (int64_t k = 0; k < s.kernel_size(); ++k) {
                const int64_t tap[3] = {k / s.kernel[2] / s.kernel[1],
                                        k / s.kernel[2] % s.kernel[1], k % s.kernel[2]};
                T total = 0;
                for (int64_t n = 0; n < s.images; ++n)
                    for (int64_t j = 0; j < volume(s.out); ++j) {
                        const int64_t at[3] = {j / s.out[2] / s.out[1], j / s.out[2] % s.out[1],
                                               j % s.out[2]};
                        int64_t place = n * s.channels + o / filters * channels + c;
                        bool inside = true;
                        for (int i = 0; i < 3; ++i) {
                            const int64_t from =
                                at[i] * s.stride[i] + tap[i] * s.dilation[i] - s.padding[i];
                            inside = inside && from >= 0 && from < s.in[i];
                            place = place * s.in[i] + from;
                        }
                        if (inside) total += g[(n * s.filters + o) * volume(s.out) + j] * x[place];
                    }
                *out++ = total;
            }
}

void convolve_weight(const Tensor& out, const ConvolutionSizes& s, const Tensor& g,
                     const Tensor& x) {
    const int64_t channels = s.channels / s.groups, filters = s.filters / s.groups,
                  taps = channels * s.kernel_size();
    Axis axes[3] = {input_axis(s, 0), input_axis(s, 1), input_axis(s, 2)};
    Axis grad_axes[3];
    for (int i = 0; i < 3; ++i) grad_axes[i] = {{0}, {}, 1, axes[i].length, axes[i].used, s.out[i]};
    const int64_t most = images_at_a_time(
        s.images, saturating_add(elements_of(axes, s.channels), elements_of(grad_axes, s.filters)),
        x.dtype());
    const Copy copy(std::move(axes), s.channels, most, x.dtype());
    const Copy grad(std::move(grad_axes), s.filters, most, x.dtype());
    const Numbers places = counted(taps);
    Numbers offsets;
    int64_t offsets_of = -1;
    for (int64_t first = 0; first < s.images; first += most) {
        const int64_t images = std::min(most, s.images - first);
        copy.fill(x, first, images);
        grad.fill(g, first, images);
        if (images != offsets_of) offsets = input_offsets(s, copy, images);
        offsets_of = images;
        const Columns columns = columns_of(copy, images);
        int64_t last = images - 1;  // the last column that counts
        for (int i = 0; i < 3; ++i) last = last * columns.length[i] + columns.used[i] - 1;
        kernel_table().convolution.correlate[x.dtype()](
            {copy.data(), channels * copy.channel(images), offsets.data(), taps, grad.data(),
             images * copy.block(), s.groups, filters, last + 1, out.data(), filters * taps, taps,
             places.data(), first > 0});
    }
    if (!all_finite(out)) {
        if (x.dtype() == DType::Float32)
            weight_of_positions(s, g.data<float>(), x.data<float>(), out.data<float>());
        else weight_of_positions(s, g.data<double>(), x.data<double>(), out.data<double>());
    }
}

}  // namespace

Tensor convolve_weight_values(const ConvolutionSizes& s, const Tensor& g, const Tensor& x) {
    const int64_t channels = s.channels / s.groups, taps = channels * s.kernel_size();
    const Dims sizes{s.filters, channels, s.kernel[0], s.kernel[1], s.kernel[2]};
    if (g.numel() == 0 || taps == 0) return zeros(sizes, x.dtype());
    if (is_dense(s))
        return product(sizes, s.filters, taps, s.images, g, 1, s.filters, x, taps, 1, Tensor());
    Tensor out = empty(sizes, x.dtype());
    launch(&convolve_weight, writes(out), s, reads(g), reads(x));
    return out;
}

}  // namespace tapegrad
