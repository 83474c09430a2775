#include "kernels/convolution.h"

#include "core/checked.h"
#include "core/parallel.h"
#include "kernels/gemm_block.h"
#include "kernels/gemm_product.h"

namespace tapegrad::TAPEGRAD_ISA {
namespace {

using kernels::ArrangeArgs;
using kernels::ArrangeAxis;
using kernels::Columns;
using kernels::ConvolveArgs;
using kernels::CorrelateArgs;

// ------------------------------------------------------------------------------------- the copy

template <class T> TAPEGRAD_INLINE void set_zero(T* out, int64_t n) {
    using P = Pack<T>;
    int64_t i = 0;
    for (; i + P::size <= n; i += P::size) P(0).store(out + i);
    if (i < n) P(0).store(out + i, n - i);
}

template <class T> TAPEGRAD_INLINE void copy_row(const T* x, int64_t step, T* out, int64_t n) {
    using P = Pack<T>;
    if (step == 1) {
        int64_t i = 0;
        for (; i + P::size <= n; i += P::size) P::load(x + i).store(out + i);
        if (i < n) P::load(x + i, n - i).store(out + i, n - i);
    } else {
        for (int64_t i = 0; i < n; ++i) out[i] = x[i * step];
    }
}

// The q with 0 <= start + q * step < source.
struct Inside {
    int64_t begin, end;
    Inside(const ArrangeAxis& a, int64_t plane) {
        const int64_t start = a.starts[plane];
        begin = start >= 0 ? 0 : ceil_div(-start, a.step);
        end = start >= a.source ? 0 : ceil_div(a.source - start, a.step);
        if (end > a.length) end = a.length;
        if (begin > end) begin = end;
    }
};

template <class T> void arrange_channel(const ArrangeArgs& s, int64_t channel) {
    const ArrangeAxis &d = s.axes[0], &h = s.axes[1], &w = s.axes[2];
    const int64_t block = d.length * h.length * w.length;
    T* out = static_cast<T*>(s.out) + channel * d.planes * h.planes * w.planes * s.images * block;
    const T* x = static_cast<const T*>(s.x) + channel * s.channel_stride;
    for (int64_t pd = 0; pd < d.planes; ++pd)
        for (int64_t ph = 0; ph < h.planes; ++ph)
            for (int64_t pw = 0; pw < w.planes; ++pw) {
                const Inside in_d(d, pd), in_h(h, ph), in_w(w, pw);
                const int64_t count = in_w.end - in_w.begin;
                const bool whole = count == w.length && in_h.end - in_h.begin == h.length &&
                                   in_d.end - in_d.begin == d.length;
                if (!whole) set_zero(out, s.images * block);
                for (int64_t image = 0; image < s.images; ++image, out += block) {
                    const T* from = x + image * s.image_stride;
                    for (int64_t i = in_d.begin; i < in_d.end; ++i) {
                        const int64_t slice = (d.starts[pd] + i * d.step) * h.source;
                        for (int64_t j = in_h.begin; j < in_h.end; ++j) {
                            const int64_t row = (slice + h.starts[ph] + j * h.step) * w.source;
                            copy_row(from + row + w.starts[pw] + in_w.begin * w.step, w.step,
                                     out + (i * h.length + j) * w.length + in_w.begin, count);
                        }
                    }
                }
            }
}

template <class T> void arrange(const ArrangeArgs& s) {
    int64_t each = s.images;
    for (const ArrangeAxis& axis : s.axes) each *= axis.planes * axis.length;
    parallel_for(s.channels, 1, 64 * 1024 / (each + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) arrange_channel<T>(s, c);
    });
    set_zero(static_cast<T*>(s.out) + s.channels * each, kernels::kCopyTail);
}

// ---------------------------------------------------------------------------------- convolution

// Taps that are added up before the result is written: so many rows of the copy stay in the cache.
constexpr int64_t kTapBlock = 640;
// Panels of columns that a thread takes through one block of taps.
constexpr int64_t kPanelRun = 32;

TAPEGRAD_INLINE int64_t tap_block(int64_t taps) {
    const int64_t blocks = (taps + kTapBlock - 1) / kTapBlock;
    return blocks < 2 ? taps : (taps + blocks - 1) / blocks;
}

// out [kRows, kVectors vectors] = bias + a copy; element (r, l) of a at l * kRows + r.
template <class T, int kRows, int kVectors>
void taps_tile(const T* a, const T* copy, const int64_t* offsets, int64_t taps, const T* bias,
               T* out) {
    using P = Pack<T>;
    constexpr int W = P::size;
    P acc[kRows][kVectors];
    if (bias) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v] = P(bias[r]);
    }
    for (int64_t l = 0; l < taps; ++l, a += kRows) {
        const T* b = copy + offsets[l];
        P bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) bv[v] = P::load(b + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
#if defined(TAPEGRAD_AVX512)
            if (r % 4 < 3) {
#pragma GCC unroll 8
                for (int v = 0; v < kVectors; ++v)
                    acc[r][v] = broadcast_fma(a[r], bv[v], acc[r][v]);
                continue;
            }
#endif
            const P av(a[r]);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[r][v].store(out + (r * kVectors + v) * W);
}

template <class T>
using TapsFn = void (*)(const T* a, const T* copy, const int64_t* offsets, int64_t taps,
                        const T* bias, T* out);
template <class T, int kVectors, class Rows> struct TapsTable;
template <class T, int kVectors, int... kRow>
struct TapsTable<T, kVectors, std::integer_sequence<int, kRow...>> {
    static constexpr TapsFn<T> fn[] = {taps_tile<T, kRow + 1, kVectors>...};
};
template <class T, int kVectors> TAPEGRAD_INLINE const TapsFn<T>* taps_table() {
    return TapsTable<T, kVectors,
                     std::make_integer_sequence<int, kVectors == 4 ? kWideRows : kBlockRows>>::fn;
}

// Columns of a panel that count, and where they go.
struct Segment {
    int64_t column, length, out;
};

TAPEGRAD_INLINE int find_segments(const ConvolveArgs& args, int64_t begin, int64_t end,
                                  Segment* segments) {
    const Columns& c = args.columns;
    int64_t w = begin % c.length[2], h = begin / c.length[2];
    int64_t d = h / c.length[1];
    h %= c.length[1];
    int64_t image = d / c.length[0];
    d %= c.length[0];
    int count = 0;
    for (int64_t j = begin; j < end;) {
        if (w < c.used[2] && h < c.used[1] && d < c.used[0]) {
            const int64_t rest = c.used[2] - w;
            segments[count++] = {j - begin, rest < end - j ? rest : end - j,
                                 image * args.out_image + d * args.out_step[0] +
                                     h * args.out_step[1] + w * args.out_step[2]};
        }
        j += c.length[2] - w;
        w = 0;
        if (++h < c.length[1]) continue;
        h = 0;
        if (++d < c.length[0]) continue;
        d = 0;
        ++image;
    }
    return count;
}

template <class T>
TAPEGRAD_INLINE void write_segment(const T* from, T* to, int64_t n, int64_t step, bool add) {
    using P = Pack<T>;
    if (step != 1) {
        for (int64_t i = 0; i < n; ++i) to[i * step] = add ? to[i * step] + from[i] : from[i];
        return;
    }
    int64_t i = 0;
    for (; i + P::size <= n; i += P::size) {
        const P x = P::load(from + i);
        (add ? P::load(to + i) + x : x).store(to + i);
    }
    if (i < n) {
        const P x = P::load(from + i, n - i);
        (add ? P::load(to + i, n - i) + x : x).store(to + i, n - i);
    }
}

// Panels begin to end of those of all groups.
template <class T, int kVectors>
void run_panels(const ConvolveArgs& args, int64_t columns, const Cut& cut, int64_t block,
                int64_t panels, int64_t begin, int64_t end) {
    constexpr int W = Pack<T>::size;
    constexpr int64_t kWidth = kVectors * W;
    const TapsFn<T>* table = taps_table<T, kVectors>();
    alignas(64) T tile[kBlockRows * 4 * W];
    Segment segments[kWidth];
    for (int64_t run = begin; run < end;) {
        const int64_t g = run / panels;
        int64_t run_end = run + kPanelRun < end ? run + kPanelRun : end;
        if (run_end > (g + 1) * panels) run_end = (g + 1) * panels;
        const T* copy = static_cast<const T*>(args.copy) + g * args.copy_group;
        T* out = static_cast<T*>(args.out) + g * args.rows * args.out_row;
        const T* bias = args.bias ? static_cast<const T*>(args.bias) + g * args.rows : nullptr;
        int64_t first = 0;
        do {
            const int64_t taps = args.taps - first < block ? args.taps - first : block;
            const T* weight =
                static_cast<const T*>(args.scratch) + (g * args.taps + first) * args.rows;
            for (int64_t p = run; p < run_end; ++p) {
                const int64_t j = (p - g * panels) * kWidth;
                const int64_t j_end = j + kWidth < columns ? j + kWidth : columns;
                const int count = find_segments(args, j, j_end, segments);
                if (count == 0) continue;
                const T* a = weight;
                for (int64_t i = 0; i < cut.blocks; ++i) {
                    const int64_t rows = cut.count(i), row = cut.begin(i);
                    table[rows - 1](a, copy + j, args.offsets + first, taps,
                                    bias && first == 0 ? bias + row : nullptr, tile);
                    a += rows * taps;
                    for (int64_t r = 0; r < rows; ++r) {
                        T* to = out + (row + r) * args.out_row;
                        const T* from = tile + r * kWidth;
                        for (int s = 0; s < count; ++s)
                            write_segment(from + segments[s].column, to + segments[s].out,
                                          segments[s].length, args.out_step[2], first > 0);
                    }
                }
            }
            first += block;
        } while (first < args.taps);
        run = run_end;
    }
}

template <class T, int kVectors> void convolve_panels(const ConvolveArgs& args, int64_t columns) {
    constexpr int W = Pack<T>::size;
    constexpr int64_t kWidth = kVectors * W;
    const Cut cut(args.rows, kVectors == 4 ? kWideRows : kBlockRows);
    const int64_t block = tap_block(args.taps);
    const int64_t panels = (columns + kWidth - 1) / kWidth;

    T* packed = static_cast<T*>(args.scratch);
    for (int64_t g = 0, at = 0; g < args.groups; ++g)
        for (int64_t first = 0; first < args.taps; first += block) {
            const int64_t last = first + block < args.taps ? first + block : args.taps;
            for (int64_t i = 0; i < cut.blocks; ++i) {
                const T* weight = static_cast<const T*>(args.weight) + g * args.weight_group +
                                  cut.begin(i) * args.weight_row;
                const int64_t rows = cut.count(i);
                for (int64_t l = first; l < last; ++l)
                    for (int64_t r = 0; r < rows; ++r)
                        packed[at++] = weight[r * args.weight_row + args.weight_offsets[l]];
            }
        }

    const int64_t cost = args.rows * (args.taps + 8) * kWidth * static_cast<int64_t>(sizeof(T) / 4);
    parallel_for(args.groups * panels, 1, kGrainCost / (cost + 1) + 1,
                 [&](int64_t begin, int64_t end) {
                     run_panels<T, kVectors>(args, columns, cut, block, panels, begin, end);
                 });
}

// Columns up to the last one that counts.
TAPEGRAD_INLINE int64_t columns_of(const Columns& c) {
    return (((c.images - 1) * c.length[0] + c.used[0] - 1) * c.length[1] + c.used[1] - 1) *
               c.length[2] +
           c.used[2];
}

template <class T> void convolve(const ConvolveArgs& args) {
    constexpr int W = Pack<T>::size;
    if (args.columns.images <= 0) return;
    const int64_t columns = columns_of(args.columns);
    if (columns <= W) convolve_panels<T, 1>(args, columns);
    else if (args.rows > kWideRows || columns <= 2 * W) convolve_panels<T, 2>(args, columns);
    else convolve_panels<T, 4>(args, columns);
}

// ---------------------------------------------------------------------------------- correlation

#if defined(TAPEGRAD_AVX512) || defined(__aarch64__)
constexpr int kDotRows = 4, kDotTaps = 6;
#else
constexpr int kDotRows = 2, kDotTaps = 4;
#endif
// Columns that are multiplied at a time: those of a few rows stay in the first-level cache.
constexpr int64_t kColumnBlock = 1536;

template <class T, int kRows>
void dots_tile(const T* grad, int64_t grad_row, const T* copy, const int64_t* offsets, int64_t n,
               T* sums) {
    using P = Pack<T>;
    constexpr int W = P::size;
    P acc[kRows][kDotTaps];
    const T* x[kDotTaps];
    for (int l = 0; l < kDotTaps; ++l) x[l] = copy + offsets[l];
    const auto step = [&](int64_t i, auto load) __attribute__((always_inline)) {
        P g[kRows];
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) g[r] = load(grad + r * grad_row + i);
#pragma GCC unroll 8
        for (int l = 0; l < kDotTaps; ++l) {
            const P xv = load(x[l] + i);
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) acc[r][l] = fma(g[r], xv, acc[r][l]);
        }
    };
    int64_t i = 0;
    for (; i + W <= n; i += W)
        step(i, [](const T* p) __attribute__((always_inline)) { return P::load(p); });
    if (i < n)
        step(i, [&](const T* p) __attribute__((always_inline)) { return P::load(p, n - i); });
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int l = 0; l < kDotTaps; ++l) sums[r * kDotTaps + l] = sum(acc[r][l]);
}

template <class T>
using DotsFn = void (*)(const T* grad, int64_t grad_row, const T* copy, const int64_t* offsets,
                        int64_t n, T* sums);
template <class T, class Rows> struct DotsTable;
template <class T, int... kRow> struct DotsTable<T, std::integer_sequence<int, kRow...>> {
    static constexpr DotsFn<T> fn[] = {dots_tile<T, kRow + 1>...};
};

template <class T> void correlate(const CorrelateArgs& args) {
    const DotsFn<T>* table = DotsTable<T, std::make_integer_sequence<int, kDotRows>>::fn;
    const int64_t row_tiles = (args.rows + kDotRows - 1) / kDotRows,
                  tap_tiles = (args.taps + kDotTaps - 1) / kDotTaps;
    constexpr int W = Pack<T>::size;
    const int64_t blocks = (args.columns + kColumnBlock - 1) / kColumnBlock;
    const int64_t block = blocks ? (args.columns / blocks / W + 1) * W : W;
    const int64_t cost =
        (args.columns + 4 * W) * kDotRows * kDotTaps * static_cast<int64_t>(sizeof(T) / 4);
    parallel_for(
        args.groups * row_tiles * tap_tiles, 1, kGrainCost / (cost + 1) + 1,
        [&](int64_t begin, int64_t end) {
            T sums[kDotRows * kDotTaps];
            int64_t offsets[kDotTaps];
            for (int64_t first = 0; first < args.columns; first += block) {
                const int64_t n = args.columns - first < block ? args.columns - first : block;
                const bool add = args.accumulate || first > 0;
                for (int64_t task = begin; task < end; ++task) {
                    const int64_t l = task % tap_tiles * kDotTaps, tile = task / tap_tiles;
                    const int64_t row = tile % row_tiles * kDotRows, g = tile / row_tiles;
                    const int64_t rows = args.rows - row < kDotRows ? args.rows - row : kDotRows,
                                  taps = args.taps - l < kDotTaps ? args.taps - l : kDotTaps;
                    for (int64_t i = 0; i < kDotTaps; ++i)
                        offsets[i] = args.offsets[l + (i < taps ? i : 0)];
                    table[rows - 1](static_cast<const T*>(args.grad) +
                                        (g * args.rows + row) * args.grad_row + first,
                                    args.grad_row,
                                    static_cast<const T*>(args.copy) + g * args.copy_group + first,
                                    offsets, n, sums);
                    T* out = static_cast<T*>(args.out) + g * args.out_group + row * args.out_row;
                    for (int64_t r = 0; r < rows; ++r)
                        for (int64_t i = 0; i < taps; ++i) {
                            T& to = out[r * args.out_row + args.out_offsets[l + i]];
                            to = add ? to + sums[r * kDotTaps + i] : sums[r * kDotTaps + i];
                        }
                }
            }
        });
}

// -------------------------------------------------------------------------------------- maximum

// Windows of a row, one after the other: results first to last of row (od, oh).
template <class T>
void pool_windows(const T* x, T* out, int64_t* places, const kernels::WindowAxis* axes, int64_t od,
                  int64_t oh, int64_t first, int64_t last) {
    const kernels::WindowAxis &d = axes[0], &h = axes[1], &w = axes[2];
    for (int64_t i = first; i < last; ++i) {
        T best = static_cast<T>(-__builtin_inf());
        int64_t place = (d.start[od] * h.source + h.start[oh]) * w.source + w.start[i];
        for (int64_t kd = 0; kd < d.count[od]; ++kd)
            for (int64_t kh = 0; kh < h.count[oh]; ++kh)
                for (int64_t kw = 0; kw < w.count[i]; ++kw) {
                    const int64_t at =
                        ((d.start[od] + kd * d.step) * h.source + h.start[oh] + kh * h.step) *
                            w.source +
                        w.start[i] + kw * w.step;
                    const T value = x[at];
                    if (value > best || value != value) {
                        best = value;
                        place = at;
                    }
                }
        out[i] = best;
        places[i] = place;
    }
}

// The first n of the elements that are kStride apart; 0: `stride`.
template <class T, int kStride>
TAPEGRAD_INLINE Pack<T> strided_load(const T* p, int64_t stride, int64_t n) {
    using P = Pack<T>;
    constexpr int W = P::size;
    if constexpr (kStride == 1) {
        return n == W ? P::load(p) : P::load(p, n);
    } else if constexpr (kStride == 2) {
        const int64_t all = 2 * n - 1;
        const P a = P::load(p, all < W ? all : W), b = all > W ? P::load(p + W, all - W) : P(0);
        if constexpr (W == 16)
            return P(__builtin_shufflevector(a.v, b.v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                             24, 26, 28, 30));
        else if constexpr (W == 8)
            return P(__builtin_shufflevector(a.v, b.v, 0, 2, 4, 6, 8, 10, 12, 14));
        else if constexpr (W == 4) return P(__builtin_shufflevector(a.v, b.v, 0, 2, 4, 6));
        else return P(__builtin_shufflevector(a.v, b.v, 0, 2));
    } else {
        return P::gather(p, stride, n);
    }
}

// Elements of a window that are numbered on the way.
constexpr int64_t kPoolTaps = 256;

// The same for whole windows that begin kStride apart, a vector of them at a time.
template <class T, int kStride>
void pool_row(const T* x, T* out, int64_t* places, const kernels::WindowAxis* axes, int64_t od,
              int64_t oh, int64_t first, int64_t last, int64_t given_stride) {
    using P = Pack<T>;
    const kernels::WindowAxis &d = axes[0], &h = axes[1], &w = axes[2];
    const int64_t stride = kStride ? kStride : given_stride;
    int64_t shifts[kPoolTaps];
    int taps = 0;
    for (int64_t kd = 0; kd < d.count[od]; ++kd)
        for (int64_t kh = 0; kh < h.count[oh]; ++kh)
            for (int64_t kw = 0; first < last && kw < w.count[first]; ++kw)
                shifts[taps++] = (kd * d.step * h.source + kh * h.step) * w.source + kw * w.step;
    for (; first < last; first += P::size) {
        const int64_t n = last - first < P::size ? last - first : P::size;
        const int64_t corner = (d.start[od] * h.source + h.start[oh]) * w.source + w.start[first];
        P best = -P::infinity(), number(0);
        for (int t = 0; t < taps; ++t) {
            const P value = strided_load<T, kStride>(x + corner + shifts[t], stride, n);
            const Mask<T> take = (value > best) | isnan(value);
            best = where(take, value, best);
            number = where(take, P(t), number);
        }
        best.store(out + first, n);
        T numbers[P::size];
        number.store(numbers);
        for (int64_t i = 0; i < n; ++i)
            places[first + i] =
                corner + i * stride + (taps ? shifts[static_cast<int>(numbers[i])] : 0);
    }
}

// The size of the largest window.
TAPEGRAD_INLINE int64_t most_of(const kernels::WindowAxis& a) {
    int64_t most = 0;
    for (int64_t i = 0; i < a.m; ++i) most = a.count[i] > most ? a.count[i] : most;
    return most;
}

// The windows of an axis that are whole and evenly apart.
struct Regular {
    int64_t begin = 0, end = 0, stride = 0;
    explicit Regular(const kernels::WindowAxis& a) {
        const int64_t most = most_of(a);
        while (begin < a.m && a.count[begin] != most) ++begin;
        end = begin < a.m ? begin + 1 : begin;
        if (end < a.m) stride = a.start[end] - a.start[begin];
        while (end < a.m && a.count[end] == most && a.start[end] == a.start[end - 1] + stride)
            ++end;
    }
};

template <class T>
void max_pool(const void* x, void* out, int64_t* places, int64_t planes,
              const kernels::WindowAxis* axes) {
    const kernels::WindowAxis &d = axes[0], &h = axes[1], &w = axes[2];
    const int64_t source = d.source * h.source * w.source, size = d.m * h.m * w.m;
    Regular regular(w);
    if (most_of(d) * most_of(h) * most_of(w) > kPoolTaps) regular.begin = regular.end = 0;
    const auto rows = regular.stride == 1   ? pool_row<T, 1>
                      : regular.stride == 2 ? pool_row<T, 2>
                                            : pool_row<T, 0>;
    parallel_for(planes, 1, 32 * 1024 / (source + size + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
            const T* from = static_cast<const T*>(x) + p * source;
            for (int64_t row = 0; row < d.m * h.m; ++row) {
                T* to = static_cast<T*>(out) + p * size + row * w.m;
                int64_t* to_places = places + p * size + row * w.m;
                const int64_t od = row / h.m, oh = row % h.m;
                pool_windows(from, to, to_places, axes, od, oh, 0, regular.begin);
                rows(from, to, to_places, axes, od, oh, regular.begin, regular.end, regular.stride);
                pool_windows(from, to, to_places, axes, od, oh, regular.end, w.m);
            }
        }
    });
}

// ----------------------------------------------------------------------------- a matrix along an axis

template <class T>
void axis_map(const void* x_given, void* out_given, int64_t outer, int64_t inner,
              const kernels::AxisMatrix& a) {
    const T* x = static_cast<const T*>(x_given);
    T* out = static_cast<T*>(out_given);
    const int64_t entries = a.begin[a.m] + a.m;
    const int64_t each = entries * inner;
    parallel_for(outer, 1, 32 * 1024 / (each + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
            const T* from = x + o * a.n * inner;
            T* to = out + o * a.m * inner;
            for (int64_t j = 0; j < a.m; ++j, to += inner) {
                const int64_t first = a.begin[j], last = a.begin[j + 1];
                if (inner == 1) {
                    T total = 0;
                    for (int64_t e = first; e < last; ++e)
                        total += static_cast<T>(a.weight[e]) * from[a.index[e]];
                    *to = total;
                    continue;
                }
                if (first == last)
                    for (int64_t i = 0; i < inner; ++i) to[i] = 0;
                for (int64_t e = first; e < last; ++e) {
                    const T* row = from + a.index[e] * inner;
                    const T weight = static_cast<T>(a.weight[e]);
                    if (e == first)
                        for (int64_t i = 0; i < inner; ++i) to[i] = weight * row[i];
                    else
                        for (int64_t i = 0; i < inner; ++i) to[i] += weight * row[i];
                }
            }
        }
    });
}

template <class T> void fill_type(kernels::ConvolutionKernels& k) {
    constexpr DType dtype = sizeof(T) == 4 ? DType::Float32 : DType::Float64;
    k.arrange[dtype] = arrange<T>;
    k.convolve[dtype] = convolve<T>;
    k.correlate[dtype] = correlate<T>;
    k.max_pool[dtype] = max_pool<T>;
    k.axis_map[dtype] = axis_map<T>;
}

}  // namespace

void fill(kernels::ConvolutionKernels& kernels) {
    fill_type<float>(kernels);
    fill_type<double>(kernels);
}

}  // namespace tapegrad::TAPEGRAD_ISA
