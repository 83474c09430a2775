#include "ops/isin.h"
#include "python/bind.h"

namespace tapegrad::python {

void bind_isin(PyObject* m) {
    def_function<"isin">(m, isin)
        .also("(element, test_elements, *, assume_unique=False, invert=False)", isin)
        .also("(elements, test_element, *, assume_unique=False, invert=False)", isin)
        .out_has(kSameType);
}

}  // namespace tapegrad::python
