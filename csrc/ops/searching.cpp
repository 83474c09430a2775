#include "ops/searching.h"

#include <limits>
#include <string>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "replay/recorder.h"

namespace tapegrad {

constexpr auto kSearch = "tapegrad.searchsorted(): ";

void from_text(std::string_view text, Side& side) {
    if (text != "left" && text != "right")
        fail(kSearch, "side can only be 'left' or 'right' but got ", std::string(text));
    side = text == "left" ? Side::Left : Side::Right;
}

namespace {

// The first place whose element is not less than value, or greater than it (right). NaN comes last.
template <class T>
int64_t place_of(T value, const T* row, const int64_t* order, int64_t n, bool right) {
    int64_t first = 0, count = n;
    while (count > 0) {
        const int64_t half = count / 2, middle = first + half;
        const T element = row[order ? order[middle] : middle];
        if (right ? element > value : element >= value) {
            count = half;
        } else {
            first = middle + 1;
            count -= half + 1;
        }
    }
    return first;
}

void check_sorter(const Tensor& sequence, const Tensor& sorter) {
    if (!(sorter.sizes() == sequence.sizes()))
        fail(kSearch, "boundary and sorter must have the same size, but got boundary tensor ",
             to_string(sequence.sizes()), "and got sorter tensor ", to_string(sorter.sizes()));
    if (sorter.dtype() != DType::Int64)
        fail(kSearch, "sorter must be a tensor of long dtype but got dtype ",
             scalar_type_name(sorter.dtype()));
    const Tensor order = contiguous_values(sorter);
    const int64_t n = sequence.dim() ? sequence.sizes()[sequence.dim() - 1] : 1;
    launch(checking([n, count = order.numel()](const int64_t* places) {
               for (int64_t i = 0; i < count; ++i)
                   if (places[i] < 0 || places[i] >= n) fail(kSearch, "sorter index out of range");
           }),
           order.data<int64_t>());
}

void check_shapes(const Tensor& sequence, const Arg& values) {
    if (sequence.dim() == 0)
        fail(kSearch, "boundaries tensor should have positive dimension, but got 0 dimension");
    if (sequence.dim() == 1) return;
    const int last = sequence.dim() - 1;
    if (!values.is_tensor() || values.tensor().dim() == 0)
        fail(kSearch,
             "input value can be a scalar only when boundaries tensor dimension is 1, but we got "
             "boundaries tensor dim(",
             sequence.dim(), ") and input value's dim(0) numel(1)");
    const Dims& sizes = values.tensor().sizes();
    bool match = sizes.size() == sequence.dim();
    for (int d = 0; match && d < last; ++d) match = sizes[d] == sequence.sizes()[d];
    if (!match)
        fail(kSearch,
             "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
             "tensor and input value tensor must match, but we got boundaries tensor ",
             to_string(sequence.sizes()), " and input value tensor ", to_string(sizes));
}

}  // namespace

Tensor searchsorted(const Tensor& sequence, const Arg& given, bool out_int32, bool right,
                    std::optional<Side> side, const std::optional<Tensor>& sorter) {
    const Arg values = comparable(given, sequence);
    if (side == Side::Left && right)
        fail(kSearch,
             "side and right can't be set to opposites, got side of left while right was True");
    check_shapes(sequence, values);
    if (sorter) check_sorter(sequence, *sorter);
    const DType dtype = comparison_type(sequence, values);
    if (dtype == DType::Bool) refuse_dtype("searchsorted_out_cpu", dtype);
    const int64_t n = sequence.sizes()[sequence.dim() - 1];
    if (out_int32 && n >= std::numeric_limits<int32_t>::max())
        fail(kSearch, "the size of boundaries' last dimension should be less than ",
             std::numeric_limits<int32_t>::max(), ", but we got ", n);
    const Tensor rows = contiguous_values(sequence, dtype);
    const Tensor x = contiguous_values(values, dtype);
    const Tensor order = sorter ? contiguous_values(*sorter) : Tensor();
    const bool after = right || side == Side::Right;
    // Values that one row serves.
    const int64_t width = sequence.dim() == 1 || x.dim() == 0 ? x.numel() : x.sizes()[x.dim() - 1];
    Tensor out = empty(x.sizes(), out_int32 ? DType::Int32 : DType::Int64);
    visit_dtype(dtype, [&]<class T>() {
        launch(
            [=, count = x.numel()](const T* searched, const T* sequences, const int64_t* orders,
                                   void* to) {
                parallel_for(count, grain_for(16), [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                        const int64_t start = i / width * n;
                        const int64_t place = place_of(searched[i], sequences + start,
                                                       orders ? orders + start : nullptr, n, after);
                        if (out_int32) static_cast<int32_t*>(to)[i] = static_cast<int32_t>(place);
                        else static_cast<int64_t*>(to)[i] = place;
                    }
                });
            },
            x.data<T>(), rows.data<T>(), order.defined() ? order.data<int64_t>() : nullptr,
            out.data());
    });
    return out;
}

Tensor bucketize(const Arg& values, const Tensor& boundaries, bool out_int32, bool right) {
    if (boundaries.dim() != 1)
        fail("boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(), ")");
    return searchsorted(boundaries, values, out_int32, right, {}, {});
}

}  // namespace tapegrad
