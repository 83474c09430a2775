#include "ops/isin.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "ops/copy.h"
#include "ops/offsets.h"
#include "replay/recorder.h"

namespace tapegrad {

// Whether the elements are known to be different makes no difference to a search in sorted values.
Tensor isin(const Arg& given, const Arg& given_test, bool, bool invert) {
    const Arg elements = comparable(given, given_test),
              test_elements = comparable(given_test, given);
    const DType dtype = comparison_type(elements, test_elements);
    for (const Arg* arg : {&elements, &test_elements})
        if ((arg->is_tensor() ? arg->tensor().dtype() : arg->scalar().kind()) == DType::Bool)
            fail("Unsupported input type encountered for isin(): Bool");
    const Tensor x = contiguous_values(elements, dtype),
                 others = contiguous_values(test_elements, dtype);
    Tensor out = empty(x.sizes(), DType::Bool);
    visit_dtype(dtype, [&]<class T>() {
        launch(
            [invert, n = x.numel(), count = others.numel()](const T* values, const T* tested,
                                                            uint8_t* to) {
                std::vector<T> known;
                for (const T* p = tested; p < tested + count; ++p)
                    if (*p == *p) known.push_back(*p);
                std::sort(known.begin(), known.end());
                parallel_for(n, grain_for(16), [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                        const T value = values[i];
                        const bool found =
                            value == value && std::binary_search(known.begin(), known.end(), value);
                        to[i] = found != invert;
                    }
                });
            },
            x.data<T>(), others.data<T>(), out.data<uint8_t>());
    });
    return out;
}

}  // namespace tapegrad
